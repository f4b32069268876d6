"""A tiny random XTTS of the real class, whose voices are taken from clips of tones."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("TTS")

import torch

from tests.tones import NO_CHAMPION, read_losses, write_labeled_clips
from twister_loop.audio import io as audio
from twister_loop.core.errors import ConfigError, EngineError
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.tts._base import Synthesizer
from twister_loop.tts._coqui import training
from twister_loop.tts._coqui import xtts_model as xtts
from twister_loop.tts.xtts import XttsSynthesizer, select_reference_clips

pytestmark = pytest.mark.model


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


@pytest.fixture(scope="module")
def tunable(weights: Path) -> Path:
    """The same with what fine-tuning asks for beside it, in the one size that Coqui has."""
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
    return Manifest.write(clips, tmp_path / "filtered_labels")


def build(weights: Path, **options: Any) -> Synthesizer:
    spec = {"use": "xtts", "model": str(weights), "non_commercial": True, **options}
    return Synthesizer.build(spec)


def test_it_speaks_in_the_voices_of_clips_that_are_long_enough(
    weights: Path, lesson: Manifest, tmp_path: Path
) -> None:
    part = build(weights, references=2)
    learned = part.train(None, lesson, lesson, NO_CHAMPION, tmp_path / "voice", 7)
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
        build(weights).train(None, short, short, NO_CHAMPION, tmp_path / "voice", 7)


def sentences(folder: Path, lang: str | None = "it") -> Manifest:
    """Clips of less than a second, which the tiny model can learn from, and some it cannot."""
    made = [
        *write_labeled_clips(folder, 22),
        *list(write_labeled_clips(folder / "long", 1, "bob", 90)),
    ]
    short = [
        replace(each, duration=0.9, lang=lang, text=(each.text or "").strip("."))
        for each in made[:22]
    ]
    strange = replace(short[0], id="strange", text="ж")
    return Manifest.write([*short, strange, replace(made[22], duration=1.2, lang=lang)], folder)


def test_fine_tuning_changes_the_gpt_alone_and_a_later_round_goes_on_from_it(
    tunable: Path, lesson: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = Manifest.write([*sentences(tmp_path / "short"), *lesson], tmp_path / "both")
    part = build(tunable, references=2, steps=4, batch=2, learning_rate=1e-3, save_every=2)
    assert part.continues_from_last_round
    threads = torch.get_num_threads()
    made = part.train(None, both, both, NO_CHAMPION, tmp_path / "v", 7)
    assert torch.get_num_threads() == threads
    left = {each.name for each in made.location.iterdir()}
    assert left == {*xtts.MODEL_FILES, "audio", "manifest.jsonl", "training.jsonl", "train.log"}
    assert [step for step, _ in read_losses(made.location)] == [0, 1, 2, 3]
    before, after = (xtts.load_model(each).state_dict() for each in (tunable, made.location))
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"gpt"}

    looked = training.LossMonitor.check_loss

    def broken(self: training.LossMonitor, step: int, loss: float | None) -> None:
        looked(self, step, loss)
        if step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(training.LossMonitor, "check_loss", broken)
        part.train(None, both, both, NO_CHAMPION, tmp_path / "w", 7)
    again = part.train(None, both, both, NO_CHAMPION, tmp_path / "w", 7)
    one, other = (each.location / "model.pth" for each in (made, again))
    assert one.read_bytes() == other.read_bytes()
    assert read_losses(again.location) == read_losses(made.location)

    line = Utterance(id="one", text="ciao", lang="it")
    [tuned] = part.synthesize(made, [line], tmp_path / "a")
    [plain] = build(tunable).synthesize(replace(made, location=lesson.folder), [line], tmp_path)
    assert tuned.error is None and plain.error is None
    assert tuned.audio_filepath.read_bytes() != plain.audio_filepath.read_bytes()

    later = part.train(made, both, both, NO_CHAMPION, tmp_path / "x", 7)
    assert read_losses(later.location)[0][1] < read_losses(made.location)[0][1]


def test_fine_tuning_asks_for_enough_clips_that_it_can_read(
    tunable: Path, lesson: Manifest, tmp_path: Path
) -> None:
    nameless = sentences(tmp_path / "short", lang=None)  # XTTS must be told a language
    both = Manifest.write([*nameless, *lesson], tmp_path / "both")
    with pytest.raises(ConfigError, match=r"too little speech .* 0 clips could be used, 28 not"):
        build(tunable, steps=1).train(None, both, both, NO_CHAMPION, tmp_path / "v", 7)


def test_the_licence_must_be_agreed_to_and_options_must_make_sense(weights: Path) -> None:
    with pytest.raises(ConfigError, match=r"Coqui Public Model License .*say true"):
        Synthesizer.build({"use": "xtts", "model": str(weights)})
    with pytest.raises(ConfigError, match="smaller first"):
        build(weights, speed=[1.2, 1.0])


def test_weights_that_are_nowhere_or_no_weights_are_a_sentence(
    weights: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"lacks config\.json, model\.pth, vocab\.json"):
        xtts.find_model_folder(str(tmp_path))
    for name in xtts.MODEL_FILES:
        (tmp_path / name).write_bytes((weights / name).read_bytes())
    (tmp_path / "model.pth").write_bytes(b"no weights")
    with pytest.raises(EngineError, match="no XTTS model that can be loaded"):
        xtts.load_model(tmp_path)


def test_what_xtts_cannot_do_is_refused_beforehand(
    weights: Path,
    lesson: Manifest,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def texts(*langs: str | None) -> Manifest:
        made = (Utterance(id=str(at), text="ciao", lang=lang) for at, lang in enumerate(langs))
        return Manifest.write(made, tmp_path / "-".join(map(str, langs)))

    part = build(weights)
    part.check(None, texts("it", "fi"), [lesson])
    assert "1 texts cannot be spoken: XTTS does not speak 'fi'" in caplog.text
    with pytest.raises(ConfigError, match=r"2 of 3 texts .* told the language.*not speak 'fi'"):
        part.check(None, texts("it", None, "fi"), [lesson])
    monkeypatch.setitem(sys.modules, "pypinyin", None)
    with pytest.raises(ConfigError, match=r"1 of 1 texts .* pypinyin.*coqui-tts\[languages\]"):
        part.check(None, texts("zh"), [lesson])
    short = Manifest.write([next(iter(lesson))], tmp_path / "short")
    with pytest.raises(ConfigError, match=r"no recording lasts 3 s, .*the longest lasts 1\.0 s"):
        part.check(None, texts("it"), [short])
    with pytest.raises(ConfigError, match=r"lacks .*model\.pth"):
        build(tmp_path)
    for name in xtts.MODEL_FILES:
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=r"lacks mel_stats\.pth, dvae\.pth"):
        build(tmp_path, steps=1)
    with pytest.raises(ConfigError, match="steps: not below 0"):
        build(weights, steps=-1)


def test_references_are_spread_over_speakers() -> None:
    clips = [
        Utterance(id=str(at), duration=5.0, speaker="ada" if at < 90 else f"s{at}")
        for at in range(96)
    ]
    chosen = select_reference_clips(clips, 14, np.random.default_rng(0))
    assert len(chosen) == 8 and sum(each.speaker == "ada" for each in chosen) == 2
    assert XttsSynthesizer(non_commercial=True).continues_from_last_round is False
    assert Checkpoint("xtts", Path()).engine == "xtts"
