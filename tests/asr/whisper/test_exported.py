"""Exported Whisper models, which transformers and CTranslate2 must be able to load."""

import shutil
from pathlib import Path

import pytest
import soundfile
import yaml

from tests import world as toy
from twister_loop import Utterance, load, next_round
from twister_loop.core.artifacts import write_json
from twister_loop.core.types import Checkpoint
from twister_loop.errors import EngineError
from twister_loop.reporting.export import export

pytestmark = pytest.mark.model


@pytest.fixture
def run(tiny_whisper: Checkpoint, tmp_path: Path) -> Path:
    """A toy run whose candidate is replaced by the tiny Whisper, in its plan too."""
    next_round(load(toy.build(tmp_path)), tmp_path / "run")
    round_folder = tmp_path / "run" / "round-01"
    shutil.copytree(tiny_whisper.location, round_folder / "candidate", dirs_exist_ok=True)
    Checkpoint("whisper").save(round_folder / "candidate")
    plan = yaml.safe_load((round_folder / "plan.yaml").read_text())
    asr = {"use": "whisper", "model": str(tiny_whisper.location), "precision": "float32"}
    labeler = {"use": "ctranslate2", "compute_type": "float32"}
    (round_folder / "plan.yaml").write_text(yaml.safe_dump(plan | {"asr": asr, "labeler": labeler}))
    # The record of the toy's weights is not that of these.
    write_json({}, round_folder / "candidate" / "made.json")
    return tmp_path / "run"


def test_the_pipeline_of_transformers_transcribes_with_an_exported_model(
    run: Path, clips: list[Utterance], tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers")
    lines = list(export(run, tmp_path / "out", license="mit"))
    assert lines[0].startswith("model: round-01/candidate")
    model = tmp_path / "out" / "model"
    assert not (model / "made.json").exists() and not (model / "checkpoint.json").exists()
    asr = transformers.pipeline("automatic-speech-recognition", model=str(model))
    options = {"task": "transcribe", "language": "en", "max_new_tokens": 8}
    # Samples, since the pipeline reads files with the program ffmpeg, which may be missing.
    samples, sample_rate = soundfile.read(clips[0].audio_filepath, dtype="float32")
    output = asr({"raw": samples, "sampling_rate": sample_rate}, generate_kwargs=options)
    assert isinstance(output["text"], str)
    front_matter = yaml.safe_load((model / "README.md").read_text().split("---")[1])
    assert (
        front_matter["license"] == "mit"
        and front_matter["pipeline_tag"] == "automatic-speech-recognition"
    )


def test_ctranslate2_is_exported_if_its_transcripts_agree(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = pytest.importorskip("ctranslate2")
    monkeypatch.setenv("TWISTER_CACHE", str(tmp_path / "cache"))
    list(export(run, tmp_path / "out", ctranslate2=True))
    folder = tmp_path / "out" / "ctranslate2"
    assert engine.models.Whisper(str(folder), device="cpu").num_languages >= 1
    assert (folder / "tokenizer.json").is_file() and (folder / "decoder_trial.json").is_file()
    assert not (folder / "parity").exists()


def test_ctranslate2_is_not_exported_if_its_transcripts_differ(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ctranslate2")
    monkeypatch.setenv("TWISTER_CACHE", str(tmp_path / "cache"))
    plan = yaml.safe_load((run / "round-01" / "plan.yaml").read_text())
    plan["labeler"] |= {"compute_type": "int8", "at_most": 0.0, "margin": 29.0}
    (run / "round-01" / "plan.yaml").write_text(yaml.safe_dump(plan))
    with pytest.raises(EngineError, match="transcribes differently"):
        list(export(run, tmp_path / "out", ctranslate2=True))
    assert (tmp_path / "out" / "model" / "config.json").is_file()
    assert not (tmp_path / "out" / "ctranslate2" / "model.bin").exists()
