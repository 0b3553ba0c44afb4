"""What a tenant's mailboxes are (a person's, a room's, a team's), and whom their rules send mail on to.

Graph tells this of one mailbox at a time only, three requests each, so it is read where `mailboxes = true` asks for it. It does not
tell forwarding that an administrator has set, nor who may open a mailbox: Exchange alone does (docs/decisions/010-mailboxes.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from connectors._bulk_held import Entitlement
from connectors._bulk_rows import Accounts
from connectors._graph_access import Access
from connectors._graph_listing import Listings, Row, told
from connectors._http import NotThere, Refused
from connectors._some import names
from reconciler.connector import Answer, Ended, Incomplete, Noticed, SourceError, Unreadable

PERMISSION = "MailboxSettings.Read"
# What userPurpose says nobody signs in to; a linked mailbox is used with an account of another forest.
KINDS = {"shared": "shared", "linked": "shared", "room": "room", "equipment": "room"}
PURPOSES = (*KINDS, "user", "others", "unknownFutureValue")
SENDING = ("forwardTo", "forwardAsAttachmentTo", "redirectTo")


@dataclass
class Mailboxes:
    """What has been read of mailboxes so far: all that there are, or nothing."""

    listings: Listings
    purposes: dict[str, str] = field(default_factory=dict)  # user -> what its mailbox is
    sent_to: dict[str, list[str]] = field(default_factory=dict)  # user -> addresses that its rules send mail on to
    pages: int = 0
    failed: bool = False

    def chains(self, accounts: Accounts) -> list[partial[Iterator[Answer]]]:
        """One for each user that has an address here; guests have their mailbox elsewhere."""
        told = (
            zip(*(batch[name].to_pylist() for name in ("account_id", "email", "kind")), strict=True)
            for _, batch in accounts.batches()
        )
        return [partial(self._one, here) for page in told for here, email, kind in page if email and kind != "guest"]

    def _one(self, user: str) -> Iterator[Answer]:
        if self.failed:
            return
        try:
            purpose = self._purpose(user)
            if purpose is None:
                return
            rules, pages = self.listings.agreed(f"users/{user}/mailFolders/inbox/messageRules")
            sent_to = sorted({mail for rule in rules if rule.get("isEnabled") is not False for mail in _addresses(rule)})
        except SourceError as problem:
            self.failed = True
            yield Unreadable("mailboxes", str(problem), f"grant {PERMISSION}" if isinstance(problem, Refused) else "")
            return
        self.purposes[user], self.sent_to[user], self.pages = purpose, sent_to, self.pages + pages

    def _purpose(self, user: str) -> str | None:
        """What a user's mailbox is; None where twice there is none, or it is on premises. Raises SourceError."""
        for _ in range(2):
            with suppress(NotThere):
                answer = self.listings.api.get(f"users/{user}/mailboxSettings?$select=userPurpose")
                purpose = str(told(answer, "userPurpose", "mailboxSettings"))
                if purpose not in PURPOSES:
                    raise Incomplete(f"mailboxSettings: {purpose!r} is no purpose of a mailbox")
                return purpose
        return None

    def add(self, access: Access) -> Iterator[Answer]:
        """Mailboxes as entitlements of whoever gets their mail, and what sort of account each belongs to."""
        if self.failed or not self.purposes:
            return
        kinds, logins = access.accounts.column("kind").to_pylist(), access.accounts.column("login")
        ours = self._ours(access.accounts)
        outside: list[str] = []
        for here in sorted(self.purposes):
            row = int(access.rows([here])[0])
            kinds[row] = KINDS.get(self.purposes[here], kinds[row])
            mailbox = access.held.offer(
                Entitlement(f"mailbox:{here}", f"mail of {logins[row]}", "mailbox", owner_account_id=here, writable=False)
            )
            access.held.grant(np.unique([ours[mail] for mail in self.sent_to[here] if mail in ours]), mailbox, "direct")
            outside += [f"{logins[row]} to {mail}" for mail in self.sent_to[here] if mail not in ours]
        access.accounts.put("kind", kinds)
        yield Ended("mailboxes and their rules", self.pages, len(self.purposes))
        if outside:
            yield Noticed(f"mail is sent on to nobody's account here by rules: {names(outside)}")

    def _ours(self, accounts: Accounts) -> dict[str, int]:
        """Addresses that mail is sent on to and that somebody here has, with the rows of the accounts."""
        wanted = {mail for mails in self.sent_to.values() for mail in mails}
        found: dict[str, int] = {}
        for begin, batch in accounts.batches():
            for row, mails in enumerate(zip(batch["email"].to_pylist(), batch["aliases"].to_pylist(), strict=True), begin):
                own, aliases = mails
                found |= dict.fromkeys(wanted.intersection([(own or "").lower(), *aliases]), row)
        return found


def _addresses(rule: Row) -> list[str]:
    """Whom a rule sends mail on to; raises Incomplete where it does not say so as Graph does."""
    try:
        actions = rule.get("actions") or {}
        listed = [recipient for name in SENDING for recipient in actions.get(name) or ()]
        return [recipient["emailAddress"]["address"].lower() for recipient in listed]
    except (AttributeError, KeyError, TypeError):
        raise Incomplete(f"messageRules: a rule whose recipients are not told: {str(rule.get('id'))[:80]}") from None
