"""The domain controller with its five thousand people, and who reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.active_directory import Settings, read
from reconciler.connector import Answer, Context, Page
from tests.live.ad_estate import Odd, departures, groups, made, odd_accounts, people, schema
from tests.live.domain import BASE, DomainController

READER, READER_PASSWORD = "reader@live.example", "Read-Only-Pass1!"
DELETED = f"CN=Deleted Objects,{BASE}"
WRONG = 3  # passwords that lock an account


@dataclass(frozen=True)
class Directory:
    """`odd` are the accounts that are not as others; `now` is when they were made; `password` holds the reader's."""

    dc: DomainController
    odd: Sequence[Odd]
    now: datetime
    password: Path
    reader: str  # its SID

    def settings(self, **keys: Any) -> Settings:
        usual = {"kind": "active_directory", "urls": [self.dc.url], "bases": [BASE], "username": READER}
        return Settings.model_validate({**usual, "password": f"file:{self.password}", "ca_file": str(self.dc.ca_file), **keys})

    def answers(self, **keys: Any) -> list[Answer]:
        return list(read(self.settings(**keys), Context("ad", datetime.now(UTC))))

    def allow(self, dn: str, rights: str) -> None:
        """Give or deny the reader rights, as an entry of an access list without its end."""
        self.dc.populate([{"do": "grant", "dn": dn, "ace": f"({rights};{self.reader})"}])

    def revoke(self, dn: str, rights: str) -> None:
        self.dc.populate([{"do": "revoke", "dn": dn, "ace": f"({rights};{self.reader})"}])


def directory(dc: DomainController, folder: Path) -> Directory:
    """Fill a fresh domain: half a minute."""
    now = datetime.now(UTC)
    odd = odd_accounts(now)
    dc.populate(schema(), "schema")
    for lines in (people(), (made(one, at, now) for at, one in enumerate(odd)), groups(odd), departures()):
        dc.populate(lines)
    dc.tool("domain", "passwordsettings", "set", f"--account-lockout-threshold={WRONG}", "--account-lockout-duration=30")
    dc.tool("user", "create", READER.partition("@")[0], READER_PASSWORD)
    password = folder / "reader-password"
    password.touch(0o600)
    password.write_text(READER_PASSWORD)
    made_ = Directory(dc, odd, now, password, dc.sid_of(READER.partition("@")[0]))
    made_.allow(DELETED, "A;;RPLC;;")
    for _ in range(WRONG):
        dc.refuses("locked@live.example", "not-the-password")
    assert "data 775" in dc.refuses("locked@live.example", "not-the-password")
    return made_


def rows(found: Sequence[Answer], table: str) -> list[dict[str, Any]]:
    """Every row of a table, of all its pages."""
    pages = [answer for answer in found if isinstance(answer, Page) and answer.table == table]
    return [row for page in pages for row in page.rows()]
