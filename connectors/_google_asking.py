"""What somebody holds in a Google Workspace, asked for by itself and not by a listing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors._google_access import SCOPE, Access
from connectors._google_listing import there
from connectors._http import Api

GROUP, APPLICATION = "group", "oauth-"  # groups go by Google's own id; what else there is has a word before it
_OTHERS = ("role-", "device-")


@dataclass(frozen=True)
class Asking:
    """Groups are asked under the scopes of every night, applications under their own."""

    access: Access
    words: Any
    scopes: Sequence[str]
    _apis: dict[str, Api] = field(default_factory=dict)

    def can(self, entitlement: str) -> bool:
        """Roles, devices and licences are not asked for one by one."""
        return not entitlement.startswith(_OTHERS) and "/" not in entitlement

    def held(self, pair: tuple[str, str]) -> bool:
        person, what = pair
        if what.startswith(APPLICATION):
            asked = self.words.tokens().get(userKey=person, clientId=what.removeprefix(APPLICATION))
            return there(self._api(f"{SCOPE}admin.directory.user.security"), asked) is not None
        return there(self._api(*self.scopes), self.words.members().get(groupKey=what, memberKey=person)) is not None

    def _api(self, *scopes: str) -> Api:
        found = self._apis.get(scopes[0])
        return found or self._apis.setdefault(scopes[0], self.access.directory(scopes))
