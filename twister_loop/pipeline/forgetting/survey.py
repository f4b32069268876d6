"""Survey of a run before speech is removed from it: what goes, and which models used it.

Everything is found out before anything is deleted, and is stored until the removal is finished:
half-way through, the traces that lead from a recording to what was made of it are gone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...core.artifacts import PROVENANCE
from ...core.forgotten import AffectedModel, ForgettingRequest, digest_name, read_requests
from ..run_folder import ROUND_NAME, RunFolder, is_finished
from ..stage_table import INPUTS, REPORT, position_of
from .manifests import is_inputs_list
from .models import find_models, find_strings, read_inputs, record_digests
from .selection import Selection
from .targets import Targets, find_targets, iter_targets

INPUT_KINDS = frozenset({"development", "test", "retention"})
"""Folders of the lists of held-out sets."""


@dataclass(frozen=True)
class FolderLosses:
    """Amounts that a round, or another folder of the run, loses."""

    folder: str
    """Name of the folder in the run."""
    utterances: int = 0
    """Utterances of the recordings or speakers themselves."""
    packed: int = 0
    """Clips joined from several utterances, of which one has to go."""
    synthetic: int = 0
    """Synthetic clips that hold the person's words, or imitate the person's voice."""
    held_out_sets: tuple[str, ...] = ()
    """Held-out sets that lose an utterance, as `development/calls`."""


@dataclass(frozen=True)
class Removal:
    """Plan of a removal: all that a request removes from a run."""

    targets: Targets
    unfinished_stages: tuple[str, ...]
    """Folders, relative to the run, of stages in unfinished rounds that read the speech. They are
    deleted, and run again when the round goes on."""
    losses: tuple[FolderLosses, ...]
    request: ForgettingRequest

    @property
    def is_empty(self) -> bool:
        """Return True if the run holds nothing of the speech."""
        return not (self.losses or self.unfinished_stages)


@dataclass
class _Ids:
    """Ids in one folder of the run that have to go."""

    utterances: set[str] = field(default_factory=set)
    packed: set[str] = field(default_factory=set)
    synthetic: set[str] = field(default_factory=set)
    held_out_sets: set[str] = field(default_factory=set)


def survey(run_folder: RunFolder, selection: Selection, when: str, by: str) -> Removal:
    """Find everything in a run that has to go with the selected speech."""
    run, targets = run_folder.path, find_targets(run_folder, selection)
    ids_by_folder, artifacts = defaultdict[str, _Ids](_Ids), set[Path]()
    for manifest, fields in iter_targets(targets, run):
        relative = manifest.relative_to(run)
        ids = ids_by_folder[relative.parts[0]]
        if fields.get("pieces"):
            ids.packed.add(fields["id"])
        elif fields.get("origin") == "synthetic" or fields.get("made_by"):
            ids.synthetic.add(fields["id"])
        # Words that a voice was cut into are no utterances of their own.
        elif ":" not in fields["id"]:
            ids.utterances.add(fields["id"])
        if is_inputs_list(manifest, run) and "rejected" not in relative.parts:
            kind, name = relative.parts[-3:-1]
            ids.held_out_sets |= {f"{kind}/{name}"} if kind in INPUT_KINDS else set()
        # Exports and other copies in the run are no artifacts.
        if artifact := artifact_of(manifest, run):
            artifacts.add(artifact)
    traces = {digest for artifact in artifacts for digest in record_digests(artifact)}
    rounds = [name for name in sorted(ids_by_folder) if ROUND_NAME.fullmatch(name)]
    return Removal(
        targets=targets,
        unfinished_stages=tuple(
            folder.relative_to(run).as_posix()
            for folder in _find_unfinished_stages(run_folder, artifacts, traces)
        ),
        losses=tuple(
            FolderLosses(
                folder=name,
                utterances=len(ids.utterances),
                packed=len(ids.packed),
                synthetic=len(ids.synthetic),
                held_out_sets=tuple(sorted(ids.held_out_sets)),
            )
            for name, ids in sorted(ids_by_folder.items())
            if not name.startswith(".")  # half-prepared, and deleted as a whole
        ),
        request=ForgettingRequest(
            when,
            by,
            recordings=tuple(sorted(selection.digests)),
            spans=selection.spans,
            speakers=tuple(sorted(map(digest_name, selection.named_speakers))),
            clusters=tuple(sorted(map(digest_name, selection.speakers - selection.named_speakers))),
            utterances=len({name for ids in ids_by_folder.values() for name in ids.utterances}),
            rounds=tuple(int(name.removeprefix("round-")) for name in rounds),
            models=tuple(
                find_models(run_folder, targets, traces, _recorded_models(run, selection))
            ),
        ),
    )


def _recorded_models(run: Path, selection: Selection) -> list[AffectedModel]:
    """Return the models of earlier requests for some of the same speech, each once."""
    speakers = set(map(digest_name, selection.speakers))
    models = {
        model.folder: model
        for request in read_requests(run)
        if selection.digests & {*request.recordings, *request.spans}
        or speakers & {*request.speakers, *request.clusters}
        for model in request.models
    }
    return list(models.values())


def artifact_of(path: Path, run: Path) -> Path | None:
    """Return the folder of the artifact that a file of a run belongs to, or None."""
    below_run = (parent for parent in path.parents if parent.is_relative_to(run) and parent != run)
    return next((parent for parent in below_run if (parent / PROVENANCE).is_file()), None)


def _find_unfinished_stages(
    run_folder: RunFolder, artifacts: Collection[Path], traces: Collection[str]
) -> Iterator[Path]:
    """Yield the stages of unfinished rounds that hold the speech, or depend on what holds it.

    The lists of inputs are not among them: they lose their lines, as those of finished rounds do.
    """
    run = run_folder.path
    # Half-prepared, or set aside: nothing goes on from what they have not finished.
    for folder in (*run.glob(".round-*"), *run.glob("*.aside-*")):
        if any(artifact.is_relative_to(folder) for artifact in artifacts):
            is_hidden = folder.name.startswith(".")
            yield from [folder] if is_hidden else filter(Path.is_dir, folder.rglob(".*"))
    # A stage names its inputs by the digests of their records, so what depends on what is followed
    # stage by stage until nothing is added.
    affected_digests, remaining = set(traces), [*_unfinished_artifacts(run_folder)]
    while True:
        affected = [
            artifact
            for artifact in remaining
            if artifact in artifacts or affected_digests & set(find_strings(read_inputs(artifact)))
        ]
        if not affected:
            return
        yield from affected
        remaining = [artifact for artifact in remaining if artifact not in affected]
        affected_digests |= {name for stage in affected for name in record_digests(stage)}


def _unfinished_artifacts(run_folder: RunFolder) -> Iterator[Path]:
    """Yield the artifacts of unfinished rounds and evaluations, in the order of the loop."""
    rounds = [folder for folder in run_folder.round_folders if not is_finished(folder)]
    evaluations = run_folder.path.glob("evaluation-*")
    open_folders = [*rounds, *(path for path in evaluations if not REPORT.path(path).is_dir())]
    for folder in open_folders:
        artifacts = [path.parent for path in folder.rglob(PROVENANCE)]
        for artifact in sorted(artifacts, key=lambda path: _position(path, folder)):
            if INPUTS not in artifact.relative_to(folder).parts:
                yield artifact


def _position(artifact: Path, folder: Path) -> tuple[int, str]:
    name = artifact.relative_to(folder).as_posix()
    return position_of(name), name
