"""What the sections of a configuration say about each other, and about this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel

from reconciler import plugins
from reconciler.config_sections import Remediation, State
from reconciler.config_text import Problems, Raw, join
from reconciler.connector import Secret
from reconciler.errors import UsageError
from reconciler.writer import CLASSES

RESERVED_LIMITS = ("default", "rolling_7d")


def rule_place(section: str, number: int, rule: object) -> str:
    """Where a rule stands, by its name where it has one: `access.finance`."""
    name = rule.get("name") if isinstance(rule, dict) else None
    return f"{section}.{name}" if isinstance(name, str) and name else f"{section}[{number}]"


def cross_check(problems: Problems, raw: Raw) -> None:
    """Note every name that must stand elsewhere in the configuration, or among the plugins, and does not."""
    connectors = _table(raw, "connectors")
    _check_connectors(problems, connectors)
    for where, source in _named_sources(raw):
        if source not in connectors:
            problems.unknown(where, "connector", source, connectors)
    for section in ("access", "conflict"):
        _check_names(problems, section, raw.get(section))
    _check_formats(problems, _table(raw, "report").get("formats"))
    _check_remediation(problems, _table(raw, "remediation"), connectors)


def _check_remediation(problems: Problems, remediation: Raw, connectors: Raw) -> None:
    remedies = [action.replace("_", "-") for action in plugins.names("actions")]
    policies = [policy.replace("_", "-") for policy in plugins.names("policies")]
    for section, noun, allowed in (
        ("limits", "limit", [*RESERVED_LIMITS, *CLASSES, *remedies]), ("remedies", "policy", policies), ("hours", "class of change", ["default", *CLASSES]),
        ("quarantine", "connector", connectors), ("joiners", "connector", connectors),
    ):  # fmt: skip
        for name in _table(remediation, section):
            if name not in allowed:
                problems.unknown(f"remediation.{section}", noun, name, allowed)
    for policy, words in _table(remediation, "remedies").items():
        for word in _texts(words):
            if word not in remedies:
                problems.unknown(f"remediation.remedies.{policy}", "remedy", word, remedies)


def _table(raw: Raw, name: str) -> Raw:
    found = raw.get(name)
    return found if isinstance(found, dict) else {}


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _check_connectors(problems: Problems, connectors: Raw) -> None:
    kinds = [str(table.get("kind")) for table in connectors.values() if isinstance(table, dict)]
    if not any(kind.startswith("hr_") for kind in kinds):
        hr = [kind for kind in plugins.names("connectors") if kind.startswith("hr_")]
        problems.add(
            "connectors", f"no roster: at least one connector must be of a kind that reads people; allowed: {', '.join(hr)}"
        )
    for name, table in connectors.items():
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
            problems.add(f"connectors.{name}", "a connector's name is letters, digits, - and _")
        for where, text in _strings(f"connectors.{name}", table):
            _check_url(problems, where, text)


def _strings(where: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _strings(join(where, name), item)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _strings(f"{where}[{number}]", item)


def _check_url(problems: Problems, where: str, text: str) -> None:
    """Refuse a plain connection to another machine, and a password in a URL (which is not shown)."""
    if not re.match(r"(?i)(https?|ldaps?)://", text):
        return None
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        return problems.add(where, "not a valid URL")
    if parts.password is not None:
        problems.add(where, "a password in a URL; allowed: a secret reference in the setting made for it")
    if parts.scheme.lower() == "http" and not is_loopback(host):
        problems.add(where, f"plain http:// to {host}; allowed: https://, or http:// to a loopback address")
    return None


def is_loopback(host: str) -> bool:
    """Is this name or address this machine itself?"""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def _named_sources(raw: Raw) -> Iterator[tuple[str, str]]:
    """(place, source) wherever a rule names a connector; what is not a rule is noted elsewhere."""
    for section, keys in (("access", ("entitlements",)), ("conflict", ("holding", "and_holding"))):
        for number, rule in enumerate(raw.get(section) if isinstance(raw.get(section), list) else ()):  # type: ignore[arg-type]
            place = rule_place(section, number, rule)
            for key in keys if isinstance(rule, dict) else ():
                yield from _sources(f"{place}.{key}", rule.get(key))
            if section == "access" and isinstance(rule, dict):
                yield from ((f"{place}.accounts", source) for source in _texts(rule.get("accounts")))
    yield from _sources("exempt.accounts", _table(raw, "exempt").get("accounts"))
    yield from _sources("remediation.protected", _table(raw, "remediation").get("protected"))


def _sources(where: str, value: object) -> Iterator[tuple[str, str]]:
    yield from ((where, text.partition(":")[0]) for text in _texts(value) if ":" in text)


def _check_names(problems: Problems, section: str, rules: object) -> None:
    names = [rule.get("name") for rule in rules if isinstance(rule, dict)] if isinstance(rules, list) else []
    for name in {name for name in names if isinstance(name, str) and names.count(name) > 1}:
        problems.add(f"{section}.{name}", "two rules have this name; names are unique, they stand in findings")


# --- report formats -------------------------------------------------------------------------------------------


def report_formats() -> dict[str, str]:
    """The short name of every report plugin (its NAME, or else its file's) and the plugin."""
    return {getattr(plugins.load("reports", name), "NAME", name): name for name in plugins.names("reports")}


def _check_formats(problems: Problems, formats: object) -> None:
    known = report_formats() if _texts(formats) else {}
    for word in _texts(formats):
        if word not in known:
            problems.unknown("report.formats", "format", word, known)


# --- this machine -------------------------------------------------------------------------------------------


def check_settings(problems: Problems, where: str, settings: BaseModel) -> None:
    """Note secrets that cannot be read, and files whose folder is not there. The writer's are read only by `apply`."""
    for name, value in settings:
        place = join(where, name)
        if name == "writer":
            continue
        if isinstance(value, BaseModel):
            check_settings(problems, place, value)
        elif isinstance(value, Secret):
            _check_secret(problems, place, value)
        elif isinstance(value, Path):
            _check_file(problems, place, value)


def _check_secret(problems: Problems, where: str, secret: Secret) -> None:
    try:
        secret.reveal()
    except UsageError as problem:
        problems.add(where, str(problem))


def _check_file(problems: Problems, where: str, path: Path) -> None:
    if not path.parent.is_dir():
        problems.add(where, f"there is no folder {path.parent}")
    elif path.exists() and not os.access(path, os.R_OK):
        problems.add(where, f"{path} cannot be read by this user")


def check_heads(problems: Problems, remediation: Remediation) -> None:
    """Note a mail relay's secret that cannot be read, and files for heads whose folder is not there."""
    if remediation.mail is not None:
        check_settings(problems, "remediation.mail", remediation.mail)
    for sink in remediation.ship_head:
        if sink.form == "file":
            _check_file(problems, "remediation.ship_head", Path(sink.place))


def check_state(problems: Problems, state: State) -> None:
    """Note a state folder that cannot be made or written, and a database reference that cannot be read."""
    folder = next(path for path in (state.dir, *state.dir.absolute().parents) if path.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        problems.add("state.dir", f"{folder} cannot be written by this user")
    try:
        state.url(problems.file.parent)
    except UsageError as problem:
        problems.add("state.database", str(problem))
