"""Nights in which every text that a directory or a person writes is meant to harm whoever reads it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from reconciler.model import AccountRef, EntitlementRef, Finding, Match, Night, NotAssessed, PersonRef, SourceReport
from tests.reports import sample

NAMES = {
    "script": "<script>alert(1)</script>",
    "end of style": "</style></script><script>alert(2)</script>",
    "image": '"><img src=x onerror=alert(3)>',
    "attribute": "' onmouseover='alert(4)' x='",
    "address": 'javascript:alert(5)//<a href="https://evil.example/">x</a>',
    "template": "{{ 7 * 7 }}{% include '/etc/passwd' %}",
    "formula": "=cmd|' /C calc'!A0",
    "quoted formula": "\"=HYPERLINK(\"https://evil.example\",\"x\")",
    "tab formula": "\t=1+1",
    "return formula": "\r=1+1",
    "plus": "+1-1;=2+2",
    "minus": "-1+cmd|' /C calc'!A0",
    "at": "@SUM(1+1)",
    "turned round": "exe.\u202egpj.txt\u202c",
    "isolate left open": "a\u2066\u2067\u2068b",
    "lines": "one\r\ntwo\u2028three\x85four",
    "zero": "nul\x00l",
    "escape": "\x1b]0;owned\x07\x1b[31mred\x1b[2J",
    "hidden": "ad\u200bmin\ufeff\U000e0041",
    "surrogate": "half \ud83d pair",
    "long": "x" * 5000,
    "long words": "word " * 1000,
    "combining": "Z" + "\u0301\u0316" * 500,
    "comment": "<!-- --> ]]> &amp; &#60;script&#62;",
    "arabic": "محمد الأحمد",
    "empty": "",
}  # fmt: skip


def finding(number: int, name: str) -> Finding:
    """A finding every text of which is the name; ids are ours, as they are hashes."""
    state = ("new", "reopened", "open", "resolved", "unverified", "waived")[number % 6]
    evidence = {"matched_by": name, name: name, "email": name, "logins": [name, name], "drift": {name: {"hr": name, "account": None}}, "line": 3, "column": name, "found": name, "allowed": name}  # fmt: skip
    waiver = {"until": name, "reason": name, "by": name} if state == "waived" else None
    seen = sample.AS_OF - timedelta(days=number)
    policy = ("leaver-account-enabled", "roster-defect", name or "-")[number % 3]
    return Finding(f"f-{number:016x}", policy, ("critical", "high", "medium", "low", "info")[number % 5], state, PersonRef(name, name, name), AccountRef(name, name, name, name),
                   EntitlementRef(name, name, name, name), name, name, evidence, seen, sample.AS_OF, seen, waiver, (name,))  # fmt: skip


def night(name: str) -> Night:
    """A night of six findings that says the name wherever a text of the outside can stand."""
    found = [finding(number, name) for number in range(6)]
    keys = ({"field": name, "level": name, "bits": None, "value": name},)
    matches = tuple(
        Match(AccountRef(name, name, name, name), outcome, None, name, keys, ({"person": name, "probability": None},))
        for outcome in ("disputed", "nobody", "withheld", "exempt")
    )
    source = SourceReport(name, name, "incomplete", reasons=(name,), identity=name, areas={name: name}, scopes=({"scope": name, "pages": 1, "rows": 2, "declared": None},), snapshot=name)  # fmt: skip
    told = sample.night(found)
    record = replace(
        told.record, sources=(source, replace(source, state="reused")), not_assessed=(NotAssessed(name, name, name),), run=name
    )
    return replace(told, organisation=name, record=record, matches=matches, history=(record,), changes={name: {"accounts_added": 1}}, undecided={name: 1})  # fmt: skip
