"""A comparison of the candidates of two rounds, on the sets that both were evaluated on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ..core.errors import ConfigError
from ..core.manifest import Manifest
from ..core.types import Report, Score
from ..evaluation.outcomes import FULL_WINDOW_SUFFIX
from ..evaluation.scoreboard import Scoreboard, build_scoreboard
from ..pipeline.run_folder import round_number
from ..pipeline.stage_table import REPORT
from .details import FieldDiff, diff_rounds


@dataclass(frozen=True)
class RoundDiff:
    """The candidate of a second round compared with the candidate of a first round."""

    scoreboard: Scoreboard
    """The first candidate stands under `untouched` and `champion`, the second under `candidate`."""
    skipped_sets: dict[str, str]
    """Name of a set that cannot be compared -> reason."""
    changes: tuple[FieldDiff, ...]
    """Differences in plan, data and machine, from the first round to the second."""


def compare_rounds(first: Path, second: Path) -> RoundDiff:
    """Compare the reports of two rounds, of one run or of two.

    Args:
        first: Folder of the round to compare with.
        second: Folder of the round to be compared.

    Raises:
        ConfigError: One of the candidates is not evaluated yet.
    """
    first_report, second_report = _load_report(first), _load_report(second)
    skipped_sets = dict(_skipped_sets(first_report, second_report))
    windowed = _equally_drawn_sets(first_report, second_report)
    before = _comparable_part(first_report, skipped_sets, windowed)
    # A scoreboard compares with the untouched model and with the champion; here both are the
    # first candidate, so that changes and steps are the same comparison.
    reports = {
        "untouched": before,
        "champion": before,
        "candidate": _comparable_part(second_report, skipped_sets, windowed),
    }
    return RoundDiff(
        scoreboard=build_scoreboard(reports, mixture=None, seed=round_number(second)),
        skipped_sets=skipped_sets,
        changes=tuple(diff_rounds(first, second)),
    )


def _load_report(round_folder: Path) -> Report:
    folder = REPORT.path(round_folder)
    if not folder.is_dir():
        name = f"{round_folder.parent.name}/{round_folder.name}"
        raise ConfigError(f"{name}: its candidate is not evaluated yet; choose a finished round")
    return Report.load(folder)


def _comparable_part(report: Report, skipped: Mapping[str, str], windowed: set[str]) -> Report:
    """Return a report with the scores that can be compared.

    Args:
        report: Report of one of the rounds.
        skipped: Names of sets to leave out.
        windowed: Names of sets to keep the scores in 30 s windows of.
    """
    return replace(
        report,
        scores=tuple(score for score in report.scores if score.name not in skipped),
        full_window=tuple(
            score for score in report.full_window if score.name in windowed - skipped.keys()
        ),
    )


def _equally_drawn_sets(first: Report, second: Report) -> set[str]:
    """Return the sets of which both rounds decoded the same utterances in 30 s windows."""
    references = [
        {score.name: _references(report, score, FULL_WINDOW_SUFFIX) for score in report.full_window}
        for report in (first, second)
    ]
    before, after = references
    return {name for name, listed in before.items() if after.get(name) == listed}


def _skipped_sets(first: Report, second: Report) -> Iterator[tuple[str, str]]:
    """Yield the name of each set that cannot be compared, with the reason."""
    first_scores, second_scores = (
        {score.name: score for score in report.scores} for report in (first, second)
    )
    for name in sorted({*first_scores, *second_scores}):
        before, after = first_scores.get(name), second_scores.get(name)
        if before is None or after is None:
            yield name, "only one of the two rounds was evaluated on it"
        elif before.normalizer_digest != after.normalizer_digest:
            yield name, "errors were counted with another normalizer or another version of it"
        elif _references(first, before) != _references(second, after):
            yield name, "other recordings or references, though it has the same name"


def _references(report: Report, score: Score, suffix: str = "") -> list[tuple[str, str | None]]:
    """Return id and reference of every utterance that a score is about."""
    manifest = Manifest(report.folder / score.kind / f"{score.name}{suffix}")
    return [(utterance.id, utterance.text) for utterance in manifest]
