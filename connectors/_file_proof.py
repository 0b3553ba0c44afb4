"""What an exporter adds to prove that its file is whole: a checksum in a file beside it, or a last line that counts the rows."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from connectors._csv_lines import Lines
from reconciler.connector import Incomplete

_KINDS = {64: "sha256", 96: "sha384", 128: "sha512"}  # by the number of hexadecimal digits


def _trailer(text: str) -> str:
    try:
        groups = re.compile(text).groups
    except re.error as problem:
        raise ValueError(f"{text!r} is no regular expression: {problem}") from None
    if groups != 1:
        raise ValueError(f"{text!r} needs one group, around the number of rows: 'TRAILER,([0-9]+)'")
    return text


Trailer = Annotated[str, AfterValidator(_trailer)]


def summed(path: Path, body: bytes, beside: Path) -> None:
    """Raises Incomplete unless the file beside holds this body's checksum, as sha256sum and its kin write it."""
    try:
        words = beside.read_bytes()[:4096].decode("ascii", "replace").split()
    except OSError as problem:
        raise Incomplete(
            f"{path}: its checksum {beside} cannot be read: {problem.strerror}; has the export come to its end?"
        ) from None
    told = words[0].lower().lstrip("\\") if words else ""
    kind = _KINDS.get(len(told)) if re.fullmatch("[0-9a-f]+", told) else None
    if kind is None:
        raise Incomplete(f"{path}: {beside} begins with no checksum of the kinds {', '.join(_KINDS.values())}")
    found = hashlib.new(kind, body).hexdigest()
    if found != told:
        raise Incomplete(
            f"{path}: its {kind} is {found[:16]}…, but {beside} says {told[:16]}…: it is not the file that was exported, or not all of it"
        )


def cut_trailer(path: Path, text: str, pattern: str) -> tuple[str, int]:
    """The text without its last line that is not blank, and the number of rows that this line tells."""
    kept = text.rstrip("\r\n\t ")
    at = max(kept.rfind("\n"), kept.rfind("\r")) + 1
    return text[:at], _counted(path, kept[at:], pattern)


def cut_last_row(path: Path, lines: Lines, pattern: str) -> tuple[Lines, int]:
    """The same for a workbook: its last row, as cells with commas between them."""
    last = ",".join(lines.rows[-1].cells).rstrip(",") if lines.rows else ""
    return replace(lines, rows=lines.rows[:-1]), _counted(path, last, pattern)


def _counted(path: Path, line: str, pattern: str) -> int:
    found = re.fullmatch(pattern, line, re.ASCII)
    if not found or not (found[1] or "").isdecimal():
        raise Incomplete(
            f"{path}: ends with {line[:80]!r}, not with a line of the form {pattern!r}: it was cut off, or the export has changed"
        )
    return int(found[1])


def agreed(path: Path, rows: int, told: int | None) -> None:
    """Raises Incomplete when the file has not as many rows as its last line says."""
    if told is not None and rows != told:
        raise Incomplete(f"{path}: has {rows} rows, but its last line counts {told}; is the export whole?")
