"""Answers as text: pages of listings with their tokens, field masks, ETags, and the rows that a fault takes away."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.sandbox import google_fields
from reconciler.sandbox.faults import Fault
from reconciler.sandbox.google import Json
from reconciler.sandbox.google_call import Call, Refusal, invalid

_serial = itertools.count(1)  # so that no two page tokens are alike
MOST_TEXTS = 500_000


@dataclass(frozen=True)
class Listing:
    """One page of rows under `name`; `envelope` is what the answer says beside them. `drop` are fields not shown."""

    name: str
    rows: Sequence[Json]
    envelope: Json
    drop: frozenset[str] = frozenset()
    stored: bool = False  # the rows are the store's own objects, whose text is worth keeping
    etag: str = "etag"


@dataclass
class Texts:
    """The text of rows that were shown before; a row keeps its text until another object takes its place."""

    _known: dict[tuple[int, str, frozenset[str]], tuple[Json, bytes]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, row: Json, mask: google_fields.Mask | None, shape: str, listing: Listing) -> bytes:
        if not listing.stored:
            return dumps(google_fields.kept(tagged(row, listing.etag, listing.drop), mask))
        key = (id(row), shape, listing.drop)
        known = self._known.get(key)
        if known is not None and known[0] is row:
            return known[1]
        text = dumps(google_fields.kept(tagged(row, listing.etag, listing.drop), mask))
        with self._lock:
            if len(self._known) >= MOST_TEXTS:
                self._known.clear()
            self._known[key] = (row, text)
        return text


def page(call: Call, name: str, rows: Sequence[Json], cap: int, default: int) -> Listing:
    """The page that the query asks for: at most `cap` rows, `default` when it does not say; raises Refusal on a bad token."""
    size = min(int(call.query.get("maxResults") or default), cap, call.customer.page_cap or cap) or default
    if short := strikes(call, "short_pages"):
        size = min(size, int(short.value))
    begin = _begin(call)
    end = begin + size
    if strikes(call, "empty_page"):
        end = begin
    shown = _after_faults(call, rows[begin:end])
    following = _token(call, end) if end < len(rows) else None
    if strikes(call, "repeat_token"):
        following = call.query.get("pageToken") or _token(call, begin)
    if strikes(call, "no_more"):
        following = None
    return Listing(name, shown, {"kind": _kind(call)} | ({"nextPageToken": following} if following else {}))


def strikes(call: Call, kind: str) -> Fault | None:
    return next((fault for fault in call.faults if fault.do == kind), None)


def _after_faults(call: Call, rows: Sequence[Json]) -> Sequence[Json]:
    hidden, dropped = strikes(call, "hide_rows"), strikes(call, "drop_field")
    if hidden:
        rows = rows[: max(0, len(rows) - int(hidden.value or 1))]
    if dropped:
        rows = [{name: value for name, value in row.items() if name != dropped.value} for row in rows]
    return rows


def _kind(call: Call) -> str:
    schema = call.method.schemas[(call.method.answer or {})["$ref"]]
    return str(schema["properties"]["kind"]["default"])


def _asked(call: Call) -> str:
    """What a page token belongs to: the same question, whatever the size of its pages."""
    same = sorted((n, v) for n, v in call.query.items() if n not in ("pageToken", "maxResults", "fields", "alt", "prettyPrint"))
    return hashlib.sha256(repr((call.method.id, sorted(call.path.items()), same)).encode()).hexdigest()[:12]


def _token(call: Call, begin: int) -> str:
    return base64.urlsafe_b64encode(f"{_asked(call)}.{begin}.{next(_serial)}".encode()).decode().rstrip("=")


def _begin(call: Call) -> int:
    """Where the page begins; raises Refusal when the token is of another question, made up, or has expired."""
    told = call.query.get("pageToken", "")
    expired = strikes(call, "expired_token")
    if expired:
        raise Refusal(int(expired.value or 400), "invalid", "Invalid Input: pageToken has expired")
    if not told:
        return 0
    try:
        asked, begin, _ = base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)).decode("ascii").split(".")
    except ValueError:
        raise invalid("pageToken") from None
    if asked != _asked(call) or not begin.isdigit():
        raise invalid("pageToken")
    return int(begin)


# --- text -------------------------------------------------------------------------------------------------------


def body(call: Call, answer: Json | Listing, texts: Texts) -> bytes:
    """The answer as JSON text, after the `fields` mask; raises Refusal when the mask names what is not there."""
    mask = _mask(call)
    if isinstance(answer, dict):
        return dumps(google_fields.kept(answer, mask))
    whole = mask is None or "*" in mask
    inner = None if mask is None or whole else mask.get(answer.name)
    shape = "" if inner is None else json.dumps(inner)
    shown = answer.rows if mask is None or whole or answer.name in mask else ()
    parts = [texts.of(row, inner, shape, answer) for row in shown]
    envelope = google_fields.kept(answer.envelope | {"etag": _etag(b"".join(parts))}, mask)
    return _joined(envelope, answer.name, parts)


def _joined(envelope: Json, name: str, parts: Sequence[bytes]) -> bytes:
    """The page's text; an empty list is left out, as Google leaves it out."""
    head = dumps(envelope)
    if not parts:
        return head
    return head[:-1] + (b"," if envelope else b"") + dumps(name) + b":[" + b",".join(parts) + b"]}"


def _mask(call: Call) -> google_fields.Mask | None:
    told = call.query.get("fields")
    if not told:
        return None
    try:
        mask = google_fields.parse(told)
        google_fields.check(mask, call.method.answer or {}, call.method.schemas)
    except google_fields.BadMask as problem:
        message = f"Invalid field selection {problem}"
        raise Refusal(400, "invalidParameter", message) from None
    return mask


def tagged(row: Mapping[str, Any], name: str = "etag", drop: frozenset[str] = frozenset()) -> Json:
    """A resource with its ETag, and without what is not shown or empty."""
    shown = {key: value for key, value in row.items() if key not in drop and value not in ([], {})}
    return {name: _etag(dumps(shown)), **shown}


def _etag(text: bytes) -> str:
    return f'"{base64.urlsafe_b64encode(hashlib.sha256(text).digest()).decode().rstrip("=")}"'


def dumps(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def in_order(rows: Sequence[Json], key: str | None, sort_order: str | None) -> list[Json]:
    """Rows sorted by a field (`name.familyName`), in the order asked for; as they lie when no field is named."""
    if key is None:
        return list(rows)
    return sorted(rows, key=lambda row: "".join(_texts(row, key.split("."))).casefold(), reverse=sort_order == "DESCENDING")


def _texts(row: Any, path: Sequence[str]) -> Iterator[str]:
    if path:
        yield from _texts(row.get(path[0]) or {}, path[1:])
    elif isinstance(row, str):
        yield row
