"""The command `twister check`: what a plan will need, and what stands in its way."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..core.artifacts import RUN_MARKER
from ..core.errors import ConfigError
from ..core.terminal import printable
from ..pipeline.data_amounts import DataAmount
from ..pipeline.forecast import Forecast, make_forecast
from ..pipeline.plan import Plan
from ..pipeline.plan_reader import load
from ..pipeline.round_time import MEASURED_CORES, TIME_FACTOR, RoundTime
from ..pipeline.run_folder import RunFolder
from .json_output import print_json


def load_checked(
    options: argparse.Namespace, run: Path | None, *, waits_for_audio: bool = False
) -> Plan:
    """Return the plan of a command, if nothing that `twister check` finds stands in its way.

    Args:
        options: The command's, with `plan` and, for some commands, `changes`.
        run: Folder of the run.
        waits_for_audio: The command waits for audio, so the pool may still be empty.

    Raises:
        ConfigError: The plan is wrong, or cannot run here: every reason with its key.
    """
    plan = load(options.plan, options.changes, run=run)
    # A round in progress was checked when it began, and has its lists: data may have moved since.
    if run and (run / RUN_MARKER).is_file() and RunFolder(run).in_progress:
        return plan
    with quiet_corpora():
        problems = make_forecast(plan, run, waits_for_audio=waits_for_audio).problems
    refuse_problems(options.plan, problems)
    return plan


def refuse_problems(path: Path, problems: Sequence[str]) -> None:
    """Raise ConfigError with every reason why a plan cannot run here, if there is any."""
    if problems:
        listed = problems[0] if len(problems) == 1 else "\n  " + "\n  ".join(problems)
        raise ConfigError(f"{path}: {listed}")


@contextmanager
def quiet_corpora() -> Iterator[None]:
    """Keep corpora from logging their counts, which the round that follows logs."""
    # The parent of the loggers of all readers.
    log = logging.getLogger("twister_loop.data.corpora")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def check(options: argparse.Namespace) -> int:
    """Check a plan in seconds, without running anything: data, models, disk, time, gates.

    Reads headers and lists, downloads and writes nothing, and needs no server. Exit code 2 if the
    plan cannot run. With RUN, also checks that the run can lie there.
    """
    with quiet_corpora():
        forecast = make_forecast(load(options.plan, options.changes, run=options.run), options.run)
    if options.json:
        print_json(forecast)
    else:
        print(printable("\n".join(describe_forecast(forecast))))
    return 2 if forecast.problems else 0


def describe_forecast(forecast: Forecast) -> Iterator[str]:
    """Yield the lines of a forecast for people."""
    yield "Data (durations by the headers of the files)"
    for amount in forecast.data:
        yield f"  {amount.place:<24} {_describe_amount(amount)}"
    yield "Models"
    for key, status in forecast.weights.items():
        size = f", {status.size / 1e6:,.0f} MB" if status.size else ""
        state = "cannot be had" if status.problem else status.source
        yield f"  {key:<24} {status.model}: {state}{size}"
    yield "Machine"
    free = f"{forecast.disk_free / 1e9:.1f} GB free"
    yield f"  {'disk':<24} {_gigabytes(forecast.disk_needed)} for a round, {free}"
    peak = "training or labeling" if "teacher" in forecast.weights else "training"
    yield f"  {'memory':<24} {_gigabytes(forecast.memory_needed)} at the peak of {peak}"
    yield f"  {'time':<24} {describe_time(forecast.time)}"
    if forecast.gates:
        yield "Gates"
    for name, sentences in forecast.gates.items():
        for sentence in sentences or ("compares counts directly",):
            yield f"  {name:<24} {sentence}"
    if forecast.terms:
        yield "Key terms in references"
        yield from (f"  {sentence}" for sentence in forecast.terms)
    for title, sentences in (("Warnings", forecast.warnings), ("Problems", forecast.problems)):
        if sentences:
            yield title
            yield from (f"  {number}. {text}" for number, text in enumerate(sentences, 1))
    yield "The plan cannot run like this." if forecast.problems else "The plan can run."


def _describe_amount(amount: DataAmount) -> str:
    if amount.problem:
        return amount.problem
    parts = [f"{'' if amount.is_complete else 'more than '}{amount.utterances} utterances"]
    if amount.duration:
        parts.append(_describe_duration(amount.duration))
    if amount.words:
        parts.append(f"{amount.words} words")
    languages = sorted(amount.languages.items(), key=lambda pair: -pair[1])
    if languages:
        parts.append(" ".join(f"{lang}" for lang, _ in languages[:4]))
    if amount.rejected:
        parts.append(f"{amount.rejected} cannot be used")
    return ", ".join(parts)


def _describe_duration(seconds: float) -> str:
    """Return a duration in the unit that people would say it in.

    >>> _describe_duration(90), _describe_duration(7200)
    ('1.5 min', '2.0 h')
    """
    if seconds >= 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.1f} min"


def describe_time(time: RoundTime) -> str:
    """Describe the time of a round, and what is not in it."""
    unknown = "; ".join(time.unknown)
    if not time.seconds:
        return f"not known: {unknown}"
    total = sum(time.seconds.values())
    parts = ", ".join(
        f"{work} {_describe_duration(seconds)}" for work, seconds in time.seconds.items()
    )
    low, high = _describe_duration(total / TIME_FACTOR), _describe_duration(total * TIME_FACTOR)
    return (
        f"about {low} to {high} a round on the processor ({parts}; by rates measured on "
        f"{MEASURED_CORES} cores{f'; not in it: {unknown}' if unknown else ''})"
    )


def _gigabytes(size: int | None) -> str:
    return "not known before the weights are here" if size is None else f"{size / 1e9:.1f} GB"
