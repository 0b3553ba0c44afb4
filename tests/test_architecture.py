"""The house rules that a linter cannot know: sizes, blanket catches, names nobody else may claim, files that are true."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("reconciler", "connectors", "policies", "reports")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TREES = {path: ast.parse(path.read_text("utf-8")) for path in FILES if "migrations" not in path.parts}  # tables, not logic
BLANKET_ALLOWED = {"reconciler/cli.py", "reconciler/plugins.py", "reconciler/pull.py"}  # main, and the plugin edge


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def function_sizes() -> list[tuple[int, str]]:
    nodes = ((path, node) for path, tree in TREES.items() for node in ast.walk(tree))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return sorted(
        (n.end_lineno - n.lineno + 1, f"{name(p)}:{n.lineno} {n.name}") for p, n in nodes if isinstance(n, kinds) and n.end_lineno
    )


def test_functions_are_small() -> None:
    sizes = function_sizes()
    numbers = [size for size, _ in sizes]
    assert statistics.median(numbers) <= 10
    assert numbers[int(len(numbers) * 0.9)] <= 25
    assert not [where for size, where in sizes if size > 50]


def test_files_are_small() -> None:
    lines = {name(path): path.read_text("utf-8").count("\n") for path in FILES}
    assert not {path: count for path, count in lines.items() if count > 400}
    assert sorted(lines.values())[int(len(lines) * 0.9)] <= 240


def test_nothing_is_caught_blindly() -> None:
    broad = {"Exception", "BaseException"}
    found = {
        name(path)
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in broad))
        and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    }
    assert found <= BLANKET_ALLOWED | {"reconciler/connector.py"}  # a reading thread hands its problem to the reader


@pytest.mark.parametrize("path", sorted((ROOT / "policies").glob("*.py")), ids=lambda path: path.stem)
def test_policies_ask_tables_not_rows(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not [word for word in ("iterrows", "itertuples", "axis=1", ".fillna(", "for row in") if word in text]


RUNS_WHAT_IT_READS = {"pickle", "marshal", "shelve", "yaml", "eval", "exec", "compile"}


def test_nothing_runs_what_it_reads() -> None:
    """No format that can carry code, no text that becomes code, no shell."""
    calls = [(path, node) for path, tree in TREES.items() for node in ast.walk(tree) if isinstance(node, ast.Call)]
    nodes = [
        (path, node) for path, tree in TREES.items() for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    taken = [(path, alias.name) for path, node in nodes if isinstance(node, ast.Import) for alias in node.names]
    taken += [(path, node.module or "") for path, node in nodes if isinstance(node, ast.ImportFrom)]
    taken += [(path, node.func.id) for path, node in calls if isinstance(node.func, ast.Name)]
    assert [(name(path), word) for path, word in taken if word.partition(".")[0] in RUNS_WHAT_IT_READS] == []
    assert [name(path) for path, node in calls for keyword in node.keywords if keyword.arg == "shell"] == []


@pytest.mark.parametrize("path", list(TREES), ids=name)
def test_modules_say_what_they_are_for(path: Path) -> None:
    doc = ast.get_docstring(TREES[path])
    assert doc and doc.split("\n")[0].endswith((".", ":"))


def test_nobody_else_claims_our_package_names() -> None:
    owners = packages_distributions()
    assert {owner for package in PACKAGES for owner in owners.get(package, ())} <= {"identity-reconciler"}


def test_importing_does_nothing() -> None:
    """No plugin, network or file is touched when the command line is imported."""
    program = "import sys, reconciler.cli; print([m for m in sys.modules if m.split('.')[0] in ('ldap3', 'msal', 'googleapiclient', 'policies')])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
