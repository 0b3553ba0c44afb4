"""What Microsoft Graph shows of each kind of object: its default properties, its whole set, and what may be expanded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from reconciler.sandbox.graph_call import Call
from reconciler.sandbox.tenant_objects import Json, device, group, role, service_principal, user

Related = Callable[[Call, Json], Any]  # an object, or a list of objects

USER_DEFAULT = (
    "businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation", "preferredLanguage",
    "surname", "userPrincipalName", "id",
)  # fmt: skip
SINGLE_ONLY = frozenset((
    "aboutMe", "birthday", "hireDate", "interests", "mailboxSettings", "mySite", "pastProjects", "preferredName", "responsibilities",
    "schools", "skills",
))  # fmt: skip
READERS = {  # who may read objects of a kind in full
    "user": ("User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"),
    "group": ("Group.ReadBasic.All", "GroupMember.Read.All", "GroupMember.ReadWrite.All", "Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"),
    "device": ("Device.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"),
    "servicePrincipal": ("Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"),
    "directoryRole": ("RoleManagement.Read.Directory", "RoleManagement.ReadWrite.Directory", "Directory.Read.All", "Directory.ReadWrite.All"),
}  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """One kind of listing. `default` and `known` None: whatever the object has."""

    context: str
    kind: str = ""
    default: tuple[str, ...] | None = None
    known: frozenset[str] | None = None
    expands: Mapping[str, Related] = field(default_factory=dict)
    usual: int = 100  # rows a page when nobody says
    most: int = 999
    pages: bool = True
    mixed: bool = False  # objects of several kinds, each with its @odata.type
    directory: bool = True  # advanced questions need ConsistencyLevel
    stored: bool = False  # the rows are the tenant's own objects, whose text is worth keeping

    def capped(self, most: int) -> Shape:
        return replace(self, most=min(most, self.most))


def kind_of(row: Mapping[str, Any]) -> str:
    """What an object of the directory is."""
    marks = (
        ("userPrincipalName", "user"),
        ("groupTypes", "group"),
        ("deviceId", "device"),
        ("servicePrincipalType", "servicePrincipal"),
        ("roleTemplateId", "directoryRole"),
    )
    return next(kind for name, kind in marks if name in row)


@cache
def known(kind: str) -> frozenset[str]:
    """Every property that `$select` may name."""
    samples: dict[str, Json] = {
        "user": user("a@b", "a", "b") | dict.fromkeys(("signInActivity", "customSecurityAttributes")),
        "group": group("a", "b", dynamic=False, unified=False, mail=False, synced=False, role_assignable=False),
        "device": device("a"),
        "servicePrincipal": service_principal("a", "b"),
        "role": role("a"),
        "directoryRole": dict.fromkeys(("id", "deletedDateTime", "description", "displayName", "roleTemplateId")),
    }
    return frozenset(samples[kind])


def default(kind: str) -> tuple[str, ...] | None:
    return USER_DEFAULT if kind == "user" else None


def shape(kind: str, context: str, **more: Any) -> Shape:
    return Shape(context, kind, default(kind), known(kind), **more)


MIXED = Shape("directoryObjects", mixed=True)  # objects of any kind, below something: its members, owners, …


def limited(call: Call, row: Json) -> bool:
    """The caller may know that the object is there, and nothing else of it."""
    readers = READERS.get(kind_of(row))
    return readers is not None and not call.caller.may(*readers)
