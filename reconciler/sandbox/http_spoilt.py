"""Answers that lie or are spoilt on the way: JSON that is not what it should be, and bytes that are not what they say.

A fault of the kind "spoil" names one of `LIES` (of the answer's JSON) or of `TEXTS` (of its bytes); one of the kind "wire"
names one of `WIRES` (of the whole message). What cannot be done to an answer, because it has no rows or no next page,
leaves it as it is and is said so.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from typing import Any

Json = dict[str, Any]
LINKS = ("@odata.nextLink", "nextPageToken")


def _rows(body: Json) -> str | None:
    """The name under which a page has its rows."""
    return next((name for name, value in body.items() if isinstance(value, list) and not name.startswith("@")), None)


def _link(body: Json) -> str | None:
    return next((name for name in LINKS if name in body), None)


def _with_rows(change: Callable[[list[Any]], Any], least: int = 1) -> Callable[[Json], Any]:
    """Another value in the place of the rows; None where there are too few."""

    def lie(body: Json) -> Any:
        name = _rows(body)
        return None if name is None or len(body[name]) < least else {**body, name: change(body[name])}

    return lie


def _with_row(change: Callable[[Any], Any]) -> Callable[[Json], Any]:
    """Another first row."""
    return _with_rows(lambda rows: [change(rows[0]), *rows[1:]])


def _with_link(change: Callable[[str], Any]) -> Callable[[Json], Any]:
    """Another next link; None on the last page."""

    def lie(body: Json) -> Any:
        name = _link(body)
        return None if name is None else {**body, name: change(body[name])}

    return lie


def _cut_and_closed(body: Json) -> Any:
    """Half of the rows, no next page, and nothing that says so."""
    name = _rows(body)
    return None if name is None or not body[name] else _last({**body, name: body[name][: len(body[name]) // 2]})


def _last(body: Json) -> Any:
    return {name: value for name, value in body.items() if name not in LINKS}


def _renamed(body: Json) -> Any:
    name = _rows(body)
    return None if name is None else {(key.swapcase() if key == name else key): value for key, value in body.items()}


def _without_rows(body: Json) -> Any:
    name = _rows(body)
    return None if name is None else {key: value for key, value in body.items() if key != name}


def _counting(number: Any) -> Callable[[Json], Any]:
    return lambda body: {**body, "@odata.count": number} if "@odata.count" in body else None


def _field(value: Any) -> Callable[[Any], Any]:
    """A row whose id is something else; of a row without one, its first field."""
    return lambda row: {**row, ("id" if "id" in row else next(iter(row))): value}


ERROR = {"error": {"code": "generalException", "message": "An error has occurred", "errors": [{"reason": "backendError"}]}}
LIES: Mapping[str, Callable[[Json], Any]] = {
    "an empty object": lambda body: {},
    "a list in the place of the object": lambda body: [body],
    "a text in the place of the object": lambda body: json.dumps(body),
    "a number in the place of the object": lambda body: 0,
    "an error with status 200": lambda body: ERROR,
    "an error beside the rows": lambda body: body | ERROR,
    "every row twice": _with_rows(lambda rows: [*rows, *rows]),
    "the first row twice": _with_rows(lambda rows: [rows[0], *rows]),
    "rows in another order": _with_rows(lambda rows: rows[::-1], 2),
    "the first row missing": _with_rows(lambda rows: rows[1:]),
    "the last row missing": _with_rows(lambda rows: rows[:-1]),
    "all rows missing": _with_rows(lambda rows: []),
    "half of the rows, and no next page": _cut_and_closed,
    "no rows, and no next page": lambda body: None if _rows(body) is None else _last({**body, str(_rows(body)): []}),
    "no next page": lambda body: None if _link(body) is None else _last(body),
    "rows that are null": _with_rows(lambda rows: None, 0),
    "rows that are an object": _with_rows(lambda rows: {str(at): row for at, row in enumerate(rows)}),
    "rows that are texts": _with_rows(lambda rows: [str(row) for row in rows]),
    "rows in a list of lists": _with_rows(lambda rows: [rows]),
    "one row that is null": _with_row(lambda row: None),
    "one row that is empty": _with_row(lambda row: {}),
    "one id that is null": _with_row(_field(None)),
    "one id that is empty": _with_row(_field("")),
    "one id that is a number": _with_row(_field(7)),
    "one id that is an object": _with_row(_field({})),
    "one row with its id alone": _with_row(lambda row: dict([next(((n, v) for n, v in row.items() if n == "id"), next(iter(row.items())))])),
    "rows under another name": _renamed,
    "no list of rows": _without_rows,
    "a next link that is null": _with_link(lambda link: None),
    "a next link that is empty": _with_link(lambda link: ""),
    "a next link that is a number": _with_link(lambda link: 1),
    "a next link that is a list": _with_link(lambda link: [link]),
    "a next link to another host": _with_link(lambda link: "https://graph.example.net" + "/v1.0/users?$skiptoken=1" if "://" in link else f"{link}/../.."),
    "a next link without its scheme": _with_link(lambda link: link.partition("://")[2] or link[1:]),
    "a next link cut in the middle": _with_link(lambda link: link[: len(link) * 3 // 4]),
    "a count that is too small": _counting(0),
    "a count that is too large": _counting(10_000),
    "a count that is a text": _counting("many"),
}  # fmt: skip

_PAGE = b"<!doctype html><html><head><title>Sign in</title></head><body>Your session has ended.</body></html>"
TEXTS: Mapping[str, Callable[[bytes], bytes]] = {
    "nothing": lambda text: b"",
    "blanks": lambda text: b" \r\n",
    "a page to sign in": lambda text: _PAGE,
    "plain words": lambda text: b"Request rate higher than configured",
    "JSON cut in half": lambda text: text[: len(text) // 2],
    "JSON without its last letter": lambda text: text[:-1],
    "JSON with something after it": lambda text: text + b"\n{}",
    "JSON twice": lambda text: text + text,
    "JSON with NaN in it": lambda text: text[:-1] + b',"n":NaN}',
    "bytes that are no UTF-8": lambda text: text[: len(text) // 2] + b"\xff\xfe" + text[len(text) // 2 :],
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "UTF-16": lambda text: text.decode().encode("utf-16"),
    "zero bytes at the end": lambda text: text + b"\0\0",
    "zero bytes in the middle": lambda text: text[: len(text) // 2] + b"\0" + text[len(text) // 2 :],
    "a name that comes twice": lambda text: text[:-1] + b',"value":[],"users":[],"groups":[],"members":[],"items":[]}',
}


def spoilt(name: str, text: bytes) -> bytes | None:
    """An answer's body with one lie or one spoilt text; None where it cannot be had of this answer."""
    if name in TEXTS:
        return TEXTS[name](text)
    try:
        body = json.loads(text)
        made = LIES[name](body) if isinstance(body, dict) else None
    except (ValueError, TypeError, AttributeError, StopIteration):
        return None
    return None if made is None else json.dumps(made, ensure_ascii=False).encode()


# --- the whole message --------------------------------------------------------------------------------------------------


def _parts(raw: bytes) -> tuple[bytes, bytes]:
    head, _, body = raw.partition(b"\r\n\r\n")
    return head, body


def _headed(raw: bytes, *lines: bytes, body: bytes | None = None, without: tuple[bytes, ...] = ()) -> bytes:
    """The same message with further header lines, another body, or without some headers."""
    head, old = _parts(raw)
    kept = [line for line in head.split(b"\r\n") if not line.lower().startswith(without or (b"\n",))]
    return b"\r\n".join([*kept, *lines]) + b"\r\n\r\n" + (old if body is None else body)


def _chunked(raw: bytes, share: float, ended: bool) -> bytes:
    body = _parts(raw)[1]
    part = body[: int(len(body) * share)]
    text = (b"%x\r\n%s\r\n" % (len(part), part) if part else b"") + (b"0\r\n\r\n" if ended else b"")
    return _headed(raw, b"Transfer-Encoding: chunked", body=text, without=(b"content-length",))


def _said(raw: bytes, more: int) -> bytes:
    """A Content-Length that is wrong by so many bytes."""
    told = max(0, len(_parts(raw)[1]) + more)
    return _headed(raw, b"Content-Length: %d" % told, without=(b"content-length",))


def _zipped(raw: bytes, share: float) -> bytes:
    body = _parts(raw)[1]
    made = body if b"content-encoding" in raw.lower() else gzip.compress(body)
    made = made[: int(len(made) * share)]
    lines = (b"Content-Encoding: gzip", b"Content-Length: %d" % len(made))
    return _headed(raw, *lines, body=made, without=(b"content-length", b"content-encoding"))


_CLOSE = (b"content-length", b"connection")
WIRES: Mapping[str, Callable[[bytes], bytes]] = {  # after each of them the connection ends
    "closed before the headers": lambda raw: b"",
    "closed in the first line": lambda raw: raw[:7],
    "closed in the headers": lambda raw: raw[:60],
    "closed after the headers": lambda raw: _parts(raw)[0] + b"\r\n\r\n",
    "closed in the body": lambda raw: raw[: -len(_parts(raw)[1]) // 2 or None],
    "closed before the last byte": lambda raw: raw[:-1],
    "a length that is too long": lambda raw: _said(raw, 10),
    "a length that is too short": lambda raw: _said(raw, -10),
    "a length of nothing": lambda raw: _headed(raw, b"Content-Length: 0", without=(b"content-length",)),
    "a length that is no number": lambda raw: _headed(raw, b"Content-Length: many", without=(b"content-length",)),
    "two lengths": lambda raw: _headed(raw, b"Content-Length: 5"),
    "no length, and closed at the end": lambda raw: _headed(raw, b"Connection: close", without=_CLOSE),
    "no length, and closed in the middle": lambda raw: _headed(
        raw, b"Connection: close", body=_parts(raw)[1][: len(_parts(raw)[1]) // 2], without=_CLOSE
    ),
    "in chunks": lambda raw: _chunked(raw, 1, True),
    "in chunks, without the last": lambda raw: _chunked(raw, 1, False),
    "in chunks, ended in the middle": lambda raw: _chunked(raw, 0.5, True),
    "in chunks, closed in the middle": lambda raw: _chunked(raw, 0.5, False),
    "in no chunk at all": lambda raw: _chunked(raw, 0, True),
    "compressed, and cut": lambda raw: _zipped(raw, 0.6),
    "compressed, without its checksum": lambda raw: _zipped(raw, 0.98),
    "said to be compressed": lambda raw: _headed(raw, b"Content-Encoding: gzip", without=(b"content-encoding",))
    if b"content-encoding" not in raw.lower() else _headed(raw, without=(b"content-encoding",)),
    "compressed in a way nobody knows": lambda raw: _headed(raw, b"Content-Encoding: snappy", without=(b"content-encoding",)),
    "another answer after it": lambda raw: raw + b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"value\":[]}",
    "of another type": lambda raw: _headed(raw, b"Content-Type: text/html", without=(b"content-type",)),
    "a first line that is none": lambda raw: b"nothing of HTTP\r\n" + raw,
    "a status that is no number": lambda raw: raw.replace(b" 200 ", b" OK ", 1),
    "a header without an end": lambda raw: raw[:20] + b"\r\nX: " + b"x" * 70_000,
    "HTTP/1.0": lambda raw: raw.replace(b"HTTP/1.1", b"HTTP/1.0", 1),
}  # fmt: skip
