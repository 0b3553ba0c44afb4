"""The end of an LDAP search: its result, its cookie and references to elsewhere, read to the last byte (RFC 4511, RFC 2696)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.connector import Incomplete

PAGED = "1.2.840.113556.1.4.319"  # RFC 2696
_REFERENCE, _DONE, _NOTICE = 0x73, 0x65, 0x78
_REFERRAL, _CONTROLS = 0xA3, 0xA0


@dataclass(frozen=True)
class Result:
    """The end of a search. `cookie` is None when the paging control is missing, empty on the last page."""

    code: int
    matched: str
    message: str
    referrals: tuple[str, ...]
    cookie: bytes | None


def long_length(data: bytes, length: int, at: int) -> tuple[int, int]:
    """A length in long form: (length, where the content begins)."""
    begin = at + (length & 127)
    return int.from_bytes(data[at:begin]), begin


def ending(message: bytes) -> Result | tuple[str, ...]:
    """A message that is no entry: the search's Result, or the URLs of a reference to elsewhere.

    Raises Incomplete on a notice that the server ends the session, and on anything else.
    """
    try:
        (_, begin, end), *_ = _parts(message, 0, len(message))
        _, (tag, first, last), *more = _parts(message, begin, end)
        if tag == _REFERENCE:
            return tuple(_text(message, *place) for place in _parts(message, first, last))
        if tag == _DONE:
            return _result(message, first, last, [place for place in more if place[0] == _CONTROLS])
        if tag == _NOTICE:
            raise Incomplete(f"the server ended the session: {_result(message, first, last, []).message or 'without saying why'}")
    except (IndexError, ValueError) as problem:
        raise Incomplete(f"the server sent an answer that cannot be read: {problem}") from None
    raise Incomplete(f"the server sent an operation that is no answer to a search (0x{tag:02x})")


def _result(message: bytes, begin: int, end: int, controls: list[tuple[int, int, int]]) -> Result:
    code, matched, text, *more = _parts(message, begin, end)
    referrals = [place for tag, *span in more if tag == _REFERRAL for place in _parts(message, span[0], span[1])]
    return Result(
        int.from_bytes(message[code[1] : code[2]]),
        _text(message, *matched),
        _text(message, *text),
        tuple(_text(message, *place) for place in referrals),
        next((_cookie(message, first, last) for _, first, last in controls), None),
    )


def _cookie(message: bytes, begin: int, end: int) -> bytes | None:
    """The cookie of the paging control among a message's controls."""
    for _, first, last in _parts(message, begin, end):
        (_, *oid), *more = _parts(message, first, last)
        if message[oid[0] : oid[1]] == PAGED.encode():
            (_, first, last), *_ = _parts(message, more[-1][1], more[-1][2])
            _, (_, first, last) = _parts(message, first, last)
            return message[first:last]
    return None


def _parts(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(tag, begin, end) of each element between two places; raises ValueError when one runs over."""
    while at < end:
        tag, length, at = data[at], data[at + 1], at + 2
        if length > 127:
            length, at = long_length(data, length, at)
        if at + length > end:
            raise ValueError("an element is longer than what holds it")
        yield tag, at, at + length
        at += length


def _text(data: bytes, _tag: int, begin: int, end: int) -> str:
    return data[begin:end].decode("utf-8", "replace")
