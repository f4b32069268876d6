"""Recall of key terms and errors on other words by set and model, with intervals."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..core.errors import ConfigError
from ..core.manifest import Manifest
from ..core.types import ErrorCount, Measure, Proportion, Report, Score, SetKind, TermCount
from .evidence import IN_DECODING, Decoding
from .metrics import bootstrap_rates, choose_resampling_groups, widest_interval_95
from .outcomes import FULL_WINDOW_SUFFIX, normalize_pair
from .pooling import SET_KINDS
from .report_normalizer import load_code
from .scoreboard import DECODINGS, Interval, RateDifference
from .term_recall import TermCounter

log = logging.getLogger(__name__)

NORMAL_95 = 1.96
"""Standard deviations on either side of the mean that hold 95 % of a normal distribution."""


@dataclass(frozen=True)
class ModelTerms:
    """Recall of key terms by one model on one set, and its errors on other words."""

    recall: Proportion
    recall_interval: Interval
    """95 % interval of the share; 0 to 1 if no term occurs."""
    others: ErrorCount
    others_interval: Interval
    """95 % interval of the error rate on other words."""


@dataclass(frozen=True)
class TermChange:
    """Change from one model to the candidate, with 95 % intervals by paired bootstrap."""

    recall: RateDifference
    """Change of the share of recalled terms; positive if the candidate recalls more."""
    others: RateDifference
    """Change of the error rate on other words; negative if the candidate is better."""


@dataclass(frozen=True)
class TermScores:
    """Key terms of all models on one set in one decoding."""

    set_name: str
    kind: SetKind
    decoding: Decoding
    measure: Measure
    """Measure of the set, by which other words or characters are counted."""
    models: dict[str, ModelTerms]
    changes: dict[str, TermChange] = field(default_factory=dict)
    """Change to the candidate, by the model that it is compared with."""

    @property
    def occurrences(self) -> int:
        """Return how many terms the references have; with none there is no recall."""
        return next(iter(self.models.values())).recall.total

    def describe_loss(self) -> str | None:
        """Return a sentence if the candidate recalls fewer terms than the champion, else None."""
        change = self.changes.get("champion")
        if change is None or change.recall.rate >= 0:
            return None
        before, after = (self.models[model].recall for model in ("champion", "candidate"))
        certainty = "shown" if change.recall.high < 0 else "may be chance"
        return (
            f"{self.set_name}{IN_DECODING[self.decoding]}: recall of terms fell from "
            f"{before.count} to {after.count} of {after.total} occurrences, "
            f"{change.recall.in_points()} points ({certainty}); errors on other words "
            f"{change.others.in_points()} points"
        )


def score_terms(
    reports: Mapping[str, Report], seed: int, kinds: Sequence[SetKind] = SET_KINDS
) -> tuple[TermScores, ...]:
    """Count key terms in the transcripts of some reports, set by set, in both decodings.

    Args:
        reports: Reports of `untouched`, `champion` and `candidate`, as far as they exist.
        seed: Seed of the bootstrap.
        kinds: Kinds of sets to count.

    Returns:
        Empty if the reports were made without terms, or with different ones.
    """
    term_lists = {report.key_terms for report in reports.values()}
    # A term that was added meanwhile would look like one that was lost.
    if len(term_lists) != 1 or not (key_terms := term_lists.pop()):
        return ()
    try:
        for report in reports.values():
            load_code(report)
    except ConfigError as error:  # the terms themselves have to be normalized, too
        log.warning("key terms are left out: %s", error)
        return ()
    return tuple(
        _score_set(reports, key_terms, score, decoding, seed)
        for score in next(iter(reports.values())).scores
        for decoding in DECODINGS
        if score.kind in kinds
        and all(_has_set(report, score.name, decoding) for report in reports.values())
    )


def _has_set(report: Report, name: str, decoding: Decoding) -> bool:
    scores = report.full_window if decoding == "standard" else report.scores
    return any(score.name == name for score in scores)


def _score_set(
    reports: Mapping[str, Report],
    key_terms: tuple[str, ...],
    score: Score,
    decoding: Decoding,
    seed: int,
) -> TermScores:
    """Return the terms of all models on one set."""
    counts: dict[str, list[TermCount]] = {}
    for model, report in reports.items():
        # As it was when the report was made: a plan may have another one by now.
        normalizer = load_code(report)
        counter = TermCounter(key_terms, normalizer, score.measure)
        utterances = list(_open_transcripts(report, score, decoding))
        # All models transcribed the same utterances, so any model's groups will do.
        _, groups = choose_resampling_groups(utterances)
        counts[model] = [
            counter.count(*normalize_pair(utterance, normalizer), utterance.lang)
            for utterance in utterances
        ]
    draws = list(_draw(counts, groups, seed))
    models = {
        model: _summarize(of_model, [drawn[model] for drawn in draws])
        for model, of_model in counts.items()
    }
    changes = {
        baseline: _compare(counts[baseline], counts["candidate"], baseline, draws)
        for baseline in ("untouched", "champion")
        if {baseline, "candidate"} <= counts.keys()
    }
    return TermScores(score.name, score.kind, decoding, score.measure, models, changes)


def _open_transcripts(report: Report, score: Score, decoding: Decoding) -> Manifest:
    suffix = FULL_WINDOW_SUFFIX if decoding == "standard" else ""
    return Manifest.load(report.folder / score.kind / f"{score.name}{suffix}")


ModelDraws = tuple[np.ndarray, np.ndarray]
"""Bootstrapped recall of terms and error rate on other words; each of shape (resamples,)."""


def _draw(
    counts: Mapping[str, Sequence[TermCount]], groups: Sequence[str], seed: int
) -> Iterator[dict[str, ModelDraws]]:
    """Yield the draws of all models with utterances drawn, and with speakers where known."""
    columns = {
        (model, column): [_as_errors(count)[column] for count in of_model]
        for model, of_model in counts.items()
        for column in range(3)
    }
    known_units = [None, groups] if len(set(groups)) < len(groups) else [None]
    for units in known_units:
        rates = bootstrap_rates(columns, seed, groups=units)
        yield {
            model: (
                # Utterances without a term tell nothing of recall, so a draw of them changes none.
                np.where(rates[model, 1] > 0.5, 1 - rates[model, 0], _sum_recall(of_model).share),
                rates[model, 2],
            )
            for model, of_model in counts.items()
        }


def _sum_recall(counts: Sequence[TermCount]) -> Proportion:
    return sum(counts, TermCount()).recall


def _as_errors(count: TermCount) -> tuple[ErrorCount, ErrorCount, ErrorCount]:
    """Return missed terms, all terms (whose rate is 0 without any) and errors on other words."""
    recall = count.recall
    missed = ErrorCount(deletions=recall.total - recall.count, hits=recall.count)
    return missed, ErrorCount(deletions=recall.total), count.others


def _summarize(counts: Sequence[TermCount], draws: Sequence[ModelDraws]) -> ModelTerms:
    total = sum(counts, TermCount())
    recalls, others = zip(*draws, strict=True)
    return ModelTerms(
        recall=total.recall,
        recall_interval=_recall_interval(total.recall, recalls),
        others=total.others,
        others_interval=Interval(*widest_interval_95(*others)),
    )


def _recall_interval(recall: Proportion, draws: Sequence[np.ndarray]) -> Interval:
    """Return the interval of a recall: Wilson's, or the bootstrap's where that is wider.

    Of few terms that are all recalled a bootstrap draws nothing else, and would be sure of 100 %.
    """
    size = recall.total
    if not size:
        return Interval(0.0, 1.0)
    squared = NORMAL_95**2
    center = (recall.count + squared / 2) / (size + squared)
    spread = recall.share * (1 - recall.share) / size + squared / (4 * size**2)
    half_width = NORMAL_95 * math.sqrt(spread) / (1 + squared / size)
    low, high = widest_interval_95(*draws)
    return Interval(
        max(0.0, min(center - half_width, low)), min(1.0, max(center + half_width, high))
    )


def _compare(
    before: Sequence[TermCount],
    after: Sequence[TermCount],
    baseline: str,
    draws: Sequence[Mapping[str, ModelDraws]],
) -> TermChange:
    """Return the change from a baseline to the candidate, with intervals."""
    old, new = sum(before, TermCount()), sum(after, TermCount())
    recalls, others = (
        widest_interval_95(
            *(drawn["candidate"][column] - drawn[baseline][column] for drawn in draws)
        )
        for column in (0, 1)
    )
    # The wider of both: one knows that terms of a speaker go together, the other that few are few.
    low, high = _paired_interval(before, after)
    return TermChange(
        recall=RateDifference(
            new.recall.share - old.recall.share, min(low, recalls[0]), max(high, recalls[1])
        ),
        others=RateDifference(new.others.rate - old.others.rate, *others),
    )


def _paired_interval(
    before: Sequence[TermCount], after: Sequence[TermCount]
) -> tuple[float, float]:
    """Return the 95 % interval of a change of recall by what was gained and what was lost.

    Two terms that are gained and none lost are all that a bootstrap draws, and it would be sure.
    Source: Agresti and Min (2005), half an occurrence added to each of the four cells.
    """
    steps = [new.recall.count - old.recall.count for old, new in zip(before, after, strict=True)]
    size = sum(count.recall.total for count in before) + 2
    gained, lost = (sum(max(0, sign * step) for step in steps) + 0.5 for sign in (1, -1))
    center = (gained - lost) / size
    half_width = NORMAL_95 * math.sqrt(gained + lost - (gained - lost) ** 2 / size) / size
    return max(-1.0, center - half_width), min(1.0, center + half_width)
