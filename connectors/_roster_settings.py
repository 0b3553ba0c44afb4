"""What every roster needs to be read: columns, words, formats and bounds; a preset may give what the configuration does not."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from connectors._presets import Preset, names, preset
from reconciler.connector import ConnectorSettings, Span
from reconciler.tables import PEOPLE, STATUSES

COLUMNS = tuple(name for name in PEOPLE.names if name != "extra")


def unknown(noun: str, word: str, allowed: Iterable[str]) -> str:
    near = get_close_matches(word, list(allowed), 1)
    return f"unknown {noun} {word}; allowed: {', '.join(allowed)}" + (f"; did you mean {near[0]}?" if near else "")


def _columns(columns: Mapping[str, str]) -> Mapping[str, str]:
    for name in columns:
        if name not in COLUMNS:
            raise ValueError(unknown("column", name, COLUMNS))
    return columns


def _statuses(words: Mapping[str, list[str]]) -> Mapping[str, list[str]]:
    for status in words:
        if status not in STATUSES:
            raise ValueError(unknown("status", status, STATUSES))
    return _distinct(words)


def _distinct(words: Mapping[str, list[str]]) -> Mapping[str, list[str]]:
    seen: dict[str, str] = {}
    for kind, word in ((kind, word) for kind, listed in words.items() for word in listed):
        if seen.setdefault(word.casefold(), kind) != kind:
            raise ValueError(f"{word!r} stands under {seen[word.casefold()]} and under {kind}; one word means one thing")
    return words


def _preset(name: str | None) -> str | None:
    if name is not None and name not in names():
        raise ValueError(unknown("preset", name, names()))
    return name


def _date_format(form: str) -> str:
    if "%y" in form:
        raise ValueError(f"{form!r}: years of two digits are guesses; export four digits and write %Y")
    try:
        kept = datetime.strptime(datetime(2026, 11, 22).strftime(form), form).date() == datetime(2026, 11, 22).date()
    except ValueError:
        kept = False
    if not kept:
        raise ValueError(f"{form!r} is not a form of whole dates; write one such as %Y-%m-%d, %d.%m.%Y or %m/%d/%Y")
    return form


def _pattern(text: str) -> str:
    try:
        re.compile(text, re.ASCII)
    except re.error as problem:
        raise ValueError(f"{text!r} is no regular expression: {problem}") from None
    return text


def _encoding(name: str) -> str:
    try:
        text = codecs.lookup(name)._is_text_encoding
    except LookupError:
        text = False
    if not text:
        raise ValueError(f"unknown encoding {name}; allowed: utf-8, cp1252, utf-16, iso-8859-15 and others Python knows")
    return name


def _delimiter(text: str) -> str:
    if len(text) != 1 or text.isalnum() or text in '"\r\n':
        raise ValueError(f'{text!r} is no delimiter; write one character such as ",", ";", "|" or "\\t"')
    return text


Encoding = Annotated[str, AfterValidator(_encoding)]
Delimiter = Annotated[str, AfterValidator(_delimiter)]
Words = Mapping[str, list[str]]
Percent = Annotated[float, Field(ge=0, le=100, strict=True)]


class RosterSettings(ConnectorSettings):
    """`preset` fills in what is not set here; a word that is set here means what is said here."""

    preset: Annotated[str | None, AfterValidator(_preset)] = Field(
        None, description="An HR system: its columns, words and date format."
    )
    columns: Annotated[Mapping[str, str], AfterValidator(_columns)] = Field(
        default_factory=dict, description="Column of people: HR's header."
    )
    statuses: Annotated[Words, AfterValidator(_statuses)] = Field(
        default_factory=dict, description="Status: every word HR has for it."
    )
    worker_types: Annotated[Words, AfterValidator(_distinct)] = Field(default_factory=dict, description="Type: HR's words; without it the file's word stands.")  # fmt: skip
    date_format: Annotated[str, AfterValidator(_date_format)] = Field("%Y-%m-%d", description="Declared, never guessed.")
    no_date: tuple[str, ...] = Field(
        ("9999-12-31", "31/12/9999", "12/31/9999"), description="Cells that mean no date; zero dates always do."
    )
    id_pattern: Annotated[str, AfterValidator(_pattern)] | None = Field(
        None, description="What every employee id must fit, as a whole."
    )
    covers: Literal["full-history", "current-only"] = "full-history"
    extra: list[str] = Field(default_factory=list, description="Further columns to keep.")
    min_people: int = Field(1, ge=0, strict=True, description="With fewer people the file is not believed.")
    max_drop_percent: Percent | None = Field(None, description="Of active people, against the last accepted night.")
    max_drop_7d_percent: Percent | None = Field(None, description="Of active people, over seven days.")
    max_moved_percent: Percent | None = Field(None, description="Of people, with another unit, job or place than last night.")
    max_unchanged: Span | None = Field(None, description="How long every row may stay as it is; unset: by the company's size.")
    max_quarantined_percent: Percent = Field(2.0, description="A column bad in more of the rows refuses the file.")

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, raw: Any) -> Any:
        """What the preset says, where the configuration says nothing."""
        if not isinstance(raw, dict) or raw.get("preset") not in names():
            return raw
        known = preset(raw["preset"])
        own = raw.get("statuses", {})
        return {**known.settings, **raw, "statuses": _merged(known.statuses, own) if isinstance(own, dict) else own}

    @property
    def known(self) -> Preset | None:
        return preset(self.preset) if self.preset else None

    def words_of_types(self) -> tuple[dict[str, str], bool]:
        """HR's word for a worker type -> ours, and whether any other word is an error (a preset's list is not whole)."""
        words = self.worker_types or (self.known.worker_types if self.known else {})
        return {word.casefold(): kind for kind, listed in words.items() for word in listed}, bool(self.worker_types)


def _merged(known: Mapping[str, Iterable[str]], own: Mapping[str, Any]) -> dict[str, Any]:
    """A preset's words beside the configured ones, which win."""
    taken = {word.casefold() for listed in own.values() if isinstance(listed, list) for word in listed if isinstance(word, str)}
    kept = {status: [word for word in listed if word.casefold() not in taken] for status, listed in known.items()}
    return {
        **kept,
        **{status: kept.get(status, []) + words if isinstance(words, list) else words for status, words in own.items()},
    }
