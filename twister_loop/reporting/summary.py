"""Summaries of runs and rounds, for `twister status --json`, the tables and the page.

They are read from the run's folders alone: no plan is parsed and no engine is loaded.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..core.artifacts import TIMING, read_json
from ..core.forgotten import removal_dates
from ..core.manifest import Manifest
from ..core.scratch import is_hidden
from ..core.tallies import Funnel, MixtureContents, MixtureSource, Tally
from ..core.types import Report, Seconds, Verdict
from ..data.mixture import SPEECHLESS as SPEECHLESS_ORIGIN
from ..evaluation.scoreboard import Scoreboard, build_scoreboard
from ..evaluation.term_scores import TermScores, score_terms
from ..evaluation.trials import DecoderTrial
from ..pipeline.leak_check import HeldOutProtection, SetProtection
from ..pipeline.rollbacks import Rollback
from ..pipeline.run_check import NOTE
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
from ..pipeline.set_changes import SetChange, SetChanges
from ..pipeline.stage_table import (
    CANDIDATE,
    CHAMPION,
    FILTERED_LABELS,
    FILTERED_REPLAY,
    INPUTS,
    LABELER,
    MIXTURE,
    PACKED,
    POOL,
    REPORT,
    RESCORED,
    SPEAKERS,
    SPEECHLESS,
    TEXTS,
    UNTOUCHED,
)
from ..pipeline.stages.annotation import SpeakerCounts
from .record_cache import cached_record, memoize_on_folders
from .round_folders import MANIFEST, execution_order, load_if_written, voice_folders
from .voice_summary import VoiceSummary, summarize_voice

log = logging.getLogger(__name__)

SCHEMA_VERSION = 10
"""Version of `RoundSummary` in the cache; see `record_cache.cached_record`."""
UNKNOWN_LANGUAGE = "unknown"
"""Key of `RoundSummary.languages` for utterances without a language."""


@dataclass(frozen=True)
class RoundSummary(Scoreboard):
    """Summary of one round, finished or in progress."""

    number: int
    folder: str
    """Relative to the run."""
    stages: dict[str, Seconds]
    """Folder of a finished stage -> seconds of its last start, in the order of execution."""
    verdict: Verdict | None
    accepted: bool | None
    """Whether the candidate became the champion; None while that is open."""
    awaits_approval: bool
    """Whether the gates accepted the candidate and a person must still approve it."""
    champion: str
    """Where this round's champion came from: `round-NN/candidate` or `untouched`."""
    funnels: dict[str, Funnel]
    """Kept and rejected amounts of `pool`, `filtered_labels` and `texts`, of `filtered_replay` if
    the plan replays speech, and of `packed` if some of the mixture could not be read."""
    mixture: dict[str, Tally]
    """Origin, or `speechless` -> amount in the mixture."""
    languages: dict[str, dict[str, Tally]]
    """Origin -> language -> amount in the mixture; `unknown` for lines without a language."""
    mixture_sources: tuple[MixtureSource, ...]
    """The mixture by origin, language and corpus: available and taken amounts."""
    voices: tuple[VoiceSummary, ...]
    term_scores: tuple[TermScores, ...] = ()
    """Recall of key terms by set and decoding; empty if the plan names none."""
    teacher: str = ""
    """Engine and model that labeled the pool; empty for the champion."""
    decoder_trial: DecoderTrial | None = None
    """The trial that chose the decoder for pseudo-labels; None if the plan has no labeler."""
    speakers: SpeakerCounts | None = None
    """Speakers of the pool; None unless the plan clusters speakers."""
    rescored_labels: int | None = None
    """Pseudo-labels whose text rescoring changed; None unless the plan rescores."""
    approval: Approval | None = None
    """A person's decision on the candidate; None if there is none."""
    set_changes: tuple[SetChange, ...] = ()
    """Differences of the held-out sets from those of earlier rounds."""
    protection: dict[str, SetProtection] = field(default_factory=dict)
    """References and recordings by held-out set, and those that are too short to be looked for in
    the training data; empty for rounds in which they were not counted."""
    rollback: Rollback | None = None
    """The rollback that took the round back, so that nothing goes on from it; None if it stands."""
    removals: tuple[str, ...] = ()
    """Dates on which speech was removed on request. Scores and amounts that were counted before
    still count it; intervals and transcripts are of what is left."""


@dataclass(frozen=True)
class Summary:
    """Summary of a whole run; `twister status --json` prints it as JSON."""

    run: str
    champion: str
    """The model in use: `round-NN/candidate` or `untouched`."""
    rounds: tuple[RoundSummary, ...]


def summarize(run: Path | str) -> Summary:
    """Summarize all rounds of a run, finished or in progress.

    Raises:
        ConfigError: `run` is not the folder of a run.
    """
    run_folder = RunFolder.read(run)
    return Summary(
        run=str(run),
        champion=candidate_name(run_folder.champion_folder),
        rounds=tuple(round_summary(folder) for folder in run_folder.round_folders),
    )


def candidate_name(round_folder: Path | None) -> str:
    """Return the name of a round's candidate relative to the run; `untouched` for None.

    >>> candidate_name(Path("run/round-02"))
    'round-02/candidate'
    """
    return f"{round_folder.name}/{CANDIDATE.folder}" if round_folder else UNTOUCHED.folder


def round_summary(round_folder: Path) -> RoundSummary:
    """Summarize one round; a finished round is read from the cache."""
    return cached_record(_summarize_round, RoundSummary, "summary", SCHEMA_VERSION, round_folder)


def _summarize_round(round_folder: Path) -> RoundSummary:
    # Approval can only be awaited after the gates have accepted, so it is not looked for earlier.
    verdict = verdict_of(round_folder) if is_finished(round_folder) else None
    awaiting = verdict is not None and awaits_approval(round_folder)
    for stage in (UNTOUCHED, CHAMPION, REPORT) if verdict else ():
        if not stage.path(round_folder).is_dir():
            log.warning(
                "%s: %s is missing although the round is finished, so its error rates are left "
                "out; restore the folder", round_folder, stage.folder,
            )  # fmt: skip
    mixture = MIXTURE.path(round_folder)
    # These two take seconds in a large run; a page of a round in progress asks again and again.
    reports = [stage.path(round_folder) for stage in (UNTOUCHED, CHAMPION, REPORT)]
    scoreboard = memoize_on_folders(_load_scoreboard, *reports, mixture)
    languages = memoize_on_folders(_count_languages, mixture)
    changes = load_if_written(SetChanges, round_folder / INPUTS)
    protection = load_if_written(HeldOutProtection, round_folder / INPUTS)
    return RoundSummary(
        **vars(scoreboard),
        number=round_number(round_folder),
        folder=round_folder.name,
        stages=_stage_seconds(round_folder),
        verdict=verdict,
        accepted=is_approved(round_folder) if verdict and not awaiting else None,
        awaits_approval=awaiting,
        champion=candidate_name(RunFolder(round_folder.parent).champion_before(round_folder)),
        funnels=_load_funnels(round_folder),
        mixture={origin: _sum_tallies(tallies.values()) for origin, tallies in languages.items()},
        languages=languages,
        mixture_sources=_load_mixture_sources(mixture),
        voices=tuple(summarize_voice(folder) for folder in voice_folders(round_folder)),
        term_scores=memoize_on_folders(_score_terms, *reports),
        approval=approval_of(round_folder),
        set_changes=changes.changes if changes else (),
        protection=protection.sets if protection else {},
        # Only a finished round can be taken back: a rollback sets one in progress aside.
        rollback=RunFolder(round_folder.parent).rollback_of(round_folder) if verdict else None,
        removals=removal_dates(round_folder.parent, round_number(round_folder)),
        speakers=load_if_written(SpeakerCounts, SPEAKERS.path(round_folder)),
        rescored_labels=memoize_on_folders(_count_rescored, RESCORED.path(round_folder)),
        teacher=_name_teacher(round_folder),
        decoder_trial=load_if_written(DecoderTrial, LABELER.path(round_folder)),
    )


def _load_scoreboard(untouched: Path, champion: Path, report: Path, mixture: Path) -> Scoreboard:
    # The bootstrap is seeded by the round, so that a summary that is computed again (the cache may
    # be deleted) has the same intervals.
    reports = _load_reports(untouched, champion, report)
    return build_scoreboard(reports, mixture, seed=round_number(report.parent))


def _score_terms(untouched: Path, champion: Path, report: Path) -> tuple[TermScores, ...]:
    reports = _load_reports(untouched, champion, report)
    return score_terms(reports, seed=round_number(report.parent))


def _load_reports(untouched: Path, champion: Path, report: Path) -> dict[str, Report]:
    folders = {"untouched": untouched, "champion": champion, "candidate": report}
    return {model: Report.load(path) for model, path in folders.items() if path.is_dir()}


def _name_teacher(round_folder: Path) -> str:
    """Return the engine and model of a round's teacher; "" if the champion labeled."""
    note = round_folder / NOTE
    # Rounds of earlier versions have no such key.
    teacher = read_json(note)["plan"].get("teacher") if note.is_file() else None
    return " ".join(filter(None, (teacher["use"], teacher.get("model")))) if teacher else ""


def _load_funnels(round_folder: Path) -> dict[str, Funnel]:
    funnels = {
        stage.folder: load_if_written(Funnel, stage.path(round_folder))
        for stage in (POOL, FILTERED_LABELS, TEXTS, FILTERED_REPLAY, SPEECHLESS, PACKED)
    }
    listed, scanned = load_if_written(Funnel, round_folder / INPUTS / "pool"), funnels[POOL.folder]
    if listed and scanned:
        # What was rejected when the pool was listed, such as files of unknown formats.
        rejected = {
            reason: listed.rejected.get(reason, Tally()) + scanned.rejected.get(reason, Tally())
            for reason in sorted({*listed.rejected, *scanned.rejected})
        }
        funnels[POOL.folder] = Funnel(scanned.kept, rejected)
    # A round in progress has only some of them.
    return {folder: funnel for folder, funnel in funnels.items() if funnel}


def _stage_seconds(round_folder: Path) -> dict[str, Seconds]:
    """Return the seconds of every finished stage, in the order of execution."""
    # A hidden folder is unfinished or half a copy: its files may be empty.
    timings = (
        path for path in round_folder.glob(f"**/{TIMING}") if not is_hidden(path, round_folder)
    )
    folders = (path.parent for path in timings)
    # Lists in `inputs/` are no stages of the loop, although they are written like stages.
    stages = [path for path in folders if path.relative_to(round_folder).parts[0] != INPUTS]
    # Time alone would not do: a stage that was set aside and repeated would move to the end.
    stages.sort(
        key=lambda path: (execution_order(path, round_folder), (path / TIMING).stat().st_mtime)
    )
    return {
        path.relative_to(round_folder).as_posix(): read_json(path / TIMING)["seconds"]
        for path in stages
    }


def _count_languages(mixture: Path) -> dict[str, dict[str, Tally]]:
    """Return origin -> language -> amount of a manifest; {} if it does not exist yet."""
    if not (mixture / MANIFEST).is_file():
        return {}
    tallies: dict[str, dict[str, Tally]] = {}
    for utterance in Manifest(mixture):
        origin = SPEECHLESS_ORIGIN if utterance.speechless else utterance.origin
        by_language = tallies.setdefault(origin, {})
        language = utterance.lang or UNKNOWN_LANGUAGE
        by_language[language] = by_language.get(language, Tally()).add(utterance.duration)
    # Sorted, because a mixture is shuffled: the order of the rows should not change by round.
    return {origin: dict(sorted(tallies[origin].items())) for origin in sorted(tallies)}


def _load_mixture_sources(mixture: Path) -> tuple[MixtureSource, ...]:
    contents = load_if_written(MixtureContents, mixture)
    return contents.sources if contents else ()


def _count_rescored(folder: Path) -> int | None:
    if not (folder / MANIFEST).is_file():
        return None
    return sum(1 for label in Manifest(folder) if label.text_before_rescoring)


def _sum_tallies(tallies: Iterable[Tally]) -> Tally:
    tallies = list(tallies)
    # Rounded to milliseconds like each tally, or sums of floats would end in 0.30000000000000004.
    return Tally(
        utterances=sum(tally.utterances for tally in tallies),
        duration=round(sum(tally.duration for tally in tallies), 3),
    )
