"""Text from a directory, made safe to look at: what cannot be seen is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# Controls, and the marks that turn or hide text: bidi overrides and isolates, zero-width characters, line separators.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """The text with every unseen character as \\u{202E}, so that a name shows what it is."""
    return _UNSEEN.sub(lambda found: f"\\u{{{ord(found[0]):04X}}}", text)


def facts(evidence: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Evidence as (name, value) in words; what the source did not tell is left out."""
    for name, value in evidence.items():
        if isinstance(value, Mapping):
            yield from ((f"{part.replace('_', ' ')}", _pair(told)) for part, told in value.items())
        elif value is not None:
            yield name.replace("_", " "), word(value)


def _pair(told: Any) -> str:
    return f"HR: {word(told.get('hr'))}; account: {word(told.get('account'))}" if isinstance(told, Mapping) else word(told)


def word(value: Any) -> str:
    """A fact as people write it."""
    return (
        {True: "yes", False: "no", None: "not told"}[value] if value is None or isinstance(value, bool) else visible(str(value))
    )
