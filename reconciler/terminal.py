"""How things are laid out on a terminal: aligned columns, folded sentences, and nothing a directory says taken for a command."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from rich.cells import cell_len, chop_cells

from reconciler.model import SEVERITIES, Finding, RunRecord, SourceReport

MARKS = {"critical": "◆", "high": "▲", "medium": "●", "low": "▪", "info": "·"}  # never by colour alone
WIDE = 110  # from this many columns on a finding stands in one row
SHOWN = 10  # new findings that a run's summary names
EXITS = {
    0: "complete", 3: "findings at or above --fail-on", 4: "an identity or a permission was refused",
    5: "a source was not read whole",
}  # fmt: skip
IN_FULL = ("rights", "absence", "history", "noticed")  # checks of a certificate that a run's summary spells out
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u034f\u17b4\u17b5")  # printable by Unicode's book, and yet nothing to see
_LABEL = re.compile(r"^\s*(?:\S+ )*?\S+ {2,}(?=\S)|^\s*")


def visible(text: str) -> str:
    """What a terminal must not interpret, and what nobody could see, shown instead."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() and c not in _FILLERS else f"\\u{{{ord(c):04X}}}" for c in text)


def fitted(text: str, width: int) -> str:
    """The text in exactly so many columns, cut with an ellipsis or filled with blanks; wide characters count two."""
    if cell_len(text) > width:
        text = (chop_cells(text, width - 1)[0] if width > 1 else "") + "…"
    return text + " " * (width - cell_len(text))


def folded(text: str, width: int, indent: int = 0) -> list[str]:
    """A line broken between words, and in a word that is longer than a line; the lines after the first are indented."""
    room, lines = max(width - indent, 8), [""]
    for word in text.split(" "):
        for part in chop_cells(word, room) or [""]:
            longer = f"{lines[-1]} {part}" if lines[-1] else part
            if cell_len(longer) <= (width if len(lines) == 1 else room):
                lines[-1] = longer
            else:
                lines.append(part)
    return [lines[0], *(" " * indent + line for line in lines[1:])]


def laid_out(text: str, width: int | None) -> Iterator[str]:
    """Lines made visible and folded below the text that follows their label; None leaves them as long as they are."""
    for line in text.split("\n"):
        shown = visible(line)
        if width is None or cell_len(shown) <= width:
            yield shown
            continue
        found = _LABEL.match(shown)
        label = found[0] if found and cell_len(found[0]) <= width // 2 else " " * (len(shown) - len(shown.lstrip()))
        first, *rest = folded(shown[len(label) :], width - cell_len(label))
        yield label + first
        yield from (" " * cell_len(label) + line for line in rest)


# --- findings -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One printed line, the severity it speaks of, and whether it is news."""

    text: str
    severity: str = ""
    news: bool = False


def table(found: Sequence[Finding], width: int | None) -> Iterator[Line]:
    """Findings in aligned columns: one row each where there is room, else two; None is as wide as need be."""
    if not found:
        return
    now = max(finding.last_seen for finding in found)
    who = _widest((_who(finding) for finding in found), "who", 24)
    source = _widest((finding.source for finding in found), "source", 14)
    if width is None or width >= WIDE:
        yield from _one_row_each(found, width, now, who, source)
    else:
        yield from _two_rows_each(found, width, now, source)


def _widest(texts: Iterable[str], head: str, most: int) -> int:
    return min(most, max(len(head), *(cell_len(visible(text)) for text in texts)))


def _who(finding: Finding) -> str:
    return (finding.person.name or finding.person.id) if finding.person else "nobody"


def _since(finding: Finding, now: datetime) -> str:
    days = (now - finding.first_seen).days
    return "today" if days < 1 else f"{days} d"


def _begun(finding: Finding, now: datetime) -> str:
    """Severity, state and age, aligned."""
    return f"{MARKS[finding.severity]} {finding.severity:8}  {finding.state:10}  {_since(finding, now):>6}"


def _one_row_each(found: Sequence[Finding], width: int | None, now: datetime, who: int, source: int) -> Iterator[Line]:
    head = f"{'severity':10}  {'state':10}  {'age':>6}  {'who':{who}}  {'source':{source}}  {'id':18}  "
    yield Line(head + "finding")
    for finding in found:
        begun = f"{_begun(finding, now)}  {fitted(visible(_who(finding)), who)}  {fitted(visible(finding.source), source)}  {finding.id:18}  "
        room = 10_000 if width is None else width - cell_len(head)
        for number, part in enumerate(folded(visible(finding.summary), room)):
            yield Line((" " * cell_len(head) if number else begun) + part, finding.severity, finding.state in ("new", "reopened"))


def _two_rows_each(found: Sequence[Finding], width: int, now: datetime, source: int) -> Iterator[Line]:
    who = max(8, width - (30 + 18 + source + 6))
    yield Line(f"{'severity':10}  {'state':10}  {'age':>6}  {'who':{who}}  {'source':{source}}  id")
    for finding in found:
        first = f"{_begun(finding, now)}  {fitted(visible(_who(finding)), who)}  {fitted(visible(finding.source), source)}  {finding.id}"
        yield Line(first, finding.severity, finding.state in ("new", "reopened"))
        yield from (Line("  " + part, finding.severity) for part in folded(visible(finding.summary), width - 2))


def hint(found: Sequence[Finding], screen: int = 25) -> str:
    """How many there are, and where the list is long, how to see fewer."""
    told = f"{len(found):,} finding{'' if len(found) == 1 else 's'}"
    if len(found) <= screen:
        return told + ("; one of them whole: reconciler findings show ID" if found else "")
    return told + "; fewer with --severity critical, --state new, --policy ID, --source NAME, --person ID or --since INSTANT"


# --- the night ----------------------------------------------------------------------------------------------------


def night(record: RunRecord, found: Iterable[Finding], width: int | None) -> Iterator[Line]:
    """One night in a screenful: what was read, whose accounts, what was found, what is new, and the exit code in words."""
    at = record.as_of
    yield from map(Line, laid_out(f"Night of {at.day} {at:%b %Y %H:%M} UTC, run {visible(record.run)}", width))
    names = max((cell_len(visible(source.name)) for source in record.sources), default=0)
    for source in record.sources:
        yield from map(Line, _source(source, min(names, 20), width))
    yield from map(Line, _not_asked(record, width))
    yield Line("")
    yield from map(Line, laid_out(_in_numbers(record), width))
    yield from _grades(record)
    yield from _news(record, found, width)
    yield Line("")
    yield from (Line(f"report    {visible(path)}") for path in record.reports)
    yield Line(f"exit {record.exit}: {EXITS.get(record.exit, 'see above')}")


def _source(source: SourceReport, names: int, width: int | None) -> Iterator[str]:
    whole = source.state in ("complete", "reused")
    label = f"{'OK' if whole else '!!'}  {fitted(visible(source.name), names)}  {source.state:10}  "
    gave = ((source.people, "people"), (source.accounts, "accounts"), (source.entitlements, "entitlements"), (source.grants, "memberships"))  # fmt: skip
    told = ", ".join(f"{number:,} {what}" for number, what in gave if number) or "nothing"
    if source.read:
        told += f"; {source.read:,} read = {source.accepted:,} accepted + {source.quarantined:,} quarantined + {source.rejected:,} rejected"
    yield from _labelled(label, f"{told}; {source.seconds:.1f} s", width)
    for reason in source.reasons:
        yield from _labelled(" " * len("OK  "), visible(reason), width)
    if whole and source.certificate:
        yield from _labelled("    ", f"certified: {visible(_certified(source))}", width)
    if not whole:
        yield from _labelled("    ", "nothing was opened or closed there; its open findings are unverified", width)
    if not whole and source.certificate:  # read to its end and doubted, so that a person may vouch for it
        after = f"what to do: look there; if it is so, reconciler run --accept {visible(source.name)} --reason TEXT"
        yield from _labelled("    ", after, width)
    for area, reason in source.areas.items():
        yield from _labelled("    ", f"not readable: {visible(area)}: {visible(reason)}", width)


def _certified(source: SourceReport) -> str:
    """What was checked, and in full what was missing and what it is held against."""
    told = {check["check"]: check["found"] for check in source.certificate}
    plain = [name for name in told if name not in IN_FULL]
    return "; ".join([", ".join(plain), *(told[name] for name in IN_FULL if name in told)])


def _labelled(label: str, text: str, width: int | None) -> Iterator[str]:
    room = 10_000 if width is None else max(width - cell_len(label), 30)
    for number, part in enumerate(folded(text, room)):
        yield (" " * cell_len(label) if number else label) + part


def _not_asked(record: RunRecord, width: int | None) -> Iterator[str]:
    grouped: dict[tuple[str, str], list[str]] = {}
    for gap in record.not_assessed:
        grouped.setdefault((gap.source, gap.reason), []).append(gap.policy)
    for (source, reason), policies in grouped.items():
        yield from _labelled(
            "--  ", f"not asked of {visible(source)}: {', '.join(map(visible, policies))} ({visible(reason)})", width
        )


def _in_numbers(record: RunRecord) -> str:
    owners = (("owned", "owned"), ("unowned", "nobody's"), ("disputed", "disputed"), ("suggested", "suggested"), ("withheld", "withheld"), ("exempt", "exempt"))  # fmt: skip
    states = (("new", "new"), ("reopened", "back again"), ("open", "still open"), ("resolved", "resolved"), ("unverified", "unverified"), ("waived", "waived"))  # fmt: skip
    accounts = ", ".join(f"{record.matching.get(name, 0):,} {word}" for name, word in owners if record.matching.get(name) or name == "owned")  # fmt: skip
    findings = ", ".join(f"{record.findings.get(name, 0):,} {word}" for name, word in states)
    return f"accounts  {accounts}\nfindings  {findings}"


def _grades(record: RunRecord) -> Iterator[Line]:
    counts = record.findings.get("by_severity", {})
    yield from (Line(f"  {MARKS[s]} {s:8} {counts[s]:>7,}", s) for s in reversed(SEVERITIES) if counts.get(s))


def _news(record: RunRecord, found: Iterable[Finding], width: int | None) -> Iterator[Line]:
    """The gravest of what is new or back, as many as a screen holds."""
    every = record.findings.get("new", 0) + record.findings.get("reopened", 0)
    shown = list(islice((f for f in found if f.state in ("new", "reopened")), min(every, SHOWN))) if every else []
    if shown:
        yield from (Line(""), Line("new or back again:"))
    for finding in shown:
        label = f"  {MARKS[finding.severity]} {finding.severity:8}  "
        yield from (Line(part, finding.severity, True) for part in _labelled(label, visible(finding.summary), width))
    if every > len(shown):
        yield Line(f"  and {every - len(shown):,} more: reconciler findings --state new --state reopened")
