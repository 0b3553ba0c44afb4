"""What a policy author imports: a policy is one question to one table, answered yes, no or don't know per row.

    @policy("leaver-account-enabled", on="owned_accounts", severity="critical", says="…", evidence=(...))
    def leaver_account_enabled(account: Rows, estate: Estate, *, grace: timedelta = duration("0h")) -> Answer:
        return account.left(grace) & account.enabled

Columns are pandas Series on Arrow types, so comparisons and `& | ~` are three-valued: a null in gives a null
out, and a null answer is *undecided*, never "no". `isin` is the exception (null gives False): use it only on
columns that are never null (`kind`, `source`, `ownership`, `via`), and `unless` where a word means "don't know".
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from reconciler.clock import duration, duration_text
from reconciler.errors import PluginError
from reconciler.model import SEVERITIES, PolicyPage

__all__ = ["Answer", "Estate", "Policy", "Rows", "Setting", "Told", "duration", "policy", "unless"]

Answer = pd.Series
Facts = Callable[[npt.NDArray[np.int64]], Mapping[str, pa.Array]]  # row numbers -> columns of that length
TABLES = (
    "accounts", "owned_accounts", "people", "people_by_source", "leaver_holdings", "expected_accounts",
    "expected_holdings", "former_holdings", "defects",
)  # fmt: skip


def unless(answer: Answer, unknown: Answer) -> Answer:
    """The answer, but undecided in every row where `unknown` is true."""
    undecided = pc.if_else(pa.array(unknown), pa.scalar(None, pa.bool_()), pa.array(answer))
    return pd.Series(pd.arrays.ArrowExtensionArray(undecided))


class Rows(Protocol):
    """One table of the estate; its columns are attributes, read when asked for."""

    def __getattr__(self, column: str) -> pd.Series: ...

    def left(self, grace: timedelta) -> pd.Series: ...

    def pick(self, name: str, rows: npt.NDArray[np.int64]) -> pa.Array: ...

    def unequal(self, left: str, right: str) -> pa.Array: ...


@dataclass(frozen=True)
class Told:
    """An answer with facts of its own for the evidence, made for the rows that are found."""

    answer: Answer
    facts: Facts


class Estate(Protocol):
    """Tonight as a policy sees it."""

    @property
    def now(self) -> datetime: ...

    @property
    def rosters_of(self) -> datetime | None:
        """How old the oldest roster is by its own account: of whoever came later, HR may not have told yet."""
        ...


@dataclass(frozen=True)
class Setting:
    """One setting of a policy: a keyword-only parameter of its function."""

    name: str
    kind: str  # "duration", "number", "flag", "words"
    default: Any

    def read(self, value: object) -> Any:
        """The setting's value from what the configuration says; raises ValueError naming what is allowed."""
        if self.kind == "duration" and isinstance(value, str):
            return duration(value)
        allowed, types = _KINDS[self.kind]
        if not isinstance(value, types) or (isinstance(value, bool) and self.kind == "number"):
            raise ValueError(f"{value!r} is not {allowed}")
        if self.kind == "words":
            return self._words(value)
        return value

    def _words(self, value: Any) -> tuple[str, ...]:
        """A list whose words must be among the default's, which name everything the policy can do."""
        unknown = [word for word in value if word not in self.default]
        if unknown:
            raise ValueError(f"unknown word {unknown[0]!r}; allowed: {', '.join(self.default)}")
        return tuple(value)

    @property
    def default_text(self) -> str:
        if isinstance(self.default, timedelta):
            return f'"{duration_text(self.default)}"'
        return str(list(self.default)).replace("'", '"') if isinstance(self.default, tuple) else str(self.default).lower()


_KINDS: Mapping[str, tuple[str, type | tuple[type, ...]]] = {
    "duration": ('a duration such as "36h" or "14d"', timedelta),
    "number": ("a number", (int, float)),
    "flag": ("true or false", bool),
    "words": ("a list of words", (list, tuple)),
}


@dataclass(frozen=True)
class Policy:
    """A question: which table it is put to, how its answer reads, what it stands on and what may be set."""

    id: str
    on: str
    severity: str
    says: str
    ask: Callable[..., Answer | Told]
    evidence: tuple[str, ...]
    needs: tuple[str, ...]
    remedies: tuple[str, ...]
    controls: tuple[str, ...]
    needs_all_sources: bool
    settings: Mapping[str, Setting]
    doc: str
    answered_by: tuple[str, ...] = ()

    def check(self, name: str, value: object) -> Any:
        """Read one configured setting; raises ValueError with the nearest or the allowed words."""
        if name not in self.settings:
            raise ValueError(f"unknown setting {name}; it has: {', '.join(['enabled', 'severity', *self.settings])}")
        return self.settings[name].read(value)

    def page(self, chosen: Mapping[str, Any] | None = None, severity: str | None = None) -> PolicyPage:
        """Its documentation page, with the settings in force."""
        title, why, fix, wrong = _headings(self.doc, self.id)
        values = {name: setting.default for name, setting in self.settings.items()} | dict(chosen or {})
        shown = {n: duration_text(v) if isinstance(v, timedelta) else v for n, v in values.items()}
        return PolicyPage(self.id, title, why, fix, wrong, severity or self.severity, self.controls, shown)


def policy(
    id: str,  # noqa: A002 - the field's word
    *,
    on: str,
    severity: str,
    says: str,
    evidence: tuple[str, ...],
    needs: tuple[str, ...] = (),
    remedies: tuple[str, ...] = (),
    controls: tuple[str, ...] = (),
    needs_all_sources: bool = False,
    answered_by: tuple[str, ...] = (),
) -> Callable[[Callable[..., Answer | Told]], Policy]:
    """Declare a policy; the decorated function's keyword-only parameters are its settings.

    `on` names a table of the estate, `says` and `evidence` name its columns, `needs` the areas of a source without
    which the question cannot be asked, `needs_all_sources` that one unread source leaves it unanswered for all.
    `answered_by` names kinds of change: where one of them was made for a finding by a plan, the account is still off and was
    not used since, the finding is closed, though the fact behind it (nobody owns it, it was used once) stays.
    """
    if on not in TABLES or severity not in SEVERITIES:
        raise PluginError(f"policy {id}: on={on!r} severity={severity!r}; tables: {TABLES}; severities: {SEVERITIES}")

    def declare(ask: Callable[..., Answer | Told]) -> Policy:
        doc = inspect.getdoc(inspect.getmodule(ask)) or ""
        return Policy(
            id, on, severity, says, ask, evidence, needs, remedies, controls, needs_all_sources, _settings(ask), doc, answered_by
        )  # fmt: skip

    return declare


def policy_in(module: ModuleType) -> Policy:
    """The one policy a plugin file declares; raises PluginError unless there is exactly one, named like its file."""
    declared = [value for value in vars(module).values() if isinstance(value, Policy)]
    name = module.__name__.rpartition(".")[2].replace("_", "-")
    if len(declared) != 1 or declared[0].id != name:
        raise PluginError(
            f"{module.__name__} must declare exactly one policy, called {name}; it declares {[p.id for p in declared]}"
        )
    return replace(declared[0], doc=inspect.getdoc(module) or "")


def _settings(ask: Callable[..., Answer | Told]) -> Mapping[str, Setting]:
    parameters = inspect.signature(ask).parameters.values()
    return {p.name: Setting(p.name, _kind(p.default), p.default) for p in parameters if p.kind is p.KEYWORD_ONLY}


def _kind(default: object) -> str:
    kinds = {timedelta: "duration", bool: "flag", int: "number", float: "number", tuple: "words"}
    return kinds[type(default)]


HEADINGS = ("Why it matters", "How to fix", "Can be wrong when")


def _headings(doc: str, name: str) -> tuple[str, str, str, str]:
    """A policy file's docstring as (title, why, fix, wrong when); raises PluginError unless the headings come in order."""
    parts, rest = [], " ".join(doc.split())
    for heading in HEADINGS:
        before, found, rest = rest.partition(heading)
        if not found:
            raise PluginError(f"policy {name}: its docstring lacks the heading {heading!r}; in order: {', '.join(HEADINGS)}")
        parts.append(before.strip())
    return parts[0], parts[1], parts[2], rest.strip()
