"""Models that were trained on speech which is to be removed, and the chain of who used whom."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from ...core.artifacts import PROVENANCE, PRUNED, REDACTED, TIMING, read_json
from ...core.digests import digest_path
from ...core.errors import ConfigError
from ...core.forgotten import AffectedModel
from ..run_folder import RunFolder, is_approved, round_number
from ..stage_table import (
    CANDIDATE,
    FILTERED_LABELS,
    MIXTURE,
    PSEUDO_LABELS,
    VOICE,
    VOICE_LABELS,
    find_trainings,
)
from .manifests import read_lines
from .targets import VOICES, Targets

SPLICING = "concatenative"
"""Engine whose voice is a list of recorded words: they are removed, and nothing was trained."""
RECORDS = frozenset({"checkpoint.json", PROVENANCE, TIMING})
"""Files of a voice that every voice has, also one that learns nothing."""


def find_models(
    run_folder: RunFolder,
    targets: Targets,
    traces: Collection[str],
    recorded: Collection[AffectedModel] = (),
) -> Iterator[AffectedModel]:
    """Yield the models of all finished rounds that used the speech, in the order of the rounds.

    Args:
        run_folder: The run.
        targets: Speech to remove, which is still there.
        traces: Digests of the records of all artifacts that hold it.
        recorded: Models that used it according to an earlier request, when it was still there.
    """
    run, recorded_folders = run_folder.path, {model.folder: model for model in recorded}
    # Digests of the records of affected models, by which later stages name them.
    affected_rounds = dict[str, int]()
    for folder in run_folder.finished_rounds:
        models = list(_find_voices(folder, run, targets, affected_rounds))
        reasons = tuple(_reasons(folder, run, targets, traces, affected_rounds, models))
        candidate = CANDIDATE.path(folder).relative_to(run).as_posix()
        number = round_number(folder)
        if reasons:
            models.append(AffectedModel(number, candidate, reasons, is_approved(folder)))
            models += (
                AffectedModel(number, training.relative_to(run).as_posix(), reasons)
                for training in find_trainings(folder)
                # Usually they were deleted when the candidate was averaged from them.
                if training != run / candidate and not (training / PRUNED).exists()
            )
        # What an earlier request found out stays: the speech that showed it is gone.
        new_folders = {model.folder for model in models} - set(recorded_folders)
        models = [
            *(model for model in recorded if model.round == number),
            *(model for model in models if model.folder in new_folders),
        ]
        for model in models:
            affected_rounds |= dict.fromkeys(record_digests(run / model.folder), number)
        yield from models


def find_clean_champion(run_folder: RunFolder, models: Collection[AffectedModel]) -> Path | None:
    """Return the folder of the last accepted round that stands and used none of the speech."""
    affected = {model.folder for model in models}
    for folder in reversed(run_folder.standing_rounds):
        candidate = CANDIDATE.path(folder)
        name = candidate.relative_to(run_folder.path).as_posix()
        # Weights that were pruned are no champion to go back to.
        if is_approved(folder) and name not in affected and not (candidate / PRUNED).exists():
            return folder
    return None


def record_digests(artifact: Path) -> set[str]:
    """Return the digests by which later stages name an artifact: of its record, now and before."""
    try:
        record = read_json(artifact / PROVENANCE)
    except (OSError, ConfigError):
        return set()
    return {digest_path(artifact / PROVENANCE), *record.get(REDACTED, ())}


def read_inputs(artifact: Path) -> dict[str, Any]:
    """Return what an artifact was made from; empty if its record is missing or damaged."""
    try:
        record = read_json(artifact / PROVENANCE)
    except (OSError, ConfigError):
        return {}
    inputs = record.get("from") if isinstance(record, dict) else None
    return inputs if isinstance(inputs, dict) else {}


def find_strings(content: Any) -> Iterator[str]:
    """Yield all strings in JSON data, among them the digests of inputs."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for member in content.values():
            yield from find_strings(member)
    elif isinstance(content, list):
        for member in content:
            yield from find_strings(member)


def _find_voices(
    folder: Path, run: Path, targets: Targets, affected_rounds: Mapping[str, int]
) -> Iterator[AffectedModel]:
    """Yield the trained voices of a round that learned from the speech, or from such a voice."""
    for voice_folder in sorted(folder.glob(f"{VOICES}/[!.]*")):
        voice = VOICE.path(folder, voice=voice_folder.name)
        engine = _read_engine(voice)
        if engine is None or not _has_learned(voice, engine):
            continue
        # A voice without filters of its own learns from the labels of the round.
        own_labels = VOICE_LABELS.path(folder, voice=voice_folder.name)
        labels = own_labels if own_labels.is_dir() else FILTERED_LABELS.path(folder)
        reasons = list[str]()
        if utterances := _count(labels, run, targets, synthetic=False):
            reasons.append(f"trained on {_amount(utterances, 'utterance')} of it")
        start = _find_round(read_inputs(voice).get("start"), affected_rounds)
        if start is not None:
            reasons.append(f"trained further from the voice of round {start}")
        if reasons:
            yield AffectedModel(
                round=round_number(folder),
                folder=voice.relative_to(run).as_posix(),
                reasons=tuple(reasons),
            )


def _reasons(
    folder: Path,
    run: Path,
    targets: Targets,
    traces: Collection[str],
    affected_rounds: Mapping[str, int],
    voices: Collection[AffectedModel],
) -> Iterator[str]:
    """Yield how the speech came into a candidate."""
    mixture = MIXTURE.path(folder)
    if utterances := _count(mixture, run, targets, synthetic=False):
        yield f"trained on {_amount(utterances, 'utterance')} of it"
    if clips := _count(mixture, run, targets, synthetic=True):
        yield f"trained on {_amount(clips, 'synthetic clip')} made from it"
    for voice in voices:
        name = Path(voice.folder).parent.name
        # A voice that failed its trial has synthesized nothing to train on.
        if (folder / VOICES / name / "synthetic").is_dir():
            yield f"trained on speech of the voice {name}, which was trained on it"
    # A candidate that was averaged names its trainings, which name what they were trained on.
    candidate = read_inputs(find_trainings(folder)[0])
    if (start := _find_round(candidate.get("start"), affected_rounds)) is not None:
        yield f"trained further from the candidate of round {start}"
    if set(find_strings(candidate.get("early_stopping_speech"))) & set(traces):
        yield "its training was stopped by a set that holds it"
    labels = read_inputs(PSEUDO_LABELS.path(folder))
    labeler = _find_round(labels.get("checkpoint"), affected_rounds)
    # Named once: a champion usually is both where training begins and what labels.
    if labeler is not None and labeler != start:
        yield f"trained on labels by the candidate of round {labeler}"


def _count(artifact: Path, run: Path, targets: Targets, *, synthetic: bool) -> int:
    """Count the utterances of a manifest that have to go, each once."""
    manifest = artifact / "manifest.jsonl"
    if not manifest.is_file():
        return 0
    folder = artifact.relative_to(run).as_posix()
    ids = {
        fields["id"]
        for fields in read_lines(manifest)
        if targets.covers(fields, folder) and (fields.get("origin") == "synthetic") == synthetic
    }
    return len(ids)


def _read_engine(voice: Path) -> str | None:
    try:
        engine = read_json(voice / "checkpoint.json").get("engine")
    except (OSError, ConfigError):
        return None
    return engine if isinstance(engine, str) else None


def _has_learned(voice: Path, engine: str) -> bool:
    """Return whether a voice holds anything that was learned from speech."""
    if engine == SPLICING:
        return False
    # Without weights of its own an imitating voice has only its reference clips.
    if engine == "xtts":
        return (voice / "model.pth").exists()
    # A voice that any text can be spoken with from the first round on is nothing but its record.
    return any(path.is_file() and path.name not in RECORDS for path in voice.rglob("*"))


def _find_round(inputs: Any, affected_rounds: Mapping[str, int]) -> int | None:
    """Return the round of the affected candidate that the inputs of a stage name, if any."""
    return next(
        (affected_rounds[name] for name in find_strings(inputs) if name in affected_rounds), None
    )


def _amount(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
