"""Scoreboard of a round: scores with intervals, changes, and the utterances behind them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.manifest import Manifest
from ..core.types import ErrorCount, Report, Score, Share, Utterance
from ..text.contamination import HeldOutTexts
from ..text.normalizers._base import Normalizer
from .evidence import Measure, Outcome
from .metrics import (
    AlignmentChunk,
    alignment_chunks,
    bootstrap_rates,
    percentile_interval_95,
    sum_counts,
)
from .outcomes import load_outcomes
from .pooling import SET_KINDS, add_pooled_sets

# Ten utterances fit on a screen, and five of each kind show what training changed.
WORST_COUNT = 10
"""Utterances with most errors that are shown of a set."""
CHANGED_COUNT = 5
"""Utterances that are shown of those that improved most, and of those that got worse."""
MEASURES: tuple[Measure, ...] = ("words", "characters", "mixed")

Draws = dict[tuple[Measure, str], np.ndarray]
"""Bootstrapped error rates of one set, by measure and model; each of shape (resamples,)."""


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
class UtteranceDiff:
    """Transcripts of one utterance by the untouched model and by the candidate."""

    id: str
    untouched: int
    """Mixed errors (Han and kana singly, all else by word) of the untouched model."""
    candidate: int
    """Mixed errors of the candidate."""
    text: str
    pred_text: str
    """Transcript of the candidate."""
    chunks: tuple[AlignmentChunk, ...]
    """Alignment of the text with the candidate's transcript, both normalized."""
    untouched_chunks: tuple[AlignmentChunk, ...]
    """Alignment of the text with the untouched model's transcript."""


@dataclass(frozen=True)
class Scoreboard:
    """Comparison of the reports of one round."""

    scores: dict[str, dict[str, Score]]
    """Score by set and model (`untouched`, `champion`, `candidate`), decoded as in the loop; with
    several sets of a kind, also of all of them together."""
    full_window: dict[str, dict[str, Score]]
    """The same, on all or some utterances of each set, decoded in windows of 30 s."""
    intervals: dict[str, dict[str, dict[Measure, Interval]]]
    """95 % interval of the error rate, by set, model and measure."""
    changes: dict[str, dict[Measure, RateChange]]
    """Change from the untouched model to the candidate, by set and measure."""
    steps: dict[str, dict[Measure, RateChange]]
    """Change from the champion to the candidate, by set and measure."""
    worst: dict[str, tuple[UtteranceDiff, ...]]
    """The `WORST_COUNT` utterances with most errors of the candidate, by set."""
    improved: dict[str, tuple[UtteranceDiff, ...]]
    """The `CHANGED_COUNT` utterances that improved most over the untouched model, by set."""
    worsened: dict[str, tuple[UtteranceDiff, ...]]
    """The `CHANGED_COUNT` utterances that got worse most, by set."""
    new_texts: dict[str, dict[str, ErrorCount]]
    """Word errors by set and model, on utterances whose text is no near duplicate of a training
    text."""
    spelling_share: dict[str, Share]
    """By set, the share of the removed word errors that came of spelling numbers differently."""


def build_scoreboard(reports: Mapping[str, Report], mixture: Path | None, seed: int) -> Scoreboard:
    """Compare the reports of a round.

    Args:
        reports: Reports of `untouched`, `champion` and `candidate`, as far as they exist.
        mixture: Training set of the candidate; None leaves out scores on new texts.
        seed: Seed of the bootstrap.
    """
    outcomes = {
        model: load_outcomes(report, _build_normalizer(report), SET_KINDS)
        for model, report in reports.items()
    }
    # Pooled sets get scores and intervals, but no utterances: these stand in their own sets.
    with_pooled = {model: add_pooled_sets(sets) for model, sets in outcomes.items()}
    scores = _by_set(
        {model: [outcome.score for outcome in sets.values()] for model, sets in with_pooled.items()}
    )
    # Drawn once per set and shared by intervals and changes, so that the two agree.
    draws = {
        name: _draw_rates({model: sets[name] for model, sets in with_pooled.items()}, seed)
        for name in scores
    }
    pairs = {
        name: _pair_transcripts(name, outcomes, reports) for name in outcomes.get("candidate", {})
    }
    # One order serves both ends: most improved first, most worsened last.
    by_change = {name: sorted(set_pairs, key=_change_key) for name, set_pairs in pairs.items()}
    return Scoreboard(
        scores=scores,
        full_window=_by_set({model: report.full_window for model, report in reports.items()}),
        intervals={
            name: {
                model: {
                    measure: Interval(*percentile_interval_95(set_draws[measure, model]))
                    for measure in MEASURES
                }
                for model in scores[name]
            }
            for name, set_draws in draws.items()
        },
        changes=_compute_changes(with_pooled, draws, baseline="untouched"),
        steps=_compute_changes(with_pooled, draws, baseline="champion"),
        worst={
            name: _align(
                [
                    pair
                    for pair in sorted(set_pairs, key=_worst_first_key)[:WORST_COUNT]
                    if pair.candidate_errors  # a good model may make errors in fewer utterances
                ],
                reports,
            )
            for name, set_pairs in pairs.items()
        },
        improved={
            name: _align([pair for pair in ranked[:CHANGED_COUNT] if pair.change < 0], reports)
            for name, ranked in by_change.items()
        },
        worsened={
            name: _align(
                [pair for pair in ranked[::-1][:CHANGED_COUNT] if pair.change > 0], reports
            )
            for name, ranked in by_change.items()
        },
        new_texts=_count_errors_on_new_texts(outcomes, reports, mixture),
        spelling_share={
            name: share
            for name, by_model in scores.items()
            if (share := _spelling_share(by_model)) is not None
        },
    )


def _by_set(reports: Mapping[str, Iterable[Score]]) -> dict[str, dict[str, Score]]:
    """Regroup the scores of every model by set, then model."""
    by_set: dict[str, dict[str, Score]] = {}
    for model, scores in reports.items():
        for score in scores:
            by_set.setdefault(score.name, {})[model] = score
    return by_set


def _draw_rates(outcomes: Mapping[str, Outcome], seed: int) -> Draws:
    """Bootstrap one set once for all measures and models, so that their draws are paired."""
    counts = {
        (measure, model): outcome.counts(measure)
        for model, outcome in outcomes.items()
        for measure in MEASURES
    }
    # All models transcribed the same utterances, so any model's groups will do.
    groups = next(iter(outcomes.values())).groups
    return bootstrap_rates(counts, seed, groups=groups)


def _compute_changes(
    outcomes: Mapping[str, Mapping[str, Outcome]], draws: Mapping[str, Draws], baseline: str
) -> dict[str, dict[Measure, RateChange]]:
    """Return the change from a baseline model to the candidate, by set and measure."""
    changes: dict[str, dict[Measure, RateChange]] = {}
    for name, outcome in outcomes.get("candidate", {}).items():
        for measure in MEASURES:
            # The draws are paired, so their difference is a paired bootstrap.
            differences = draws[name][measure, "candidate"] - draws[name][measure, baseline]
            low, high = percentile_interval_95(differences)
            before = getattr(outcomes[baseline][name].score, measure).rate
            after = getattr(outcome.score, measure).rate
            changes.setdefault(name, {})[measure] = RateChange(
                rate=after - before,
                low=low,
                high=high,
                relative=after / before - 1 if before else 0.0,
                resampling_unit=outcome.resampling_unit,
            )
    return changes


@dataclass(frozen=True)
class _TranscriptPair:
    """One utterance with the transcripts and mixed errors of two models."""

    untouched: Utterance
    candidate: Utterance
    untouched_errors: int
    candidate_errors: int

    @property
    def change(self) -> int:
        """Errors that the candidate makes more than the untouched model."""
        return self.candidate_errors - self.untouched_errors


# Ties are broken by id, so that equal rounds show equal utterances.
def _worst_first_key(pair: _TranscriptPair) -> tuple[int, str]:
    return -pair.candidate_errors, pair.candidate.id


def _change_key(pair: _TranscriptPair) -> tuple[int, str]:
    return pair.change, pair.candidate.id


def _open_transcripts(report: Report, outcome: Outcome) -> Manifest:
    return Manifest(report.folder / outcome.score.kind / outcome.score.name)


def _pair_transcripts(
    name: str, outcomes: Mapping[str, dict[str, Outcome]], reports: Mapping[str, Report]
) -> list[_TranscriptPair]:
    """Return the utterances of a set with the transcripts of untouched model and candidate."""
    models = ("untouched", "candidate")
    # Both manifests list the utterances of the set in the same order.
    transcripts = (_open_transcripts(reports[model], outcomes[model][name]) for model in models)
    errors = ([count.errors for count in outcomes[model][name].mixed] for model in models)
    return [_TranscriptPair(*columns) for columns in zip(*transcripts, *errors, strict=True)]


def _align(
    pairs: Iterable[_TranscriptPair], reports: Mapping[str, Report]
) -> tuple[UtteranceDiff, ...]:
    """Align the text of every utterance with both transcripts."""
    # Normalized, so that only what counts as an error is shown as a difference.
    normalize = _build_normalizer(reports["candidate"]).normalize

    def align(utterance: Utterance) -> tuple[AlignmentChunk, ...]:
        return tuple(
            alignment_chunks(
                normalize(utterance.text or "", utterance.lang),
                normalize(utterance.pred_text or "", utterance.lang),
            )
        )

    return tuple(
        UtteranceDiff(
            id=pair.candidate.id,
            untouched=pair.untouched_errors,
            candidate=pair.candidate_errors,
            text=pair.candidate.text or "",
            pred_text=pair.candidate.pred_text or "",
            chunks=align(pair.candidate),
            untouched_chunks=align(pair.untouched),
        )
        for pair in pairs
    )


def _count_errors_on_new_texts(
    outcomes: Mapping[str, dict[str, Outcome]], reports: Mapping[str, Report], mixture: Path | None
) -> dict[str, dict[str, ErrorCount]]:
    """Count word errors on utterances whose texts are not near training texts; {} without any."""
    if "candidate" not in outcomes or mixture is None:
        return {}
    # A page may be drawn while the mixture is still being made.
    if not (mixture / "manifest.jsonl").is_file():
        return {}
    trained_on = HeldOutTexts(Manifest(mixture))
    counts: dict[str, dict[str, ErrorCount]] = {}
    for name, outcome in outcomes["candidate"].items():
        utterances = _open_transcripts(reports["candidate"], outcome)
        is_new = [not trained_on.is_near_duplicate(utterance) for utterance in utterances]
        counts[name] = {
            model: sum_counts(
                [count for count, new in zip(sets[name].words, is_new, strict=True) if new]
            )
            for model, sets in outcomes.items()
        }
    return counts


def _build_normalizer(report: Report) -> Normalizer:
    return Normalizer.build(report.normalizer)


def _spelling_share(scores: Mapping[str, Score]) -> Share | None:
    """Return the share of removed errors that were spellings of numbers; None if none were."""
    if "candidate" not in scores:
        return None
    before, after = scores["untouched"], scores["candidate"]
    # Raw words are counted with numbers as written, the others with numbers spelled out.
    removed_raw = before.raw_words.errors - after.raw_words.errors
    removed = before.words.errors - after.words.errors
    # Negative where more errors were removed after normalization than before it.
    return max(0.0, 1 - removed / removed_raw) if removed_raw > 0 else None
