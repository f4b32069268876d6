"""Recordings in a WAV file, found in spite of wrong sizes, missing padding and joined files.

The format is that of Microsoft's and IBM's "Multimedia Programming Interface and Data
Specifications 1.0" (1991): chunks of a name, a size and content, which begins at an even byte.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

CHUNK_HEADER = struct.Struct("<4sI")
MAX_CHUNKS = 1000
"""Most chunks in a row that are looked at."""
BLOCK_CODECS = frozenset((b"\x02\0", b"\x11\0", b"\x31\0"))
"""Formats whose last block is filled up: Microsoft's and IMA's ADPCM, GSM 06.10."""
MAX_SIZE = 0xFFFFFFFF
UNKNOWN_SIZE = 0x7FFF0000
"""Size from which on a header tells nothing: it was written before the samples, to a pipe."""


@dataclass(frozen=True)
class Part:
    """Recording in a WAV file."""

    form: bytes
    """Content of its `fmt ` chunk."""
    start: int
    """First byte of its samples."""
    size: int
    """Bytes of its samples."""
    samples: int | None
    """Samples of each channel without what fills the last block; None if that is not header."""
    is_regular: bool
    """libsndfile reads all of it without help, unless another recording follows."""
    missing: int = 0
    """Bytes that its header promises and that are not there."""

    @property
    def header(self) -> bytes:
        """Return a header for these samples."""
        chunks = (
            CHUNK_HEADER.pack(b"fmt ", len(self.form)) + self.form + b"\0" * (len(self.form) % 2)
        )
        chunks += CHUNK_HEADER.pack(b"data", min(self.size, MAX_SIZE))
        return (
            CHUNK_HEADER.pack(b"RIFF", min(len(chunks) + 4 + self.size, MAX_SIZE))
            + b"WAVE"
            + chunks
        )


class PartFile(io.RawIOBase):
    """Read-only file with one recording of a WAV file, as libsndfile wants it."""

    def __init__(self, path: Path, part: Part) -> None:
        self._file = path.open("rb")
        self._header, self._part, self._position = part.header, part, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origins = {io.SEEK_CUR: self._position, io.SEEK_END: len(self._header) + self._part.size}
        self._position = max(0, origins.get(whence, 0) + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        head = self._header[self._position :][: len(view)]
        view[: len(head)] = head
        behind = self._position + len(head) - len(self._header)
        size = max(0, min(len(view) - len(head), self._part.size - behind))
        self._file.seek(self._part.start + max(0, behind))
        content = self._file.read(size)
        view[len(head) : len(head) + len(content)] = content
        self._position += len(head) + len(content)
        return len(head) + len(content)

    def close(self) -> None:
        self._file.close()
        super().close()


def find_parts(path: Path) -> list[Part]:
    """Return the recordings in a file, one behind the other; none if it is no WAV file.

    Raises OSError.
    """
    parts = []
    with path.open("rb") as file:
        end = file.seek(0, io.SEEK_END)
        file.seek(0)
        while part := _read_part(file, end):
            parts.append(part)
            # Notes may lie between the samples and the next recording.
            for name, size in _read_chunks(file):
                if name in (b"RIFF", b"RF64"):
                    file.seek(-CHUNK_HEADER.size, io.SEEK_CUR)
                    break
                _skip(file, size)
    return parts


def _read_part(file: BinaryIO, end: int) -> Part | None:
    """Return the recording that begins here, if one does, and go to its end."""
    header = file.read(12)
    if header[:4] not in (b"RIFF", b"RF64") or header[8:] != b"WAVE":
        return None
    form, samples, is_padded, long_size = b"", None, True, None
    for name, size in _read_chunks(file):
        start = file.tell()
        if name == b"data":
            return _find_end(
                file,
                Part(form, start, long_size or size, samples, is_padded and long_size != 0),
                end,
            )
        if name == b"fmt ":
            form = file.read(size)
        elif name == b"fact" and form[:2] in BLOCK_CODECS:
            samples = int.from_bytes(file.read(4), "little")
        elif name == b"ds64":
            long_size = int.from_bytes(file.read(16)[8:], "little")
        file.seek(start)
        is_padded = _skip(file, size) and is_padded
    return None


def _find_end(file: BinaryIO, header: Part, end: int) -> Part | None:
    """Return a part with the size that it has instead of the one that it is told to have."""
    rest = end - header.start
    size = header.size
    if not header.form or rest <= 0:
        return None
    if 0 < size <= rest:
        file.seek(header.start)
        _skip(file, size)
        # What follows a recording is nothing or a chunk; else the size is that of its beginning.
        position = file.tell()
        if end - position < CHUNK_HEADER.size or next(_read_chunks(file), None):
            file.seek(position)
            is_regular = header.is_regular and header.samples is None
            return Part(header.form, header.start, size, header.samples, is_regular)
    file.seek(end)
    # libsndfile believes neither no size nor one that is too small.
    is_regular = header.is_regular and size > rest and header.samples is None
    missing = size - rest if rest < size < UNKNOWN_SIZE else 0
    return Part(header.form, header.start, rest, header.samples, is_regular, missing)


def _read_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield name and size of consecutive chunks; the file stands behind the header of each."""
    for _ in range(MAX_CHUNKS):
        header = file.read(CHUNK_HEADER.size)
        if len(header) < CHUNK_HEADER.size:
            return
        name, size = CHUNK_HEADER.unpack(header)
        if not all(32 <= letter < 127 for letter in name):
            return
        yield name, size


def _skip(file: BinaryIO, size: int) -> bool:
    """Go to the end of a chunk. Return False if its size is odd, and the padding is missing."""
    file.seek(size, io.SEEK_CUR)
    # Some programs leave it out; no name of a chunk begins with a zero byte.
    if size % 2 and file.read(1) not in (b"\0", b""):
        file.seek(-1, io.SEEK_CUR)
        return False
    return True
