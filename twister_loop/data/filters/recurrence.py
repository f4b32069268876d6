"""Filter on labels that recur for clips which cannot all hold the same words.

A recognizer writes the same stock sentence for silence, noise and music of any length, in any
language. People repeat themselves too, but the same words take about the same time: the logarithm
of the duration of 1,118 prompts that share their text with others, by two people in Italian and by
one each in French and English, has a standard deviation of 0.12 (BENCHMARKS.md).
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, ClassVar, NamedTuple, Self

import numpy as np

from ...audio import io as audio
from ...core.errors import AudioError
from ...core.manifest import Manifest
from ...core.ranges import Range
from ...core.types import Seconds, Share, Utterance
from ...text.normalizers.basic import Basic
from ...text.script_neutral import count_letters
from ._base import Filter

MIN_CLIPS = 5
"""Clips of a label below which it is not judged: a median of fewer says little."""
MIN_EVIDENCE = math.log(1000)
"""Log-likelihood ratio, of any clips to clips of the same words, from which a label is dropped."""
SILENCE: Seconds = 0.2
"""Spread of the silence around the same words, in seconds; it matters for short ones."""
ODD_SHARE: Share = 0.01
"""Share of the clips of a right label that may have any time."""
MIN_WIDTH = 2.0
"""Least ratio of the spread of any clips to that of the same words: a corpus of clips that are all
equally long tells nothing by their time."""
MAX_LETTERS_PER_SECOND = 30.0
"""Rate above which nobody speaks, as in `char_rate`."""
MIN_LETTERS_PER_SECOND = 4.0
"""Half of the slowest rate of any language, 8 (see `count_letters`)."""
MAX_SILENCE: Seconds = 5.0
"""Seconds that a clip may hold beside its words at that rate."""
FRAME = 320
"""Samples of a frame: 20 ms."""
SMOOTHING_FRAMES = 5
"""Frames over which the level is averaged, so that a click is no speech."""
MIN_CONTRAST = 10.0
"""Decibels between the quiet and the loud parts of a clip below which all of it is one sound."""
MAX_MEASURED_CLIPS = 100
"""Clips of a label whose sound is measured, so that the time for reading audio is bounded."""


@dataclass(frozen=True)
class Recurrence(Filter):
    """Drops a label that many unlike clips have: the same words cannot take 1 s and 20 s.

    Labels are compared over the whole corpus, without case and punctuation. If a label is right,
    the times of its clips lie around their median (log-normally, with the standard deviation
    `spread`, 0.2 s of silence, and 1 % of exceptions), and nobody says it so fast or so slowly as
    no one speaks. If it is made up, they are those of any clips of the corpus. A label of at least
    5 clips is dropped if the second is a thousand times as likely, first by the durations, then by
    the times from the first sound to the last, so that a short answer stays where recordings hold
    more or less silence.
    """

    spread: Annotated[float, Range(above=0, high=10)] = 0.15
    """Standard deviation of the logarithm of the time in which people say the same words, above 0.
    A larger one keeps more."""

    _objections: ClassVar[Mapping[str, str]] = {}
    """Objections to the normalized texts that recur against the odds, learned from the corpus."""

    def objection(self, utterance: Utterance) -> str | None:
        # Most corpora have no such label, and normalizing takes longer than all the rest.
        return self._objections.get(_normalize(utterance)) if self._objections else None

    def fit(self, manifest: Manifest) -> Self:
        labels, objections = _read_labels(manifest), dict[str, str]()
        if not len(labels.durations):
            return self
        corpus = _measure_corpus(labels.durations)
        with manifest.random_access() as utterance_at:
            for lines in _group_by_text(labels):
                label = utterance_at(int(labels.offsets[lines[0]]))
                letters = count_letters(label.text or "")
                durations = labels.durations[lines]
                # Durations first: they cost nothing, and few labels go on to the audio.
                if self._weigh_evidence(durations, letters, corpus) < MIN_EVIDENCE:
                    continue
                # Evenly over the corpus, since neighbors may be of one recording.
                measured = lines[:: math.ceil(len(lines) / MAX_MEASURED_CLIPS)]
                sounds = [_measure_sound(utterance_at(int(labels.offsets[i]))) for i in measured]
                if self._weigh_evidence(np.array(sounds), letters, corpus) >= MIN_EVIDENCE:
                    objections[_normalize(label)] = (
                        f"label of {len(lines)} clips of {durations.min():.1f} to "
                        f"{durations.max():.1f} s, too unlike to hold the same {letters} letters"
                    )
        return self._with_fitted(_objections=objections)

    def _weigh_evidence(self, seconds: np.ndarray, letters: int, corpus: _Corpus) -> float:
        """Return the log-likelihood ratio of any clips to clips that hold the same letters.

        Args:
            seconds: Times of the clips, (n_clips,).
            letters: Letters of their label.
            corpus: Distribution of the durations of any clips.
        """
        seconds = np.maximum(seconds, FRAME / audio.SAMPLE_RATE)  # a logarithm of 0 has no end
        # The median, since the exceptions, of which there may be a few, would move a mean.
        logs, median = np.log(seconds), float(np.median(seconds))
        spread = math.hypot(self.spread, SILENCE / median)
        same_words = _log_normal(logs, math.log(median), spread)
        too_fast = seconds * MAX_LETTERS_PER_SECOND < letters
        too_slow = (seconds - MAX_SILENCE) * MIN_LETTERS_PER_SECOND > letters
        same_words[too_fast | too_slow] = -np.inf
        any_clips = _log_normal(logs, corpus.center, max(corpus.spread, MIN_WIDTH * spread))
        # The share of exceptions bounds what a single clip can weigh.
        ratios = np.log(ODD_SHARE + (1 - ODD_SHARE) * np.exp(same_words - any_clips))
        return float(-ratios.sum())


class _Corpus(NamedTuple):
    """Distribution of the logarithm of the durations of a corpus."""

    center: float
    spread: float


def _measure_corpus(durations: np.ndarray) -> _Corpus:
    """Return the distribution of durations, (n_labels,), by their quartiles."""
    lower, center, upper = np.quantile(np.log(durations), [0.25, 0.5, 0.75])
    # The quartiles of a normal distribution are 1.35 standard deviations apart. Not the deviation
    # itself, which a few very long or short clips would widen.
    return _Corpus(float(center), float(upper - lower) / 1.35)


def _log_normal(logs: np.ndarray, center: float, spread: float) -> np.ndarray:
    """Return the logarithm of the normal density at each place, (n_clips,)."""
    return np.asarray(
        -(((logs - center) / spread) ** 2) / 2 - math.log(spread * math.sqrt(math.tau))
    )


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
