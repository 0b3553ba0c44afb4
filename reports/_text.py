"""Text from a directory, made safe to look at: what cannot be seen is shown."""

from __future__ import annotations

import re

# Controls, halves of surrogate pairs, marks that turn or hide text (bidi overrides and isolates, zero-width characters,
# fillers, tags) and the two line separators that are no controls: Unicode 16, general categories Cc, Cf, Cs, Zl, Zp.
# The joiners U+200C and U+200D are letters' business in scripts from Arabic to Myanmar, and stay there.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffc\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
    "|(?<![\u0600-\u109f])[\u200c\u200d]"
)


_SUSPECT = re.compile(_UNSEEN.pattern.split("|")[0][:-1] + "\u200c\u200d]")  # one class alone: quick to look for


def plain(text: str) -> bool:
    """Whether nothing in a text is unseen; nearly every text is plain, and this is quick to say."""
    return (text.isascii() and text.isprintable()) or not _SUSPECT.search(text)


def visible(text: str) -> str:
    """The text with every unseen character as \\u{202E}, so that a name shows what it is."""
    if plain(text):
        return text
    return _UNSEEN.sub(lambda found: f"\\u{{{ord(found[0]):04X}}}", text)


def escaped(json_text: str) -> str:
    """JSON text with every unseen character as its \\uXXXX escape: visible, and yet the same value when read."""
    if plain(json_text):
        return json_text
    return _UNSEEN.sub(_json_escape, json_text)


def _json_escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def brief(text: str, longest: int = 160) -> str:
    """The visible text, cut with an ellipsis where it would not fit a line or two."""
    shown = visible(text)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"
