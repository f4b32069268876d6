"""The champion's weights as a Hugging Face folder, and as one of CTranslate2."""

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
from ...pipeline.plan import Plan, load
from ...pipeline.stages.labeling import LabelOptions, try_decoders
from ..summary import Summary
from . import card

OURS = frozenset({PROVENANCE, TIMING, SPEED, "checkpoint.json", "training.jsonl", "stopping.jsonl"})
"""Notes of the run; what else lies in a candidate is transformers' own."""
READ_BESIDE = "tokenizer.json preprocessor_config.json".split()
"""What programs that serve CTranslate2's Whisper look for beside its weights."""


def write(at: Path, summary: Summary, folder: Path, license: str | None) -> str:
    """Copy the candidate of a round, with a card that says what it is."""
    checkpoint = Checkpoint.load(at / "candidate")
    if checkpoint.engine != "whisper":
        return f"model: none, for {checkpoint.engine!r} has no form that transformers reads"
    _weights(at / "candidate")
    folder.mkdir()
    for path in (at / "candidate").iterdir():
        if path.is_file() and path.name not in OURS and path.suffix != ".log":
            shutil.copy2(path, folder / path.name)
    (folder / "README.md").write_text(card.text(at, summary, license), encoding="utf-8")
    return f"model: {at.name}/candidate in {folder}; its card is README.md"


def write_ctranslate2(at: Path, folder: Path) -> str:
    """Convert the candidate of a round, once both engines hear development speech alike.

    Raises:
        EngineError: they do not.
        ConfigError: there is nothing to try them on, or nothing to convert.
    """
    checkpoint = Checkpoint.load(at / "candidate")
    if checkpoint.engine != "whisper":
        raise ConfigError(f"CTranslate2 reads no {checkpoint.engine!r}")
    _weights(at / "candidate")
    plan = load(at / "plan.yaml")
    other, terms = _other(plan)
    folder.mkdir()
    clips = Manifest.write(_there(at), folder / "parity" / "clips")
    if not len(clips):
        raise ConfigError(f"{at / 'given'}: no development speech is left to try CTranslate2 on")
    tried = folder / "parity" / "tried"
    parity = try_decoders([other], plan.asr, checkpoint, clips, (), terms, plan.seed, out=tried)
    if parity.chosen is None:
        raise EngineError(
            f"CTranslate2 hears otherwise with these weights, and is not exported: {parity}"
        )
    converted = import_module("twister_loop.asr.ctranslate2.model").convert_weights
    compute_type = getattr(other, "compute_type", "auto")
    shutil.copytree(converted(at / "candidate", compute_type), folder, dirs_exist_ok=True)
    for name in READ_BESIDE:
        if (at / "candidate" / name).is_file():
            shutil.copy2(at / "candidate" / name, folder / name)
    shutil.rmtree(folder / "parity")
    parity.save(folder)
    return f"ctranslate2: in {folder}; {parity.attempts[0].identical} of {parity.clips} clips heard alike"


def _other(plan: Plan) -> tuple[Recognizer, LabelOptions]:
    """The plan's own CTranslate2 with its terms, or one that decodes like its recognizer."""
    if plan.labeler.recognizer.name == "ctranslate2":
        return plan.labeler.recognizer, plan.labeler.options
    options = {"use": "ctranslate2", "margin": getattr(plan.asr, "margin", 5.0)}
    return Recognizer.build(options), LabelOptions()


def _there(at: Path) -> Iterator[Utterance]:
    for folder in sorted((at / "inputs" / "development").iterdir()):
        yield from (each for each in Manifest(folder) if each.audio_filepath.is_file())


def _weights(folder: Path) -> None:
    if not any(folder.glob("*.safetensors")):
        raise ConfigError(f"{folder}: its weights are no longer there; old rounds are thinned")
