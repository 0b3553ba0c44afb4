"""The encoding LDAP speaks: elements of a tag, a length and a content, read from bytes and made into bytes.

Lengths of things made of parts are written as Windows writes them, 0x84 and four bytes, however small (RFC 4511 allows it).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

BOOLEAN, INTEGER, OCTETS, ENUMERATED, SEQUENCE, SET = 0x01, 0x02, 0x04, 0x0A, 0x30, 0x31
LARGEST = 1 << 24  # bytes of one request; Windows takes 10 MB (MaxReceiveBuffer)

Element = tuple[int, bytes]  # tag, content


class Malformed(Exception):
    """Bytes that are no LDAP message."""


def elements(content: bytes) -> list[Element]:
    """The elements a content is made of; raises Malformed when one runs over."""
    return list(_elements(content))


def _elements(content: bytes) -> Iterator[Element]:
    at, end = 0, len(content)
    while at < end:
        if end - at < 2:
            raise Malformed("an element without a length")
        tag, length, at = content[at], content[at + 1], at + 2
        if length > 127:
            begin = at + (length & 127)
            length, at = int.from_bytes(content[at:begin]), begin
        if length > end - at:
            raise Malformed("an element longer than what holds it")
        yield tag, content[at : at + length]
        at += length


def number(content: bytes) -> int:
    return int.from_bytes(content, signed=True)


def size(data: bytes | bytearray) -> int:
    """How many bytes the message at the front has; 0 while too few have come to tell. Raises Malformed on noise."""
    if len(data) < 2:
        return 0
    if data[0] != SEQUENCE:
        raise Malformed(f"a message begins with 0x30, not 0x{data[0]:02x}")
    if data[1] < 128:
        return 2 + data[1]
    begin = 2 + (data[1] & 127)
    if not 3 <= begin <= 6:
        raise Malformed(f"a length of 0x{data[1]:02x}")
    if len(data) < begin:
        return 0
    whole = begin + int.from_bytes(data[2:begin])
    if whole > LARGEST:
        raise Malformed(f"a message of {whole} bytes; {LARGEST} are allowed")
    return whole


# --- making -----------------------------------------------------------------------------------------------------


def primitive(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 128:
        return bytes((tag, length)) + content
    if length < 256:
        return bytes((tag, 0x81, length)) + content
    if length < 65536:
        return bytes((tag, 0x82)) + length.to_bytes(2) + content
    return bytes((tag, 0x84)) + length.to_bytes(4) + content


def constructed(tag: int, *inside: bytes) -> bytes:
    content = b"".join(inside)
    return bytes((tag, 0x84)) + len(content).to_bytes(4) + content


def octets(content: bytes | str) -> bytes:
    return primitive(OCTETS, content.encode() if isinstance(content, str) else content)


def integer(value: int, tag: int = INTEGER) -> bytes:
    return primitive(tag, value.to_bytes((value if value >= 0 else ~value).bit_length() // 8 + 1, signed=True))


def boolean(value: bool) -> bytes:
    return primitive(BOOLEAN, b"\xff" if value else b"\x00")


def attribute(name: str, values: Iterable[bytes]) -> bytes:
    """PartialAttribute: a name, and a set of values."""
    return constructed(SEQUENCE, octets(name), constructed(SET, *map(octets, values)))


def message(number_: int, operation: bytes, controls: bytes = b"") -> bytes:
    return constructed(SEQUENCE, integer(number_), operation, controls)


def messages(number_: int, operations: Iterable[bytes]) -> bytes:
    """Many messages with one number, in one piece."""
    told = integer(number_)
    extra = len(told)
    parts: list[bytes] = []
    for operation in operations:
        parts += (b"0\x84", (extra + len(operation)).to_bytes(4), told, operation)
    return b"".join(parts)
