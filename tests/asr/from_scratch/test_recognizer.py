"""Transcription and alignment by tiny but real models that are trained from scratch."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.asr.from_scratch.tiny_models import every_model, tiny_recognizer
from twister_loop.asr._base import Recognizer
from twister_loop.core.artifacts import read_json, write_json
from twister_loop.core.errors import ConfigError, EngineError
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.data.filters._base import Filter

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.model


@every_model
def test_an_untrained_model_transcribes_everything_as_empty(
    name: str, speech: list[Utterance]
) -> None:
    recognizer = tiny_recognizer(name)
    untrained = recognizer.initial_checkpoint()
    transcribed = list(recognizer.transcribe(untrained, speech))
    assert [(clip.id, clip.pred_text, clip.error) for clip in transcribed] == [
        (clip.id, "", None) for clip in speech
    ]
    labeled = [replace(clip, text=clip.pred_text) for clip in transcribed]
    for filter_name in ("confidence", "repetition", "char_rate"):
        assert all(Filter.build({"use": filter_name}).objection(clip) for clip in labeled)
    assert all("untrained" in str(clip.error) for clip in recognizer.align(untrained, speech))
    other_seed = replace(recognizer, seed=1).initial_checkpoint()
    assert untrained == recognizer.initial_checkpoint() != other_seed


@every_model
def test_a_transcript_does_not_depend_on_the_rest_of_the_batch(
    name: str, trained: dict[str, Checkpoint], speech: list[Utterance]
) -> None:
    alone, batched = (
        list(tiny_recognizer(name, decode_batch=size).transcribe(trained[name], speech))
        for size in (1, 8)
    )
    assert [clip.pred_text for clip in alone] == [clip.pred_text for clip in batched]
    assert [clip.confidence for clip in alone] == pytest.approx(
        [clip.confidence for clip in batched], abs=1e-3
    )


@every_model
def test_a_clip_that_cannot_be_read_gets_an_error_and_the_others_a_transcript(
    name: str, trained: dict[str, Checkpoint], speech: list[Utterance], tmp_path: Path
) -> None:
    missing = replace(speech[0], audio_filepath=tmp_path / "no.wav")
    failed = replace(speech[1], error="no voice could speak it")
    transcribed = list(
        tiny_recognizer(name).transcribe(trained[name], [missing, failed, speech[2]])
    )
    assert ["cannot read audio" in str(clip.error) for clip in transcribed] == [True, False, False]
    assert transcribed[2].pred_text is not None and transcribed[2].confidence is not None
    assert transcribed[1] == failed


@every_model
def test_words_are_aligned_with_the_audio(
    name: str, trained: dict[str, Checkpoint], speech: list[Utterance]
) -> None:
    two_words, empty, unknown_letters = tiny_recognizer(name).align(
        trained[name],
        [speech[5], replace(speech[0], text=" "), replace(speech[0], text="zzz")],
    )
    assert [word.word for word in two_words.words] == ["하나", "둘"]
    first, second = two_words.words
    duration = two_words.duration
    assert 0 <= first.start < first.end <= second.start < second.end <= duration + 0.05
    assert first.logprob < 0
    assert empty.words == () and empty.error is None
    assert "a word has no character in the vocabulary" in str(unknown_letters.error)


def test_a_text_that_is_too_long_for_the_audio_is_not_aligned(
    trained: dict[str, Checkpoint], speech: list[Utterance]
) -> None:
    long = replace(speech[7], text="한글 " * 100)
    [aligned] = tiny_recognizer("deepspeech2").align(trained["deepspeech2"], [long])
    assert "the text is too long for the audio" in str(aligned.error)


def test_a_trained_checkpoint_overrules_the_architecture_of_the_plan(
    trained: dict[str, Checkpoint], speech: list[Utterance]
) -> None:
    other = tiny_recognizer("deepspeech2", hidden=99, unit="character", mels=40)
    assert list(other.transcribe(trained["deepspeech2"], speech)) == list(
        tiny_recognizer("deepspeech2").transcribe(trained["deepspeech2"], speech)
    )
    with pytest.raises(EngineError, match="cannot read weights of deepspeech2"):
        list(tiny_recognizer("conformer").transcribe(trained["deepspeech2"], speech))


def test_another_vocabulary_than_that_of_training_is_refused(
    trained: dict[str, Checkpoint], speech: list[Utterance], tmp_path: Path
) -> None:
    copy = shutil.copytree(trained["conformer"].location, tmp_path / "copy")
    broken = replace(trained["conformer"], location=copy)
    vocabulary = read_json(copy / "tokens.json")
    write_json({**vocabulary, "symbols": vocabulary["symbols"][::-1]}, copy / "tokens.json")
    with pytest.raises(EngineError, match=r"not the one that the weights .* trained with"):
        list(tiny_recognizer("conformer").transcribe(broken, speech))
    (copy / "tokens.json").unlink()
    with pytest.raises(EngineError, match="cannot read the vocabulary"):
        list(tiny_recognizer("conformer").transcribe(broken, speech))


@pytest.mark.parametrize("options", [{"batch": 0}, {"decode": "best"}, {"unit": "syllable"}])
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        tiny_recognizer("conformer", **options)


@pytest.mark.parametrize(
    ("spec", "parameters"),
    [
        ({"use": "deepspeech2"}, 24_756_656),
        ({"use": "deepspeech2", "cell": "lstm"}, 32_238_000),
        ({"use": "conformer"}, 47_228_321),
        ({"use": "transformer"}, 71_648_161),
        ({"use": "las"}, 46_817_409),
        ({"use": "transducer"}, 16_126_080),
        ({"use": "jasper"}, 334_697_680),
    ],
)
def test_the_default_sizes_are_the_published_ones(spec: dict[str, Any], parameters: int) -> None:
    """2,000 tokens, as for the syllables of KsponSpeech; the weights take no memory."""
    recognizer: Any = Recognizer.build(spec)
    with torch.device("meta"):
        network = recognizer.build_network(2000)
    assert sum(weight.numel() for weight in network.parameters()) == parameters
    start = recognizer.initial_checkpoint()
    assert recognizer.disk_bytes_needed(start) > 4 * 3 * parameters
    if spec["use"] == "conformer":
        encoder = network.encoder.whole
        assert (len(encoder.layers), len(network.decoder.whole.layers)) == (12, 8)
        assert encoder.config.intermediate_size == 2048
        assert (recognizer.ctc_weight, encoder.config.hidden_size) == (0.3, 256)
    if spec["use"] == "transformer":
        layers = (len(network.encoder.layers.layers), len(network.decoder.whole.layers))
        assert layers == (12, 6)
    if spec["use"] == "jasper":  # the paper has 333 M with fewer tokens
        assert [len(block.layers) for block in network.blocks] == [5] * 10
        widths = [block.layers[0].conv.out_channels for block in network.blocks]
        assert widths == [256, 256, 384, 384, 512, 512, 640, 640, 768, 768]
    if spec["use"] == "deepspeech2":
        convolutions = (network.first.conv, network.second.conv)
        assert [layer.kernel_size for layer in convolutions] == [(41, 11), (21, 11)]
        assert [layer.stride for layer in convolutions] == [(2, 2), (2, 1)]
        assert network.layers[0].rnn.input_size == 32 * 20
