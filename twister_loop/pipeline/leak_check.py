"""Check that no held-out recording is in the training data, and what can be checked at all.

Held-out texts are another matter: what is too near to one is dropped and counted where labels,
texts, human and replayed speech are filtered.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..audio.recording_search import SHORT, RecordingIndex, RecordingMatch
from ..core.artifacts import JsonRecord
from ..core.errors import LeakError
from ..core.forgotten import DIGEST_LENGTH
from ..core.manifest import Manifest
from ..core.progress import show_progress
from ..core.types import TEXT_ONLY, Seconds, Utterance
from ..evaluation.outcomes import HeldOutSet
from ..text.comparison_form import fold_for_comparison, is_too_short

log = logging.getLogger(__name__)

MIN_OVERLAP: Seconds = 0.05
"""Seconds that two stretches of a file may share; cuts at pauses touch each other."""
EXAMPLES = 3
"""Recordings that an error names."""


@dataclass(frozen=True)
class SetProtection:
    """Counts of what the checks against training data can and cannot find of a held-out set."""

    references: int
    short_references: int
    """References with too few words and letters to be told from common phrases. Texts for voices,
    human and replayed speech are dropped if they are equal; pseudo-labels are not."""
    recordings: int
    short_recordings: int
    """Recordings too short for a fingerprint. They are found as whole files alone, at another level
    or rate or in another codec, but not within longer recordings, and not faster or slower."""


@dataclass(frozen=True)
class HeldOutProtection(JsonRecord):
    """Protection of all held-out sets of a round, by name."""

    sets: dict[str, SetProtection]


def check_leaks(
    *, training: Mapping[str, Manifest], sets: Mapping[str, HeldOutSet]
) -> HeldOutProtection:
    """Check training data against held-out sets, and held-out sets against each other.

    Args:
        training: The pool, human and replayed speech, as far as there is any, by the plan's key.
        sets: Held-out sets by name.

    Returns:
        What of the sets is protected.

    Raises:
        LeakError: A held-out recording, or a part of one, is in the training data, or in two
            held-out sets.
    """
    # Cheapest first: files and times take moments, fingerprints decode all audio.
    _check_files(training, sets)
    _check_sound(training, sets)
    protection = HeldOutProtection(
        {name: measure_protection(held_out.speech) for name, held_out in sets.items()}
    )
    for name, counts in protection.sets.items():
        if message := describe_unprotected(name, counts):
            log.info("%s", message)
    return protection


def measure_protection(speech: Iterable[Utterance]) -> SetProtection:
    """Count the references and recordings of a held-out set, and those that are too short."""
    references = short_references = recordings = short_recordings = 0
    for utterance in speech:
        if text := fold_for_comparison(utterance.text or ""):
            references += 1
            short_references += is_too_short(text)
        recordings += 1
        short_recordings += utterance.duration < SHORT
    return SetProtection(references, short_references, recordings, short_recordings)


def describe_unprotected(name: str, counts: SetProtection) -> str:
    """Return a sentence on what the checks cannot find of a set; empty if they find everything.

    >>> describe_unprotected("calls", SetProtection(52, 10, 52, 0))
    'calls: 10 of 52 references are too short to be protected'
    """
    parts = [
        f"{short} of {count} {noun} are too short to be {verb}"
        for short, count, noun, verb in (
            (counts.short_references, counts.references, "references", "protected"),
            (counts.short_recordings, counts.recordings, "recordings", "found in parts"),
        )
        if short
    ]
    return f"{name}: {', '.join(parts)}" if parts else ""


def _check_files(training: Mapping[str, Manifest], sets: Mapping[str, HeldOutSet]) -> None:
    """Compare recordings by the digest of their file, with which their id begins, and by time."""
    stretches = defaultdict[str, list[tuple[str, Utterance]]](list)
    for name, held_out in sets.items():
        place = f"{held_out.kind}.{name}"
        leaked: list[tuple[str, Utterance]] = []
        for utterance in held_out.speech:
            earlier = stretches[_file_of(utterance)]
            leaked += [
                (other_place, utterance)
                for other_place, other in earlier
                if other_place != place and _overlap(utterance, other)
            ][:1]
            # Later sets are compared with earlier ones too: no recording may be in two sets.
            earlier.append((place, utterance))
        _refuse_files(place, leaked)
    by_set = defaultdict[str, list[tuple[str, Utterance]]](list)
    for key, speech in training.items():
        for utterance in speech:
            for place, held_out_utterance in stretches.get(_file_of(utterance), ()):
                if _overlap(utterance, held_out_utterance):
                    by_set[place].append((key, held_out_utterance))
    for place, leaked in by_set.items():
        _refuse_files(place, leaked)


def _refuse_files(place: str, leaked: list[tuple[str, Utterance]]) -> None:
    if leaked:
        places = ", ".join(sorted({other_place for other_place, _ in leaked}))
        utterances = {utterance.id: utterance for _, utterance in leaked}
        examples = ", ".join(
            _describe_place(utterance.audio_filepath, utterance.offset)
            for utterance in list(utterances.values())[:EXAMPLES]
        )
        raise LeakError(
            f"{place}: {len(utterances)} of its utterances are also in {places}, such as "
            f"{examples}; remove them from one"
        )


def _file_of(utterance: Utterance) -> str:
    """Return the digest of the file, with which the id of listed speech begins; else the id."""
    digest, after = utterance.id[:DIGEST_LENGTH], utterance.id[DIGEST_LENGTH:]
    # Names that a corpus gave may begin alike, and say nothing of the content.
    is_digest = len(digest) == DIGEST_LENGTH and set(digest) <= set("0123456789abcdef")
    return digest if is_digest and after[:1] in {"", "-"} else utterance.id


def _overlap(utterance: Utterance, other: Utterance) -> bool:
    """Return whether two utterances of one file have some of its audio in common."""
    # The two sides of a call are recorded apart; None mixes all channels.
    channels = {utterance.channel, other.channel}
    if len(channels) == 2 and None not in channels:
        return False
    if utterance.id == other.id:
        return True
    if TEXT_ONLY in (utterance.audio_filepath, other.audio_filepath):
        return False
    begin = max(utterance.offset, other.offset)
    end = min(utterance.offset + utterance.duration, other.offset + other.duration)
    return end - begin > MIN_OVERLAP


def _check_sound(training: Mapping[str, Manifest], sets: Mapping[str, HeldOutSet]) -> None:
    """Compare recordings by their sound: parts, and copies at another speed, level or rate."""
    # Where each held-out utterance is, in the order of the index.
    places = [f"{held_out.kind}.{name}" for name, held_out in sets.items() for _ in held_out.speech]
    held_out_speech = [utterance for held_out in sets.values() for utterance in held_out.speech]
    lines = show_progress(held_out_speech, "indexing held-out recordings", len(held_out_speech))
    index = RecordingIndex(lines)
    began, searched = time.monotonic(), 0.0
    for name, held_out in sets.items():
        place = f"{held_out.kind}.{name}"
        leaked = [
            (utterance, match)
            for utterance in held_out.speech
            for match in index.find(utterance)
            if places[match.number] != place
        ]
        _refuse_sound(place, leaked, "held out in another set")
        searched += held_out.speech.duration
    for key, speech in training.items():
        utterances = show_progress(speech, f"looking for held-out recordings in {key}", len(speech))
        _refuse_sound(
            key,
            [(utterance, match) for utterance in utterances for match in index.find(utterance)],
            "held out",
        )
        searched += speech.duration
    seconds = max(time.monotonic() - began, 1e-3)
    log.info(
        "no held-out recording in %.1f min of other audio, searched at %.0f x real time",
        searched / 60, searched / seconds,
    )  # fmt: skip


def _refuse_sound(place: str, leaked: list[tuple[Utterance, RecordingMatch]], reason: str) -> None:
    if leaked:
        utterances = {utterance.id for utterance, _ in leaked}
        examples = ", ".join(
            f"{_describe_place(utterance.audio_filepath, match.begin)} and "
            f"{_describe_place(match.recording.audio_filepath, match.recording.offset)}"
            for utterance, match in leaked[:EXAMPLES]
        )
        raise LeakError(
            f"{place}: {len(utterances)} recordings are also {reason}, in whole or in part, or at "
            f"another speed, rate or level or in another codec, such as {examples}; remove them "
            "from one"
        )


def _describe_place(path: Path, begin: Seconds) -> str:
    """Return a file, and the place in it unless that is its begin."""
    return f"{path} from {begin:.1f} s" if begin > MIN_OVERLAP else str(path)
