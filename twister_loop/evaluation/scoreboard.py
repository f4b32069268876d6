"""Scoreboard of a round: scores with intervals, changes, and the utterances behind them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, tee
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..core.manifest import Manifest
from ..core.types import ErrorCount, Measure, Report, Score, Share
from ..text.contamination import HeldOutTexts
from .evidence import Decoding, Outcome
from .metrics import bootstrap_rates, sum_counts, widest_interval_95
from .outcomes import load_outcomes
from .pooling import SET_KINDS, add_pooled_sets
from .report_normalizer import read_normalizer
from .utterance_diffs import UtteranceDiff, compare_utterances, open_transcripts

MEASURES: tuple[Measure, ...] = ("words", "characters", "mixed")
DECODINGS: tuple[Decoding, ...] = ("clip", "standard")

K = TypeVar("K", bound=Hashable)

Draws = dict[tuple[Measure, str], np.ndarray]
"""Bootstrapped error rates of one set, by measure and model; each of shape (resamples,)."""
DrawsByUnit = list[Draws]
"""The same with utterances drawn and, where they are known, with speakers or recordings drawn."""


@dataclass(frozen=True)
class Interval:
    """Interval of an error rate at 95 % confidence."""

    low: float
    high: float


@dataclass(frozen=True)
class RateDifference:
    """Difference of two error rates on the same utterances."""

    rate: float
    """First error rate minus the second; negative if the first is better."""
    low: float
    """Lower end of the 95 % interval, by paired bootstrap."""
    high: float
    """Upper end of the 95 % interval."""

    @property
    def is_significant(self) -> bool:
        """Return whether the interval excludes zero."""
        return self.low > 0 or self.high < 0

    def in_points(self) -> str:
        """Return the difference and its interval in percentage points.

        >>> RateDifference(-0.021, low=-0.04, high=0.003).in_points()
        '-2.10 (-4.00 to +0.30)'
        """
        return f"{100 * self.rate:+.2f} ({100 * self.low:+.2f} to {100 * self.high:+.2f})"


@dataclass(frozen=True)
class RateChange(RateDifference):
    """Change of an error rate on one set, from another model to the candidate."""

    relative: float
    """Change as a share of the other model's error rate; 0 if that is 0."""
    resampling_unit: str
    """What the bootstrap drew: `speakers`, `recordings` or `utterances`."""


@dataclass(frozen=True)
class Scoreboard:
    """Comparison of the reports of one round."""

    scores: dict[str, dict[str, Score]]
    """Score by set and model (`untouched`, `champion`, `candidate`), decoded as in the loop; with
    several sets of a kind, also of all of them together."""
    intervals: dict[str, dict[str, dict[Measure, Interval]]]
    """95 % interval of the error rate, by set, model and measure."""
    changes: dict[str, dict[Measure, RateChange]]
    """Change from the untouched model to the candidate, by set and measure."""
    steps: dict[str, dict[Measure, RateChange]]
    """Change from the champion to the candidate, by set and measure."""
    full_window: dict[str, dict[str, Score]]
    """Like `scores`, with standard decoding (30 s windows with timestamps) of each set or of a part
    of it; empty without standard decoding."""
    full_window_intervals: dict[str, dict[str, dict[Measure, Interval]]]
    full_window_changes: dict[str, dict[Measure, RateChange]]
    full_window_steps: dict[str, dict[Measure, RateChange]]
    worst: dict[str, tuple[UtteranceDiff, ...]]
    """The `WORST_COUNT` utterances with most errors of the candidate, by set."""
    improved: dict[str, tuple[UtteranceDiff, ...]]
    """The `CHANGED_COUNT` utterances that improved most over the untouched model, by set."""
    worsened: dict[str, tuple[UtteranceDiff, ...]]
    """The `CHANGED_COUNT` utterances that got worse most, by set."""
    new_texts: dict[str, dict[str, ErrorCount]]
    """Errors by set and model, by the measure of the set, on utterances whose text is no near
    duplicate of a training text."""
    spelling_share: dict[str, Share]
    """By set, the share of the removed word errors that came of spelling numbers differently."""


def build_scoreboard(reports: Mapping[str, Report], mixture: Path | None, seed: int) -> Scoreboard:
    """Compare the reports of a round.

    Args:
        reports: Reports of `untouched`, `champion` and `candidate`, as far as they exist.
        mixture: Training set of the candidate; None leaves out scores on new texts.
        seed: Seed of the bootstrap.
    """
    clip, standard = (_load_all_outcomes(reports, decoding) for decoding in DECODINGS)
    own, full_window = _Comparison.of(clip, seed), _Comparison.of(standard, seed)
    # Pooled sets get scores and intervals, but no utterances: these stand in their own sets.
    diffs = {name: compare_utterances(name, clip, reports) for name in clip.get("candidate", {})}
    return Scoreboard(
        scores=own.scores,
        intervals=own.intervals,
        changes=own.changes,
        steps=own.steps,
        full_window=full_window.scores,
        full_window_intervals=full_window.intervals,
        full_window_changes=full_window.changes,
        full_window_steps=full_window.steps,
        worst={name: diff.worst for name, diff in diffs.items()},
        improved={name: diff.improved for name, diff in diffs.items()},
        worsened={name: diff.worsened for name, diff in diffs.items()},
        new_texts=_count_errors_on_new_texts(clip, reports, mixture),
        spelling_share={
            name: share
            for name, by_model in own.scores.items()
            if (share := _spelling_share(by_model)) is not None
        },
    )


@dataclass(frozen=True)
class _Comparison:
    """Scores of all models in one decoding, with intervals and changes."""

    scores: dict[str, dict[str, Score]]
    intervals: dict[str, dict[str, dict[Measure, Interval]]]
    changes: dict[str, dict[Measure, RateChange]]
    steps: dict[str, dict[Measure, RateChange]]

    @classmethod
    def of(cls, outcomes: Mapping[str, Mapping[str, Outcome]], seed: int) -> _Comparison:
        """Compare the outcomes of all models, by model and set."""
        with_pooled = {model: add_pooled_sets(sets) for model, sets in outcomes.items()}
        by_set: dict[str, dict[str, Outcome]] = {}
        for model, sets in with_pooled.items():
            for name, outcome in sets.items():
                by_set.setdefault(name, {})[model] = outcome
        # Drawn once per set and shared by intervals and changes, so that the two agree.
        draws = {name: _draw_rates(by_model, seed) for name, by_model in by_set.items()}
        return cls(
            scores={
                name: {model: outcome.score for model, outcome in by_model.items()}
                for name, by_model in by_set.items()
            },
            intervals={
                name: {
                    model: {
                        measure: Interval(0.0, max(1.0, outcome.score.count(measure).rate))
                        # Drawn from one utterance, every draw is that one, as if it were certain.
                        if len(outcome.groups) == 1
                        else Interval(
                            *widest_interval_95(*(drawn[measure, model] for drawn in draws[name]))
                        )
                        for measure in MEASURES
                    }
                    for model, outcome in by_model.items()
                }
                for name, by_model in by_set.items()
            },
            changes=_compute_changes(by_set, draws, baseline="untouched"),
            steps=_compute_changes(by_set, draws, baseline="champion"),
        )


def _load_all_outcomes(
    reports: Mapping[str, Report], decoding: Decoding
) -> dict[str, dict[str, Outcome]]:
    """Return the outcomes of a decoding by model and set."""
    return {
        model: load_outcomes(report, read_normalizer(report), SET_KINDS, decoding)
        for model, report in reports.items()
    }


def _draw_rates(outcomes: Mapping[str, Outcome], seed: int) -> DrawsByUnit:
    """Bootstrap one set for all measures and models at once, so that their draws are paired."""
    counts = {
        (measure, model): outcome.counts(measure)
        for model, outcome in outcomes.items()
        for measure in MEASURES
    }
    # All models transcribed the same utterances, so any model's groups will do.
    groups = next(iter(outcomes.values())).groups
    return draw_by_unit(counts, groups, seed)


def draw_by_unit(
    counts: Mapping[K, Sequence[ErrorCount]], groups: Sequence[str], seed: int
) -> list[dict[K, np.ndarray]]:
    """Bootstrap error rates with utterances drawn and, where they are known, with groups drawn.

    Args:
        counts: Counts of every utterance, by any key.
        groups: Speaker, recording or utterance of every utterance.
        seed: Seed of the draws.

    Returns:
        By key, rates of shape (resamples,); once for each unit. Report the widest interval.
    """
    known_units = [None, groups] if len(set(groups)) < len(groups) else [None]
    return [bootstrap_rates(counts, seed, groups=units) for units in known_units]


def _compute_changes(
    outcomes: Mapping[str, Mapping[str, Outcome]], draws: Mapping[str, DrawsByUnit], baseline: str
) -> dict[str, dict[Measure, RateChange]]:
    """Return the change from a baseline model to the candidate, by set and measure.

    Args:
        outcomes: Outcomes by set and model.
        draws: Bootstrapped rates by set.
        baseline: Model that the candidate is compared with.
    """
    changes: dict[str, dict[Measure, RateChange]] = {}
    for name, by_model in outcomes.items():
        if "candidate" not in by_model:
            continue
        candidate = by_model["candidate"]
        for measure in MEASURES:
            # The draws are paired, so their difference is a paired bootstrap.
            low, high = widest_interval_95(
                *(drawn[measure, "candidate"] - drawn[measure, baseline] for drawn in draws[name])
            )
            before = by_model[baseline].score.count(measure).rate
            after = candidate.score.count(measure).rate
            if len(candidate.groups) == 1:
                low, high = min(-1.0, after - before), max(1.0, after - before)
            changes.setdefault(name, {})[measure] = RateChange(
                rate=after - before,
                low=low,
                high=high,
                relative=after / before - 1 if before else 0.0,
                resampling_unit=candidate.resampling_unit,
            )
    return changes


def _count_errors_on_new_texts(
    outcomes: Mapping[str, dict[str, Outcome]], reports: Mapping[str, Report], mixture: Path | None
) -> dict[str, dict[str, ErrorCount]]:
    """Count errors on utterances whose texts are not near training texts; {} without any."""
    if "candidate" not in outcomes or mixture is None:
        return {}
    # A page may be drawn while the mixture is still being made.
    if not (mixture / "manifest.jsonl").is_file():
        return {}
    utterances_by_set = {
        name: list(open_transcripts(reports["candidate"], outcome))
        for name, outcome in outcomes["candidate"].items()
    }
    held_out = HeldOutTexts(chain.from_iterable(utterances_by_set.values()))
    trained_on, again = tee(Manifest(mixture))
    known = set[int]()
    for utterance, numbers in zip(again, held_out.find_near_duplicates(trained_on), strict=True):
        # Labels of few words stay in training, but what they say is not new.
        known.update(numbers or held_out.find_equal_short_texts(utterance))
    counts: dict[str, dict[str, ErrorCount]] = {}
    first = 0
    for name, utterances in utterances_by_set.items():
        is_new = [first + place not in known for place in range(len(utterances))]
        first += len(utterances)
        counts[name] = {
            model: sum_counts(
                [count for count, new in zip(sets[name].counts(), is_new, strict=True) if new]
            )
            for model, sets in outcomes.items()
        }
    return counts


def _spelling_share(scores: Mapping[str, Score]) -> Share | None:
    """Return the share of removed errors that were spellings of numbers; None if none were."""
    # Raw errors are counted by word, which says nothing of a set without words.
    if "candidate" not in scores or scores["candidate"].measure != "words":
        return None
    before, after = scores["untouched"], scores["candidate"]
    # Raw words are counted with numbers as written, the others with numbers spelled out.
    removed_raw = before.raw_words.errors - after.raw_words.errors
    removed = before.words.errors - after.words.errors
    # Negative where more errors were removed after normalization than before it.
    return max(0.0, 1 - removed / removed_raw) if removed_raw > 0 else None
