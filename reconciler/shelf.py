"""Columns that wait on disk while the rest of a source is read: four sources at once would not have room in memory."""

from __future__ import annotations

import tempfile
import weakref
from pathlib import Path

import pyarrow as pa

Place = tuple[int, int]  # where it begins, and how many bytes it has


class Shelf:
    """A file without a name in a private folder, readable by nobody else, and gone when the process is, however that ends."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - open as long as the shelf is
        weakref.finalize(self, self._file.close)
        self._end = 0

    def put(self, column: pa.Array) -> Place:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, pa.schema([("", column.type)])) as stream:
            stream.write(pa.record_batch([column], [""]))
        body = sink.getvalue()
        self._file.seek(self._end)
        self._file.write(body)
        place = self._end, body.size
        self._end += body.size
        return place

    def get(self, place: Place) -> pa.Array:
        self._file.seek(place[0])
        with pa.ipc.open_stream(self._file.read(place[1])) as stream:
            return stream.read_next_batch().column(0)
