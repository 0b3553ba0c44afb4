"""What stands around every verb: options before or after it, help that shows an example, and mistakes told as sentences."""

from __future__ import annotations

import errno
import logging
import os
import pwd
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from reconciler.errors import UsageError
from reconciler.printing import asked

OPTIONS = {"--config": "config", "--format": "format", "--as-of": "as_of", "--color": "color"}
FORMATS = ("table", "json", "jsonl", "csv")
_FLAGS = {"-q": "quiet", "-v": "verbose"}
_COMMON = """Options before or after any verb:
  --config PATH     the configuration (default config.toml, or RECONCILER_CONFIG)
  --format FORMAT   table, json, jsonl or csv, on stdout
  --as-of INSTANT   the one clock every decision uses (default now), e.g. 2026-11-22T02:05:00Z
  --color WHEN      auto, always or never (NO_COLOR is honoured)
  -q, -v            say less; say more, with the trace of an unexpected error"""


def taught(*examples: str) -> dict[str, Any]:
    """The end of a verb's help: examples, and the options that stand before or after any verb."""
    lines = ["Examples:" if len(examples) > 1 else "Example:", *(f"  reconciler {example}" for example in examples)]
    return {"epilog": "\b\n" + "\n".join(lines) + "\n\n\b\n" + _COMMON}


def common(arguments: Sequence[str]) -> list[str]:
    """Take the options that may stand before or after the verb out of the command line; the rest comes back."""
    asked.__init__(config=Path(os.environ.get("RECONCILER_CONFIG") or "config.toml"))  # type: ignore[misc]
    rest, words = [], iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if word == "--":
            rest += [word, *words]
        elif name in OPTIONS:
            given = value if equals else next(words, None)
            if given is None:
                raise UsageError(f"{name} needs a value")
            _take(name, given)
        elif word in _FLAGS:
            setattr(asked, _FLAGS[word], True)
        else:
            rest.append(word)
    return rest


def _take(name: str, value: str) -> None:
    if name == "--format":
        closed(name, [value], FORMATS)
    if name == "--color":
        closed(name, [value], ("auto", "always", "never"))
    makes: dict[str, Callable[[str], Any]] = {"--config": Path, "--as-of": lambda text: instant("--as-of", text)}
    setattr(asked, OPTIONS[name], makes.get(name, str)(value))


def instant(option: str, text: str) -> datetime:
    """An instant as RFC 3339 writes it; without a zone it is UTC, and a day alone is its midnight."""
    try:
        found = datetime.fromisoformat(text)
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{option} {text!r}: write an instant such as 2026-11-22T02:05:00Z") from None
    return found


def closed(option: str, words: Iterable[str] | None, allowed: Iterable[str]) -> None:
    """Raise UsageError for a word that is not allowed, with the nearest one that is."""
    known = list(allowed)
    for word in words or ():
        if word not in known:
            near = get_close_matches(word, known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UsageError(f"{option} {word}: allowed: {', '.join(known) or 'nothing yet'}{hint}")


def formats(*offered: str) -> str:
    """The format asked for, or the first that a verb offers."""
    if asked.format is not None:
        closed("--format", [asked.format], offered)
    return asked.format or offered[0]


def user() -> str:
    """Who is at the keyboard, by the system's own account of it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run under a number without a name
        return f"user {os.getuid()}"


@contextmanager
def head_shipped(config: Any) -> Iterator[None]:
    """Whatever comes of it, the journal's new head goes to where the configuration says; what cannot is told, --quiet or not."""
    try:
        yield
    finally:
        if config.remediation.ship_head:
            from reconciler.heads import ship

            for problem in ship(config, asked.now):
                print(f"reconciler: {problem}", file=sys.stderr)


def streams() -> None:
    """The same bytes out whatever the locale; half a surrogate pair in a name is shown, not fatal."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    level = logging.INFO if asked.verbose else logging.ERROR
    if not asked.quiet:  # warnings of the configuration; those of a night stand in its own summary
        logging.getLogger("reconciler.connector").setLevel(min(level, logging.WARNING))
    logging.basicConfig(level=level, format="%(levelname)s %(message)s", stream=sys.stderr)


def unexpected(problem: Exception) -> int:
    """A command line that click refuses is 2; anything else is ours, and 1."""
    usage = getattr(problem, "format_message", None)
    if usage is not None:
        context = getattr(problem, "ctx", None)
        verb = " ".join(("reconciler", *(context.command_path.split()[1:] if context else ())))
        print(f"reconciler: {usage()} Try: {verb} --help", file=sys.stderr)
        return 2
    if isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT):
        print(
            f"reconciler: {problem.filename or 'a file'} cannot be written: {problem.strerror}; make room, then run again",
            file=sys.stderr,
        )
        return 1
    logging.getLogger(__name__).error(
        "unexpected: %s: %s; run again with -v and report it", type(problem).__name__, problem, exc_info=asked.verbose
    )
    return 1
