"""Entries of an LDAP search, taken off the wire by a decoder of our own.

A message is (RFC 4511, BER): 0x30 length { 0x02 number, operation, [0] controls }. Lengths are short (one byte below
128) or long (0x84 and four bytes, as Windows sends them for everything made of parts, however small).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from connectors._ldap_ending import long_length
from reconciler.connector import Incomplete

Attributes = dict[str, list[bytes]]
Entry = tuple[str, Attributes]  # (DN, attribute -> values)

LARGEST = 1 << 28  # bytes of one message; an entry with 1,500 values of 32 KiB each is well below
ENTRY = 0x64  # the operation that is an entry
_MESSAGE, _NUMBER, _SET = 0x30, 0x02, 0x31
_LONG = 0x84  # a length of four bytes, as Windows writes them
MOST_NAMES = 1 << 16  # ranges make new ones without end
_CUT = b"\x84\0\0\0"
_names: dict[bytes, str] = {}
_heads: dict[bytes, str] = {}


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


def messages(data: bytearray, number: int, more: Callable[[], None]) -> Iterator[tuple[int, int, int]]:
    """Message after message of an answer to message `number`, which `more` makes longer: where it begins, its operation begins, it ends.

    Raises Incomplete on what is no LDAP, and on an answer to something else.
    """
    at = 0
    while True:
        while not (size := size_of(data, at)) or at + size > len(data):
            more()
        yield at, _numbered(data, at, number), at + size
        at += size


@dataclass(frozen=True)
class Entries:
    """The entries of one whole answer, as the bytes that came: how many they are is known, each is decoded when it is asked for.

    Most entries are looked at and dropped; to hold a page of them decoded would cost a third of the time more.
    """

    data: bytes
    places: Sequence[tuple[int, int]]  # where the operation of each begins, and where it ends

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[Entry]:
        """Raises Incomplete on what cannot be read."""
        try:
            for at, end in self.places:
                yield _entry(self.data, at, end)
        except (IndexError, UnicodeDecodeError) as problem:
            raise Incomplete(f"the server sent an entry that cannot be read: {problem}") from None


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


def _attributes(data: bytes, at: int, end: int, dn: str) -> Attributes:
    """Pairs of a name and a set of values."""
    if at + 1 < end and data[at + 1] == _LONG:
        usual = _cut(data[at:end])
        if usual is not None:
            return usual
    attributes: Attributes = {}
    while at < end:
        length = data[at + 1]
        at += 4 if length < 128 else 4 + (length & 127)  # to the name, past the pair's own head and the name's
        stop = at + data[at - 1]
        name = _names.get(data[at:stop]) or _name(data[at:stop])
        length, at = data[stop + 1], stop + 2
        if length > 127:
            length, at = long_length(data, length, at)
        last = at + length
        if data[at + 1] == last - at - 2 < 128:  # one short value, as nearly all have
            attributes[name] = [data[at + 2 : last]]
        else:
            attributes[name] = _values(data, at, last, f"{name} of {dn}")
        at = last
    if at != end:
        raise Incomplete(f"the server sent an entry that cannot be read: {dn} is longer than its message")
    return attributes


def _cut(pairs: bytes) -> Attributes | None:
    """Pairs with the lengths that Windows writes, cut apart at what all of these begin with; None where one of them is not so.

    Between two cuts lies either (last byte of the pair's length, 4, length, name, tag of the set) or (last byte of the set's
    length, 4, length, value, …, tag of the next pair). A value that looks like a cut itself does not fill its length.
    A loop that a night runs millions of times: half as long as reading length after length.
    """
    attributes: Attributes = {}
    parts = (pairs + b"0").split(_CUT)
    if parts[0] != b"0" or len(parts) % 2 == 0:  # the tag of the first pair, then two parts for each
        return None
    for head, body in zip(parts[1::2], parts[2::2], strict=True):
        name = _heads.get(head) or _head(head)
        if name is None:
            return None
        if body[0] == len(body) - 2 == body[2] + 2:  # one value
            attributes[name] = [body[3:-1]]
        elif body[0] == len(body) - 2:
            attributes[name] = _values(body, 1, len(body) - 1, name)
        else:
            return None
    return attributes


def _head(head: bytes) -> str | None:
    """The name in what lies between the cuts before it and after it, remembered; None where it is none."""
    if head[1:3] != bytes([4, len(head) - 4 & 255]) or head[-1] != _SET:
        return None
    if len(_heads) > MOST_NAMES:
        _heads.clear()
    return _heads.setdefault(head, head[3:-1].decode("ascii"))


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
        _names.clear()
    return _names.setdefault(raw, raw.decode("ascii"))
