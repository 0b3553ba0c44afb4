"""`reconciler` run again and again from one warm Python, each time in a process of its own that may be killed or have a call fail.

Orders come as JSON lines on stdin, answers go as JSON lines to stdout. What is run is the command line's own `main`; only the
import of its modules is not repeated. This process has one thread, because it forks.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from contextlib import suppress
from pathlib import Path

from benchmarks.ptrace import Ended, Order, unwatched, watched
from reconciler import plugins
from reconciler.cli import main as command_line

OUT, ERR, MODULES = "out", "err", "modules"


def run(words: list[str], streams: list[int]) -> int:
    """In the forked process: the command line, its output in files."""
    for number, handle in enumerate(streams):
        os.dup2(handle, number)
    sys.argv = ["reconciler", *words]
    try:
        command_line()
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        return int(end.code or 0)


def noting_modules(words: list[str], streams: list[int]) -> int:
    code = run(words, streams)
    Path(MODULES).write_text("\n".join(sys.modules))
    return code


def obeyed(words: list[str], order: Order | None, warm: bool) -> Ended:
    """One run. One that is to warm tells what it imports, and every later one finds that imported."""
    files = (
        (os.devnull, os.O_RDONLY),
        (OUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (ERR, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    )
    streams = [os.open(name, flags, 0o600) for name, flags in files]

    def begun() -> int:
        return (noting_modules if warm else run)(words, streams)

    try:
        ended = watched(begun, order) if order else unwatched(begun)
    finally:
        for handle in streams:
            os.close(handle)
    if warm:
        _warm(Path(MODULES).read_text().splitlines())
    return ended


def _warm(modules: list[str]) -> None:
    """Import all that, and learn which packages are installed; what is here now is not looked through for garbage in any fork."""
    for name in modules:
        with suppress(ImportError):  # some libraries register modules that no file has
            importlib.import_module(name)
    for kind in plugins.KINDS:
        plugins.names(kind)
    gc.collect()
    gc.freeze()


def main() -> None:
    """Answer one order a line until the end of stdin."""
    for line in sys.stdin:
        told = json.loads(line)
        order = Order(told["do"], told["at"]) if told["at"] is not None else None
        ended = obeyed(told["words"], order, told["do"] == "warm")
        answer = {"code": ended.code, "calls": ended.calls, "out": Path(OUT).read_text(), "err": Path(ERR).read_text()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
