"""python -m benchmarks SIZE: encode two nights of a generated company, then time our night on them, each in a process of its own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.engine_night import prepare


def main() -> None:
    """Print what was measured: seconds of wall and CPU, peak memory, and the stages."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as name:
        spent = prepare(Path(name), size)
        print(f"{size} people x 3 systems: encoding one night from strings took {spent['1']:.1f} s")
        for turn in range(3):
            before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            done = subprocess.run(  # noqa: S603 - our own module
                [sys.executable, "-m", "benchmarks.engine_night", name], capture_output=True, text=True, check=True
            )
            wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            told = json.loads(done.stdout)
            print(f"night {turn + 1}: wall {wall:.1f} s, CPU {cpu:.1f} s, peak {after.ru_maxrss / 1024:.0f} MB, stages {told['stages']}, {sum(told['findings'].values())} findings")  # fmt: skip


main()
