"""Reports side by side: scores with their intervals, what changed, and what was heard worst."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.manifest import Manifest
from ..core.types import ErrorCount, Report, Score, SetKind, Share, Utterance
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
from .pooling import pool_scores

WORST, MOVED = 10, 5
"""Utterances of a set that are shown: heard worst, and won or lost most."""
SET_KINDS: tuple[SetKind, ...] = ("development", "test", "retention")
MEASURES: tuple[Measure, ...] = ("words", "characters", "mixed")


@dataclass(frozen=True)
class Interval:
    """Where a rate lies with 95 % confidence."""

    low: float
    high: float


@dataclass(frozen=True)
class RateChange:
    """What a candidate changed on one set against another model, in an error rate."""

    rate: float
    """Candidate minus the other; negative is better."""
    low: float
    high: float
    """The 95 % interval, by paired bootstrap."""
    relative: float
    resampling_unit: str
    """What the bootstrap drew: `speakers`, `recordings` or `utterances`."""

    @property
    def is_significant(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class UtteranceDiff:
    """An utterance as the candidate heard it, and the untouched model before."""

    id: str
    untouched: int
    """Mixed errors: Han and kana singly, all else by word; as the stretches are cut."""
    candidate: int
    text: str
    pred_text: str
    chunks: tuple[AlignmentChunk, ...]
    """Text and hypothesis side by side, as they are counted."""
    untouched_chunks: tuple[AlignmentChunk, ...]
    """Text and the untouched model's hypothesis."""


@dataclass(frozen=True)
class Scoreboard:
    """What the reports of one round say."""

    scores: dict[str, dict[str, Score]]
    """Set -> `untouched`, `champion`, `candidate` -> score, as the loop decodes; where there are
    several sets of a kind, all of them together too."""
    full_window: dict[str, dict[str, Score]]
    """The same, or some of each set, in a window of 30 s."""
    intervals: dict[str, dict[str, dict[Measure, Interval]]]
    """Set -> who -> measure -> the 95 % interval of the error rate."""
    changes: dict[str, dict[Measure, RateChange]]
    """Set -> measure -> the candidate against the untouched model."""
    steps: dict[str, dict[Measure, RateChange]]
    """Set -> measure -> the candidate against the champion."""
    worst: dict[str, tuple[UtteranceDiff, ...]]
    """By set, the `WORST` utterances with most errors of the candidate."""
    improved: dict[str, tuple[UtteranceDiff, ...]]
    """By set, the `MOVED` utterances that gained most against the untouched model."""
    worsened: dict[str, tuple[UtteranceDiff, ...]]
    """By set, the `MOVED` that lost most."""
    new_texts: dict[str, dict[str, ErrorCount]]
    """Set -> who -> words, counted only where no text trained on is nearly the reference."""
    spelling_share: dict[str, Share]
    """Of the word errors won on a set, how much was won only by spelling numbers otherwise."""


def build_scoreboard(reports: Mapping[str, Report], mixture: Path | None, seed: int) -> Scoreboard:
    """Compare the reports of `untouched`, `champion` and `candidate`, as far as there are any.

    `mixture` is what the candidate was trained on; None leaves scores on new texts out.
    """
    found = {who: _outcomes(report) for who, report in reports.items()}
    whole = {who: _with_all(sets) for who, sets in found.items()}
    scores = _by_set({who: [each.score for each in sets.values()] for who, sets in whole.items()})
    rates = {name: _rates({w: s[name] for w, s in whole.items()}, seed) for name in scores}
    heard = {name: _heard(name, found, reports) for name in found.get("candidate", {})}
    moved = {name: sorted(each, key=_gain) for name, each in heard.items()}
    return Scoreboard(
        scores=scores,
        full_window=_by_set({who: report.full_window for who, report in reports.items()}),
        intervals={
            name: {
                who: {m: Interval(*percentile_interval_95(drawn[m, who])) for m in MEASURES}
                for who in scores[name]
            }
            for name, drawn in rates.items()
        },
        changes=_changes(whole, rates, "untouched"),
        steps=_changes(whole, rates, "champion"),
        worst={
            name: _spelled([h for h in sorted(each, key=_errors)[:WORST] if h.candidate], reports)
            for name, each in heard.items()
        },
        improved={
            name: _spelled([h for h in each[:MOVED] if _gain(h)[0] < 0], reports)
            for name, each in moved.items()
        },
        worsened={
            name: _spelled([h for h in each[::-1][:MOVED] if _gain(h)[0] > 0], reports)
            for name, each in moved.items()
        },
        new_texts=_new_texts(found, reports, mixture),
        spelling_share={
            name: share for name, row in scores.items() if (share := _spelling(row)) is not None
        },
    )


def _by_set(reports: Mapping[str, Iterable[Score]]) -> dict[str, dict[str, Score]]:
    found: dict[str, dict[str, Score]] = {}
    for who, scores in reports.items():
        for score in scores:
            found.setdefault(score.name, {})[who] = score
    return found


def _outcomes(report: Report) -> dict[str, Outcome]:
    return load_outcomes(report, _normalizer(report), SET_KINDS)


def _with_all(found: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """The sets, and where there are several of a kind, all of them together."""
    together = dict(found)
    for kind in SET_KINDS:
        parts = [each for each in found.values() if each.score.kind == kind]
        if len(parts) > 1:
            name = f"all {kind} sets"
            together[name] = Outcome(
                pool_scores([each.score for each in parts], name),
                words=[count for each in parts for count in each.words],
                characters=[count for each in parts for count in each.characters],
                mixed=[count for each in parts for count in each.mixed],
                groups=[f"{each.score.name}/{group}" for each in parts for group in each.groups],
                resampling_unit=" and ".join(sorted({each.resampling_unit for each in parts})),
            )
    return together


def _rates(outcomes: Mapping[str, Outcome], seed: int) -> dict[tuple[Measure, str], np.ndarray]:
    """Error rates of one set, drawn at once for every measure and model."""
    counts = {(m, who): each.counts(m) for who, each in outcomes.items() for m in MEASURES}
    groups = next(iter(outcomes.values())).groups
    return bootstrap_rates(counts, seed, groups=groups)


def _changes(
    found: Mapping[str, Mapping[str, Outcome]],
    rates: Mapping[str, Mapping[tuple[Measure, str], np.ndarray]],
    other: str,
) -> dict[str, dict[Measure, RateChange]]:
    changes: dict[str, dict[Measure, RateChange]] = {}
    for name, outcome in found.get("candidate", {}).items():
        for m in MEASURES:
            drawn = rates[name]
            low, high = percentile_interval_95(drawn[m, "candidate"] - drawn[m, other])
            was, now = (getattr(each.score, m).rate for each in (found[other][name], outcome))
            change = RateChange(
                now - was, low, high, now / was - 1 if was else 0.0, outcome.resampling_unit
            )
            changes.setdefault(name, {})[m] = change
    return changes


def _speech(report: Report, outcome: Outcome) -> Manifest:
    return Manifest(report.folder / outcome.score.kind / outcome.score.name)


@dataclass(frozen=True)
class _Pair:
    """One utterance as two models heard it."""

    before: Utterance
    now: Utterance
    untouched: int
    candidate: int


def _heard(
    name: str, found: Mapping[str, dict[str, Outcome]], reports: Mapping[str, Report]
) -> list[_Pair]:
    whos = ("untouched", "candidate")
    speech = (_speech(reports[who], found[who][name]) for who in whos)
    counts = ([each.errors for each in found[who][name].mixed] for who in whos)
    return [_Pair(*each) for each in zip(*speech, *counts, strict=True)]


def _errors(pair: _Pair) -> tuple[int, str]:
    return -pair.candidate, pair.now.id


def _gain(pair: _Pair) -> tuple[int, str]:
    return pair.candidate - pair.untouched, pair.now.id


def _spelled(pairs: Iterable[_Pair], reports: Mapping[str, Report]) -> tuple[UtteranceDiff, ...]:
    """Texts and hypotheses side by side, cut where they differ."""
    normalize = _normalizer(reports["candidate"]).normalize

    def cut(one: Utterance) -> tuple[AlignmentChunk, ...]:
        texts = (normalize(text or "", one.lang) for text in (one.text, one.pred_text))
        return tuple(alignment_chunks(*texts))

    return tuple(
        UtteranceDiff(
            each.now.id,
            each.untouched,
            each.candidate,
            each.now.text or "",
            each.now.pred_text or "",
            cut(each.now),
            cut(each.before),
        )
        for each in pairs
    )


def _new_texts(
    found: Mapping[str, dict[str, Outcome]], reports: Mapping[str, Report], mixture: Path | None
) -> dict[str, dict[str, ErrorCount]]:
    """Scores apart for what was not nearly said in training; {} until there is a mixture."""
    there = mixture and (mixture / "manifest.jsonl").is_file()
    if "candidate" not in found or mixture is None or not there:
        return {}
    trained_on = HeldOutTexts(Manifest(mixture))
    new: dict[str, dict[str, ErrorCount]] = {}
    for name, outcome in found["candidate"].items():
        speech = _speech(reports["candidate"], outcome)
        is_new = [not trained_on.is_near_duplicate(each) for each in speech]
        new[name] = {
            who: sum_counts(
                [count for count, yes in zip(sets[name].words, is_new, strict=True) if yes]
            )
            for who, sets in found.items()
        }
    return new


def _normalizer(report: Report) -> Normalizer:
    return Normalizer.build(report.normalizer)


def _spelling(row: dict[str, Score]) -> Share | None:
    """None where nothing was won."""
    if "candidate" not in row:
        return None
    before, after = row["untouched"], row["candidate"]
    won = before.raw_words.errors - after.raw_words.errors
    won_in_one_form = before.words.errors - after.words.errors
    return max(0.0, 1 - won_in_one_form / won) if won > 0 else None
