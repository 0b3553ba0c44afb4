"""Every recipe of CONTRIBUTING is a complete diff: applied to a copy of the project, it works."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DIFFS = re.findall(r"^## (An? \w+)$.*?^```diff\n(.*?)^```$", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.M | re.S)
COPIED = ("reconciler", "connectors", "policies", "reports", "tests", "pyproject.toml", "config.example.toml")
RECIPES: dict[str, str] = dict(DIFFS)

# What shows that a recipe works: the tests over the set of plugins, and the verb that names the plugin.
CHECKS = {
    "A policy": (["tests/test_every_policy.py", "-k", "privileged_without_mfa"], ["policies", "list"], "privileged-without-mfa"),
    "A connector": (["tests/test_every_connector.py", "-k", "accounts_json or importing"], ["schema", "config"], "accounts_json"),
    "A report": (
        ["tests/test_every_report.py", "-k", "plain_summary"],
        ["report", "--config", "config.example.toml", "--formats", "nonsense"],
        "text",
    ),
    "A remedy": (["tests/test_every_action.py", "-k", "label_leaver"], ["schema", "plan"], "label-leaver"),
}


def new_files(diff: str) -> dict[str, str]:
    """The files a diff adds, by path; it may change none."""
    parts = re.split(r"^--- /dev/null\n\+\+\+ b/(.+)\n", diff, flags=re.M)
    assert parts[0] == "", "a recipe adds files and changes none"
    bodies = ("".join(f"{line[1:]}\n" for line in body.splitlines() if line.startswith("+")) for body in parts[2::2])
    return dict(zip(parts[1::2], bodies, strict=True))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in COPIED:
        source, target = ROOT / name, tmp_path / name
        if source.is_dir():
            shutil.copytree(source, target)  # with what Python has compiled
        else:
            shutil.copy(source, target)
    return tmp_path


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, timeout=120)


def test_every_recipe_is_checked() -> None:
    assert set(RECIPES) == set(CHECKS)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_works_as_it_stands(name: str, copy: Path) -> None:
    for path, text in new_files(RECIPES[name]).items():
        assert not (copy / path).exists(), path
        (copy / path).write_text(text, "utf-8")
    tests, verb, named = CHECKS[name]
    done = run(copy, "pytest", "-q", "-p", "no:cacheprovider", *tests)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    shown = run(copy, "reconciler", *verb)
    assert named in shown.stdout + shown.stderr
    style = run(copy, "ruff", "check", *new_files(RECIPES[name]))
    assert style.returncode == 0, style.stdout
