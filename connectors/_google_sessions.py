"""Everything that lets somebody into a Google Workspace, taken back: sign-ins, application passwords, applications, codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from connectors._google_listing import listed
from connectors._http import Api
from connectors._writing import Declined, Seen, path
from reconciler.writer import Change, Unknown

DIRECTORY = "admin/directory/v1"
LEFT = "something is left to revoke"


@dataclass(frozen=True)
class Request:
    """A listing's first address, as `listed` takes it."""

    uri: str


class Asked(Protocol):
    """A writer, for those who need its requests."""

    def api(self, scope: str) -> Api: ...
    def user(self, key: str | None, wanted: str) -> dict[str, Any]: ...
    def change(self, scope: str, method: str, where: str, body: Any = None, gone_is_done: bool = False) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Sessions:
    writer: Asked

    def look(self, change: Change) -> Seen:
        """Sign-ins first, then application passwords, applications let in, and backup codes. Google does not tell of sign-ins."""
        suspended = self.writer.user(change.account, "suspended").get("suspended")
        here = path("users", change.account)
        tokens = [str(one["clientId"]) for one in self._items(f"{here}/tokens")]
        asps = [str(one["codeId"]) for one in self._items(f"{here}/asps")]
        steps = [("POST", f"{here}/signOut")]
        steps += [("DELETE", path("users", change.account, "asps", code)) for code in asps]
        steps += [("DELETE", path("users", change.account, "tokens", client)) for client in tokens]
        steps += [] if suspended else [("POST", f"{here}/verificationCodes/invalidate")]
        return Seen(LEFT if tokens or asps else None, lambda: self._all(steps))

    def _items(self, where: str) -> list[Any]:
        api = self.writer.api("directory.user.security")
        return listed(api, Request(f"{DIRECTORY}/{where}"), "items", lambda one: one).rows

    def _all(self, steps: Sequence[tuple[str, str]]) -> None:
        """Every step, whatever becomes of the others' answers. Unknown when one is lost, or declined after another was made."""
        problems: list[str] = []
        for number, (method, where) in enumerate(steps):
            try:
                self._step(method, where)
            except Unknown as problem:
                problems.append(str(problem))
            except Declined as problem:
                if not number:
                    raise
                problems.append(str(problem))
        if problems:
            raise Unknown(f"of {len(steps)} steps {len(problems)} may not have been made: {'; '.join(problems)}")

    def _step(self, method: str, where: str) -> None:
        """One step, and once more when its answer is lost: that changes nothing."""
        asked = ("directory.user.security", method, f"{DIRECTORY}/{where}")
        try:
            self.writer.change(*asked, gone_is_done=method == "DELETE")
        except Unknown:
            self.writer.change(*asked, gone_is_done=method == "DELETE")
