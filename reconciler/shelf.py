"""Columns that wait on disk while the rest of a source is read: four sources at once would not have room in memory."""

from __future__ import annotations

import tempfile
import weakref
from pathlib import Path

import pyarrow as pa

from reconciler.disk import writing

NOT_KEPT = "nothing of this run is stored, and earlier nights are as they were. Mend that, then run again"

Place = tuple[int, int]  # where it begins, and how many bytes it has


class Shelf:
    """A file without a name in a private folder, readable by nobody else, and gone when the process is, however that ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - open as long as the shelf is
        weakref.finalize(self, self._file.close)
        self._end = 0

    def put(self, column: pa.Array) -> Place:
        """Raises ReconcilerError when the disk is full."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, pa.schema([("", column.type)])) as stream:
            stream.write(pa.record_batch([column], [""]))
        body = memoryview(sink.getvalue())
        place = self._end, len(body)
        with writing(self._folder, NOT_KEPT):
            self._file.seek(self._end)
            while body:
                body = body[self._file.write(body) :]
        self._end += place[1]
        return place

    def get(self, place: Place) -> pa.Array:
        self._file.seek(place[0])
        with pa.ipc.open_stream(self._file.read(place[1])) as stream:
            return stream.read_next_batch().column(0)
