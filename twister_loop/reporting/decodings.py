"""Error rates of a round in both ways of decoding, with the names that people read.

Tables, exports, the model card and messages show the same two decodings side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..core.types import UNITS, ErrorCount, Measure, Score
from ..evaluation.evidence import Decoding
from ..evaluation.measures import ABBREVIATIONS
from ..evaluation.scoreboard import Interval, RateChange, Scoreboard

DECODING_NAMES: dict[Decoding, str] = {
    "clip": "own context",
    "standard": "30 s windows with timestamps",
}
"""Names of the ways of decoding."""
DECODINGS_EXPLAINED = (
    "Own context: each clip is decoded alone with a short margin, as in the loop. 30 s windows "
    "with timestamps: as other tools decode."
)
"""Difference between the two decodings, for whoever sees both side by side."""
# Whisper's window: longer recordings are decoded in several pieces.
LONG_RECORDING = 30.0
"""Seconds; a set of longer recordings is shown as one."""


@dataclass(frozen=True)
class DecodedScores:
    """Scores of one round in one way of decoding."""

    decoding: Decoding
    scores: Mapping[str, Mapping[str, Score]]
    """Score by set and model."""
    intervals: Mapping[str, Mapping[str, Mapping[Measure, Interval]]]
    """95 % interval of the error rate, by set, model and measure."""
    changes: Mapping[str, Mapping[Measure, RateChange]]
    """Change from the untouched model to the candidate, by set and measure."""

    @property
    def name(self) -> str:
        return DECODING_NAMES[self.decoding]

    def format_rate(self, set_name: str, model: str, width: int = 0) -> str:
        """Return a model's error rate in percent, by the set's own measure, with its interval.

        An example is `CER 12.30 (11.9-17.0)`. Empty if the set was not decoded in this way.

        Args:
            set_name: Name of the set.
            model: Name of the model.
            width: Least number of characters of the rate.
        """
        score = self.scores.get(set_name, {}).get(model)
        if score is None:
            return ""
        interval = self.intervals[set_name][model][score.measure]
        rate = format_rate(score.count(), score.measure, width)
        return f"{rate} ({format_interval(interval)})"

    def own_change(self, set_name: str) -> RateChange | None:
        """Return the change by the set's own measure; None without a candidate."""
        changes = self.changes.get(set_name)
        return changes[_any_score(self.scores[set_name]).measure] if changes else None


def list_decodings(scoreboard: Scoreboard) -> list[DecodedScores]:
    """Return the scores in own context, and those in 30 s windows if there are any."""
    decodings = [
        DecodedScores("clip", scoreboard.scores, scoreboard.intervals, scoreboard.changes),
        DecodedScores(
            "standard",
            scoreboard.full_window,
            scoreboard.full_window_intervals,
            scoreboard.full_window_changes,
        ),
    ]
    return [decoded for decoded in decodings if decoded.scores or decoded.decoding == "clip"]


def format_rate(count: ErrorCount, measure: Measure, width: int = 0) -> str:
    """Return an error rate in percent with its name.

    >>> format_rate(ErrorCount(substitutions=1, hits=7), "characters")
    'CER 12.50'
    """
    return f"{ABBREVIATIONS[measure]} {100 * count.rate:{width}.2f}"


def format_interval(interval: Interval) -> str:
    """Return an interval in percent, without a space so that a narrow table keeps it whole.

    >>> format_interval(Interval(low=0.119, high=0.1704))
    '11.9-17.0'
    """
    return f"{100 * interval.low:.1f}-{100 * interval.high:.1f}"


def format_timestamps(score: Score | None) -> str:
    """Return the share of utterances with right timestamps; empty if none were judged."""
    if score is None or not score.timestamps.total:
        return ""
    return f"{100 * score.timestamps.share:.1f} %"


def format_timestamp_change(scores: Mapping[str, Score]) -> str:
    """Return the share of right timestamps of the untouched model and of the candidate.

    Args:
        scores: Scores of a set in 30 s windows, by model.
    """
    shares = (format_timestamps(scores.get(model)) for model in ("untouched", "candidate"))
    return " -> ".join(filter(None, shares))


def describe_set(decodings: Sequence[DecodedScores], set_name: str) -> list[str]:
    """Return name, kind and size of a set, each for a line of its own."""
    score = _any_score(decodings[0].scores[set_name])
    size = f"{score.utterances} utt., {score.count().length} {UNITS[score.measure]}"
    lines = [set_name, f"{score.kind}: {size}"]
    if holds_long_recordings(score):
        lines.append("long recordings")
    for decoded in decodings[1:]:
        part = count_decoded_part(decodings[0], decoded, set_name)
        if part is not None:
            lines.append(f"30 s windows: {part} utt.")
    return lines


def count_decoded_part(clip: DecodedScores, standard: DecodedScores, set_name: str) -> int | None:
    """Return how many utterances of a set were decoded in 30 s windows; None if all or none."""
    if set_name not in standard.scores:
        return None
    utterances = _any_score(standard.scores[set_name]).utterances
    is_part = utterances < _any_score(clip.scores[set_name]).utterances
    return utterances if is_part else None


def holds_long_recordings(score: Score) -> bool:
    """Return whether a set holds recordings that are longer than Whisper's window.

    A set holds either long or short recordings, so the mean duration tells. Several sets together
    may hold both.
    """
    is_pooled = score.name == f"all {score.kind} sets"
    return not is_pooled and score.duration > LONG_RECORDING * score.utterances


def _any_score(scores: Mapping[str, Score]) -> Score:
    # All models were evaluated on the same utterances by the same measure.
    return next(iter(scores.values()))
