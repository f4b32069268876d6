"""What a run came to, as plain records: what `twister status --json`, the tables and the page show.

Read from the folders alone, so neither a plan nor an engine is loaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..core.artifacts import read_json
from ..core.manifest import Manifest
from ..core.types import (
    ErrorCount,
    Funnel,
    MixtureContents,
    MixtureSource,
    Report,
    Seconds,
    Share,
    Tally,
    Verdict,
)
from ..evaluation.metrics import sum_counts, count_utterance_errors
from ..evaluation.scoreboard import Scoreboard, build_scoreboard
from ..evaluation.trials import DecoderTrial, VoiceTrial
from ..pipeline.run_folder import (
    Approval,
    RunFolder,
    approval_of,
    awaits_approval,
    is_approved,
    is_finished,
    round_number,
    verdict_of,
)
from ..pipeline.stages.annotation import Speakers
from ..text.normalizers.basic import Basic
from .record_cache import cached_record, memoize_on_folders

SCHEMA_VERSION = 3
"""Of the summary of a round, as it is kept; see `recall`."""

STAGES = (
    "untouched champion pool annotated speakers labeler pseudo_labels texts rescored aligned "
    "aligned_human aligned_replay filtered_labels voices mixture packed augmented candidate report "
    "candidate_by_labeler verdict"
).split()


@dataclass(frozen=True)
class VoiceSummary:
    """What one voice contributed."""

    name: str
    trial: VoiceTrial | None
    passed: bool
    synthesized: Tally | None = None
    failed: int = 0
    """Texts it could not speak, counted once for every take."""
    kept: Tally | None = None
    rejected: dict[str, Tally] | None = None
    character_errors: ErrorCount | None = None
    """Characters of all that was spoken, as the champion heard it."""
    kept_with_unseen_words: Share | None = None
    """Kept share of the sentences with a word that the champion never heard in the pool."""
    kept_without_unseen_words: Share | None = None
    """Kept share of the other sentences."""


@dataclass(frozen=True)
class RoundSummary(Scoreboard):
    """One round, finished or in progress."""

    number: int
    folder: str
    """Relative to the run."""
    stages: dict[str, Seconds]
    """Finished stages with the seconds that their last start took."""
    verdict: Verdict | None
    accepted: bool | None
    """Whether the candidate became the champion; None while that is open."""
    awaits_approval: bool
    """Whether the gates accepted it, and a person's word is awaited."""
    champion: str
    """Where the champion's weights of this round came from."""
    funnels: dict[str, Funnel]
    """What `pool`, `filtered_labels` and `texts` kept and rejected."""
    mixture: dict[str, Tally]
    """By origin."""
    languages: dict[str, dict[str, Tally]]
    """Origin -> language of what is in the mixture; `unknown` where none is noted."""
    mixture_sources: tuple[MixtureSource, ...]
    """What was mixed as one: of the same origin, language and corpus."""
    voices: tuple[VoiceSummary, ...]
    decoder_trial: DecoderTrial | None = None
    """How alike the plan's labeler heard, where it has one."""
    speakers: Speakers | None = None
    """Who speaks in the pool, where the plan has them told apart."""
    rescored_labels: int | None = None
    """Labels that took a word of the texts; None where the plan repairs nothing."""
    approval: Approval | None = None


@dataclass(frozen=True)
class Summary:
    """A whole run; the shape of `twister status --json`."""

    run: str
    champion: str
    rounds: tuple[RoundSummary, ...]


def summarize(run: Path) -> Summary:
    """Raises ConfigError where there is no run."""
    ledger = RunFolder.read(run)
    folder = ledger.champion_folder
    return Summary(
        run=str(run),
        champion=f"{folder.name}/candidate" if folder else "untouched",
        rounds=tuple(round_summary(each) for each in ledger.round_folders),
    )


def round_summary(at: Path) -> RoundSummary:
    """Of one round."""
    return cached_record(_round, RoundSummary, "summary", SCHEMA_VERSION, at)


def _round(at: Path) -> RoundSummary:
    ledger = RunFolder(at.parent)
    verdict = verdict_of(at) if is_finished(at) else None
    waiting = verdict is not None and awaits_approval(at)
    before = next(
        (each for each in reversed(ledger.finished_rounds) if each < at and is_approved(each)), None
    )
    read = [at / name for name in ("untouched", "champion", "report", "mixture")]
    languages = memoize_on_folders(_by_language, at / "mixture")
    return RoundSummary(
        **vars(memoize_on_folders(_scoreboard, *read)),
        number=round_number(at),
        folder=at.name,
        stages=_timings(at),
        verdict=verdict,
        accepted=is_approved(at) if verdict and not waiting else None,
        awaits_approval=waiting,
        champion=f"{before.name}/candidate" if before else "untouched",
        funnels={
            name: Funnel.load(at / name)
            for name in ("pool", "filtered_labels", "texts")
            if (at / name / "funnel.json").is_file()
        },
        mixture={origin: _together(tallies.values()) for origin, tallies in languages.items()},
        languages=languages,
        mixture_sources=_ingredients(at / "mixture"),
        voices=tuple(_voice(each) for each in sorted(at.glob("voices/*")) if each.is_dir()),
        approval=approval_of(at),
        speakers=_speakers(at / "speakers"),
        rescored_labels=memoize_on_folders(_repaired, at / "rescored"),
        decoder_trial=DecoderTrial.load(at / "labeler") if (at / "labeler").is_dir() else None,
    )


def _scoreboard(untouched: Path, champion: Path, report: Path, mixture: Path) -> Scoreboard:
    folders = {"untouched": untouched, "champion": champion, "candidate": report}
    reports = {who: Report.load(each) for who, each in folders.items() if each.is_dir()}
    return build_scoreboard(reports, mixture, seed=round_number(report.parent))


def _timings(at: Path) -> dict[str, Seconds]:
    found = sorted(at.glob("**/timing.json"), key=_place)
    return {
        path.parent.relative_to(at).as_posix(): read_json(path)["seconds"]
        for path in found
        if path.parent.relative_to(at).parts[0] != "inputs"
    }


def _place(path: Path) -> tuple[int, float]:
    """Stages in the order of the loop, voices in the order in which they were made."""
    known = [number for number, stage in enumerate(STAGES) if stage in path.parts]
    return (known[0] if known else len(STAGES), path.stat().st_mtime)


def _by_language(folder: Path) -> dict[str, dict[str, Tally]]:
    if not (folder / "manifest.jsonl").is_file():
        return {}
    tallies: dict[str, dict[str, Tally]] = {}
    for utterance in Manifest(folder):
        of = tallies.setdefault(utterance.origin, {})
        lang = utterance.lang or "unknown"
        of[lang] = of.get(lang, Tally()).plus(utterance.duration)
    return {origin: dict(sorted(each.items())) for origin, each in sorted(tallies.items())}


def _ingredients(folder: Path) -> tuple[MixtureSource, ...]:
    return (
        MixtureContents.load(folder).sources if (folder / "mixture_contents.json").is_file() else ()
    )


def _speakers(folder: Path) -> Speakers | None:
    return Speakers.load(folder) if (folder / "speakers.json").is_file() else None


def _repaired(folder: Path) -> int | None:
    if not (folder / "manifest.jsonl").is_file():
        return None
    return sum(1 for each in Manifest(folder) if each.text_before_rescoring)


def _together(tallies: Iterable[Tally]) -> Tally:
    found = list(tallies)
    duration = round(sum(each.duration for each in found), 3)
    return Tally(sum(each.utterances for each in found), duration)


def _voice(home: Path) -> VoiceSummary:
    stages = (home / name for name in ("trial", "spoken", "verified", "synthetic"))
    return memoize_on_folders(_voice_read, home, *stages)


def _voice_read(home: Path, *_: Path) -> VoiceSummary:
    trial = VoiceTrial.load(home / "trial") if (home / "trial").is_dir() else None
    passed = bool(trial and trial.passed)
    if not (home / "synthetic").is_dir():
        return VoiceSummary(home.name, trial, passed)
    spoken, failed = Tally(), 0
    for utterance in Manifest(home / "spoken"):
        failed += bool(utterance.error)
        spoken = spoken if utterance.error else spoken.plus(utterance.duration)
    funnel = Funnel.load(home / "synthetic")
    heard = [count_utterance_errors(each) for each in Manifest(home / "verified") if not each.error]
    shares = _kept_shares(home.parents[1], home / "synthetic")
    return VoiceSummary(
        home.name,
        trial,
        passed,
        synthesized=spoken,
        failed=failed,
        kept=funnel.kept,
        rejected=funnel.rejected,
        character_errors=sum_counts(heard),
        kept_with_unseen_words=shares[True],
        kept_without_unseen_words=shares[False],
    )


def _kept_shares(at: Path, synthetic: Path) -> dict[bool, Share | None]:
    """Kept shares of sentences with and without a word that was never heard in the pool."""
    normalize = Basic().normalize
    heard = {
        word
        for each in Manifest(at / "pseudo_labels")
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
