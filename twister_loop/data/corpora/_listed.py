"""Helpers of corpora with lists of transcripts.

All of them follow one rule: nothing is lost silently. A line of a list that cannot be used is
still yielded, with the reason, and counted. A corpus that is missing altogether is a ConfigError.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ...audio import io as audio
from ...core.errors import AudioError, ConfigError
from ...core.types import Utterance

log = logging.getLogger(__name__)


def reject(utterance: Utterance, reason: str, objection: str) -> Utterance:
    """Return the utterance marked as rejected.

    Args:
        utterance: Any utterance.
        reason: One word for `rejected_by`, by which rejected utterances are counted.
        objection: What is wrong with this utterance, in words.
    """
    return replace(utterance, rejected_by=reason, objection=objection)


def check_utterance(utterance: Utterance, *, labeled: bool) -> Utterance:
    """Return the utterance with its duration, or rejected if it cannot be used.

    Args:
        utterance: An utterance with `audio_filepath`; one that is rejected already stays as it is.
        labeled: Keep the text, and reject the utterance if it has none. If False, remove the text.

    Returns:
        The utterance with `duration`, or rejected as `no_audio`, `no_text` or `unreadable`.
    """
    if not labeled:
        utterance = replace(utterance, text=None)
    if utterance.rejected_by:
        return utterance
    # Not `Path.is_file`, which raises for names that are too long or hold NUL.
    if not os.path.isfile(utterance.audio_filepath):  # noqa: PTH113
        return reject(utterance, "no_audio", f"{utterance.audio_filepath}: no such file")
    if labeled and not (utterance.text or "").strip():
        objection = f"{utterance.id}: there is no transcript, or nothing is left of it"
        return reject(utterance, "no_text", objection)
    if utterance.duration:  # the list has it already, and opening a million files takes hours
        return utterance
    try:
        return replace(
            utterance, duration=round(audio.measure_duration(utterance.audio_filepath), 6)
        )
    except AudioError as cause:
        return reject(utterance, "unreadable", str(cause))


def log_counts(corpus: str, utterances: Iterable[Utterance]) -> Iterator[Utterance]:
    """Yield all utterances; at the end log how many are usable, and how many rejected and why."""
    usable, seconds, odd_files, reasons = 0, 0.0, 0, Counter[str]()
    for utterance in utterances:
        if utterance.rejected_by:
            reasons[utterance.rejected_by] += 1
        else:
            usable, seconds = usable + 1, seconds + utterance.duration
            # Counted and not rejected: half a sample cannot be heard.
            odd_files += audio.ends_in_half_sample(utterance.audio_filepath)
        yield utterance
    log.info("%s: %d utterances, %.1f hours", corpus, usable, seconds / 3600)
    if reasons:
        counts = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        # A warning, since a copy with many rejected files is probably broken.
        log.warning("%s: rejected %d utterances: %s", corpus, reasons.total(), counts)
    if odd_files:
        log.warning("%s: %d files end in half a sample, which is dropped", corpus, odd_files)


def require_folder(folder: Path, corpus: str) -> Path:
    """Return the folder. Raises ConfigError if there is no such folder."""
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder of {corpus}")
    return folder


def find_below(folder: Path, name: str, max_depth: int = 2) -> Path | None:
    """Return the first file or folder of that name, at most `max_depth` folders below `folder`.

    Archives unpack with or without a folder of their own. The depth is limited because a corpus
    may have a million files, and a search through all of them takes minutes.
    """
    # From the top, so that a copy within the copy is not taken for it.
    for depth in range(max_depth + 1):
        if paths := sorted(folder.glob("*/" * depth + name)):
            return paths[0]
    return None
