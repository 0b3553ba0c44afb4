"""A flat table of findings for spreadsheets, in which no cell is a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator

from reconciler.model import Finding, Night, instant_text
from reports._text import visible
from reports._words import plain_facts

NAME = "csv"
SUFFIX = ".csv"

COLUMNS = (
    "id", "severity", "state", "policy", "source", "person_id", "person_name", "person_status", "account_id", "login",
    "account_name", "entitlement_id", "entitlement_name", "entitlement_kind", "summary", "evidence", "first_seen",
    "last_seen", "due", "waived_until", "waiver_reason", "waived_by", "remedies",
)  # fmt: skip

# What makes a spreadsheet read a cell as a formula (OWASP, CSV injection), and the same signs in full width: at the
# start of a cell, and after a semicolon, which starts one where the spreadsheet's language separates by semicolons.
_FORMULA = re.compile("(^|;)([ \n\"']*)(?=[=+\\-@\t\r＝＋－＠])")
_BEGINS = frozenset(" \n\"'=+-@\t\r＝＋－＠")  # what a match can begin with: every other cell is safe at a glance


def safe(text: str) -> str:
    """A cell that stays text: a leading formula sign gets an apostrophe, unseen characters are shown."""
    if text[:1] not in _BEGINS and ";" not in text:
        return visible(text)
    return visible(_FORMULA.sub(r"\1\2'", text))


def render(night: Night) -> bytes:
    """One row per finding of the night, resolved ones included, in the night's order."""
    return sheet(night.findings)


def sheet(findings: Iterable[Finding]) -> bytes:
    """One row per finding; UTF-8 with a header, every cell quoted, one finding in one line."""
    made = io.BytesIO()
    text = io.TextIOWrapper(made, "utf-8", newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    writer.writerows([safe(cell or "") for cell in _cells(finding)] for finding in findings)
    text.flush()
    return made.getvalue()


def _cells(finding: Finding) -> Iterator[str | None]:
    person, account, held, waiver = finding.person, finding.account, finding.entitlement, finding.waiver or {}
    yield from (finding.id, finding.severity, finding.state, finding.policy, finding.source)
    yield from (person.id, person.name, person.status) if person else ("", "", "")
    yield from (account.id, account.login, account.name) if account else ("", "", "")
    yield from (held.id, held.name, held.kind) if held else ("", "", "")
    yield finding.summary
    yield "; ".join(plain_facts(finding.evidence))
    yield from (instant_text(finding.first_seen), instant_text(finding.last_seen), instant_text(finding.due))
    yield from (str(waiver.get(name) or "") for name in ("until", "reason", "by"))
    yield ", ".join(finding.remedies)
