"""Answers to an LDAP search, taken off the wire: entries by a decoder of our own, results checked to the last byte.

A message is (RFC 4511, BER): 0x30 length { 0x02 number, operation, [0] controls }. Lengths are short (one byte below
128) or long (0x84 and four bytes, as Windows sends them for everything made of parts, however small).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.connector import Incomplete

Attributes = dict[str, list[bytes]]
Entry = tuple[str, Attributes]  # (DN, attribute -> values)

LARGEST = 1 << 28  # bytes of one message; an entry with 1,500 values of 32 KiB each is well below
PAGED = "1.2.840.113556.1.4.319"  # RFC 2696
_MESSAGE, _NUMBER, _ENTRY, _REFERENCE, _DONE, _NOTICE = 0x30, 0x02, 0x64, 0x73, 0x65, 0x78
_REFERRAL, _CONTROLS = 0xA3, 0xA0
MOST_NAMES = 4096
_names: dict[bytes, str] = {}


@dataclass(frozen=True)
class Result:
    """The end of a search. `cookie` is None when the paging control is missing, empty on the last page."""

    code: int
    matched: str
    message: str
    referrals: tuple[str, ...]
    cookie: bytes | None


def size_of(data: bytes, at: int = 0) -> int:
    """How many bytes the message at `at` has; 0 while too few have come to tell. Raises Incomplete on what is no LDAP."""
    if len(data) - at < 2:
        return 0
    if data[at] != _MESSAGE:
        raise Incomplete(f"the server sent something that is no LDAP message (it begins with 0x{data[at]:02x})")
    first = data[at + 1]
    if first < 128:
        return 2 + first
    begin = 2 + (first & 127)
    if first == 128 or begin > 6:
        raise Incomplete(f"the server sent something that is no LDAP message (a length of 0x{first:02x})")
    if len(data) - at < begin:
        return 0
    size = begin + int.from_bytes(data[at + 2 : at + begin])
    if size > LARGEST:
        raise Incomplete(f"the server announced a message of {size} bytes; is this an LDAP server?")
    return size


def is_entry(data: bytes | bytearray, at: int, number: int) -> bool:
    """Whether the message at `at` is an entry. Raises Incomplete when it does not answer message `number`."""
    return data[_numbered(data, at, number)] == _ENTRY


def decode(data: bytes, number: int) -> list[Entry]:
    """Every entry of a whole answer to message `number`; raises Incomplete on what cannot be read.

    The collector of garbage rests meanwhile: a page is some ten thousand new lists, of which none is garbage yet.
    """
    resting = gc.isenabled()
    gc.disable()
    try:
        return list(_decoded(data, number))
    except (IndexError, UnicodeDecodeError) as problem:
        raise Incomplete(f"the server sent an entry that cannot be read: {problem}") from None
    finally:
        if resting:
            gc.enable()


def _decoded(data: bytes, number: int) -> Iterator[Entry]:
    at, have = 0, len(data)
    while at < have:
        size = size_of(data, at)
        end = at + size
        if not size or end > have:
            raise Incomplete("the server sent an answer that stops in the middle of a message")
        operation = _numbered(data, at, number)
        if data[operation] == _ENTRY:
            yield _entry(data, operation, end)
        at = end


def _numbered(data: bytes | bytearray, at: int, number: int) -> int:
    """Where the operation of the message at `at` begins, once it is sure that it answers message `number`."""
    begin = at + 2 + (data[at + 1] & 127 if data[at + 1] > 127 else 0)
    end = begin + 2 + data[begin + 1]
    told = int.from_bytes(data[begin + 2 : end])
    if data[begin] != _NUMBER or told not in (number, 0):  # 0 is a notice that the session ends
        raise Incomplete(f"the server answered message {told} while {number} was asked; nothing of it is used")
    return end


def _entry(data: bytes, at: int, end: int) -> Entry:
    """SearchResultEntry: a DN, then a sequence of attributes."""
    at += 2 + (data[at + 1] & 127 if data[at + 1] > 127 else 0)
    length, at = data[at + 1], at + 2
    if length > 127:
        length, at = _long(data, length, at)
    dn, at = data[at : at + length].decode(), at + length
    length, at = data[at + 1], at + 2
    if length > 127:
        length, at = _long(data, length, at)
    if at + length > end:
        raise Incomplete(f"the server sent an entry that cannot be read: {dn} is longer than its message")
    return dn, _attributes(data, at, at + length, dn)


def _attributes(data: bytes, at: int, end: int, dn: str) -> Attributes:
    """Pairs of a name and a set of values; flat, and one value apart from several, because a night runs it millions of times."""
    attributes: Attributes = {}
    while at < end:
        length = data[at + 1]
        at += 4 if length < 128 else 4 + (length & 127)  # to the name, past the pair's own head and the name's
        stop = at + data[at - 1]
        raw = data[at:stop]
        name = _names.get(raw)
        if name is None:
            name = _name(raw)
        length, at = data[stop + 1], stop + 2
        if length > 127:
            begin = at + (length & 127)
            length, at = int.from_bytes(data[at:begin]), begin
        last = at + length
        values: list[bytes] = []
        while at < last:
            length, at = data[at + 1], at + 2
            if length > 127:
                begin = at + (length & 127)
                length, at = int.from_bytes(data[at:begin]), begin
            values.append(data[at : at + length])
            at += length
        if at != last:
            raise Incomplete(f"the server sent an entry that cannot be read: {name} of {dn} ends inside a value")
        attributes[name] = values
    if at != end:
        raise Incomplete(f"the server sent an entry that cannot be read: {dn} is longer than its message")
    return attributes


def _name(raw: bytes) -> str:
    """The name of an attribute, remembered: a directory has some hundred of them."""
    if len(_names) > MOST_NAMES:
        _names.clear()  # ranges make new ones without end
    return _names.setdefault(raw, raw.decode("ascii"))


def _long(data: bytes, length: int, at: int) -> tuple[int, int]:
    """A length in long form: (length, where the content begins)."""
    begin = at + (length & 127)
    return int.from_bytes(data[at:begin]), begin


# --- results and references, one a page ---------------------------------------------------------------------------


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
            length, at = _long(data, length, at)
        if at + length > end:
            raise ValueError("an element is longer than what holds it")
        yield tag, at, at + length
        at += length


def _text(data: bytes, _tag: int, begin: int, end: int) -> str:
    return data[begin:end].decode("utf-8", "replace")
