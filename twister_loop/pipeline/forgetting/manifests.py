"""Lines of all manifests of a run, whatever wrote them, and the changing of them.

Lines are read as plain JSON: also half-finished manifests, those of exports, and those of engines
must lose what is removed, and a line that no reader understands must not stop that.
"""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ...core.forgotten import RECORD
from ..stage_table import INPUTS

Line = dict[str, Any]
"""Fields of an utterance as its manifest holds them."""


def find_manifests(folder: Path) -> list[Path]:
    """Return all files of JSON lines below a folder, hidden ones too, in order."""
    paths = (path for path in folder.rglob("*.jsonl") if path.is_file() and not path.is_symlink())
    return sorted(path for path in paths if path.name not in {RECORD, f".{RECORD}"})


def read_lines(manifest: Path) -> Iterator[Line]:
    """Yield the lines of a manifest that are JSON objects with an id."""
    with manifest.open("rb") as lines:
        for line in lines:
            if (fields := parse_line(line)) is not None:
                yield fields


def parse_line(line: bytes) -> Line | None:
    """Return the fields of a line, or None if it is no utterance, such as one cut off by a kill."""
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    is_utterance = isinstance(fields, dict) and isinstance(fields.get("id"), str)
    return fields if is_utterance else None


def is_inputs_list(manifest: Path, run: Path) -> bool:
    """Return True for a list of what a round, or an evaluation, begins with."""
    # As text and not as paths: this is asked for every line, of which there may be millions.
    return f"/{INPUTS}/" in manifest.as_posix()[len(run.as_posix()) :]


def recording_path(fields: Line, manifest: Path, run: Path) -> str | None:
    """Return the absolute path of the user's recording of a line; None if a stage wrote the audio.

    Stages name files in the run relative to the manifest, and the user's files absolutely. Only
    the lists of inputs may name a user's file that lies in the run.
    """
    path = fields.get("audio_filepath")
    if not isinstance(path, str) or path in ("", "."):
        return None
    if os.path.isabs(path):  # noqa: PTH117  (per line, and faster than Path)
        return path
    if is_inputs_list(manifest, run):
        return os.path.normpath(manifest.parent / path)
    return None


def written_audio(fields: Line, manifest: Path, run: Path) -> Path | None:
    """Return the audio file of a line if a stage wrote it into the run."""
    path = fields.get("audio_filepath") or fields.get("file_name")
    if not isinstance(path, str) or path in ("", ".") or is_inputs_list(manifest, run):
        return None
    # Resolved: in somebody else's run a folder may be a link to anywhere.
    absolute = (manifest.parent / path).resolve()
    return absolute if absolute.is_relative_to(run.resolve()) else None


def rewrite(manifest: Path, change: Callable[[Line], Line | None]) -> list[Line]:
    """Replace every line by `change(fields)`, drop those where it is None; return the dropped.

    The file is replaced atomically, and only if something changed. A line that is no utterance
    stays as it is; the last one goes if it was cut off, as by a kill, for it may hold anything.
    """
    dropped, changed = list[Line](), False
    scratch = manifest.with_name(f".{manifest.name}.forgetting")
    with manifest.open("rb") as lines, scratch.open("wb") as kept:
        for line in lines:
            fields = parse_line(line)
            if fields is None:
                is_whole = line.endswith(b"\n")
                changed |= not is_whole
                kept.write(line if is_whole else b"")
                continue
            replacement = change(fields)
            if replacement is None:
                dropped.append(fields)
            elif replacement is fields:
                kept.write(line)
            else:
                kept.write(to_line(replacement))
                changed = True
    if dropped or changed:
        scratch.replace(manifest)
    else:
        scratch.unlink()
    return dropped


def to_line(fields: Line) -> bytes:
    """Return a line of JSON as manifests are written."""
    line = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return f"{line}\n".encode("utf-8", "backslashreplace")  # of file names that are not UTF-8


def normalize_name(name: str) -> str:
    r"""Return a name or path in one encoding, since file systems differ in how they spell letters.

    >>> normalize_name("Zoe\u0308.wav") == normalize_name("Zo\u00eb.wav")
    True
    """
    return unicodedata.normalize("NFC", name)
