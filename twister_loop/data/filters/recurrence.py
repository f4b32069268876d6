"""Filter on labels that recur for clips which cannot all hold the same words.

A recognizer writes the same stock sentence for silence, noise and music of any length, in any
language. People repeat themselves too, but the same words take about the same time: prompts that
two people read in three languages differ from the median of their text by a factor of 1.22 in 95 %
of the clips, and of 1.37 in 99 % (BENCHMARKS.md).
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import ClassVar, NamedTuple, Self

import numpy as np

from ...audio import io as audio
from ...core.errors import AudioError
from ...core.manifest import Manifest
from ...core.types import Seconds, Share, Utterance
from ...text.normalizers.basic import Basic
from ...text.script_neutral import count_letters
from ._base import Filter

MIN_CLIPS = 5
"""Clips of a label below which it is not judged: a median of fewer says little."""
FRAME = 320
"""Samples of a frame: 20 ms."""
SMOOTHING_FRAMES = 5
"""Frames over which the level is averaged, so that a click is no speech."""
MIN_CONTRAST = 10.0
"""Decibels between the quiet and the loud parts of a clip below which all of it is one sound."""
MAX_MEASURED_CLIPS = 100
"""Clips of a label whose sound is measured, so that the time for reading audio is bounded."""
TOLERANCE: Seconds = 0.5
"""Seconds by which clips of the same words may differ beside the ratio: the silence around them."""
MAX_LETTERS_PER_SECOND = 30.0
"""Rate above which nobody speaks, as in `char_rate`."""
MIN_LETTERS_PER_SECOND = 4.0
"""Half of the slowest rate of any language, 8 (see `count_letters`)."""
MAX_SILENCE: Seconds = 5.0
"""Seconds that a clip may hold beside its words at that rate."""
UNLIKE_SHARE: Share = 0.01
"""Share of the clips of a right label that may be unlike the others. The prompts have 0.1 %."""
MAX_CHANCE = 1e-3
"""Largest chance, for a right label, of so many unlike clips, at which it is dropped."""


@dataclass(frozen=True)
class Recurrence(Filter):
    """Drops a label that many unlike clips have: the same words cannot take 1 s and 20 s.

    Labels are compared over the whole corpus, without case and punctuation. A clip is unlike if its
    time is more than `ratio` times the median of its label, or less than the median divided by it,
    give or take 0.5 s; or if nobody says the label so fast or so slowly. A label is dropped from
    all of its clips, at least 5, if so many of them are unlike that the chance is below 0.001 for a
    right label. The times are first the durations, then those from the first sound to the last, so
    that a short answer stays where recordings hold more or less silence.
    """

    ratio: float = 1.5
    """Largest ratio, above 1, between the time of a clip and the median of its label."""

    _objections: ClassVar[Mapping[str, str]] = {}
    """Objections to the normalized texts that recur against the odds, learned from the corpus."""

    def __post_init__(self) -> None:
        if not 1 < self.ratio < math.inf:
            raise ValueError("ratio: above 1 and finite")

    def objection(self, utterance: Utterance) -> str | None:
        # Most corpora have no such label, and normalizing takes longer than all the rest.
        return self._objections.get(_normalize(utterance)) if self._objections else None

    def fit(self, manifest: Manifest) -> Self:
        labels, objections = _read_labels(manifest), dict[str, str]()
        with manifest.random_access() as utterance_at:
            for lines in _group_by_text(labels):
                label = utterance_at(int(labels.offsets[lines[0]]))
                letters = count_letters(label.text or "")
                durations = labels.durations[lines]
                if not self._are_unlike(durations, letters):
                    continue
                # Evenly over the corpus, since neighbors may be of one recording.
                measured = lines[:: math.ceil(len(lines) / MAX_MEASURED_CLIPS)]
                sounds = [_measure_sound(utterance_at(int(labels.offsets[i]))) for i in measured]
                if self._are_unlike(np.array(sounds), letters):
                    objections[_normalize(label)] = (
                        f"label of {len(lines)} clips of {durations.min():.1f} to "
                        f"{durations.max():.1f} s, too unlike to hold the same {letters} letters"
                    )
        return self._with_fitted(_objections=objections)

    def _are_unlike(self, seconds: np.ndarray, letters: int) -> bool:
        """Return whether clips with these times, (n_clips,), cannot all hold these letters."""
        median = np.median(seconds)
        unlike = (
            (seconds > median * self.ratio + TOLERANCE)
            | (seconds < median / self.ratio - TOLERANCE)
            | (seconds * MAX_LETTERS_PER_SECOND < letters)
            | ((seconds - MAX_SILENCE) * MIN_LETTERS_PER_SECOND > letters)
        )
        return _bound_chance(int(unlike.sum()), len(seconds)) < MAX_CHANCE


def _bound_chance(unlike: int, clips: int) -> float:
    """Return the largest chance of that many unlike clips or more, if the label is right.

    It is Chernoff's bound of the binomial distribution.

    >>> [f"{_bound_chance(unlike, 20):.4f}" for unlike in (0, 1, 2, 3, 4)]
    ['1.0000', '0.4379', '0.0556', '0.0040', '0.0002']
    """
    share = unlike / clips
    if share <= UNLIKE_SHARE:
        return 1.0
    divergence = share * math.log(share / UNLIKE_SHARE)
    if share < 1:
        divergence += (1 - share) * math.log((1 - share) / (1 - UNLIKE_SHARE))
    return math.exp(-clips * divergence)


class _Labels(NamedTuple):
    """Labels of a corpus in columns of 8 bytes: with their texts it may be too long for memory."""

    hashes: np.ndarray
    """Hash of the normalized text, uint64 (n_labels,)."""
    offsets: np.ndarray
    """Byte at which the line begins, int64 (n_labels,)."""
    durations: np.ndarray
    """Seconds, float64 (n_labels,)."""


def _read_labels(manifest: Manifest) -> _Labels:
    """Return the labels of a corpus, without those that have an error, no text or no duration."""
    hashes, offsets, durations = array("Q"), array("q"), array("d")
    for offset, utterance in manifest.iter_with_offsets():
        text = "" if utterance.error else _normalize(utterance)
        if text and utterance.duration:
            digest = blake2b(text.encode(errors="replace"), digest_size=8).digest()
            hashes.append(int.from_bytes(digest))
            offsets.append(offset)
            durations.append(utterance.duration)
    return _Labels(np.array(hashes), np.array(offsets), np.array(durations))


def _group_by_text(labels: _Labels) -> Iterator[np.ndarray]:
    """Yield the places of the labels with the same text, in their order, for each frequent text."""
    order = np.argsort(labels.hashes, kind="stable")
    _, first_places, counts = np.unique(labels.hashes[order], return_index=True, return_counts=True)
    for group in np.flatnonzero(counts >= MIN_CLIPS):
        yield order[first_places[group] : first_places[group] + counts[group]]


def _measure_sound(utterance: Utterance) -> Seconds:
    """Return the time between silence or noise, or all of it if the audio cannot be read."""
    try:
        samples = audio.load_utterance(utterance)
    except AudioError:
        return utterance.duration
    return _find_sound(samples)


def _find_sound(samples: audio.Samples) -> Seconds:
    """Return the time from the first frame to the last that stand out from the background.

    They are louder than the middle between the quietest tenth of the frames and the loudest one,
    in decibels, so that it makes little difference how loud the background is. A voice activity
    detector would be more precise, but takes a hundred times longer.

    Args:
        samples: float32, (n_samples,), at 16 kHz.

    >>> clip = np.zeros(80_000, np.float32)
    >>> clip[16_000:48_000] = 0.5
    >>> round(_find_sound(clip))
    2
    """
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)  # (n_frames, FRAME)
    if len(frames) < SMOOTHING_FRAMES:
        return len(samples) / audio.SAMPLE_RATE
    # float64, because the squares of quiet float32 samples lose their precision.
    power = np.square(frames, dtype=np.float64).mean(axis=1)
    power = np.convolve(power, np.full(SMOOTHING_FRAMES, 1 / SMOOTHING_FRAMES), "valid")
    level = 10 * np.log10(power + 1e-10)  # 1e-10, -100 dB, keeps digital silence finite
    quiet, loud = np.quantile(level, 0.1), level.max()
    if loud - quiet < MIN_CONTRAST:
        return len(samples) / audio.SAMPLE_RATE
    [places] = np.nonzero(level > (quiet + loud) / 2)
    return float(places[-1] + 1 - places[0]) * FRAME / audio.SAMPLE_RATE


def _normalize(utterance: Utterance) -> str:
    """Return the text without case and punctuation, or as it is if it is nothing else."""
    text = (utterance.text or "").strip()
    # Without the language, which is detected anew, and often another, where nobody speaks.
    return Basic(numbers=False).normalize(text, None) or text
