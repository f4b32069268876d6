"""A tiny random XTTS of the real class, whose voices are taken from clips of tones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("TTS")

import torch

from twister_loop import audio
from twister_loop.errors import ConfigError, EngineError
from twister_loop.manifest import Manifest
from twister_loop.parts import Synthesizer
from twister_loop.records import Checkpoint, Utterance
from twister_loop.tts import _xtts_model as xtts
from twister_loop.tts.xtts import XttsSynthesizer, chosen_from

pytestmark = pytest.mark.model

NOBODY: Any = None
"""The champion, whom this voice asks nothing."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from TTS.tts.configs.xtts_config import XttsConfig
    from TTS.tts.models.xtts import Xtts

    folder = tmp_path_factory.mktemp("xtts")
    special = ["[STOP]", "[UNK]", "[SPACE]", "[START]", "[it]", "[zh-cn]"]
    letters = {each: at for at, each in enumerate([*special, *"abcdefghijklmnopqrstuvwxyz"])}
    tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[], unk_token="[UNK]"))
    tokenizer.add_special_tokens(special)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "vocab.json"))
    config = XttsConfig()
    for name, value in {
        "gpt_layers": 2, "gpt_n_model_channels": 64, "gpt_n_heads": 2, "gpt_max_audio_tokens": 24,
        "gpt_num_audio_tokens": 66, "gpt_start_audio_token": 64, "gpt_stop_audio_token": 65,
        "gpt_number_text_tokens": len(letters), "gpt_start_text_token": letters["[START]"],
        "gpt_stop_text_token": letters["[STOP]"], "decoder_input_dim": 64,
        "gpt_use_perceiver_resampler": True,
    }.items():  # fmt: skip
        setattr(config.model_args, name, value)
    config.save_json(str(folder / "config.json"))
    torch.manual_seed(1)
    model = Xtts(config)
    torch.save({"model": model.state_dict()}, folder / "model.pth")
    return folder


@pytest.fixture
def lesson(tmp_path: Path) -> Manifest:
    clips = []
    for number, seconds in enumerate((1.0, 3.2, 4.0, 3.5)):
        path = tmp_path / "clips" / f"{number}.wav"
        time = np.arange(int(seconds * audio.SAMPLE_RATE)) / audio.SAMPLE_RATE
        tone = 0.3 * np.sin(2 * np.pi * 220 * (number + 1) * time)
        duration = audio.write(tone.astype("f4"), path)
        speaker = "ada" if number < 3 else "bob"
        clips.append(
            Utterance(id=f"c{number}", audio_filepath=path, duration=duration, speaker=speaker)
        )
    return Manifest.write(clips, tmp_path / "lesson")


def build(weights: Path, **options: Any) -> Synthesizer:
    spec = {"use": "xtts", "model": str(weights), "non_commercial": True, **options}
    return Synthesizer.build(spec)


def test_it_speaks_in_the_voices_of_clips_that_are_long_enough(
    weights: Path, lesson: Manifest, tmp_path: Path
) -> None:
    part = build(weights, references=2)
    learned = part.train(None, lesson, lesson, NOBODY, tmp_path / "voice", 7)
    kept = list(Manifest.load(learned.location))
    assert {each.speaker for each in kept} == {"ada", "bob"}
    assert all(each.duration >= 3 for each in kept)
    texts = [
        Utterance(id="one", text="ciao", lang="it"),
        Utterance(id="two", text="ciao", lang="it"),
        Utterance(id="three", text="hei", lang="fi"),
        Utterance(id="four", text=" ", lang="it"),
        Utterance(id="five", text="ciao"),
        Utterance(id="six", text="a" * 300, lang="it"),
    ]
    spoken = list(part.synthesize(learned, texts, tmp_path / "a"))
    assert [each.id for each in spoken] == [each.id for each in texts]
    assert [each.error for each in spoken[2:]] == [
        "XTTS does not speak 'fi'",
        "there is nothing to speak",
        "XTTS must be told the language of a text",
        "300 characters are more than the 213 that XTTS speaks in 'it'",
    ]
    for each in spoken[:2]:
        assert each.error is None and each.made_by == "xtts" and each.speaker in {"ada", "bob"}
        assert each.duration == len(audio.read(each.audio_filepath)) / audio.SAMPLE_RATE > 0
    [alone] = part.synthesize(learned, texts[1:2], tmp_path / "b")
    assert alone.audio_filepath.read_bytes() == spoken[1].audio_filepath.read_bytes()
    assert spoken[0].audio_filepath.read_bytes() != spoken[1].audio_filepath.read_bytes()


def test_a_lesson_without_a_clip_that_is_long_enough_is_refused(
    weights: Path, lesson: Manifest, tmp_path: Path
) -> None:
    short = Manifest.write(list(lesson)[:1], tmp_path / "short")
    with pytest.raises(ConfigError, match="no clip of the lesson lasts 3 to 30 s"):
        build(weights).train(None, short, short, NOBODY, tmp_path / "voice", 7)


def test_the_licence_must_be_agreed_to_and_options_must_make_sense(weights: Path) -> None:
    with pytest.raises(ConfigError, match=r"Coqui Public Model License .*say true"):
        Synthesizer.build({"use": "xtts", "model": str(weights)})
    with pytest.raises(ConfigError, match="smaller first"):
        build(weights, speed=[1.2, 1.0])


def test_weights_that_are_nowhere_or_no_weights_are_a_sentence(
    weights: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"lacks config\.json, model\.pth, vocab\.json"):
        xtts.find(str(tmp_path))
    for name in xtts.FILES:
        (tmp_path / name).write_bytes((weights / name).read_bytes())
    (tmp_path / "model.pth").write_bytes(b"no weights")
    with pytest.raises(EngineError, match="no XTTS model that can be loaded"):
        xtts.load(tmp_path)


def test_references_are_spread_over_speakers() -> None:
    clips = [
        Utterance(id=str(at), duration=5.0, speaker="ada" if at < 90 else f"s{at}")
        for at in range(96)
    ]
    chosen = chosen_from(clips, 14, np.random.default_rng(0))
    assert len(chosen) == 8 and sum(each.speaker == "ada" for each in chosen) == 2
    assert XttsSynthesizer(non_commercial=True).continues is False
    assert Checkpoint("xtts", Path()).engine == "xtts"
