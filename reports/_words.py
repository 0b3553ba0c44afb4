"""The words a report uses for what the engine calls by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from reports._text import visible

NAMES = {
    "access_ends": "access should end", "account": "account says", "created_at": "account created", "email": "e-mail",
    "employee_id": "employee id on the account", "enabled": "account enabled", "entitlement_privileged": "gives admin rights",
    "entitlement_writable": "membership can be changed here", "found": "the cell says", "allowed": "allowed",
    "held": "held tonight", "hr": "HR says", "kind": "kind of account", "last_day": "last day at work",
    "last_login_at": "last sign-in", "line": "line of the roster", "live_accounts": "live accounts", "live_on": "live on",
    "logins": "logins", "mastered_by": "mastered by", "matched_by": "matched by", "moved_at": "changed position",
    "moved_from": "position before", "never_logged_in": "never signed in", "off_on": "switched off on", "ownership": "owner",
    "person_department": "department in HR", "person_job_title": "job title in HR", "privileged": "admin account",
    "start_date": "first day at work", "starts": "access may begin", "upn": "sign-in name (UPN)", "via": "held how",
    "worker_type": "worker type",
}  # fmt: skip

KEYS = {
    "employee_id": "the employee id, which both HR and the account carry: the surest key",
    "anchor": "the directory account it is synchronised from, whose owner is known by employee id or e-mail",
    "upn": "the sign-in name (UPN), equal to the work e-mail in HR",
    "email": "the e-mail address, equal to the work e-mail in HR",
    "alias": "an alias address, equal to the work e-mail in HR: the weakest of the exact keys",
    "link": "a person's decision (reconciler link), which overrides every key",
}

CHECKS = {
    "ends": "read to the end", "rows": "rows accounted for", "ids": "ids", "counts": "counted by the source too",
    "identity": "who answered", "canaries": "canaries", "history": "earlier nights", "absence": "missing, read by id",
    "scopes": "units compared", "fill": "values compared", "members": "members compared", "window": "over seven days",
    "rights": "permissions", "noticed": "noticed, for a person",
}  # fmt: skip

REMEDIES = {
    "add-missing-access": "add the missing access", "create-joiner-account": "create the account",
    "disable-account": "disable the account", "remove-entitlement": "remove the membership or role",
    "remove-licence": "remove the licence", "revoke-sessions": "revoke its sessions", "set-attribute": "correct the attribute",
}  # fmt: skip

_VERBATIM = ("found", "allowed", "logins")
_VALUES = {
    "via": {"direct": "directly", "nested": "through another group", "dynamic": "by a dynamic rule", "inherited": "inherited from a group",
            "primary": "as primary group", "eligible": "may activate it"},
    "ownership": {"owned": "known", "nobody": "nobody on the roster", "disputed": "disputed", "withheld": "not knowable tonight"},
    "matched_by": {"employee_id": "employee id", "anchor": "directory anchor", "upn": "sign-in name", "email": "e-mail", "alias": "alias"},
}  # fmt: skip


def facts(evidence: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Evidence as (name, value) in people's words; what the source did not tell is left out."""
    for name, value in evidence.items():
        if isinstance(value, Mapping):
            yield from ((f"{title(part).lower()} drifts", _pair(told)) for part, told in value.items() if told is not None)
        elif value is not None:
            yield title(name), word(value, name)


def plain_facts(evidence: Mapping[str, Any]) -> Iterator[str]:
    """Evidence as "name: value" in the contract's names, for tables that are read by programs too; what was not told is left out."""
    for name, value in evidence.items():
        if isinstance(value, Mapping):
            yield from (f"{name}.{part}: {_pair(told)}" for part, told in value.items() if told is not None)
        elif value is not None:
            yield f"{name}: {word(value) if isinstance(value, bool) else value}"


def title(name: str) -> str:
    """A field's name as people say it."""
    return NAMES.get(name, visible(name).replace("_", " "))


def word(value: Any, name: str = "") -> str:
    """A fact as people write it: yes, no, 8 Nov 2026, 8 Nov 2026 17:30 UTC; everything else as it stands, unseen characters shown."""
    if value is None or isinstance(value, bool):
        return {True: "yes", False: "no", None: "not told"}[value]
    if isinstance(value, (list, tuple)):
        return ", ".join(word(part) for part in value)
    text = str(value)
    if name in _VERBATIM:
        return visible(text)
    return _day(text) or _VALUES.get(name, {}).get(text) or visible(text)


def _pair(told: Any) -> str:
    if not isinstance(told, Mapping):
        return word(told)
    return f"HR says {_quoted(told.get('hr'))}, the account says {_quoted(told.get('account'))}"


def _quoted(value: Any) -> str:
    return "nothing" if value is None else f"“{visible(str(value))}”"


def _day(text: str) -> str | None:
    """An ISO date or instant in words; None when it is neither."""
    if len(text) < 10 or text[4:5] != "-" or text[7:8] != "-":
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    shown = f"{at.day} {at:%b %Y}"
    return shown if len(text) == 10 else f"{shown} {at:%H:%M} {'UTC' if at.utcoffset() is not None else ''}".rstrip()


def plural(number: int, noun: str, several: str | None = None) -> str:
    """1 finding, 2 findings, 1,204 findings."""
    return f"{number:,} {noun if number == 1 else several or noun + 's'}"


def listed(words: list[str]) -> str:
    """a, b and c."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""


def on_day(at: date) -> str:
    return f"{at.day} {at:%b %Y}"
