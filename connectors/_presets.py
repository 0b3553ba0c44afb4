"""Presets: what an HR system calls its columns and its statuses, one TOML file per system, with nothing to configure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "presets"


@dataclass(frozen=True)
class Preset:
    """One HR system's export. `signs` are headers that tell it from the others; names match in any case."""

    name: str
    title: str
    signs: Sequence[str]
    columns: Mapping[str, Sequence[str]]  # table column -> headers it may have, the likeliest first
    statuses: Mapping[str, Sequence[str]]
    worker_types: Mapping[str, Sequence[str]]
    settings: Mapping[str, Any]  # date_format, delimiter, encoding, no_date: defaults the configuration may override

    def place(self, column: str, headers: Sequence[str]) -> int | None:
        """Where a column stands among a file's headers; None when it has no such header."""
        plain = [normal(header) for header in headers]
        return next((plain.index(alias) for alias in map(normal, self.columns.get(column, ())) if alias in plain), None)


def normal(header: str) -> str:
    """A header without case, blanks and punctuation: Hire_Date, "Hire Date" and hireDate are one."""
    return re.sub(r"[\W_]+", "", header.casefold())


def names() -> list[str]:
    """Every preset that ships with the program."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


@cache
def preset(name: str) -> Preset:
    """A preset by its name; raises KeyError when there is none."""
    if name not in names():
        raise KeyError(name)
    told = tomllib.loads((_FOLDER / f"{name}.toml").read_text("utf-8"))
    own = {key: told.pop(key, {}) for key in ("columns", "statuses", "worker_types")}
    return Preset(name, told.pop("title"), tuple(told.pop("signs")), **own, settings=told)


def best(headers: Sequence[str], words: Iterable[str] = ()) -> Preset | None:
    """The preset that such a header is most likely of; None when it bears no system's signs, or not the columns it takes.

    `words` are cells of the file, among which its statuses may be recognised.
    """
    known, spoken = {normal(header) for header in headers}, {word.casefold() for word in words}
    scores = {}
    for name in names():
        found = preset(name)
        signs = sum(normal(sign) in known for sign in found.signs)
        columns = sum(found.place(column, headers) is not None for column in found.columns)
        status = sum(word.casefold() in spoken for listed in found.statuses.values() for word in listed)
        if signs and all(found.place(column, headers) is not None for column in ("employee_id", "status")):
            scores[name] = (3 * signs + columns, min(status, 2))
    return preset(max(scores, key=lambda name: scores[name])) if scores else None
