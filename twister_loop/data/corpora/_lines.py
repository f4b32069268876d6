r"""Lines of text files as people have them: in any encoding of Unicode, with any line end.

UTF-8 with or without a byte order mark, UTF-16 and UTF-32 are read. Lines end at `\n` alone, with
or without `\r` before it: U+2028, U+0085, form feeds and the like are part of a text. Only in a
file without any `\n` do lines end at `\r`, as on old Macs. Byte order marks are dropped wherever
they stand, since files that were joined have them in the middle.

A line whose bytes are damaged is yielded with its problem, and costs no more than itself. A file in
another encoding is refused with the command that converts it.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import ConfigError

_BYTE_ORDER_MARKS = (
    # Before UTF-16, whose mark is the first half of this one.
    (codecs.BOM_UTF32_LE, "utf-32-le", 4),
    (codecs.BOM_UTF32_BE, "utf-32-be", 4),
    (codecs.BOM_UTF16_LE, "utf-16-le", 2),
    (codecs.BOM_UTF16_BE, "utf-16-be", 2),
)
"""Byte order marks with their encoding and the least bytes of a character."""
_UNMARKED = (
    (re.compile(rb"[^\0]\0[^\0]\0"), "utf-16-le"),
    (re.compile(rb"\0[^\0]\0[^\0]"), "utf-16-be"),
)
"""First bytes of UTF-16 without a mark: two letters of ASCII."""
_OTHER_FORMATS = (
    (b"PK\x03\x04", "an Excel or ZIP file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF file"),
)
"""First bytes of files that are often saved under the name of a text file."""
_LIKELY_ENCODINGS = (
    ("SHIFT_JIS", "cp932", re.compile("[ぁ-んァ-ヶー]"), 0.3),
    ("CP949", "cp949", re.compile("[가-힣]"), 0.8),
    ("WINDOWS-1251", "cp1251", re.compile("[а-яё]{3,}"), 0.8),
    ("GB18030", "gb18030", re.compile("[一-龥]"), 0.8),
)
"""Encodings by iconv's and Python's names, with letters that make up this share beyond ASCII."""
_CHUNK = 1 << 24
"""Bytes that are decoded at once to check a file; corpora of texts have gigabytes."""
_BYTE_ORDER_MARK = "\ufeff"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a text file."""

    number: int
    """Counted from 1."""
    text: str = ""
    """Content without the line end; empty if the line has a problem."""
    problem: str | None = None
    """Reason why the line cannot be read; None if it can."""


def read_lines(
    path: Path, encodings: Sequence[str] = ("utf-8",), *, any_damage: bool = False
) -> Iterator[Line]:
    """Yield every line of a text file, blank ones too.

    Args:
        path: The file.
        encodings: Encodings to try on each line, in this order. Files that begin with a mark of
            UTF-16 or UTF-32 are in that, whatever is named here.
        any_damage: Yield a file in which most lines are damaged too, as one of many small files.

    Raises:
        ConfigError: The file cannot be read, is no text, or is in another encoding.
    """
    content = _read_bytes(path)
    unicode_name = None
    for mark, name, unit in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            unicode_name, content = name, _to_utf8(path, content[len(mark) :], name, unit)
            break
    else:
        for pattern, name in _UNMARKED:
            if pattern.match(content):
                unicode_name, content = name, _to_utf8(path, content, name, 2)
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    if unicode_name:
        encodings = ("utf-8",)
    elif not any_damage:
        _check_encoding(path, content, encodings)
    # BytesIO ends lines at \n alone, and copies one line at a time.
    for number, line in enumerate(io.BytesIO(content), 1):
        text = _decode(line.rstrip(b"\r\n"), encodings)
        if text is None:
            problem = f"bytes that are not {unicode_name or ' or '.join(encodings)}"
            yield Line(number, problem=problem)
        else:
            yield Line(number, text.replace(_BYTE_ORDER_MARK, ""))


def read_text(path: Path, encodings: Sequence[str] = ("utf-8",)) -> str | None:
    """Return the content of a small text file; None if some of its bytes are in no encoding.

    Raises:
        ConfigError: The file cannot be read, or is no text.
    """
    lines = list(read_lines(path, encodings, any_damage=True))
    if any(line.problem for line in lines):
        return None
    return "\n".join(line.text for line in lines)


def join_spaces(text: str) -> str:
    r"""Return a text on one line, with single spaces and without control characters.

    >>> join_spaces(" one\u2028two\x00  three\n")
    'one two three'
    """
    return " ".join(_CONTROL.sub(" ", text).split())


def _read_bytes(path: Path) -> bytes:
    """Return the content of a file. Raises ConfigError if it cannot be read or is no text."""
    try:
        content = path.read_bytes()
    except OSError as cause:
        reason = cause.strerror or str(cause)
        raise ConfigError(f"{path}: cannot read the file ({reason.lower()})") from cause
    for first_bytes, format_name in _OTHER_FORMATS:
        if content.startswith(first_bytes):
            raise ConfigError(f"{path}: this is {format_name} and no text; save it as UTF-8 text")
    return content


def _to_utf8(path: Path, content: bytes, encoding: str, unit: int) -> bytes:
    """Return text of UTF-16 or UTF-32 in UTF-8. Raises ConfigError if it is neither.

    Halves of characters become bytes that are not UTF-8, so that only their line is lost.
    """
    whole = len(content) // unit * unit
    try:
        text = content[:whole].decode(encoding, "surrogatepass")
    except UnicodeDecodeError as cause:
        # Half of a pair at the very end, where a copy was cut off.
        text = content[: cause.start].decode(encoding, "surrogatepass")
        if cause.start < whole - 4:
            raise ConfigError(
                f"{path}: byte {cause.start} is not {encoding}, the encoding of the file's first "
                "bytes; save it as UTF-8 text"
            ) from cause
        text += "\ud800"
    # A file that was cut off within a character.
    text += "\ud800" if whole < len(content) else ""
    return text.encode("utf-8", "surrogatepass")


def _check_encoding(path: Path, content: bytes, encodings: Sequence[str]) -> None:
    """Raise ConfigError if most lines beyond ASCII are in none of the encodings."""
    if _is_encoded(content, encodings[0]):
        return
    readable, first_broken, broken = 0, (0, b""), 0
    for number, line in enumerate(io.BytesIO(content), 1):
        if line.isascii():
            continue
        if _decode(line, encodings) is not None:
            readable += 1
        else:
            broken += 1
            first_broken = first_broken if first_broken[0] else (number, line)
    if broken > readable:
        number, line = first_broken
        position = _first_bad_byte(line)
        guess = _guess_encoding(content)
        raise ConfigError(
            f"{path}:{number}: byte {position + 1} of the line (0x{line[position]:02X}) is not "
            f"UTF-8; save the file as UTF-8, or convert it from its encoding, perhaps with "
            f"`iconv -f {guess} -t UTF-8 {path.name}`"
        )


def _decode(content: bytes, encodings: Sequence[str]) -> str | None:
    """Return the text by the first encoding that fits; None if none does."""
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def _is_encoded(content: bytes, encoding: str) -> bool:
    """Return whether all of a file is in an encoding, without a copy of all its text."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for start in range(0, len(content), _CHUNK):
            decoder.decode(content[start : start + _CHUNK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _first_bad_byte(line: bytes) -> int:
    """Return the index of the first byte that is not UTF-8."""
    try:
        line.decode()
    except UnicodeDecodeError as cause:
        return cause.start
    return 0


def _guess_encoding(content: bytes) -> str:
    """Return the likeliest encoding of text that is not UTF-8, by iconv's name."""
    for name, codec, letters, least in _LIKELY_ENCODINGS:
        try:
            text = content.decode(codec)
        except UnicodeDecodeError:
            continue
        # Other encodings decode as well, but to letters that nobody writes.
        foreign = sum(1 for letter in text if not letter.isascii())
        if sum(map(len, letters.findall(text))) >= least * foreign:
            return name
    return "WINDOWS-1252"
