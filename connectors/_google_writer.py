"""Changes in a Google Workspace: each to the object of an id, sent once, after a look at what stands there.

Google has no compare-and-set for users: a change is sent at once after the object was read, and a list (jobs, ids,
relations) goes back whole with one entry changed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from connectors import _google_fields as fields
from connectors._google_access import SCOPE, Access
from connectors._google_holdings import Holdings
from connectors._google_listing import listed
from connectors._google_sessions import Request, Sessions
from connectors._http import Api, Lost, NotThere, Refused, SaidNo
from connectors._writing import Careful, Declined, Seen, path
from reconciler.writer import Change, Changed, Context, SourceError, Unknown

WRITES = frozenset({"enabled", "entitlement", "attribute", "container", "sessions", "create", "delete", "transfer"})
# Codes and application passwords cannot be touched once somebody is suspended.
ORDER = ("create", "sessions", "enabled", "transfer", "entitlement", "attribute", "container", "delete")
DIRECTORY, TRANSFERS = "admin/directory/v1", "admin/datatransfer/v1"
DRIVE = "Drive and Docs"
NOT_YET = "creation is not complete"  # Google's answer to a change of a user just made
SETTLES = 300.0  # seconds; a change may take longer still to reach every service, but shows in the directory by then
_WAITS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0)


@dataclass
class GoogleWriter(Careful):
    """One customer, written to by an administrator of its own; each area under its own scope."""

    access: Access
    customer: str
    context: Context
    roles: bool = False  # whether administrator roles may be given and taken
    settles: float = SETTLES
    _apis: dict[str, Api] = field(default_factory=dict, repr=False)
    _customer_id: str = ""

    def identity(self) -> str:
        try:
            told = self.get("directory.customer.readonly", f"{DIRECTORY}/customers/{self.customer}").get("id")
        except (NotThere, Refused):
            told = None
        return told if isinstance(told, str) else self.customer

    def own(self) -> Sequence[str]:
        """The administrator that this connection speaks for."""
        subject = self.access.settings.subject
        if subject is None:
            return self.access.account_names()
        return (self.get("directory.user", path(*DIRECTORY.split("/"), "users", subject), fields="id")["id"], subject)

    def close(self) -> None:
        for api in self._apis.values():
            api.session.close()

    def look(self, change: Change) -> Seen:
        looks = {
            "enabled": self._enabled, "entitlement": lambda asked: Holdings(self).look(asked), "attribute": self._attribute,
            "container": self._container, "sessions": lambda asked: Sessions(self).look(asked), "create": self._create, "delete": self._delete,
            "transfer": self._transfer,
        }  # fmt: skip
        if change.kind not in looks:
            return Seen(change.before, barred=f"Google Workspace knows no change of {change.kind}")
        return looks[change.kind](change)

    # --- one kind each ----------------------------------------------------------------------------------------------

    def _enabled(self, change: Change) -> Seen:
        user = self.user(change.account, "suspended,archived")
        off = bool(user.get("suspended") or user.get("archived"))
        barred = (
            "the account is archived: taking it back needs a licence, and a person to say which" if user.get("archived") else ""
        )
        return Seen(not off, lambda: self._put(change, {"suspended": not change.after}), barred if change.after else "")

    def _attribute(self, change: Change) -> Seen:
        column = str(change.target)
        name = fields.field_of(column)
        if name is None:
            return Seen(change.before, barred=f"{column} is not written to Google Workspace")
        user = self.user(change.account, name)
        there = fields.told(user, column)
        found = self._id_of(there) if column == "manager_account_id" else there
        barred = "none of several jobs is the main one" if name == "organizations" and fields.several_jobs(user) else ""
        if there and not found:
            barred = f"{there} is named as manager, and is nobody here; what it stands for would be lost"
        return Seen(found, lambda: self._set(change, user, column, name), barred)

    def _set(self, change: Change, user: Any, column: str, name: str) -> None:
        value = self._mail_of(change.after) if column == "manager_account_id" and change.after else change.after
        self._put(change, {name: fields.with_value(user, column, value)})

    def _container(self, change: Change) -> Seen:
        found = self.user(change.account, "orgUnitPath").get("orgUnitPath")
        return Seen(found, lambda: self._put(change, {"orgUnitPath": change.after}), hint=f"is there a unit {change.after}?")

    def _delete(self, change: Change) -> Seen:
        with suppress(Changed):
            self.user(change.account, "id")
            return Seen("live", lambda: self.change("directory.user", "DELETE", self._where(change)))
        asked = {
            "customer": self.customer,
            "showDeleted": "true",
            "maxResults": 500,
            "fields": "nextPageToken,users(id,orgUnitPath)",
        }
        request = Request(f"{DIRECTORY}/users?{urlencode(asked)}")
        found = listed(self.api("directory.user"), request, "users", lambda one: one).rows
        gone = next((one for one in found if one.get("id") == change.account), None)
        if gone is None:
            return Seen(None)
        back, where = {"orgUnitPath": gone.get("orgUnitPath") or "/"}, f"{self._where(change)}/undelete"
        hint = "are its address and a licence still free?"
        return Seen("deleted", lambda: self.change("directory.user", "POST", where, back), hint=hint)

    def _transfer(self, change: Change) -> Seen:
        self.user(change.account, "id")
        asked = urlencode({"oldOwnerUserId": change.account, "newOwnerUserId": change.target})
        made = listed(self.api("datatransfer"), Request(f"{TRANSFERS}/transfers?{asked}"), "dataTransfers", lambda one: one).rows
        state = (
            str(self.get("datatransfer", path(*TRANSFERS.split("/"), "transfers", made[-1]["id"]))["overallTransferStatusCode"])
            if made
            else ""
        )
        found = {"": None, "failed": None, "completed": "transferred"}.get(state, "requested")
        return Seen(found, lambda: self._hand_over(change), hint="is the successor's account still there?")

    def _hand_over(self, change: Change) -> None:
        known = self.get("datatransfer", f"{TRANSFERS}/applications").get("applications") or []
        drive = next((one["id"] for one in known if one.get("name") == DRIVE), None)
        if drive is None:
            raise Declined(f"Google offers no transfer of {DRIVE}; nothing was sent")
        what = {"applicationId": drive, "applicationTransferParams": [{"key": "PRIVACY_LEVEL", "value": ["PRIVATE", "SHARED"]}]}
        body = {"oldOwnerUserId": change.account, "newOwnerUserId": change.target, "applicationDataTransfers": [what]}
        self.change("datatransfer", "POST", f"{TRANSFERS}/transfers", body)

    # --- a new account ------------------------------------------------------------------------------------------------

    def _create(self, change: Change) -> Seen:
        wanted = change.after or change.before or {}
        barred = "" if str(wanted.get("email") or "").partition("@")[0] else "without an address there is nobody to sign in"
        return Seen(self._known(wanted), lambda: self._made(wanted), barred)

    def _made(self, wanted: Any) -> None:
        manager = self._mail_of(wanted["manager_account_id"]) if wanted.get("manager_account_id") else None
        self.change("directory.user", "POST", f"{DIRECTORY}/users", fields.new_user(wanted, manager))

    def _known(self, wanted: Any) -> str | None:
        """The user who carries the new one's employee id, or else its address."""
        number = wanted.get("employee_id")
        if number:
            asked = {
                "customer": self.customer,
                "query": f"externalId='{_quoted(number)}'",
                "fields": "nextPageToken,users(id,externalIds)",
            }
            found = listed(self.api("directory.user"), Request(f"{DIRECTORY}/users?{urlencode(asked)}"), "users", lambda one: one)
            same = [str(one["id"]) for one in found.rows if fields.told(one, "employee_id") == number]
            if same:
                return min(same)
        return self._id_of(str(wanted["email"])) if wanted.get("email") else None

    # --- users by id and by address -----------------------------------------------------------------------------------

    def user(self, key: str | None, wanted: str) -> dict[str, Any]:
        """Fields of a user; raises Changed when there is none of that id."""
        try:
            return self.get("directory.user", path(*DIRECTORY.split("/"), "users", key), fields=f"id,{wanted}")
        except NotThere:
            raise Changed(None, f"no user has the id {key} any more") from None

    def _id_of(self, mail: str | None) -> str | None:
        with suppress(Changed):
            return str(self.user(mail, "primaryEmail")["id"]) if mail else None
        return None

    def _mail_of(self, here: str) -> str:
        try:
            return str(self.user(here, "primaryEmail")["primaryEmail"])
        except (Changed, SourceError) as problem:
            raise Declined(f"{problem}; nothing was sent") from None

    def _where(self, change: Change) -> str:
        return path(*DIRECTORY.split("/"), "users", change.account)

    def _put(self, change: Change, body: Any) -> None:
        """PUT sets what is told and leaves the rest (Google recommends it over PATCH)."""
        self.change("directory.user", "PUT", self._where(change), body)

    # --- one request --------------------------------------------------------------------------------------------------

    def api(self, scope: str) -> Api:
        """The API under one scope, with as much time as one question or change may take."""
        if scope not in self._apis:
            licences = scope == "apps.licensing"
            full = f"{SCOPE}{scope if licences else f'admin.{scope}'}"
            self._apis[scope] = (self.access.licences if licences else self.access.directory)([full])
        made = self._apis[scope]
        made.deadline = time.monotonic() + self.context.deadline_seconds
        return made

    def get(self, scope: str, where: str, **query: Any) -> dict[str, Any]:
        return self.api(scope).get(where, query=query)

    def change(self, scope: str, method: str, where: str, body: Any = None, gone_is_done: bool = False) -> dict[str, Any]:
        """One change, again while a user just made is not ready; raises Declined, or Unknown when no answer came."""
        for seconds in (*_WAITS, 0.0):
            try:
                return self.api(scope).change(method, where, body)
            except Lost as problem:
                raise Unknown(str(problem)) from None
            except SaidNo as problem:
                if gone_is_done and problem.status == 404:
                    return {}
                if NOT_YET not in str(problem) or not seconds:
                    raise Declined(str(problem)) from None
            except SourceError as problem:
                raise Declined(f"nothing was sent: {problem}") from None
            self.context.wait(seconds)
        raise AssertionError  # the loop returns or raises


def _quoted(value: object) -> str:
    return str(value).replace("\\", "\\\\").replace("'", "\\'")
