"""Tables for the terminal: the only module of this room that imports rich."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...core.terminal import printable
from ...core.types import ErrorCount, Objection, Report
from ...evaluation.scoreboard import RateChange, Scoreboard, build_scoreboard
from ...evaluation.term_scores import TermScores, score_terms
from ...evaluation.timestamps import TOLERANCE
from ...pipeline.leak_check import describe_unprotected
from ...pipeline.look_count import describe_looks
from ...pipeline.run_folder import (
    RunFolder,
    approval_of,
    awaits_approval,
    is_finished,
    verdict_of,
)
from ..decodings import (
    DECODINGS_EXPLAINED,
    DecodedScores,
    describe_set,
    format_timestamps,
    list_decodings,
)
from ..summary import RoundSummary, Summary, summarize
from ..term_tables import TERM_COLUMNS, TERMS_EXPLAINED, format_terms, term_rows
from .data_rows import data_rows

MODELS = ("untouched", "champion", "candidate")
ROLLED_BACK = "rolled back"
"""Outcome of a round that was accepted, and whose candidate a rollback took back."""
"""Order of the models in a table of scores."""
RATE_WIDTH = len("99.99")
"""Characters of a rate below 100 %, so that the digits of a column stand below each other."""
INTERVAL_WIDTH = len("(99.9-99.9)")


def score_rows(run: Path) -> list[dict[str, Any]]:
    """Return every score of every round of a run as a plain row.

    Raises:
        ConfigError: `run` is not the folder of a run.
    """
    return [
        {"round": summary.number, **row, "verdict": round_outcome(summary)}
        for summary in summarize(run).rounds
        for row in _plain_rows(summary, summary.term_scores)
    ]


def report_rows(report: Report) -> list[dict[str, Any]]:
    """Return the scores of one checkpoint as plain rows, one for each set."""
    return list(_plain_rows(_scoreboard_of(report), _terms_of(report)))


def _scoreboard_of(report: Report) -> Scoreboard:
    # A scoreboard of one model has no changes, but it has the intervals of the error rates.
    return build_scoreboard({"champion": report}, mixture=None, seed=0)


def _terms_of(report: Report) -> tuple[TermScores, ...]:
    return score_terms({"champion": report}, seed=0)


def _plain_rows(
    scoreboard: Scoreboard, term_scores: Sequence[TermScores]
) -> Iterator[dict[str, Any]]:
    """Yield the scores of every set and model as texts, in both decodings if there are two."""
    decodings = list_decodings(scoreboard)
    counted_terms = {(scores.set_name, scores.decoding): scores for scores in term_scores}
    for set_name, scores in scoreboard.scores.items():
        for model, score in scores.items():
            row = {
                "set": set_name,
                "kind": score.kind,
                "model": model,
                "utterances": score.utterances,
                "S/D/I": format_error_counts(score.count()),
            }
            for decoded in decodings:
                row[f"{decoded.name}, %"] = decoded.format_rate(set_name, model)
            if len(decodings) > 1:
                standard = decodings[1].scores.get(set_name, {}).get(model)
                row["utterances in 30 s windows"] = standard.utterances if standard else 0
                row["right timestamps"] = format_timestamps(standard)
            if term_scores:
                for decoded in decodings:
                    term_score = counted_terms.get((set_name, decoded.decoding))
                    recall, others = format_terms(term_score, model)
                    row[f"terms recalled, {decoded.name}"] = recall
                    row[f"errors on other words, {decoded.name}, %"] = others
            yield row


def print_report(report: Report) -> None:
    """Print the scores of one checkpoint as a table."""
    console = _console()
    console.print(_scores_table(_scoreboard_of(report), title=str(report.folder)))
    _print_terms(console, _terms_of(report))


def print_summary(summary: Summary) -> None:
    """Print scores, data, trials, gates and verdict of every round of a run."""
    console = _console()
    for round_summary in summary.rounds:
        _print_round(console, round_summary, summary.run)
    console.print(f"champion: {summary.champion}")


def _print_round(console: Console, summary: RoundSummary, run: str) -> None:
    console.print()
    console.print(_scores_table(summary, title=f"Round {summary.number}"))
    _print_terms(console, summary.term_scores)
    console.print(_data_table(summary))
    if summary.teacher:
        console.print(f"pseudo-labels by the teacher {summary.teacher}")
    if summary.decoder_trial:
        console.print(str(summary.decoder_trial), style="dim")
    for voice in summary.voices:
        if voice.trial:
            console.print(str(voice.trial), style="dim")
    for objection in summary.verdict.objections if summary.verdict else ():
        console.print(_format_objection(objection))
    for loss in (summary.verdict.lost_terms if summary.verdict else None) or ():
        console.print(loss)
    console.print(Text.assemble(f"round {summary.number}: ", (round_outcome(summary), "bold")))
    if summary.verdict and summary.verdict.looks:
        console.print(
            f"{describe_looks(summary.verdict.looks)}: candidates that this run has judged on "
            "these recordings, this one included"
        )
    for change in summary.set_changes:
        console.print(f"{change}; all models of this round are measured on the set as it is now")
    for name, counts in summary.protection.items():
        if message := describe_unprotected(name, counts):
            console.print(message, style="dim")
    if summary.removals:
        console.print(
            f"speech was removed from this round on request ({', '.join(summary.removals)}): its "
            "scores still count that speech, intervals and transcripts are of what is left"
        )
    if summary.approval:
        console.print(str(summary.approval))
    if summary.rollback:
        console.print(str(summary.rollback))
    if summary.awaits_approval:
        for command in (f"approve {run}", f"refuse {run} --note WHY"):
            # A command that is wrapped could not be copied.
            console.print(f"next: twister {command}", soft_wrap=True)


def _format_objection(objection: Objection) -> Text:
    outcome, color = ("undecided", "yellow") if objection.undecided else ("refused", "red")
    return Text.assemble((outcome, color), f"  {printable(str(objection))}")


def round_outcome(summary: RoundSummary) -> str:
    """Return the outcome of a round: a verdict of the gates, or where the round stands."""
    if summary.awaits_approval:
        return "waiting for approval"
    if summary.approval and not summary.approval.approved:
        return "refused"
    # A round that was refused stays refused: nothing went on from its candidate anyway.
    if summary.rollback and summary.accepted:
        return ROLLED_BACK
    return summary.verdict.outcome if summary.verdict else "in progress"


def folder_outcome(round_folder: Path) -> str:
    """Return the same as `round_outcome`, from the folder alone, without a summary."""
    if not is_finished(round_folder):
        return "in progress"
    if awaits_approval(round_folder):
        return "waiting for approval"
    approval = approval_of(round_folder)
    if approval and not approval.approved:
        return "refused"
    outcome = verdict_of(round_folder).outcome
    if outcome == "accepted" and RunFolder(round_folder.parent).rollback_of(round_folder):
        return ROLLED_BACK
    return outcome


def format_error_counts(count: ErrorCount) -> str:
    """Return substitutions, deletions and insertions.

    >>> format_error_counts(ErrorCount(substitutions=3, deletions=1, insertions=0, hits=9))
    '3/1/0'
    """
    return f"{count.substitutions}/{count.deletions}/{count.insertions}"


def format_change(change: RateChange) -> str:
    """Return the change of an error rate: in points with its interval, and relative."""
    return f"{change.in_points()}, {change.relative:+.0%}"


def _scores_table(scoreboard: Scoreboard, title: str) -> Table:
    """Return a table with the error rates of every set by its own measure."""
    decodings = list_decodings(scoreboard)
    has_standard = len(decodings) > 1
    table = _titled_table(title)
    table.add_column("set")
    table.add_column("model", no_wrap=True)
    for decoded in decodings:
        # A terminal of 80 columns has room for an interval below its rate; wider ones are folded.
        table.add_column(f"{decoded.name}, %", min_width=INTERVAL_WIDTH, overflow="fold")
    table.add_column("S/D/I", no_wrap=True)
    if has_standard:
        table.add_column("right\ntimes", justify="right", no_wrap=True)
        table.caption = (
            f"{DECODINGS_EXPLAINED} S/D/I: in {decodings[0].name}. Right times: utterances whose "
            f"timestamps lie within {TOLERANCE} s of the speech."
        )
        table.caption_justify = "left"
    for set_name, scores in scoreboard.scores.items():
        # The first column describes the set in as many lines as there are models, or more.
        lines = describe_set(decodings, set_name)
        rows = _set_rows(decodings, set_name, [model for model in MODELS if model in scores])
        for line, row in zip_longest(lines, rows):
            table.add_row(line or "", *(row or ()))
        table.add_section()
    return table


def _set_rows(
    decodings: list[DecodedScores], set_name: str, models: list[str]
) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each model, and of the candidate's change from the untouched model."""
    for model in models:
        rates = [decoded.format_rate(set_name, model, RATE_WIDTH) for decoded in decodings]
        counts = format_error_counts(decodings[0].scores[set_name][model].count())
        standard = [decoded.scores.get(set_name, {}).get(model) for decoded in decodings[1:]]
        yield (model, *rates, counts, *map(format_timestamps, standard))
    changes = [decoded.own_change(set_name) for decoded in decodings]
    if any(changes):
        yield ("change", *(change.in_points() if change else "" for change in changes))


def _print_terms(console: Console, term_scores: Sequence[TermScores]) -> None:
    """Print the recall of key terms, if the plan names any."""
    if not term_scores:
        return
    table = _titled_table("Key terms")
    # The name of a set and of a decoding share a column, for a terminal of 80 columns.
    table.add_column("set")
    for name in TERM_COLUMNS[2:]:
        table.add_column(name, overflow="fold")
    previous = ""
    for set_name, decoding, *cells in term_rows(term_scores):
        head = f"{set_name}, {decoding}"
        if previous and head != previous:
            table.add_section()
        table.add_row("" if head == previous else head, *cells)
        previous = head
    table.caption = TERMS_EXPLAINED
    table.caption_justify = "left"
    console.print(table)


def _data_table(summary: RoundSummary) -> Table:
    table = _plain_table("stage", "kept", "rejected")
    for row in data_rows(summary):
        table.add_row(*row)
    return table


class _PlainConsole(Console):
    """Console that shows texts as they are: names may hold brackets or escape sequences."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)


def _console() -> Console:
    return _PlainConsole(highlight=False, markup=False, emoji=False)


def _titled_table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold")


def _plain_table(*columns: str) -> Table:
    table = Table(show_edge=False, header_style="dim")
    for place, column in enumerate(columns):
        table.add_column(column, no_wrap=place == 0 and column == "arm")
    return table
