"""The verbs that tell what there is: the catalogue of policies, the JSON Schemas, the version."""

from __future__ import annotations

from importlib.metadata import version as installed
from typing import Annotated, Any

import typer

from reconciler.command_line import closed, formats
from reconciler.model import SCHEMA_VERSION, PolicyPage
from reconciler.printing import print_json
from reconciler.rows import show, show_one


def policies_list() -> None:
    """Every policy: id, severity, question."""
    rows = [_page(page) for page in _pages()]
    show(formats("table", "json", "jsonl", "csv"), rows, ("id", "severity", "title"))


def policies_docs(
    policy: Annotated[str | None, typer.Argument(metavar="[ID]", help="One policy; default: all of them.")] = None,
) -> None:
    """What a policy asks, why, how to fix it, when it can be wrong, and its settings."""
    form, pages = formats("table", "json", "jsonl"), _pages()
    closed("policies docs", [policy] if policy else [], [page.id for page in pages])
    wanted = [page for page in pages if policy in (None, page.id)]
    if form != "table":
        return show(form, [_page(page) for page in wanted], ())
    for page in wanted:
        print(_in_words(page))
    return None


def _in_words(page: PolicyPage) -> str:
    import json

    parts = [
        f"## {page.id}",
        page.title,
        f"Why it matters: {page.why}",
        f"How to fix: {page.fix}",
        f"Can be wrong when: {page.wrong_when}",
    ]
    settings = "".join(f"    {name} = {json.dumps(value)}\n" for name, value in page.settings.items())
    block = f'    [policies.{page.id}]\n    enabled = true\n    severity = "{page.severity}"\n{settings}'
    return "\n\n".join([*parts, f"Controls: {', '.join(page.controls)}", block])


def _page(page: PolicyPage) -> dict[str, Any]:
    return {
        "id": page.id, "severity": page.severity, "title": page.title, "why": page.why, "fix": page.fix, "wrong_when": page.wrong_when,
        "controls": list(page.controls), "settings": dict(page.settings),
    }  # fmt: skip


def _pages() -> list[PolicyPage]:
    from reconciler import plugins
    from reconciler.policy import policy_in

    return [policy_in(plugins.load("policies", name)).page() for name in plugins.names("policies")]


def schema(what: Annotated[str, typer.Argument(metavar="config|finding|plan|run", help="Whose shape.")]) -> None:
    """The JSON Schema of what users script against."""
    from reconciler.schemas import SCHEMAS

    closed("schema", [what], SCHEMAS)
    print_json(SCHEMAS[what]())


def version() -> None:
    """This program's version."""
    form, told = formats("table", "json", "jsonl"), installed("identity-reconciler")
    if form == "table":
        print(told)
    else:
        show_one(form, {"version": told, "schema_version": SCHEMA_VERSION})
