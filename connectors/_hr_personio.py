"""Personio: everybody by version 1 of its employees, a hundred at a time, behind a token of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from connectors._hr_listing import MOST_PAGES, Moved, Told, count, distinct, records, steady, text
from connectors._http import Api
from connectors._roster_settings import RosterSettings
from reconciler.connector import AccessRefused, Incomplete


def token(entrance: Api, settings: Any) -> Callable[[bool], str]:
    """Asks for a token when there is none, or the one there is has run out."""
    kept: list[str] = []

    def authorise(renew: bool) -> str:
        if renew or not kept:
            told = entrance.ask(
                "POST", "v1/auth", body={"client_id": settings.username, "client_secret": settings.password.reveal()}
            )
            made = (told.get("data") or {}).get("token")
            if not told.get("success") or not isinstance(made, str):
                raise AccessRefused(f"{entrance.root}: no token for client {settings.username}; is the secret right?")
            kept[:] = [made]
        return f"Bearer {kept[0]}"

    return authorise


def personio(api: Api, settings: RosterSettings) -> Told:
    """Everybody, a hundred at a time, until as many have come as there are."""
    return steady(lambda: _once(api), lambda: _once(api))


def _once(api: Api) -> Told:
    people: list[dict[str, Any]] = []
    total: int | None = None
    for number in range(1, MOST_PAGES):
        answer = api.get("v1/company/employees", query={"limit": 100, "offset": len(people)})
        now = count(api.root, (answer.get("metadata") or {}).get("total_elements"), "total_elements")
        if total not in (None, now):
            raise Moved(f"{api.root}: {total} people at first and {now} on page {number}; the listing moved while it was read")
        total, found = now, records(api.root, answer, "data")
        people += found
        if not found or len(people) >= total:
            rows = [dict(_row(record)) for record in people]
            distinct(api.root, [row.get("id") for row in rows], total)
            return Told(rows, number, total)
    raise Incomplete(f"{api.root}: more than {MOST_PAGES} pages")


def _row(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Attributes by their name, a company's own by their label; of what is nested, its name, and the supervisor's number."""
    for name, told in (record.get("attributes") or {}).items():
        value = told.get("value") if isinstance(told, dict) else told
        shown = str(told.get("label") or name) if name.startswith("dynamic_") and isinstance(told, dict) else name
        if name == "supervisor":
            yield "supervisor.id", text(_nested(value, "id"))
        elif isinstance(value, list):
            yield shown, "; ".join(text(_nested(item, "name")) for item in value if isinstance(item, dict))
        else:
            yield shown, text(_nested(value, "name") if isinstance(value, dict) else value)


def _nested(value: object, name: str) -> Any:
    """An attribute of a nested record, itself perhaps with a label."""
    told = (value.get("attributes") or {}).get(name) if isinstance(value, dict) else None
    return told.get("value") if isinstance(told, dict) else told
