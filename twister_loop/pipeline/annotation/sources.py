"""Recordings that held-out sets took from the pool, and the champions that learned from them."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from ...core.annotated import AnnotatedSpeech
from ...core.errors import LeakError
from ...core.forgotten import DIGEST_LENGTH, Span
from ...core.manifest import Manifest
from ...core.types import SetKind
from ...data.corpora._base import Corpus
from ...evaluation.outcomes import HeldOutSet
from ..plan import Plan
from ..run_folder import RunFolder, is_approved, is_finished, round_number
from ..stage_table import FILTERED_LABELS, INPUTS, MIXTURE
from .decisions import RECORD, group_by_clip, read_decisions

SUBFOLDER = "annotated"
"""Folder of annotated clips within a set that somebody else made."""


@dataclass(frozen=True)
class AnnotatedSet:
    """Set of a plan that clips are added to."""

    place: str
    """Key of the plan: `development.calls`, or `human`."""
    kind: SetKind | None
    """None for training data."""
    folder: Path
    """Folder that receives the clips."""


def list_sets(plan: Plan) -> Iterator[AnnotatedSet]:
    """Yield the sets of a plan that are folders of audio, whether anything was annotated or not."""
    corpora: list[tuple[str, SetKind | None, Corpus]] = [
        (f"{kind}.{name}", kind, corpus) for name, (kind, corpus) in plan.sets.items()
    ]
    corpora += [("human", None, corpus) for corpus in plan.human]
    for place, kind, corpus in corpora:
        folder = getattr(corpus, "folder", None)
        if corpus.name == "audiofolder" and isinstance(folder, Path):
            yield AnnotatedSet(place, kind, choose_folder(folder))


def choose_folder(folder: Path) -> Path:
    """Return the folder for annotated clips: a folder of its own beside the files of others."""
    has_others = folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())
    return folder / SUBFOLDER if has_others and not (folder / RECORD).is_file() else folder


def collect_annotated(plan: Plan, without: AnnotatedSet | None = None) -> AnnotatedSpeech:
    """Return what the annotated sets of a plan took from the pool.

    Args:
        plan: The plan.
        without: A set to leave out, such as the one that more clips are drawn for.

    Raises:
        ConfigError: The record of a set cannot be read.
    """
    held_out, human = dict[str, str](), defaultdict[str, list[Span]](list)
    for annotated_set in list_sets(plan):
        if annotated_set == without:
            continue
        histories = group_by_clip(read_decisions(annotated_set.folder / RECORD))
        for history in histories.values():
            if not (reference := history.reference):
                continue
            if annotated_set.kind:
                held_out.setdefault(reference.recording, annotated_set.place)
            else:
                human[reference.recording].append(reference.span)
    return AnnotatedSpeech(
        held_out=dict(sorted(held_out.items())),
        human={digest: tuple(sorted(human[digest], key=str)) for digest in sorted(human)},
    )


def find_rounds_that_learned(
    run_folder: RunFolder, recordings: Collection[str]
) -> dict[int, set[str]]:
    """Return which of some recordings each round has trained on, by the number of the round.

    A voice or a candidate may have learned from every label that the filters kept. Rounds that a
    rollback took back are left out, since nothing goes on from them.

    Args:
        run_folder: The run.
        recordings: Digests of recordings.
    """
    learned = dict[int, set[str]]()
    in_progress = [folder for folder in run_folder.round_folders if not is_finished(folder)]
    for folder in [*run_folder.standing_rounds, *in_progress] if recordings else ():
        # The mixture too, since clips without speech come from what the filters rejected.
        manifests = (Manifest(stage.path(folder)) for stage in (FILTERED_LABELS, MIXTURE))
        digests = {
            utterance.id[:DIGEST_LENGTH]
            for manifest in manifests
            if manifest.path.is_file()
            for utterance in manifest
            if utterance.origin != "synthetic"
        }
        if used := digests & set(recordings):
            learned[round_number(folder)] = used
    return learned


def find_moved_recordings(
    sets: Mapping[str, HeldOutSet], run_folder: RunFolder
) -> Mapping[str, str]:
    """Return the recordings of held-out sets that the last round did not have there.

    They may have been moved from the pool to a set by hand.

    Args:
        sets: Held-out sets by name.
        run_folder: The run.

    Returns:
        Place of the set, such as `development.calls`, by the digest of a recording.
    """
    # Only these, since the training data of all rounds are searched for them.
    last_round = run_folder.standing_rounds[-1:]
    measured = {
        utterance.id
        for folder in last_round
        for kind in get_args(SetKind)
        for path in (folder / INPUTS / kind).glob("*/manifest.jsonl")
        for utterance in Manifest(path.parent)
    }
    return {
        utterance.id[:DIGEST_LENGTH]: f"{held_out.kind}.{name}"
        for name, held_out in sets.items()
        if last_round
        for utterance in held_out.speech
        if utterance.id not in measured
    }


def check_champion_is_honest(
    plan: Plan, run_folder: RunFolder, held_out: Mapping[str, str]
) -> None:
    """Check that the champion has not learned from recordings that are held out now.

    It would look better on them than on speech that is new to it, and a candidate without them
    would lose against it.

    Args:
        plan: The plan.
        run_folder: The run.
        held_out: Place of the held-out set by the digest of a recording.

    Raises:
        LeakError: It has; names the set, the rounds, and where to go back to.
    """
    learned = find_rounds_that_learned(run_folder, held_out)
    standing = run_folder.standing_rounds
    accepted = [folder for folder in standing if is_approved(folder)]
    # A refused candidate is gone, but a voice of its round goes on to learn in the next one.
    continues = any(voice.synthesizer.continues_from_last_round for voice in plan.voices)
    numbers = [round_number(folder) for folder in (standing if continues else accepted)]
    affected = [number for number in numbers if number in learned]
    if not affected:
        return
    recordings = set[str]().union(*(learned[number] for number in affected))
    places = sorted({held_out[digest] for digest in recordings})
    clean = max((n for n in map(round_number, accepted) if n < affected[0]), default=0)
    run = shlex.quote(str(run_folder.path))
    remedy = f"begin a new run: `twister run {shlex.quote(str(plan.path))} NEW_RUN`"
    if any(round_number(folder) > clean for folder in accepted):
        remedy += f"; or go back to a champion without them: `twister rollback {run} {clean}`"
    raise LeakError(
        f"{', '.join(places)}: {describe_rounds(affected)} of {run_folder.path} trained on "
        f"{len(recordings)} of its recordings before they were held out, so the set cannot judge "
        f"what came of {'it' if len(affected) == 1 else 'them'}; {remedy}"
    )


def describe_rounds(numbers: Collection[int]) -> str:
    """Return the numbers of rounds in words.

    >>> describe_rounds([1]), describe_rounds([1, 2, 5])
    ('round 1', 'rounds 1, 2, 5')
    """
    return f"round{'s' if len(numbers) > 1 else ''} {', '.join(map(str, sorted(numbers)))}"
