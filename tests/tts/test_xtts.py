"""Tests with a tiny random XTTS of the real class, and clips of tones as reference voices."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("TTS")

import torch

from tests import processes
from tests.tones import NO_CHAMPION, read_losses, write_labeled_clips
from twister_loop.audio import io as audio
from twister_loop.core.errors import ConfigError, EngineError
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.tts._base import Synthesizer
from twister_loop.tts._coqui import training, xtts_files
from twister_loop.tts._coqui import xtts_model as xtts
from twister_loop.tts.xtts import XttsSynthesizer, _import_fine_tuning, select_reference_clips

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a random model whose tokens are letters."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from TTS.tts.configs.xtts_config import XttsConfig
    from TTS.tts.models.xtts import Xtts

    folder = tmp_path_factory.mktemp("xtts")
    special = ["[STOP]", "[UNK]", "[SPACE]", "[START]", "[it]", "[zh-cn]"]
    tokens = [*special, *"abcdefghijklmnopqrstuvwxyz"]
    vocabulary = {token: token_id for token_id, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="[UNK]"))
    tokenizer.add_special_tokens(special)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "vocab.json"))
    config = XttsConfig()
    for option, number in {
        "gpt_layers": 2, "gpt_n_model_channels": 64, "gpt_n_heads": 2, "gpt_max_audio_tokens": 24,
        "gpt_num_audio_tokens": 66, "gpt_start_audio_token": 64, "gpt_stop_audio_token": 65,
        "gpt_number_text_tokens": len(tokens), "gpt_start_text_token": vocabulary["[START]"],
        "gpt_stop_text_token": vocabulary["[STOP]"], "decoder_input_dim": 64,
        "gpt_use_perceiver_resampler": True,
    }.items():  # fmt: skip
        setattr(config.model_args, option, number)
    config.save_json(str(folder / "config.json"))
    torch.manual_seed(1)
    model = Xtts(config)
    torch.save({"model": model.state_dict()}, folder / "model.pth")
    return folder


@pytest.fixture(scope="module")
def tunable(weights: Path) -> Path:
    """Return the same folder with the files for fine-tuning, in the one size that Coqui has."""
    from TTS.tts.layers.xtts.dvae import DiscreteVAE

    torch.manual_seed(2)
    dvae = DiscreteVAE(
        channels=80, normalization=None, positional_dims=1, num_tokens=64, codebook_dim=512,
        hidden_dim=512, num_resnet_blocks=3, kernel_size=3, num_layers=2,
        use_transposed_convs=False,
    )  # fmt: skip
    torch.save(dvae.state_dict(), weights / "dvae.pth")
    torch.save(torch.ones(80), weights / "mel_stats.pth")
    return weights


@pytest.fixture
def long_clips(tmp_path: Path) -> Manifest:
    """Return a clip that is too short for a reference, and three that are long enough."""
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
    return Manifest.write(clips, tmp_path / "filtered_labels")


def build(weights: Path, **options: Any) -> Synthesizer:
    spec = {"use": "xtts", "model": str(weights), "non_commercial": True, **options}
    return Synthesizer.build(spec)


def test_texts_are_spoken_in_the_voices_of_clips_that_are_long_enough(
    weights: Path, long_clips: Manifest, tmp_path: Path
) -> None:
    synthesizer = build(weights, references=2)
    voice = synthesizer.train(None, long_clips, long_clips, NO_CHAMPION, tmp_path / "voice", 7)
    references = list(Manifest.load(voice.location))
    assert {reference.speaker for reference in references} == {"ada", "bob"}
    assert all(reference.duration >= 3 for reference in references)
    texts = [
        Utterance(id="one", text="ciao", lang="it"),
        Utterance(id="two", text="ciao", lang="it"),
        Utterance(id="three", text="hei", lang="fi"),
        Utterance(id="four", text=" ", lang="it"),
        Utterance(id="five", text="ciao"),
        Utterance(id="six", text="a" * 300, lang="it"),
        Utterance(id="seven", text="ciao [EN] hello", lang="it"),
    ]
    spoken = list(synthesizer.synthesize(voice, texts, tmp_path / "a"))
    assert [utterance.id for utterance in spoken] == [text.id for text in texts]
    assert [utterance.error for utterance in spoken[2:]] == [
        "XTTS does not speak 'fi'",
        "there is nothing to speak",
        "XTTS needs the language of a text (`lang`)",
        "300 characters are more than the 213 that XTTS speaks in 'it'",
        "[EN] would become a mark of the language, which is not spoken",
    ]
    for utterance in spoken[:2]:
        assert utterance.error is None and utterance.made_by == "xtts"
        assert utterance.speaker in {"ada", "bob"}
        samples = audio.read(utterance.audio_filepath)
        assert utterance.duration == len(samples) / audio.SAMPLE_RATE > 0
    [alone] = synthesizer.synthesize(voice, texts[1:2], tmp_path / "b")
    assert alone.audio_filepath.read_bytes() == spoken[1].audio_filepath.read_bytes()
    assert spoken[0].audio_filepath.read_bytes() != spoken[1].audio_filepath.read_bytes()


def test_labels_without_a_clip_that_is_long_enough_are_refused(
    weights: Path, long_clips: Manifest, tmp_path: Path
) -> None:
    short = Manifest.write(list(long_clips)[:1], tmp_path / "short")
    with pytest.raises(ConfigError, match=r"no filtered label can be read that lasts 3 to 30 s"):
        build(weights).train(None, short, short, NO_CHAMPION, tmp_path / "voice", 7)


def write_short_clips(folder: Path, lang: str | None = "it") -> Manifest:
    """Write clips shorter than a second for the tiny model, and two that it cannot train on."""
    ada, bob = write_labeled_clips(folder, 22), write_labeled_clips(folder / "long", 1, "bob", 90)
    usable = [
        replace(clip, duration=0.9, lang=lang, text=(clip.text or "").strip(".")) for clip in ada
    ]
    unknown_letter = replace(usable[0], id="unknown", text="ж")
    too_long = replace(next(iter(bob)), duration=1.2, lang=lang)
    return Manifest.write([*usable, unknown_letter, too_long], folder)


def import_fine_tuning_with_two_threads() -> None:
    """Import Coqui's trainer in a process whose torch has two threads."""
    torch.set_num_threads(2)
    _import_fine_tuning()
    assert torch.get_num_threads() == 2


def test_importing_the_trainer_does_not_change_the_number_of_threads(tmp_path: Path) -> None:
    finished = processes.run(tmp_path / "log", import_fine_tuning_with_two_threads)
    assert finished.code == 0, finished.output


def test_fine_tuning_changes_the_gpt_part_alone_and_a_later_round_continues_from_it(
    tunable: Path, long_clips: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = [*write_short_clips(tmp_path / "short"), *long_clips]
    labels = Manifest.write(clips, tmp_path / "labels")
    synthesizer = build(tunable, references=2, steps=4, batch=2, learning_rate=1e-3, save_every=2)

    def train(name: str, start: Checkpoint | None = None) -> Checkpoint:
        return synthesizer.train(start, labels, labels, NO_CHAMPION, tmp_path / name, 7)

    assert synthesizer.continues_from_last_round
    voice = train("v")
    files = {path.name for path in voice.location.iterdir()}
    assert files == {
        *xtts_files.MODEL_FILES,
        "audio",
        "manifest.jsonl",
        "training.jsonl",
        "train.log",
    }
    assert [step for step, _ in read_losses(voice.location)] == [0, 1, 2, 3]
    before, after = (xtts.load_model(path).state_dict() for path in (tunable, voice.location))
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"gpt"}

    check_loss = training.LossMonitor.check_loss

    def interrupt(self: training.LossMonitor, step: int, loss: float | None) -> None:
        check_loss(self, step, loss)
        if step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(training.LossMonitor, "check_loss", interrupt)
        train("w")
    resumed = train("w")
    weights = [checkpoint.location / "model.pth" for checkpoint in (voice, resumed)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert read_losses(resumed.location) == read_losses(voice.location)

    text = Utterance(id="one", text="ciao", lang="it")
    zero_shot = replace(voice, location=long_clips.folder)
    [tuned] = synthesizer.synthesize(voice, [text], tmp_path / "a")
    [untuned] = build(tunable).synthesize(zero_shot, [text], tmp_path)
    assert tuned.error is None and untuned.error is None
    assert tuned.audio_filepath.read_bytes() != untuned.audio_filepath.read_bytes()

    later = train("x", start=voice)
    assert read_losses(later.location)[0][1] < read_losses(voice.location)[0][1]


def test_fine_tuning_needs_enough_clips_whose_language_is_known(
    tunable: Path, long_clips: Manifest, tmp_path: Path
) -> None:
    without_lang = write_short_clips(tmp_path / "short", lang=None)
    labels = Manifest.write([*without_lang, *long_clips], tmp_path / "labels")
    message = r"too little speech .* 0 clips could be used and 28 could not"
    with pytest.raises(ConfigError, match=message):
        build(tunable, steps=1).train(None, labels, labels, NO_CHAMPION, tmp_path / "v", 7)


def test_the_licence_must_be_agreed_to_and_options_must_make_sense(weights: Path) -> None:
    with pytest.raises(ConfigError, match=r"Coqui Public Model License .*set it to true"):
        Synthesizer.build({"use": "xtts", "model": str(weights)})
    with pytest.raises(ConfigError, match=r"speed: must be two numbers from 0\.05 to 20"):
        build(weights, speed=[1.2, 1.0])


def test_missing_or_broken_weights_are_an_error(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"lacks config\.json, model\.pth, vocab\.json"):
        xtts_files.find_model_folder(str(tmp_path))
    for name in xtts_files.MODEL_FILES:
        (tmp_path / name).write_bytes((weights / name).read_bytes())
    (tmp_path / "model.pth").write_bytes(b"no weights")
    with pytest.raises(EngineError, match="no XTTS model that can be loaded"):
        xtts.load_model(tmp_path)


def test_texts_speech_and_models_that_cannot_work_are_refused_beforehand(
    weights: Path,
    long_clips: Manifest,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def write_texts(*langs: str | None) -> Manifest:
        texts = (Utterance(id=str(n), text="ciao", lang=lang) for n, lang in enumerate(langs))
        return Manifest.write(texts, tmp_path / "-".join(map(str, langs)))

    synthesizer = build(weights)
    synthesizer.check(None, write_texts("it", "fi"), [long_clips])
    assert "1 texts cannot be spoken: XTTS does not speak 'fi'" in caplog.text
    with pytest.raises(ConfigError, match=r"2 of 3 texts .* needs the language.*not speak 'fi'"):
        synthesizer.check(None, write_texts("it", None, "fi"), [long_clips])
    monkeypatch.setitem(sys.modules, "pypinyin", None)
    with pytest.raises(ConfigError, match=r"1 of 1 texts .* pypinyin.*coqui-tts\[languages\]"):
        synthesizer.check(None, write_texts("zh"), [long_clips])
    short = Manifest.write([next(iter(long_clips))], tmp_path / "short")
    with pytest.raises(ConfigError, match=r"no recording lasts 3 s, .*the longest lasts 1\.0 s"):
        synthesizer.check(None, write_texts("it"), [short])
    with pytest.raises(ConfigError, match=r"lacks .*model\.pth"):
        build(tmp_path)
    for name in xtts_files.MODEL_FILES:
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=r"lacks mel_stats\.pth, dvae\.pth"):
        build(tmp_path, steps=1)
    with pytest.raises(ConfigError, match="steps: must be a whole number from 0"):
        build(weights, steps=-1)


def test_references_are_spread_over_speakers() -> None:
    clips = [
        Utterance(id=str(n), duration=5.0, speaker="ada" if n < 90 else f"s{n}") for n in range(96)
    ]
    references = select_reference_clips(clips, 14, np.random.default_rng(0))
    assert len(references) == 8
    assert sum(reference.speaker == "ada" for reference in references) == 2


def test_only_a_fine_tuned_voice_is_continued_from() -> None:
    assert XttsSynthesizer(non_commercial=True).continues_from_last_round is False
