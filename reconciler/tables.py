"""The tables of the contract: their columns, types and closed vocabularies; the only place with column names.

Texts that repeat (departments, kinds, given names) are held as codes of their distinct words: `plain` makes words of them.
Null means the source did not tell, never "no". Instants are UTC, dates are calendar dates in the person's own zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

INSTANT = pa.timestamp("us", "UTC")
TEXTS = pa.list_(pa.string())
CODED = pa.dictionary(pa.int32(), pa.string())

STATUSES = ("prehire", "active", "leave", "suspended", "left", "unknown")
ACCOUNT_KINDS = ("person", "service", "shared", "room", "guest", "admin", "computer", "builtin", "contact", "agent", "unknown")
ENTITLEMENT_KINDS = ("group", "role", "licence", "application", "oauth_grant", "mailbox", "device")
STATE_REASONS = ("disabled", "expired", "locked", "suspended", "archived", "deleted")
VIA = ("direct", "nested", "dynamic", "inherited", "primary", "eligible")

# Areas a source may be unable to read and still be complete; users, groups and memberships are essential.
AREAS = (
    "sign_in",
    "roles",
    "licences",
    "devices",
    "oauth_grants",
    "mailboxes",
    "mfa",
    "managers",
    "deleted",
    "owners",
    "hidden_groups",
)

# The area that an entitlement of a kind was read from: without it nothing is known about such entitlements.
AREA_OF_KIND = {
    "group": "groups", "role": "roles", "licence": "licences", "application": "oauth_grants",
    "oauth_grant": "oauth_grants", "mailbox": "mailboxes", "device": "devices",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One column: its name, its Arrow type, whether it changes without anybody deciding so (volatile), and whether its texts repeat."""

    name: str
    type: pa.DataType
    volatile: bool = False
    words: tuple[str, ...] = ()
    repeats: bool = False

    @property
    def held(self) -> pa.DataType:
        """Its type in memory."""
        return CODED if self.words or self.repeats else self.type


@dataclass(frozen=True)
class Table:
    name: str
    columns: tuple[Column, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """A column by its name; KeyError when there is none."""
        found = next((column for column in self.columns if column.name == name), None)
        if found is None:
            raise KeyError(name)
        return found

    def schema(self, volatile: bool | None = None) -> pa.Schema:
        """The Arrow schema: of all columns, or only of the volatile or the stable ones."""
        return pa.schema([(c.name, c.type) for c in self.columns if volatile is None or c.volatile == volatile])


def whole(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def plain(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """A column with words where it holds codes."""
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _text(names: str, repeats: bool = False) -> tuple[Column, ...]:
    return tuple(Column(name, pa.string(), repeats=repeats) for name in names.split())


def _instants(names: str, volatile: bool = False) -> tuple[Column, ...]:
    return tuple(Column(name, INSTANT, volatile) for name in names.split())


def _dates(names: str) -> tuple[Column, ...]:
    return tuple(Column(name, pa.date32()) for name in names.split())


PEOPLE = Table(
    "people",
    (
        *_text("person_id employee_id"),
        *_text("given_name family_name preferred_name", repeats=True),
        *_text("display_name work_email"),
        Column("status", pa.string(), words=STATUSES),
        *_text("worker_type", repeats=True),
        *_dates("start_date last_day end_date position_start"),
        *_text("department job_code job_title cost_centre location company manager_id timezone", repeats=True),
        Column("extra", pa.string()),  # a JSON object of the configured further columns
    ),
)

ACCOUNTS = Table(
    "accounts",
    (
        *_text("account_id login upn email"),
        Column("aliases", TEXTS),
        *_text("employee_id anchor sid"),
        *_text("given_name family_name", repeats=True),
        *_text("display_name"),
        *_text("department job_title company location manager_account_id", repeats=True),
        Column("enabled", pa.bool_()),
        Column("state_reason", pa.string(), words=STATE_REASONS),
        *_instants("expires_at created_at"),
        *_instants("last_login_at password_changed_at", volatile=True),
        Column("never_logged_in", pa.bool_(), volatile=True),  # true only where the source says so (Google's 1970)
        Column("kind", pa.string(), words=ACCOUNT_KINDS),
        Column("privileged", pa.bool_()),
        *_text("mastered_by container", repeats=True),
        Column("mfa", pa.bool_()),
        Column("extra", pa.string()),
    ),
)

ENTITLEMENTS = Table(
    "entitlements",
    (
        *_text("entitlement_id name"),
        Column("kind", pa.string(), words=ENTITLEMENT_KINDS),
        Column("privileged", pa.bool_()),
        *_text("owner_account_id"),
        Column("writable", pa.bool_()),
    ),
)

GRANTS = Table(
    "grants",
    (
        *_text("account_id"),
        *_text("entitlement_id", repeats=True),
        Column("via", pa.string(), words=VIA),
        *_instants("since"),
    ),
)

TABLES = {table.name: table for table in (PEOPLE, ACCOUNTS, ENTITLEMENTS, GRANTS)}
