"""What corpora with lists of transcripts share: nothing is lost in silence.

The law of the room: a line of a list that is no use is yielded all the same, with the reason, and
counted; a corpus that is not there at all is refused with a sentence.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ...audio import io as audio
from ...core.errors import AudioError, ConfigError
from ...core.types import Utterance

log = logging.getLogger(__name__)


def reject(utterance: Utterance, by: str, why: str) -> Utterance:
    """The same, set aside."""
    return replace(utterance, rejected_by=by, objection=why)


def check_utterance(utterance: Utterance, *, labeled: bool) -> Utterance:
    """The same with its duration, or set aside: no audio, unreadable, or no text.

    Where it is not `labeled` its text is left out, and none is asked for.
    """
    found = utterance if labeled else replace(utterance, text=None)
    if found.rejected_by:
        return found
    if not found.audio_filepath.is_file():
        return reject(found, "no_audio", f"{found.audio_filepath}: no such file")
    if labeled and not (found.text or "").strip():
        return reject(found, "no_text", "there is no transcript, or nothing is left of it")
    if found.duration:
        return found
    try:
        return replace(found, duration=round(audio.duration_of(found.audio_filepath), 6))
    except AudioError as cause:
        return reject(found, "unreadable", str(cause))


def log_counts(what: str, utterances: Iterable[Utterance]) -> Iterator[Utterance]:
    """Pass them on, and say at the end how many there were and what was set aside."""
    kept, seconds, odd, reasons = 0, 0.0, 0, Counter[str]()
    for each in utterances:
        if each.rejected_by:
            reasons[each.rejected_by] += 1
        else:
            kept, seconds = kept + 1, seconds + each.duration
            odd += audio.validation_error(each.audio_filepath)
        yield each
    log.info("%s: %d utterances, %.1f hours", what, kept, seconds / 3600)
    if reasons:
        said = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        log.warning("%s: set aside: %s", what, said)
    if odd:
        log.warning("%s: %d files end in half a sample, which is dropped", what, odd)


def require_folder(folder: Path, what: str) -> Path:
    """The folder. Raises ConfigError where it is none."""
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder of {what}")
    return folder


def find_below(folder: Path, name: str, deep: int = 2) -> Path | None:
    """The first entry of that name in the folder or not far below it; None if there is none."""
    for depth in range(deep + 1):
        if found := sorted(folder.glob("*/" * depth + name)):
            return found[0]
    return None


def decode_text(data: bytes, *encodings: str) -> str | None:
    """The text by the first encoding that fits; None if none does."""
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None
