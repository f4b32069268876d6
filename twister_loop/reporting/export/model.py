"""The champion's weights as a Hugging Face folder and as a CTranslate2 model."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from ...asr._base import Recognizer
from ...core.artifacts import PROVENANCE, SPEED, TIMING
from ...core.errors import ConfigError, EngineError
from ...core.manifest import Manifest
from ...core.types import Checkpoint, Utterance
from ...pipeline.plan import Plan
from ...pipeline.plan_reader import load
from ...pipeline.stage_table import CANDIDATE, INPUTS
from ...pipeline.stages.labeling import LabelOptions, try_decoders
from ..round_folders import EARLY_STOPPING_LOG, TRAINING_LOG
from ..summary import Summary
from .card import render_card

NOTES_OF_THE_RUN = frozenset(
    {PROVENANCE, TIMING, SPEED, "checkpoint.json", TRAINING_LOG, EARLY_STOPPING_LOG}
)
"""Files of a candidate that are not exported. All other files are transformers' own."""
TOKENIZER_FILES = "tokenizer.json preprocessor_config.json".split()
"""Files that programs which serve CTranslate2's Whisper read beside its weights."""


def export_model(round_folder: Path, summary: Summary, folder: Path, license: str | None) -> str:
    """Copy the candidate of a round, with a model card.

    Returns:
        A line that says what was written, or why nothing was.

    Raises:
        ConfigError: The weights were deleted when the round was pruned.
    """
    candidate = CANDIDATE.path(round_folder)
    checkpoint = Checkpoint.load(candidate)
    if checkpoint.engine != "whisper":
        return f"model: none, because transformers cannot load a {checkpoint.engine!r} model"
    _check_weights(candidate)
    folder.mkdir()
    for path in candidate.iterdir():
        # Folders and logs are remains of the training.
        if path.is_file() and path.name not in NOTES_OF_THE_RUN and path.suffix != ".log":
            shutil.copy2(path, folder / path.name)
    card = render_card(round_folder, summary, license)
    (folder / "README.md").write_text(card, encoding="utf-8")
    return f"model: {round_folder.name}/candidate in {folder}; its card is README.md"


def export_ctranslate2(round_folder: Path, folder: Path) -> str:
    """Convert the candidate of a round, if both engines transcribe development speech alike.

    Returns:
        A line that says what was written.

    Raises:
        EngineError: CTranslate2's transcripts differ too much.
        ConfigError: There is no development speech to compare them on, or nothing to convert.
    """
    candidate = CANDIDATE.path(round_folder)
    checkpoint = Checkpoint.load(candidate)
    if checkpoint.engine != "whisper":
        raise ConfigError(f"CTranslate2 cannot load a {checkpoint.engine!r} model, only Whisper")
    _check_weights(candidate)
    # The plan of that round: the user's own file may have changed since.
    plan = load(round_folder / "plan.yaml")
    decoder, options = _ctranslate2_of(plan)
    folder.mkdir()
    # The trial needs a folder to work in; only its outcome is exported.
    scratch = folder / "parity"
    clips = Manifest.write(_development_speech(round_folder), scratch / "clips")
    if not len(clips):
        raise ConfigError(
            f"{round_folder / INPUTS}: no development recording can be read any more, so "
            "CTranslate2 cannot be compared with transformers"
        )
    trial = try_decoders(
        [decoder],
        reference=plan.asr,
        checkpoint=checkpoint,
        pool=clips,
        filters=(),  # references are human, so no transcript has to be dropped
        options=options,
        seed=plan.seed,
        out=scratch / "tried",
    )
    if trial.chosen is None:
        raise EngineError(
            f"CTranslate2 transcribes differently with these weights and is not exported: {trial}"
        )
    # Imported by name, because `ctranslate2` is an optional package.
    convert_weights = import_module("twister_loop.asr.ctranslate2.model").convert_weights
    compute_type = getattr(decoder, "compute_type", "auto")
    shutil.copytree(convert_weights(candidate, compute_type), folder, dirs_exist_ok=True)
    for name in TOKENIZER_FILES:
        if (candidate / name).is_file():
            shutil.copy2(candidate / name, folder / name)
    shutil.rmtree(scratch)
    trial.save(folder)
    identical = trial.attempts[0].identical
    return f"ctranslate2: in {folder}; {identical} of {trial.clips} transcripts are identical"


def _ctranslate2_of(plan: Plan) -> tuple[Recognizer, LabelOptions]:
    """Return the plan's own CTranslate2 decoder, or one that decodes like its recognizer."""
    if plan.labeler.recognizer.name == "ctranslate2":
        return plan.labeler.recognizer, plan.labeler.options
    # With the same padding and algorithm, or the trial would measure these.
    names = "margin decoding long_form condition_on_previous_text".split()
    options = {name: getattr(plan.asr, name) for name in names if hasattr(plan.asr, name)}
    return Recognizer.build({"use": "ctranslate2", **options}), LabelOptions()


def _development_speech(round_folder: Path) -> Iterator[Utterance]:
    """Yield the development utterances whose recordings still exist."""
    for folder in sorted((round_folder / INPUTS / "development").iterdir()):
        for utterance in Manifest(folder):
            # Held-out recordings lie outside the run and may have been moved.
            if utterance.audio_filepath.is_file():
                yield utterance


def _check_weights(candidate: Path) -> None:
    if not any(candidate.glob("*.safetensors")):
        raise ConfigError(
            f"{candidate}: its weights were deleted when the round was pruned; `keep` in the plan "
            "says how many rounds stay whole"
        )
