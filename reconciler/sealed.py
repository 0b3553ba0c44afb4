"""A plan as a sealed file: what will be written, why, what undoes it; any changed byte shows."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from reconciler.errors import Stale, UsageError
from reconciler.model import SCHEMA_VERSION, instant_text
from reconciler.writer import Change

MAX_BYTES = 64 << 20


@dataclass(frozen=True)
class Action:
    """One change of a plan. `needs` are the numbers of actions that must have succeeded first."""

    n: int
    finding: str
    remedy: str
    source: str
    account: Mapping[str, str | None]  # id, login
    person: Mapping[str, str | None] | None  # id, name
    limit: str  # the class that limits count
    kind: str
    target: str | None
    before: Any
    after: Any
    because: str
    reversible: bool = True
    needs: tuple[int, ...] = ()
    department: str | None = None
    target_name: str | None = None
    also: tuple[str, ...] = ()  # further findings that this clears

    @property
    def findings(self) -> tuple[str, ...]:
        return (self.finding, *self.also)

    def change(self, plan: str) -> Change:
        """The change as a writer takes it."""
        return Change(self.kind, self.account["id"], self.target, self.before, self.after, f"{plan}/{self.n}")

    def to_json(self) -> dict[str, Any]:
        undo = {"kind": self.kind, "target": self.target, "before": self.after, "after": self.before} if self.reversible else None
        write = {"kind": self.kind, "target": self.target, "before": self.before, "after": self.after}
        if self.target_name is not None:
            write["name"] = self.target_name
        told = {
            "n": self.n, "finding": self.finding, "remedy": self.remedy, "source": self.source, "account": dict(self.account),
            "person": dict(self.person) if self.person else None, "department": self.department, "limit": self.limit, "write": write,
            "undo": undo, "reversible": self.reversible, "needs": list(self.needs), "because": self.because,
        }  # fmt: skip
        return told | ({"also": list(self.also)} if self.also else {})

    @staticmethod
    def from_json(told: Mapping[str, Any]) -> Action:
        write = told["write"]
        return Action(
            told["n"], told["finding"], told["remedy"], told["source"], told["account"], told["person"], told["limit"],
            write["kind"], write["target"], write["before"], write["after"], told["because"], told["reversible"],
            tuple(told["needs"]), told["department"], write.get("name"), tuple(told.get("also", ())),
        )  # fmt: skip


@dataclass(frozen=True)
class Waves:
    """How an apply proceeds: the sizes of its waves (the last one repeats), and how many failures of one wave stop it."""

    sizes: tuple[int, ...] = (5, 25, 125, 625)
    stop_after: int = 3

    def to_json(self) -> dict[str, Any]:
        return {"sizes": list(self.sizes), "stop_after": self.stop_after}


@dataclass(frozen=True)
class Plan:
    """What was planned, from which night, by whom, until when. Only `seal` and `read` make one that carries a hash."""

    plan: str
    run: str
    made_at: datetime
    expires_at: datetime
    made_by: str
    made_by_id: str
    binds: Mapping[str, Any]  # snapshots, policies, directories, tool
    limits: tuple[Mapping[str, Any], ...]
    actions: tuple[Action, ...]
    manual: tuple[Mapping[str, Any], ...] = ()  # finding, why, do
    withheld: tuple[Mapping[str, Any], ...] = ()  # finding, remedy, source, account, why
    waves: Waves = field(default_factory=Waves)
    undoes: str | None = None
    sha256: str = ""

    def to_json(self) -> dict[str, Any]:
        """The contract's plan object, seal included once there is one."""
        told: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "plan": self.plan, "run": self.run}
        told |= {"made_at": instant_text(self.made_at), "expires_at": instant_text(self.expires_at)}
        told |= {"made_by": self.made_by, "made_by_id": self.made_by_id, "undoes": self.undoes, "binds": dict(self.binds)}
        told |= {"limits": [dict(limit) for limit in self.limits], "waves": self.waves.to_json()}
        told |= {"actions": [action.to_json() for action in self.actions]}
        told |= {"manual": [dict(m) for m in self.manual], "withheld": [dict(w) for w in self.withheld]}
        return told | ({"sha256": self.sha256} if self.sha256 else {})

    @staticmethod
    def from_json(told: Mapping[str, Any]) -> Plan:
        waves = Waves(tuple(told["waves"]["sizes"]), told["waves"]["stop_after"])
        return Plan(
            told["plan"], told["run"], datetime.fromisoformat(told["made_at"]), datetime.fromisoformat(told["expires_at"]),
            told["made_by"], told["made_by_id"], told["binds"], tuple(told["limits"]),
            tuple(Action.from_json(action) for action in told["actions"]), tuple(told["manual"]), tuple(told["withheld"]), waves,
            told["undoes"], told["sha256"],
        )  # fmt: skip


def canonical(value: Mapping[str, Any]) -> bytes:
    """One way to write a JSON object: sorted keys, no blanks, UTF-8."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(
        "utf-8", "surrogatepass"
    )


def fingerprint(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()


def seal(plan: Plan) -> Plan:
    """The plan with the hash over everything else in it, and a name made of the same hash."""
    body = {**plan.to_json(), "plan": ""}
    body.pop("sha256", None)
    named = Plan(**{**vars(plan), "plan": f"p-{_in_this_order(body)[:12]}", "sha256": ""})
    return Plan(**{**vars(named), "sha256": _in_this_order(named.to_json())})


def _in_this_order(told: Mapping[str, Any]) -> str:
    """A plan's hash: over its words in the order in which its file has them, so that two lines that change places show."""
    body = json.dumps(told, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


def text_of(plan: Plan) -> bytes:
    """A sealed plan as its file holds it, byte by byte."""
    return (json.dumps(plan.to_json(), indent=2, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


def read(path: Path, sha256: str | None = None) -> Plan:
    """A plan from its file; raises UsageError when it cannot be read, Stale when it was altered in any byte, or has another hash."""
    plan = parse(_bytes(path), str(path))
    if sha256 not in (None, plan.sha256):
        raise Stale(f"{path} is not the plan that was made: its hash is {plan.sha256}, and was {sha256}")
    return plan


def parse(body: bytes, name: str) -> Plan:
    """A plan from the bytes of its file; raises Stale when they are not exactly those that were sealed."""
    try:
        told = json.loads(body.decode("utf-8", "surrogatepass"))
        found = Plan.from_json(told)
        rest = {key: value for key, value in told.items() if key != "sha256"}
        sound = found.sha256 == _in_this_order(rest) and text_of(found) == body and told["schema_version"] == SCHEMA_VERSION
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise Stale(
            f"{name} is no plan as it was sealed: it was altered or cut; make a new one with `reconciler plan --out FILE`"
        )
    return found


def _bytes(path: Path) -> bytes:
    """The file, opened once and not through a link: what is read is what is hashed."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            body = file.read(MAX_BYTES + 1)
    except OSError as problem:
        raise UsageError(f"the plan {path} cannot be read: {problem.strerror}") from None
    if len(body) > MAX_BYTES:
        raise UsageError(f"the plan {path} is larger than {MAX_BYTES >> 20} MiB; that is no plan")
    return body
