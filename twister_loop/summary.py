"""What a run came to, as plain records: what `twister status --json`, the tables and the page show.

Read from the folders alone, so neither a plan nor an engine is loaded.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from .artifact import read_json
from .evaluation import outcomes
from .leaks import HeldOutTexts
from .ledger import Ledger, is_finished, number_of, verdict_of
from .manifest import Manifest
from .measure import Stretch, agreement, groups_of, paired_bootstrap, stretches, total
from .normalizers.basic import Basic
from .parts import Normalizer, Outcome
from .records import (
    ErrorCount,
    Funnel,
    Report,
    Score,
    Seconds,
    Share,
    Tally,
    Trial,
    Verdict,
)

WORST = 10
STAGES = (
    "untouched champion pool pseudo lesson texts voices mixture packed augmented candidate report "
    "verdict"
).split()


@dataclass(frozen=True)
class VoiceSummary:
    """What one voice contributed."""

    name: str
    trial: Trial | None
    passed: bool
    spoken: Tally | None = None
    failed: int = 0
    """Texts it could not speak, counted once for every take."""
    kept: Tally | None = None
    rejected: dict[str, Tally] | None = None
    agreement: ErrorCount | None = None
    """Characters of all that was spoken, as the champion heard it."""
    with_new_words: Share | None = None
    """Kept share of the sentences with a word that the champion never heard in the pool."""
    without_new_words: Share | None = None
    """Kept share of the other sentences."""


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
class RoundSummary:
    """One round, finished or in progress."""

    number: int
    folder: str
    """Relative to the run."""
    stages: dict[str, Seconds]
    """Finished stages with the seconds that their last start took."""
    verdict: Verdict | None
    accepted: bool | None
    champion: str
    """Where the champion's weights of this round came from."""
    scores: dict[str, dict[str, Score]]
    """Set -> `untouched`, `champion`, `candidate` -> score, as the loop decodes."""
    usual: dict[str, dict[str, Score]]
    """The same in a window of 30 s."""
    changes: dict[str, Change]
    worst: dict[str, tuple[Heard, ...]]
    """By set, the `WORST` utterances with most errors of the candidate."""
    new_texts: dict[str, dict[str, ErrorCount]]
    """Set -> who -> words, counted only where no text trained on is nearly the reference."""
    spelling_share: dict[str, Share]
    """Of the word errors won on a set, how much was won only by spelling numbers otherwise."""
    funnels: dict[str, Funnel]
    """What `pool`, `lesson` and `texts` kept and rejected."""
    mixture: dict[str, Tally]
    """By origin."""
    voices: tuple[VoiceSummary, ...]


@dataclass(frozen=True)
class Summary:
    """A whole run; the shape of `twister status --json`."""

    run: str
    champion: str
    rounds: tuple[RoundSummary, ...]


def summarize(run: Path) -> Summary:
    """Raises ConfigError where there is no run."""
    ledger = Ledger.read(run)
    folder = ledger.champion_folder
    return Summary(
        run=str(run),
        champion=f"{folder.name}/candidate" if folder else "untouched",
        rounds=tuple(_round(ledger, each) for each in ledger.folders),
    )


def _round(ledger: Ledger, at: Path) -> RoundSummary:
    reports = {
        who: Report.load(at / folder)
        for who, folder in (
            ("untouched", "untouched"),
            ("champion", "champion"),
            ("candidate", "report"),
        )
        if (at / folder).is_dir()
    }
    scores = _by_set({who: report.scores for who, report in reports.items()})
    verdict = verdict_of(at) if is_finished(at) else None
    accepted = (each for each in reversed(ledger.finished) if verdict_of(each).accepted)
    before = next((each for each in accepted if each < at), None)
    return RoundSummary(
        number=number_of(at),
        folder=at.name,
        stages=_timings(at),
        verdict=verdict,
        accepted=verdict.accepted if verdict else None,
        champion=f"{before.name}/candidate" if before else "untouched",
        scores=scores,
        usual=_by_set({who: report.usual for who, report in reports.items()}),
        changes=_changes(reports, seed=number_of(at)),
        worst=_worst(reports),
        new_texts=_new_texts(reports, at / "mixture"),
        spelling_share={
            name: share for name, row in scores.items() if (share := _spelling(row)) is not None
        },
        funnels={
            name: Funnel.load(at / name)
            for name in ("pool", "lesson", "texts")
            if (at / name / "funnel.json").is_file()
        },
        mixture=_by_origin(at / "mixture"),
        voices=tuple(_voice(at, each) for each in sorted(at.glob("voices/*")) if each.is_dir()),
    )


def _by_set(reports: dict[str, tuple[Score, ...]]) -> dict[str, dict[str, Score]]:
    found: dict[str, dict[str, Score]] = {}
    for who, scores in reports.items():
        for score in scores:
            found.setdefault(score.name, {})[who] = score
    return found


def _changes(reports: dict[str, Report], seed: int) -> dict[str, Change]:
    if "candidate" not in reports:
        return {}
    before, after = (_outcomes(reports[who]) for who in ("untouched", "candidate"))
    changes = {}
    for name, outcome in after.items():
        drawn = paired_bootstrap(outcome.words, before[name].words, seed, groups=outcome.groups)
        low, high = drawn[int(0.025 * len(drawn))], drawn[int(0.975 * len(drawn))]
        was, now = total(before[name].words).rate, total(outcome.words).rate
        relative = now / was - 1 if was else 0.0
        heard = Manifest(reports["candidate"].folder / outcome.score.kind / name)
        changes[name] = Change(
            now - was, float(low), float(high), relative, groups_of(list(heard))[0]
        )
    return changes


def _worst(reports: dict[str, Report]) -> dict[str, tuple[Heard, ...]]:
    if "candidate" not in reports:
        return {}
    normalize = _normalizer(reports["candidate"]).normalize
    before, found = _outcomes(reports["untouched"]), {}
    for name, outcome in _outcomes(reports["candidate"]).items():
        speech = Manifest(reports["candidate"].folder / outcome.score.kind / name)
        pairs = zip(before[name].words, outcome.words, speech, strict=True)
        worst = sorted(pairs, key=lambda each: (-each[1].errors, each[2].id))[:WORST]
        found[name] = tuple(
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
            for was, now, each in worst
            if now.errors
        )
    return found


def _new_texts(reports: dict[str, Report], mixture: Path) -> dict[str, dict[str, ErrorCount]]:
    """Scores apart for what was not nearly said in training; {} until there is a mixture."""
    if "candidate" not in reports or not (mixture / "manifest.jsonl").is_file():
        return {}
    trained_on = HeldOutTexts(Manifest(mixture))
    found: dict[str, dict[str, ErrorCount]] = {}
    for who, report in reports.items():
        for name, outcome in _outcomes(report).items():
            speech = Manifest(report.folder / outcome.score.kind / name)
            new = [
                count
                for count, each in zip(outcome.words, speech, strict=True)
                if not trained_on.near(each)
            ]
            found.setdefault(name, {})[who] = total(new)
    return found


def _outcomes(report: Report) -> dict[str, Outcome]:
    return outcomes(report, _normalizer(report), ("development", "test", "retention"))


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


def _timings(at: Path) -> dict[str, Seconds]:
    found = sorted(at.glob("**/timing.json"), key=_place)
    return {
        path.parent.relative_to(at).as_posix(): read_json(path)["seconds"]
        for path in found
        if path.parent.relative_to(at).parts[0] != "given"
    }


def _place(path: Path) -> tuple[int, float]:
    """Stages in the order of the loop, voices in the order in which they were made."""
    known = [number for number, stage in enumerate(STAGES) if stage in path.parts]
    return (known[0] if known else len(STAGES), path.stat().st_mtime)


def _by_origin(folder: Path) -> dict[str, Tally]:
    if not (folder / "manifest.jsonl").is_file():
        return {}
    tallies: dict[str, Tally] = {}
    for utterance in Manifest(folder):
        before = tallies.get(utterance.origin, Tally())
        tallies[utterance.origin] = before.plus(utterance.duration)
    return dict(sorted(tallies.items()))


def _voice(at: Path, home: Path) -> VoiceSummary:
    trial = Trial.load(home / "trial") if (home / "trial").is_dir() else None
    passed = bool(trial and trial.passed)
    if not (home / "synthetic").is_dir():
        return VoiceSummary(home.name, trial, passed)
    spoken, failed = Tally(), 0
    for utterance in Manifest(home / "spoken"):
        failed += bool(utterance.error)
        spoken = spoken if utterance.error else spoken.plus(utterance.duration)
    funnel = Funnel.load(home / "synthetic")
    heard = [agreement(each) for each in Manifest(home / "verified") if not each.error]
    shares = _kept_shares(at, home / "synthetic")
    return VoiceSummary(
        home.name,
        trial,
        passed,
        spoken=spoken,
        failed=failed,
        kept=funnel.kept,
        rejected=funnel.rejected,
        agreement=total(heard),
        with_new_words=shares[True],
        without_new_words=shares[False],
    )


def _kept_shares(at: Path, synthetic: Path) -> dict[bool, Share | None]:
    """Kept shares of sentences with and without a word that was never heard in the pool."""
    normalize = Basic().normalize
    heard = {
        word
        for each in Manifest(at / "pseudo")
        for word in normalize(each.pred_text or "", each.lang).split()
    }
    kept, all_ = Counter[bool](), Counter[bool]()
    for folder in (synthetic, synthetic / "rejected"):
        for each in Manifest(folder):
            if not each.error:
                new = bool(set(normalize(each.text or "", each.lang).split()) - heard)
                all_[new] += 1
                kept[new] += folder == synthetic
    return {new: kept[new] / all_[new] if all_[new] else None for new in (True, False)}
