"""The tables that end a run on a terminal: the only place that knows rich."""

from __future__ import annotations

from itertools import groupby, zip_longest
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ...core.types import ErrorCount, Report, Score, Tally
from ...evaluation.evidence import Measure
from ...evaluation.scoreboard import RateChange
from ...pipeline.experiments.compare import Comparison, RateDifference, ArmScore
from ...pipeline.run_folder import approval_of, awaits_approval, is_finished, verdict_of
from ...pipeline.stages.annotation import Speakers
from ..summary import RoundSummary, Summary, summarize

WHO = ("untouched", "champion", "candidate")


def score_rows(run: Path) -> list[dict[str, Any]]:
    """Every score of every round, one plain row each."""
    return [
        {
            "round": each.number,
            "set": score.name,
            "kind": score.kind,
            "model": who,
            "WER %": round(100 * score.words.rate, 2),
            "CER %": round(100 * score.characters.rate, 2),
            "S/D/I": format_error_counts(score.words),
            "verdict": round_outcome(each),
        }
        for each in summarize(run).rounds
        for scores in each.scores.values()
        for who, score in scores.items()
    ]


def report_rows(report: Report) -> list[dict[str, Any]]:
    """One checkpoint on every set, one plain row each."""
    return [
        {
            "set": score.name,
            "kind": score.kind,
            "utterances": score.utterances,
            "WER %": round(100 * score.words.rate, 2),
            "CER %": round(100 * score.characters.rate, 2),
            "S/D/I": format_error_counts(score.words),
        }
        for score in report.scores
    ]


def print_report(report: Report) -> None:
    """Print how one checkpoint did."""
    table = Table(title=str(report.folder), title_justify="left", title_style="bold")
    found = report_rows(report)
    for column in found[0]:
        table.add_column(column)
    for row in found:
        table.add_row(*map(str, row.values()))
    Console(highlight=False).print(table)


def print_summary(summary: Summary) -> None:
    """Print the rounds of a run: scores, funnel, voices, verdicts."""
    console = Console(highlight=False)
    for each in summary.rounds:
        console.print()
        console.print(_scores(each))
        console.print(_funnel(each))
        if each.decoder_trial:
            console.print(f"[dim]{each.decoder_trial}[/dim]")
        for voice in each.voices:
            if voice.trial:
                console.print(f"[dim]{voice.trial}[/dim]")
        for objection in each.verdict.objections if each.verdict else ():
            said, color = ("undecided", "yellow") if objection.undecided else ("refused", "red")
            console.print(f"[{color}]{said}[/{color}]  {objection}")
        console.print(f"round {each.number}: [bold]{round_outcome(each)}[/bold]")
        if each.approval:
            console.print(escape(str(each.approval)))
        if each.awaits_approval:
            for command in (f"approve {summary.run}", f"refuse {summary.run} --note WHY"):
                console.print(f"next: twister {escape(command)}", soft_wrap=True)
    console.print(f"champion: {summary.champion}")


def print_comparison(found: Comparison) -> None:
    """Print the arms of a comparison, and the rounds of those that have several."""
    console = Console(highlight=False)
    terms = found.options
    terms_said = f"{terms.updates} updates, {terms.seeds} seed{'s' if terms.seeds > 1 else ''}"
    for name, rows in groupby(found.rows, lambda row: row.set_name):
        title = f"{name}: {terms_said}"
        table = Table(title=title, title_justify="left", title_style="bold")
        table.add_column("arm", no_wrap=True)
        for column in ("WER %", "against untouched", "of gap", "full loop against it", "each seed"):
            table.add_column(column, justify="right", no_wrap=column != "each seed")
        for row in rows:
            table.add_row(*_arm(row))
        console.print(table)
    if found.rounds:
        console.print(_rounds(found))


def _arm(row: ArmScore) -> tuple[str, ...]:
    return (
        row.arm,
        f"{100 * row.words.rate:.2f}",
        _difference(row.change),
        "" if row.gap_closed is None else f"{row.gap_closed:.0%}",
        _difference(row.full_loop_difference),
        " ".join(f"{100 * rate:.2f}" for rate in row.rate_by_seed),
    )


def _difference(found: RateDifference | None) -> str:
    if found is None:
        return ""
    said = f"{100 * found.rate:+.2f} ({100 * found.low:+.2f} to {100 * found.high:+.2f})"
    return said if found.is_significant else f"{said}\nno difference seen"


def _rounds(found: Comparison) -> Table:
    table = Table(show_edge=False, header_style="dim")
    for column in ("arm", "round", "WER %", "of labels", "trial CER", "kept of pool"):
        table.add_column(column, no_wrap=column == "arm")
    for step in found.rounds:
        table.add_row(
            step.arm,
            str(step.number),
            ", ".join(f"{name} {100 * count.rate:.2f}" for name, count in step.words.items()),
            f"{100 * step.label_errors.rate:.2f}" if step.label_errors else "",
            ", ".join(f"{name} {rate:.2f}" for name, rate in step.trial_rates.items()),
            f"{step.kept_share:.0%}",
        )
    return table


def round_outcome(each: RoundSummary) -> str:
    """What became of a round, in a word or three."""
    if each.awaits_approval:
        return "waiting for approval"
    if each.approval and not each.approval.approved:
        return "refused"
    return each.verdict.outcome if each.verdict else "in progress"


def folder_outcome(at: Path) -> str:
    """The same of a round that only its folder is known of."""
    if not is_finished(at):
        return "in progress"
    if awaits_approval(at):
        return "waiting for approval"
    said = approval_of(at)
    return "refused" if said and not said.approved else verdict_of(at).outcome


def format_error_counts(count: ErrorCount) -> str:
    return f"{count.substitutions}/{count.deletions}/{count.insertions}"


def format_tally(tally: Tally) -> str:
    """Utterances, and the time they take."""
    minutes = tally.duration / 60
    time = f"{minutes:.1f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
    return f"{tally.utterances} utterances, {time}"


def data_rows(each: RoundSummary) -> list[tuple[str, str, str]]:
    """Stage, what was kept, what was rejected and why."""
    lines = [
        (name, format_tally(funnel.kept), format_rejections(funnel.rejected))
        for name, funnel in each.funnels.items()
    ]
    if each.speakers:
        lines.append(("speakers", *format_speakers(each.speakers)))
    if each.rescored_labels is not None:
        lines.append(("repaired", f"{each.rescored_labels} labels", ""))
    for voice in each.voices:
        if voice.synthesized is None or voice.kept is None:
            continue
        lines.append(
            (
                f"{voice.name}: spoken",
                format_tally(voice.synthesized),
                f"{voice.failed} could not be spoken",
            )
        )
        lines.append(
            (
                f"{voice.name}: synthetic",
                format_tally(voice.kept),
                format_rejections(voice.rejected or {}),
            )
        )
    whole = sum(part.taken.duration for part in each.mixture_sources)
    for part in each.mixture_sources:
        name = ", ".join(filter(None, (part.origin, part.lang, part.corpus)))
        share = part.taken.duration / whole if whole else 0.0
        left = f"of {format_tally(part.available)}" if part.taken != part.available else ""
        lines.append((f"mixture: {name}", f"{format_tally(part.taken)}, {share:.0%}", left))
    return lines


def format_speakers(found: Speakers, named: int = 3) -> tuple[str, str]:
    """How many there are and who speaks most; how much is nobody's."""
    most = list(found.most.items())[:named]
    names = ", ".join(f"{name} {tally.duration / 60:.1f} min" for name, tally in most)
    unknown = (
        f"{format_tally(found.unknown)} of no known speaker" if found.unknown.utterances else ""
    )
    return f"{found.count}: {names}" + (", ..." if found.count > named else ""), unknown


def format_rejections(rejected: dict[str, Tally]) -> str:
    return ", ".join(f"{name} {tally.utterances}" for name, tally in rejected.items())


def _scores(each: RoundSummary) -> Table:
    table = Table(title=f"Round {each.number}", title_justify="left", title_style="bold")
    for column in ("set", "model", "WER %", "CER %", "S/D/I words", "30 s WER %"):
        table.add_column(column, justify="right" if "%" in column else "left")
    for name, scores in each.scores.items():
        about = [name, *_about(scores, each.changes.get(name))]
        for who, line in zip_longest((who for who in WHO if who in scores), about, fillvalue=""):
            usual = each.full_window.get(name, {}).get(who)
            table.add_row(line, *(_row(who, scores[who], usual) if who else ()))
        table.add_section()
    return table


def _about(scores: dict[str, Score], change: dict[Measure, RateChange] | None) -> tuple[str, ...]:
    score = next(iter(scores.values()))
    size = f"{score.kind}: {score.utterances} utt., {score.words.length} words"
    return (size, f"candidate {format_change(change['words'])}") if change else (size,)


def format_change(change: RateChange) -> str:
    """What a candidate changed, with its interval."""
    return (
        f"{100 * change.rate:+.2f} ({100 * change.low:+.2f} to {100 * change.high:+.2f}), "
        f"{change.relative:+.0%}"
    )


def _row(who: str, score: Score, usual: Score | None) -> tuple[str, ...]:
    return (
        who,
        f"{100 * score.words.rate:.2f}",
        f"{100 * score.characters.rate:.2f}",
        format_error_counts(score.words),
        format_full_window(usual, score) if usual else "",
    )


def format_full_window(usual: Score, score: Score) -> str:
    """The error rate in the usual window, and of how many utterances, where it is not of all."""
    some = f" of {usual.utterances}" if usual.utterances < score.utterances else ""
    return f"{100 * usual.words.rate:.2f}{some}"


def _funnel(each: RoundSummary) -> Table:
    table = Table(show_edge=False, header_style="dim")
    for column in ("stage", "kept", "rejected"):
        table.add_column(column)
    for line in data_rows(each):
        table.add_row(*line)
    return table
