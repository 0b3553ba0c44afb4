"""Whom no plan may touch: people on hold, protected accounts and groups, the tool's own, its approvers, the last administrator."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from reconciler import plugins
from reconciler.accounts import Accounts
from reconciler.config import Config, Connector
from reconciler.lookup import Lookup, Row
from reconciler.sealed import Action
from reconciler.store_decisions import Hold

# Built-in accounts of a domain, by the end of their SID: Administrator, Guest, krbtgt (Microsoft: Well-known SIDs).
_BUILTIN_SID = re.compile(r"S-1-5-21-\d+-\d+-\d+-(500|501|502)")
_NAMES = ("account_id", "sid", "login", "upn", "email")  # what an account may be protected by
_HELD = ("entitlement_id", "name")  # and a group, role or licence
_ENDING = ("disable", "delete")
_MEMBERSHIP = ("entitlement", "owner")  # the kinds of change whose target is a group, role or licence


@dataclass(frozen=True)
class Guards:
    """Everything that is known about who is out of bounds; `own` are logins and ids, by source, in lower case."""

    holds: Mapping[str, Hold]
    protected: frozenset[str]  # source:id, source:SID, source:login or source:name of a group, in lower case
    own: Mapping[str, frozenset[str]]
    operators: frozenset[str]  # user names of makers and approvers, in lower case

    def objection(self, action: Action, account: Row | None, entitlement: Row | None = None) -> str | None:
        """Why this action may not be, or None. `account` and `entitlement` are the stored rows, where they are at hand."""
        if (held := self.on_hold(action)) is not None:
            return held
        names = _names(action, account)
        if any(f"{action.source}:{name}" in self.protected for name in names):
            return "the account is protected ([remediation] protected)"
        if action.kind in _MEMBERSHIP and any(
            f"{action.source}:{name}" in self.protected for name in _called(action, entitlement)
        ):
            return f"{action.target_name or action.target} is protected ([remediation] protected)"
        if account is not None and (account["kind"] == "builtin" or _BUILTIN_SID.fullmatch(account["sid"] or "")):
            return "the account is built in"
        if account is not None and account.get("by_hand"):
            return f"only a person may change it: {account['by_hand']}"
        if names & self.own.get(action.source, frozenset()):
            return "the account is the tool's own"
        if {name.partition("@")[0] for name in names} & self.operators:
            return "the account is that of somebody who makes or approves plans"
        return None

    def on_hold(self, action: Action) -> str | None:
        """The hold on an action's person, in words."""
        person = action.person["id"] if action.person else None
        if person not in self.holds:
            return None
        hold = self.holds[str(person)]
        return f"{person} is on hold until {hold.until:%Y-%m-%d}, by {hold.said.by}: {hold.said.reason}"


def guards_of(config: Config, holds: Mapping[str, Hold], operators: Iterable[str]) -> Guards:
    """The guards as configured and decided; `operators` are the user names of those who make and approve plans."""
    own = {name: frozenset(word.casefold() for word in own_names(connector)) for name, connector in config.connectors.items()}
    people = {*operators, *config.remediation.approvers} - {"root", "nobody"}
    protected = frozenset(text.casefold() for text in config.remediation.protected)
    return Guards(holds, protected, own, frozenset(name.casefold() for name in people))


def nobody(protected: Iterable[str], accounts: Accounts, held: Callable[[str], Iterable[Row]]) -> list[str]:
    """Which of the protected accounts and groups are not to be found: renamed, perhaps, and then no longer protected.

    `held` are the groups, roles and licences of a source.
    """
    found: set[str] = set()
    wanted = {text.casefold(): text for text in protected}
    for column in _NAMES if wanted else ():
        told = zip(accounts.column("source").to_pylist(), accounts.column(column).to_pylist(), strict=True)
        found |= {key for source, name in told if name and (key := f"{source}:{name}".casefold()) in wanted}
    for source in {wanted[key].partition(":")[0] for key in wanted.keys() - found}:
        found |= {f"{source}:{row[name]}".casefold() for row in held(source) for name in _HELD} & wanted.keys()
    return [text for key, text in wanted.items() if key not in found]


def own_names(connector: Connector) -> set[str]:
    """Logins and ids that a connector reads and writes as, from its settings."""
    told = getattr(plugins.load("connectors", connector.kind), "own", None)
    if told is not None:
        return set(told(connector.settings))
    places = [connector.settings, getattr(connector.settings, "writer", None)]
    words = (getattr(place, name, None) for place in places for name in ("username", "subject", "client_id"))
    return {word for word in words if isinstance(word, str) and word}


def last_administrators(actions: Sequence[Action], lookup: Lookup) -> dict[int, str]:
    """The actions (by their place) that would leave a privileged role or group without anybody live in it."""
    ending: dict[str, set[str]] = defaultdict(set)
    for action in actions:
        if action.limit in _ENDING:
            ending[action.source].add(str(action.account["id"]))
    places: dict[tuple[str, str], list[int]] = defaultdict(list)
    taken: dict[tuple[str, str], set[str]] = defaultdict(set)
    for place, action in enumerate(actions):
        for held in _privileged(action, lookup):
            places[action.source, held].append(place)
            taken[action.source, held].add(str(action.account["id"]))
    found: dict[int, str] = {}
    for (source, held), where in places.items():
        live = lookup.live_holders(source, held)
        if live and not live - ending[source] - taken[source, held]:
            name = (lookup.entitlement(source, held) or {}).get("name") or held
            found |= dict.fromkeys(where, f"nobody live would be left in {name} on {source}; name a successor first")
    return found


def _privileged(action: Action, lookup: Lookup) -> set[str]:
    """The privileged entitlements that an action takes from a live account."""
    if action.kind == "entitlement" and not action.after:
        held = lookup.entitlement(action.source, action.target)
        return {str(action.target)} if held and held["privileged"] else set()
    if action.limit not in _ENDING:
        return set()
    return {
        row["entitlement_id"]
        for row, via in lookup.holdings(action.source, action.account["id"])
        if row["privileged"] and via != "eligible"
    }


def _names(action: Action, account: Row | None) -> set[str]:
    row = account or {}
    words = [
        action.account["id"],
        action.account["login"],
        *(row.get(name) for name in ("sid", "upn", "email", "account_id", "login")),
    ]
    return {word.casefold() for word in words if word}


def _called(action: Action, entitlement: Row | None) -> set[str]:
    words = [action.target, action.target_name, *((entitlement or {}).get(name) for name in _HELD)]
    return {word.casefold() for word in words if word}
