"""TOML in, and what is wrong with it as sentences: path, what was found, what is allowed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from reconciler.errors import ConfigError

M = TypeVar("M", bound=BaseModel)
Raw = Mapping[str, Any]


def read_toml(path: Path) -> dict[str, Any]:
    """The file's tables; raises ConfigError with line and column of a syntax error."""
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise ConfigError([f"{path}: cannot be read: {problem.strerror}; `reconciler init` writes one"]) from None
    try:
        return tomllib.loads(data.removeprefix(b"\xef\xbb\xbf").decode("utf-8"))
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise ConfigError([f"{path}: line {line}: not UTF-8; TOML is always UTF-8"]) from None
    except tomllib.TOMLDecodeError as problem:  # its text ends in "(at line 3, column 7)"
        raise ConfigError([f"{path}: not valid TOML: {problem}"]) from None


@dataclass(frozen=True)
class Problems:
    """The mistakes found so far in one file; collected, so that a person mends them in one go."""

    file: Path
    found: list[str] = field(default_factory=list)

    def add(self, where: str, text: str) -> None:
        self.found.append(f"{self.file}: {where}: {text}" if where else f"{self.file}: {text}")

    def read(self, model: type[M], raw: object, where: str) -> M | None:
        """The settings of one table, or None after noting everything that is wrong in it."""
        try:
            return model.model_validate(raw, context={"base": self.file.parent})
        except ValidationError as problem:
            for place, text in _explain(problem, model, raw):
                self.add(join(where, place), text)
            return None

    def unknown(self, where: str, noun: str, word: str, allowed: Iterable[str]) -> None:
        self.add(where, unknown(noun, word, allowed))

    def done(self) -> None:
        """Raises ConfigError if anything was found."""
        if self.found:
            raise ConfigError(list(dict.fromkeys(self.found)))


def unknown(noun: str, word: str, allowed: Iterable[str]) -> str:
    """`unknown setting grce; it has: enabled, severity, grace; did you mean grace?`"""
    words = list(allowed)
    near = get_close_matches(word, words, 1)
    has = "it has" if noun == "setting" else "allowed"
    return f"unknown {noun} {word}; {has}: {', '.join(words)}" + (f"; did you mean {near[0]}?" if near else "")


def join(*parts: str) -> str:
    return ".".join(part for part in parts if part)


def kind_of(value: object) -> str:
    """What a TOML value is, in words; the value itself only where it cannot be a secret."""
    if isinstance(value, (bool, int, float, date, time, datetime)):
        return f"{str(value).lower()}"
    return next(
        (word for kind, word in ((str, "text"), (list, "a list"), (dict, "a table")) if isinstance(value, kind)), "nothing"
    )


# --- pydantic's errors in our words -------------------------------------------------------------------------

_EXPECTED = {
    "string_type": "text", "int_type": "a whole number", "int_from_float": "a whole number", "float_type": "a number",
    "bool_type": "true or false", "list_type": "a list", "tuple_type": "a list", "dict_type": "a table",
    "mapping_type": "a table", "model_type": "a table", "model_attributes_type": "a table", "is_instance_of": "a table",
}  # fmt: skip


def _explain(problem: ValidationError, model: type[BaseModel], raw: object) -> Iterator[tuple[str, str]]:
    """(place below the table, sentence); the alternatives of one field become one sentence."""
    found: dict[str, list[str]] = {}
    for mistake in problem.errors(include_url=False):
        place = _place(mistake["loc"], raw, without_last=mistake["type"] == "extra_forbidden")
        found.setdefault(place, []).append(_sentence(mistake, model))
    for place, texts in found.items():
        if all(text.startswith("expected ") for text in texts):
            yield place, " or ".join(dict.fromkeys(texts)).replace(" or expected", " or")
        else:
            yield from ((place, text) for text in dict.fromkeys(texts))


def _place(loc: Sequence[int | str], raw: object, without_last: bool) -> str:
    """The path as written in the file: names of union branches, which pydantic puts in, are left out."""
    place, here = "", raw
    for part in loc[:-1] if without_last else loc:
        if isinstance(here, dict) and part in here:
            place, here = join(place, str(part)), here[part]
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            place, here = f"{place}[{part}]", here[part]
        else:
            break
    return place


def _sentence(mistake: Any, model: type[BaseModel]) -> str:
    kind, loc, found = mistake["type"], mistake["loc"], mistake["input"]
    if kind == "extra_forbidden":
        return unknown("setting", str(loc[-1]), _model_at(model, loc[:-1]).model_fields)
    if kind == "missing":
        return f"{loc[-1]} is missing"
    if kind == "value_error":  # a validator's own words, which never show a secret
        return str(mistake["ctx"]["error"])
    if kind == "literal_error":
        allowed = [word.strip("'") for word in mistake["ctx"]["expected"].replace(" or ", ", ").split(", ")]
        return unknown("word", str(found), allowed)
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, found {kind_of(found)}"
    if kind in ("string_too_short", "too_short"):
        return "must not be empty"
    return f"{mistake['msg'].removeprefix('Input ')}, found {kind_of(found)}"


def _model_at(model: type[BaseModel], loc: Sequence[int | str]) -> type[BaseModel]:
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
