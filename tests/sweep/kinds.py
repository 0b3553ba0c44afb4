"""Every kind of fault that the sweep knows: how HTTP and LDAP can go wrong once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from reconciler.sandbox.faults import Fault
from reconciler.sandbox.http_spoilt import LIES, TEXTS, WIRES

# A kind of fault, to be aimed: (on, at) -> Fault.
Kind = Any

STATUSES = (
    201, 204, 206, 301, 302, 304, 308, 400, 401, 403, 404, 405, 408, 409, 410, 412, 421, 423, 429, 451, 500, 501, 502, 503, 504, 509,
    511, 520, 599,
)  # fmt: skip
WAITS = {
    "whole seconds": "2", "a fraction": "2.128", "nothing": "0", "a day": "86400", "less than nothing": "-5", "words": "soon",
    "a date": "Sun, 22 Nov 2026 02:06:00 GMT", "a date long ago": "Thu, 01 Jan 1970 00:00:00 GMT", "a date that is none": "Sun, 99 Foo",
    "not a number": "nan", "without end": "inf", "blanks": " ", "two numbers": "1, 2",
}  # fmt: skip
AWAY = {"Location": "https://elsewhere.example.net/v1.0/users"}
HTML = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
BODIES: Mapping[str, Any] = {
    "without a body": b"",
    "with a page of HTML": HTML,
    "with rows": {"value": [], "users": [], "items": []},
}


def _fault(do: Any, value: Any = None, body: Any = None, headers: tuple[tuple[str, str], ...] = ()) -> Kind:
    return partial(Fault, do=do, value=value, body=body, headers=headers)


def http_kinds() -> dict[str, Kind]:
    """By name; each can strike any request."""
    made = {
        f"status {status}": _fault("status", status, headers=tuple(AWAY.items()) if status // 100 == 3 else ())
        for status in STATUSES
    }
    made |= {
        f"status {status} {how}": _fault("status", status, body)
        for status in (200, 403, 503)
        for how, body in BODIES.items()
        if status != 200 or how != "with rows"
    }
    made |= {
        f"429, Retry-After is {how}": _fault("status", 429, headers=(("Retry-After", value),)) for how, value in WAITS.items()
    }
    made |= {f"lie: {name}": _fault("spoil", name) for name in LIES}
    made |= {f"text: {name}": _fault("spoil", name) for name in TEXTS}
    made |= {f"wire: {name}": _fault("wire", name) for name in WIRES}
    made |= {f"cut after {size} bytes": _fault("cut", size) for size in (1, 150, 700)}
    for name in ("id", "employeeId", "externalIds", "type", "principalId", "roleId", "skuId"):
        made[f"no {name} in any row"] = _fault("drop_field", name)
    made |= {
        "the last two rows hidden": _fault("hide_rows", 2), "the same page again": _fault("repeat_token"), "an empty page": _fault("empty_page"),
        "an expired page token": _fault("expired_token", 400), "a reset page token": _fault("expired_token", 410),
        "an early end": _fault("no_more"), "a few bytes at a time": _fault("drip"), "an older page": _fault("stale"), "a late answer": _fault("delay", 0.01),
    }  # fmt: skip
    return made


def ldap_kinds() -> dict[str, Kind]:
    """Every result code that there is (RFC 4511 and beyond), and what else can happen to an answer."""
    made = {f"result {code}": _fault("status", code) for code in (*range(1, 124), 4096, 16654)}
    made |= {f"cut after {size} bytes": _fault("cut", size) for size in (0, 1, 2, 7, 30, 200, -1)}
    made |= {
        f"no {name} in any entry": _fault("drop_field", name)
        for name in ("objectGUID", "objectSid", "employeeID", "member", "userAccountControl")
    }
    return made | {
        "the last entry hidden": _fault("hide_rows", 1), "the same page again": _fault("repeat_token"), "an empty page": _fault("empty_page"),
        "an expired cookie": _fault("expired_token"), "noise": _fault("garbage"), "an early end": _fault("no_more"), "a late answer": _fault("delay", 0.01),
    }  # fmt: skip
