"""The configuration: `config.toml` read into frozen, closed settings, every mistake reported at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler import config_checks, plugins
from reconciler.config_sections import (
    AccessRule,
    ConflictRule,
    Exempt,
    Matching,
    Organisation,
    Remediation,
    Report,
    Schedule,
    Section,
    State,
)  # fmt: skip
from reconciler.config_text import Problems, Raw, kind_of, read_toml, unknown
from reconciler.connector import ConnectorSettings
from reconciler.model import SEVERITIES
from reconciler.policy import Policy, policy_in

SECTIONS: Mapping[str, type[Section]] = {
    "organisation": Organisation, "state": State, "matching": Matching, "exempt": Exempt,
    "remediation": Remediation, "report": Report, "schedule": Schedule,
}  # fmt: skip
LISTS: Mapping[str, type[Section]] = {"access": AccessRule, "conflict": ConflictRule}
TOP = (
    "organisation",
    "state",
    "connectors",
    "matching",
    "exempt",
    "access",
    "conflict",
    "policies",
    "remediation",
    "report",
    "schedule",
)


@dataclass(frozen=True)
class Connector:
    """One configured source: its name, the plugin that reads it, and that plugin's own settings."""

    name: str
    kind: str
    settings: ConnectorSettings

    @property
    def is_hr(self) -> bool:
        return self.kind.startswith("hr_")


@dataclass(frozen=True)
class PolicySettings:
    """What the configuration says about one policy; `settings` are typed values (durations as timedelta)."""

    enabled: bool = True
    severity: str | None = None  # None: the policy's own
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Config:
    path: Path
    organisation: Organisation
    state: State
    connectors: Mapping[str, Connector]
    matching: Matching
    exempt: Exempt
    access: tuple[AccessRule, ...]
    conflict: tuple[ConflictRule, ...]
    policies: Mapping[str, PolicySettings]
    remediation: Remediation
    report: Report
    schedule: Schedule

    @property
    def base(self) -> Path:
        """The folder that relative paths are relative to."""
        return self.path.parent

    def policy(self, name: str) -> PolicySettings:
        """The settings of one policy: the configured ones, or all on with its own defaults."""
        return self.policies.get(name, PolicySettings())


def load(path: Path) -> Config:
    """Read a configuration; raises ConfigError with every mistake in it, each with file, path and the allowed words."""
    raw = read_toml(path)
    problems = Problems(path)
    for name in raw.keys() - set(TOP):
        problems.add("", unknown("setting", name, TOP))
    sections = {name: problems.read(model, raw.get(name, {}), name) for name, model in SECTIONS.items()}
    lists = {name: _rules(problems, name, raw.get(name, [])) for name in LISTS}
    connectors = _connectors(problems, raw.get("connectors", {}))
    policies = _policies(problems, raw.get("policies", {}))
    config_checks.cross_check(problems, raw)
    problems.done()
    whole: dict[str, Any] = {**sections, **lists}
    return Config(path=path, connectors=connectors, policies=policies, **whole)


def check(config: Config) -> list[str]:
    """What would stop a night although the configuration is well formed: secrets and files that cannot be read."""
    problems = Problems(config.path)
    for connector in config.connectors.values():
        config_checks.check_settings(problems, f"connectors.{connector.name}", connector.settings)
    config_checks.check_heads(problems, config.remediation)
    config_checks.check_state(problems, config.state)
    return list(problems.found)


def _rules(problems: Problems, name: str, raw: object) -> tuple[Any, ...]:
    """The rules of `[[access]]` or `[[conflict]]`, in the file's order."""
    if not isinstance(raw, list):
        problems.add(name, f"expected [[{name}]], a list of tables, found {kind_of(raw)}")
        return ()
    places = [config_checks.rule_place(name, number, rule) for number, rule in enumerate(raw)]
    return tuple(problems.read(LISTS[name], rule, place) for place, rule in zip(places, raw, strict=True))


def _tables(problems: Problems, where: str, raw: object) -> Mapping[str, Raw]:
    """The tables of a section that holds nothing but tables, such as `[connectors.ad]`."""
    if not isinstance(raw, dict):
        problems.add(where, f"expected tables such as [{where}.NAME], found {kind_of(raw)}")
        return {}
    for name in [name for name, table in raw.items() if not isinstance(table, dict)]:
        problems.add(f"{where}.{name}", f"expected a table [{where}.{name}], found {kind_of(raw[name])}")
    return {name: table for name, table in raw.items() if isinstance(table, dict)}


def _connectors(problems: Problems, raw: object) -> Mapping[str, Connector]:
    kinds = plugins.names("connectors")
    found = {}
    for name, table in _tables(problems, "connectors", raw).items():
        where, kind = f"connectors.{name}", table.get("kind")
        if not isinstance(kind, str):
            problems.add(where, f"kind is missing; allowed: {', '.join(kinds)}")
        elif kind not in kinds:
            problems.unknown(where, "kind", kind, kinds)
        elif settings := problems.read(plugins.load("connectors", kind).Settings, table, where):
            found[name] = Connector(name, kind, settings)
    return found


def policy_ids() -> dict[str, str]:
    """Every policy's id and the plugin that holds it."""
    return {name.replace("_", "-"): name for name in plugins.names("policies")}


def _policies(problems: Problems, raw: object) -> Mapping[str, PolicySettings]:
    ids = policy_ids()
    found = {}
    for name, table in _tables(problems, "policies", raw).items():
        if name not in ids:
            problems.unknown("policies", "policy", name, ids)
        else:
            found[name] = _policy(problems, policy_in(plugins.load("policies", ids[name])), table)
    return found


def _policy(problems: Problems, policy: Policy, raw: Raw) -> PolicySettings:
    """One policy's settings; what is wrong with them is noted, and then nobody sees the result."""
    where, settings = f"policies.{policy.id}", {}
    enabled, severity = raw.get("enabled", True), raw.get("severity")
    if not isinstance(enabled, bool):
        problems.add(f"{where}.enabled", f"expected true or false, found {kind_of(enabled)}")
    if severity is not None and severity not in SEVERITIES:
        problems.unknown(f"{where}.severity", "severity", str(severity), SEVERITIES)
    for name in raw.keys() - {"enabled", "severity"}:
        if name not in policy.settings:
            problems.unknown(where, "setting", name, ["enabled", "severity", *policy.settings])
            continue
        try:
            settings[name] = policy.check(name, raw[name])
        except ValueError as problem:
            problems.add(f"{where}.{name}", str(problem))
    return PolicySettings(bool(enabled), severity, settings)
