"""Reports side by side: scores with their intervals, what changed, and what was heard worst."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .evaluation import outcomes
from .leaks import HeldOutTexts
from .manifest import Manifest
from .measure import Stretch, interval, middle, paired_bootstrap, stretches, total
from .parts import Normalizer, Outcome
from .records import ErrorCount, Report, Score, SetKind, Share, pooled

WORST = 10
"""Utterances of a set that are shown."""
KINDS: tuple[SetKind, ...] = ("development", "test", "retention")


@dataclass(frozen=True)
class Change:
    """What a candidate changed on one set against the untouched model, in word error rate."""

    rate: float
    """Candidate minus untouched; negative is better."""
    low: float
    high: float
    """The 95 % interval, by paired bootstrap."""
    relative: float
    drawn: str
    """What the bootstrap drew: `speakers`, `recordings` or `utterances`."""


@dataclass(frozen=True)
class Interval:
    """Where a rate lies with 95 % confidence."""

    low: float
    high: float


@dataclass(frozen=True)
class Heard:
    """An utterance that the candidate heard badly."""

    id: str
    untouched: int
    """Word errors."""
    candidate: int
    text: str
    pred_text: str
    stretches: tuple[Stretch, ...]
    """The two side by side, as they are counted."""


@dataclass(frozen=True)
class Scoreboard:
    """What the reports of one round say."""

    scores: dict[str, dict[str, Score]]
    """Set -> `untouched`, `champion`, `candidate` -> score, as the loop decodes; where there are
    several sets of a kind, all of them together too."""
    usual: dict[str, dict[str, Score]]
    """The same in a window of 30 s."""
    intervals: dict[str, dict[str, Interval]]
    """Set -> who -> the 95 % interval of the word error rate."""
    changes: dict[str, Change]
    worst: dict[str, tuple[Heard, ...]]
    """By set, the `WORST` utterances with most errors of the candidate."""
    new_texts: dict[str, dict[str, ErrorCount]]
    """Set -> who -> words, counted only where no text trained on is nearly the reference."""
    spelling_share: dict[str, Share]
    """Of the word errors won on a set, how much was won only by spelling numbers otherwise."""


def side_by_side(reports: Mapping[str, Report], mixture: Path, seed: int) -> Scoreboard:
    """Compare the reports of `untouched`, `champion` and `candidate`, as far as there are any."""
    found = {who: _outcomes(report) for who, report in reports.items()}
    whole = {who: _with_all(sets) for who, sets in found.items()}
    scores = _by_set({who: [each.score for each in sets.values()] for who, sets in whole.items()})
    return Scoreboard(
        scores=scores,
        usual=_by_set({who: report.usual for who, report in reports.items()}),
        intervals={
            name: {
                who: Interval(*interval(sets[name].words, seed, sets[name].groups))
                for who, sets in whole.items()
                if name in sets
            }
            for name in scores
        },
        changes=_changes(whole, seed),
        worst=_worst(found, reports),
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
    return outcomes(report, _normalizer(report), KINDS)


def _with_all(found: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """The sets, and where there are several of a kind, all of them together."""
    together = dict(found)
    for kind in KINDS:
        parts = [each for each in found.values() if each.score.kind == kind]
        if len(parts) > 1:
            name = f"all {kind} sets"
            together[name] = Outcome(
                pooled([each.score for each in parts], name),
                words=[count for each in parts for count in each.words],
                characters=[count for each in parts for count in each.characters],
                mixed=[count for each in parts for count in each.mixed],
                groups=[f"{each.score.name}/{group}" for each in parts for group in each.groups],
                drawn=" and ".join(sorted({each.drawn for each in parts})),
            )
    return together


def _changes(found: Mapping[str, Mapping[str, Outcome]], seed: int) -> dict[str, Change]:
    changes = {}
    for name, outcome in found.get("candidate", {}).items():
        before = found["untouched"][name]
        drawn = paired_bootstrap(outcome.words, before.words, seed, groups=outcome.groups)
        low, high = middle(drawn)
        was, now = before.score.words.rate, outcome.score.words.rate
        relative = now / was - 1 if was else 0.0
        changes[name] = Change(now - was, low, high, relative, outcome.drawn)
    return changes


def _speech(report: Report, outcome: Outcome) -> Manifest:
    return Manifest(report.folder / outcome.score.kind / outcome.score.name)


def _worst(
    found: Mapping[str, dict[str, Outcome]], reports: Mapping[str, Report]
) -> dict[str, tuple[Heard, ...]]:
    if "candidate" not in found:
        return {}
    report = reports["candidate"]
    normalize = _normalizer(report).normalize
    worst = {}
    for name, outcome in found["candidate"].items():
        before = found["untouched"][name].words
        heard = zip(before, outcome.words, _speech(report, outcome), strict=True)
        chosen = sorted(heard, key=lambda each: (-each[1].errors, each[2].id))[:WORST]
        worst[name] = tuple(
            Heard(
                each.id,
                was.errors,
                now.errors,
                each.text or "",
                each.pred_text or "",
                tuple(
                    stretches(
                        normalize(each.text or "", each.lang),
                        normalize(each.pred_text or "", each.lang),
                    )
                ),
            )
            for was, now, each in chosen
            if now.errors
        )
    return worst


def _new_texts(
    found: Mapping[str, dict[str, Outcome]], reports: Mapping[str, Report], mixture: Path
) -> dict[str, dict[str, ErrorCount]]:
    """Scores apart for what was not nearly said in training; {} until there is a mixture."""
    if "candidate" not in found or not (mixture / "manifest.jsonl").is_file():
        return {}
    trained_on = HeldOutTexts(Manifest(mixture))
    new: dict[str, dict[str, ErrorCount]] = {}
    for name, outcome in found["candidate"].items():
        speech = _speech(reports["candidate"], outcome)
        is_new = [not trained_on.near(each) for each in speech]
        new[name] = {
            who: total([count for count, yes in zip(sets[name].words, is_new, strict=True) if yes])
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
