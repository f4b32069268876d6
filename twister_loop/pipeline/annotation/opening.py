"""Beginning of a person's work: the set, the draw, the suggestions, and what to know beforehand."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...asr._base import BoundRecognizer
from ...core.errors import ConfigError
from ...core.forgotten import DIGEST_LENGTH
from ...core.schema import suggest_name
from ..approval import current_user
from ..plan import Plan
from ..run_folder import RunFolder, round_number
from .decisions import RECORD, read_decisions
from .drawing import DrawnClips, check_outside_pool, draw_at_random, draw_by_doubt
from .session import Session
from .sources import (
    AnnotatedSet,
    collect_annotated,
    describe_rounds,
    find_rounds_that_learned,
    list_sets,
)
from .suggestions import Suggester

log = logging.getLogger(__name__)

DEFAULT_COUNT = 60
"""Clips of a set. Three times `minimum_utterances`, since the gates can see little with fewer."""


@dataclass(frozen=True, kw_only=True)
class AnnotationOptions:
    """What the command line asks for; None stands for the default."""

    set_name: str | None = None
    """Name of a set of the plan, or `human`."""
    run: Path | None = None
    count: int | None = None
    by: Literal["random", "doubt"] = "random"
    suggest: bool | None = None
    annotator: str | None = None
    second: str | None = None
    """Name of a second person."""


def open_session(plan: Plan, options: AnnotationOptions) -> Session:
    """Find the set, draw the clips, and finish what a kill interrupted.

    Raises:
        ConfigError: The plan has no such set, the options contradict each other, or nothing can be
            drawn.
    """
    target = find_set(plan, options.set_name)
    check_outside_pool(plan, target.folder)
    _check_options(target, options)
    run_folder = RunFolder.read(options.run) if options.run else None
    is_second = options.second is not None
    count = options.count or (None if is_second else DEFAULT_COUNT)
    drawn = DrawnClips(()) if is_second else _draw(plan, target, options, count or 0, run_folder)
    learned = {}
    if run_folder and target.kind:
        recordings = {clip.id[:DIGEST_LENGTH] for clip in drawn.clips}
        recordings |= {line.recording for line in read_decisions(target.folder / RECORD)}
        learned = find_rounds_that_learned(run_folder, recordings)
    session = Session(
        target=target,
        clips=drawn.clips,
        wanted=count,
        by=options.second or options.annotator or current_user(),
        second=is_second,
        normalizer=plan.normalizer,
        lang=plan.language,
        suggester=_choose_suggester(plan, target, options, run_folder),
        learned=learned,
    )
    session.begin()
    for note in describe_start(session, drawn, options.run):
        log.info("%s", note)
    return session


def find_set(plan: Plan, name: str | None) -> AnnotatedSet:
    """Return the set of a plan with a name, or the only development set.

    Raises:
        ConfigError: There is none, several, or one that is no folder of audio.
    """
    sets = {target.place: target for target in reversed(list(list_sets(plan)))}
    names = {place.rpartition(".")[2]: place for place in sets}
    if name is None:
        development = [place for place in sets if place.startswith("development.")]
        if len(development) == 1:
            return sets[development[0]]
        raise ConfigError(
            f"{plan.path}: name the set with --set: {', '.join(sorted(names)) or 'it has none'}"
        )
    if place := names.get(name) or (name if name in sets else None):
        return sets[place]
    if name in plan.sets or (name == "human" and plan.human):
        raise ConfigError(
            f"{plan.path}: {name} is no folder of audio, which is what `annotate` writes; name a "
            "folder in the plan, such as `development: {calls: dev/}`"
        )
    example = "human: transcribed/" if name == "human" else f"development: {{{name}: {name}/}}"
    raise ConfigError(
        f"{plan.path}: there is no set {name!r} in the plan ({suggest_name(name, names)}); add it, "
        f"such as `{example}`. The folder need not exist yet"
    )


def describe_start(session: Session, drawn: DrawnClips, run: Path | None) -> Iterator[str]:
    """Yield what a person should know before the first clip."""
    target, overview = session.target, session.overview()
    yield (
        f"{target.place}: {overview.done} of {overview.wanted} clips are done; they are in "
        f"{target.folder}"
    )
    if target.kind and drawn.pool:
        yield (
            "a recording leaves the pool when a clip of it is accepted: "
            f"{drawn.recordings} recordings, {drawn.duration / 60:.1f} of {drawn.pool / 60:.1f} "
            "min, if all are"
        )
    if session.learned and run:
        recordings = set[str]().union(*session.learned.values())
        yield (
            f"{describe_rounds(session.learned)} of {run} trained on {len(recordings)} recordings "
            "that clips were drawn from. What came of them is not judged on this set: begin a new "
            f"run with it, or go back with `twister rollback {shlex.quote(str(run))}` first"
        )
    if session.suggester and target.kind:
        yield (
            f"suggestions of {session.suggester.name} are shown: a reference tends towards what "
            "was suggested, and then the model that suggested it looks better than it is"
        )


def _check_options(target: AnnotatedSet, options: AnnotationOptions) -> None:
    if options.by == "doubt" and target.kind:
        raise ConfigError(
            f"{target.place}: clips chosen by doubt are harder than others, and an error rate on "
            "them says nothing of the rest; draw at random, or annotate `human` by doubt"
        )
    if options.by == "doubt" and not options.run:
        raise ConfigError("--by doubt goes by the pseudo-labels of a run; name it with --run")
    if options.suggest and target.kind == "test":
        raise ConfigError(
            f"{target.place}: there are no suggestions for a test set, since references would tend "
            "towards what the model suggests"
        )
    if options.suggest and options.second:
        raise ConfigError(
            "a second person gets no suggestions: two people who correct the same text agree more "
            "than two who listen"
        )


def _draw(
    plan: Plan,
    target: AnnotatedSet,
    options: AnnotationOptions,
    count: int,
    run_folder: RunFolder | None,
) -> DrawnClips:
    annotated = collect_annotated(plan, without=target)
    if options.by == "doubt" and run_folder:
        return draw_by_doubt(plan, count=count, annotated=annotated, run_folder=run_folder)
    return draw_at_random(
        plan, place=target.place, count=count, annotated=annotated, run_folder=run_folder
    )


def _choose_suggester(
    plan: Plan, target: AnnotatedSet, options: AnnotationOptions, run_folder: RunFolder | None
) -> Suggester | None:
    """Return what suggests: the champion, or the untouched model; None where it is not wanted."""
    wanted = target.kind is None if options.suggest is None else options.suggest
    if not wanted or options.second:
        return None
    folder = run_folder.champion_folder if run_folder else None
    champion = run_folder.champion if run_folder else None
    model = BoundRecognizer(plan.asr, champion or plan.asr.initial_checkpoint())
    name = f"the champion of round {round_number(folder)}" if folder else "the untouched model"
    return Suggester(model, name)
