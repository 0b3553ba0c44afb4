"""Entries of an LDAP search, taken off the wire by a decoder of our own.

A message is (RFC 4511, BER): 0x30 length { 0x02 number, operation, [0] controls }. Lengths are short (one byte below
128) or long (0x84 and four bytes, as Windows sends them for everything made of parts, however small).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from connectors._bulk import no_cycles
from connectors._ldap_ending import long_length
from reconciler.connector import Incomplete

Attributes = dict[str, list[bytes]]
Entry = tuple[str, Attributes]  # (DN, attribute -> values)

LARGEST = 1 << 28  # bytes of one message; an entry with 1,500 values of 32 KiB each is well below
_MESSAGE, _NUMBER, _ENTRY = 0x30, 0x02, 0x64
_LONG = 0x84  # a length of four bytes, as Windows writes them
MOST_NAMES = 4096
_names: dict[bytes, str] = {}


def size_of(data: bytes | bytearray, at: int = 0) -> int:
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
    try:
        with no_cycles():
            return list(_decoded(data, number))
    except (IndexError, UnicodeDecodeError) as problem:
        raise Incomplete(f"the server sent an entry that cannot be read: {problem}") from None


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
        length, at = long_length(data, length, at)
    dn, at = data[at : at + length].decode(), at + length
    length, at = data[at + 1], at + 2
    if length > 127:
        length, at = long_length(data, length, at)
    if at + length > end:
        raise Incomplete(f"the server sent an entry that cannot be read: {dn} is longer than its message")
    return dn, _attributes(data, at, at + length, dn)


@dataclass(slots=True)
class _Place:
    """How an attribute stands in entries of long lengths: from its name to the length of its values, and what came after it last.

    A search's entries have their attributes in one order, so the next one is guessed, and one comparison takes the place of
    reading two lengths and a name.
    """

    name: str
    head: bytes
    size: int
    then: _Place | None = None


_first = _Place("", b"", 0)
_places: dict[bytes, _Place] = {}


def _attributes(data: bytes, at: int, end: int, dn: str) -> Attributes:
    """Pairs of a name and a set of values; flat, and one value apart from several, because a night runs it millions of times."""
    attributes: Attributes = {}
    place, begins_with = _first, data.startswith
    while at < end:
        length = data[at + 1]
        if length == _LONG:
            guess = place.then
            if guess is not None and begins_with(guess.head, at + 6):
                place, at = guess, at + guess.size
                last = at + data[at - 1]
            else:
                place, at, last = _placed(data, at, place)
            name = place.name
        else:
            at += 4 if length < 128 else 4 + (length & 127)  # to the name, past the pair's own head and the name's
            stop = at + data[at - 1]
            name = _names.get(data[at:stop]) or _name(data[at:stop])
            length, at = data[stop + 1], stop + 2
            if length > 127:
                length, at = long_length(data, length, at)
            last = at + length
        if data[at + 1] == last - at - 2 < 128:  # one short value, as nearly all have
            attributes[name] = [data[at + 2 : last]]
            at = last
        else:
            attributes[name] = _values(data, at, last, f"{name} of {dn}")
            at = last
    if at != end:
        raise Incomplete(f"the server sent an entry that cannot be read: {dn} is longer than its message")
    return attributes


def _placed(data: bytes, at: int, before: _Place) -> tuple[_Place, int, int]:
    """The place of the pair at `at`, and where its values begin and end; remembered as what comes after the one `before`."""
    stop = at + 8 + data[at + 7]
    length, values = data[stop + 1], stop + 2
    if length > 127:
        length, values = long_length(data, length, values)
    if len(_places) > MOST_NAMES:
        _places.clear()  # ranges make new ones without end
    head = data[at + 6 : values - 1]
    place = _places.setdefault(head, _Place(_name(data[at + 8 : stop]), head, values - at))
    if length < 256 and data[stop + 1] == _LONG:  # only its last byte, which the head leaves out, may differ
        before.then = place
    return place, values, values + length


def _values(data: bytes, at: int, last: int, what: str) -> list[bytes]:
    """The values between two places, which they must fill."""
    values: list[bytes] = []
    while at < last:
        length, at = data[at + 1], at + 2
        if length > 127:
            length, at = long_length(data, length, at)
        values.append(data[at : at + length])
        at += length
    if at != last:
        raise Incomplete(f"the server sent an entry that cannot be read: {what} ends inside a value")
    return values


def _name(raw: bytes) -> str:
    """The name of an attribute, remembered: a directory has some hundred of them."""
    if len(_names) > MOST_NAMES:
        _names.clear()  # ranges make new ones without end
    return _names.setdefault(raw, raw.decode("ascii"))
