"""Tests with a tiny Glow-TTS in Coqui's real trainer, on clips of tones.

What all Coqui voices share is tested here too, as far as it needs a trained voice.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("TTS")

import torch

from tests import processes
from tests import world as toy
from tests.tones import NO_CHAMPION, read_losses, write_labeled_clips, write_texts
from twister_loop import load, next_round
from twister_loop.audio import io as audio
from twister_loop.core import manifest
from twister_loop.core.errors import ConfigError, EngineError
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import TEXT_ONLY, Checkpoint, Utterance
from twister_loop.tts._base import Synthesizer
from twister_loop.tts._coqui import glow_tts_model as glow
from twister_loop.tts._coqui import model_files, training
from twister_loop.tts.glow_tts import GlowTtsSynthesizer

pytestmark = pytest.mark.model

STEPS = 80
TINY = GlowTtsSynthesizer(
    hidden=16,
    blocks=2,
    layers=1,
    steps=STEPS,
    batch=8,
    learning_rate=4e-3,
    save_every=10,
    speed=0.05,  # after so little training it speaks far too fast
)


def weights_of(voice: Checkpoint) -> Path:
    return voice.location / "model.pth"


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return write_labeled_clips(tmp_path_factory.mktemp("filtered_labels"))


@pytest.fixture(scope="module")
def trained(
    labels: Manifest, texts: Manifest, tmp_path_factory: pytest.TempPathFactory
) -> Checkpoint:
    """A voice whose training was not interrupted; it has learned to hold a tone for some time."""
    return TINY.train(None, labels, texts, NO_CHAMPION, tmp_path_factory.mktemp("voice") / "v", 7)


def test_a_plan_finds_the_synthesizer_and_its_options_by_name() -> None:
    assert Synthesizer.build({"use": "glow_tts", "steps": 3}) == GlowTtsSynthesizer(steps=3)


@pytest.mark.parametrize(
    "options", [{"hidden": 15}, {"steps": 0}, {"sample_rate": 4000}, {"speed": 0}]
)
def test_impossible_options_are_an_error_that_names_them(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        Synthesizer.build({"use": "glow_tts", **options})


def test_training_lowers_the_loss_and_leaves_a_voice_and_its_log(trained: Checkpoint) -> None:
    files = {path.name for path in trained.location.iterdir()}
    assert files == {"config.json", "model.pth", "training.jsonl", "train.log"}
    losses = read_losses(trained.location)
    # Ten steps initialize the model from data and have no loss.
    assert [step for step, _ in losses] == list(range(10, STEPS))
    assert losses[-1][1] < losses[0][1] - 0.1


def test_synthesis_yields_a_line_and_a_wav_for_every_text_in_order(
    trained: Checkpoint, texts: Manifest, tmp_path: Path
) -> None:
    spoken = list(TINY.synthesize(trained, texts, tmp_path))
    assert [utterance.id for utterance in spoken] == [text.id for text in texts]
    assert [utterance.text for utterance in spoken] == [text.text for text in texts]
    assert [utterance.error for utterance in spoken] == [None] * len(spoken)
    for utterance in spoken:
        assert utterance.origin == "synthetic"
        assert (utterance.made_by, utterance.speaker) == ("glow_tts", "ada")
        assert utterance.audio_filepath == tmp_path / f"{utterance.id}.wav"
        samples = audio.read(utterance.audio_filepath)
        assert utterance.duration == len(samples) / audio.SAMPLE_RATE
        assert -30 < audio.measure_loudness(samples) < -15


def test_a_text_with_unknown_characters_comes_back_with_an_error_that_names_them(
    trained: Checkpoint, tmp_path: Path
) -> None:
    texts = write_texts(tmp_path, "alba 7 volte ж", "alba", "...", "  ")
    unknown, usable, dots, blank = TINY.synthesize(trained, texts, tmp_path)
    assert unknown.error == "the voice cannot speak 7 v ж"
    assert unknown.audio_filepath == TEXT_ONLY
    assert usable.error is None
    assert dots.error == blank.error == "there is nothing to speak"


def test_absurdly_long_or_short_speech_is_an_error(trained: Checkpoint, tmp_path: Path) -> None:
    texts = write_texts(tmp_path, "la terra e il sole")
    [long] = replace(TINY, speed=1e-9).synthesize(trained, texts, tmp_path)
    [short] = replace(TINY, speed=1e9).synthesize(trained, write_texts(tmp_path, "no"), tmp_path)
    assert long.error == "the speech would be longer than 30 s"
    assert short.error is not None and short.error.startswith("the speech is only 0.0")
    assert not list(tmp_path.glob("*.wav"))


def test_the_same_id_gives_the_same_bytes_and_another_id_other_bytes(
    trained: Checkpoint, tmp_path: Path
) -> None:
    text = Utterance(id="one", text="bella roma")
    for folder in ("a", "b"):
        list(TINY.synthesize(trained, [text, replace(text, id="two")], tmp_path / folder))
    first, repeated, second = (tmp_path / name for name in ("a/one.wav", "b/one.wav", "a/two.wav"))
    assert first.read_bytes() == repeated.read_bytes()
    assert first.read_bytes() != second.read_bytes()


def test_a_text_is_spoken_the_same_alone_and_among_others(
    trained: Checkpoint, texts: Manifest, tmp_path: Path
) -> None:
    for utterance in TINY.synthesize(trained, texts, tmp_path / "together"):
        [alone] = TINY.synthesize(trained, [replace(utterance, error=None)], tmp_path / "alone")
        samples, samples_alone = audio.load_utterance(utterance), audio.load_utterance(alone)
        assert len(samples) == len(samples_alone)
        assert np.abs(samples - samples_alone).max() < 0.05


def test_a_synthesis_killed_inside_a_window_resumes_to_the_same_audio(
    trained: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "WINDOW", 4)
    words = ["alba", "sole", "la terra", "a te", "non so", "ieri", "bene", "sei", "tre ore"]
    texts = list(write_texts(tmp_path, *words))

    def synthesize(folder: Path, stop: int | None) -> Any:
        def engine(remaining: Any) -> Any:
            utterances = TINY.synthesize(trained, remaining, folder / "audio")
            for done, utterance in enumerate(utterances):
                if done == stop:
                    raise KeyboardInterrupt
                yield utterance

        return Manifest.resume(engine, texts, folder)

    synthesize(tmp_path / "whole", stop=None)
    with pytest.raises(KeyboardInterrupt):
        synthesize(tmp_path / "broken", stop=6)
    assert len(Manifest(tmp_path / "broken")) == 4
    synthesize(tmp_path / "broken", stop=None)
    whole, resumed = (
        {path.name: path.read_bytes() for path in (tmp_path / name).rglob("*") if path.is_file()}
        for name in ("whole", "broken")
    )
    assert len(whole) == len(words) + 1
    assert whole == resumed


def test_a_killed_training_resumes_from_its_checkpoint_to_the_same_voice(
    labels: Manifest, texts: Manifest, trained: Checkpoint, tmp_path: Path
) -> None:
    out = tmp_path / "v"
    log = out / "training.jsonl"
    process = processes.start(TINY.train, None, labels, texts, NO_CHAMPION, out, 7)
    processes.kill_after_lines(process, log, 15)  # of steps 10 to 24
    checkpoint = torch.load(out / "resume" / training.CHECKPOINT, weights_only=True)
    assert checkpoint["step"] >= 20
    # A line of a step that must not be repeated; it stays if it is not.
    lines = log.read_text().splitlines()
    log.write_text("\n".join([json.dumps({"step": 10, "loss": -1.0}), *lines[1:]]) + "\n")

    resumed = TINY.train(None, labels, texts, NO_CHAMPION, out, 7)

    assert read_losses(out)[0] == (10, -1.0)
    assert read_losses(out)[1:] == read_losses(trained.location)[1:]
    assert weights_of(resumed).read_bytes() == weights_of(trained).read_bytes()
    assert not (out / "resume").exists()


def test_a_finished_training_is_not_repeated(
    labels: Manifest, texts: Manifest, trained: Checkpoint
) -> None:
    before = weights_of(trained).stat().st_mtime_ns
    assert TINY.train(None, labels, texts, NO_CHAMPION, trained.location, 7) == trained
    assert weights_of(trained).stat().st_mtime_ns == before


def test_training_prints_nothing_and_restores_loggers_random_state_and_environment(
    labels: Manifest, texts: Manifest, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    loggers = [logging.getLogger(name) for name in (None, "trainer", "TTS")]

    def state_of_loggers() -> list[tuple[int, bool, list[logging.Handler]]]:
        return [(logger.level, logger.propagate, list(logger.handlers)) for logger in loggers]

    before = state_of_loggers()
    random_state, environment = torch.random.get_rng_state(), dict(os.environ)
    quick = replace(TINY, steps=12)
    voice = quick.train(None, labels, texts, NO_CHAMPION, tmp_path / "v", 7)
    list(quick.synthesize(voice, texts, tmp_path / "audio"))
    assert capfd.readouterr().out == ""
    assert state_of_loggers() == before
    assert torch.equal(torch.random.get_rng_state(), random_state)
    assert dict(os.environ) == environment
    assert "EPOCH" in (tmp_path / "v" / "train.log").read_text()


def test_a_later_round_continues_from_the_voice_with_new_letters(
    texts: Manifest, trained: Checkpoint, tmp_path: Path
) -> None:
    bob = write_labeled_clips(tmp_path / "bob", speaker="bob", clips=30, first=100)
    ada = write_labeled_clips(tmp_path / "ada", speaker="ada", clips=21, first=200)
    clips = [replace(clip, text=f"{clip.text} ž") for clip in (*bob, *ada)]
    quick = replace(TINY, steps=1, hidden=64)
    later = quick.train(
        trained, Manifest.write(clips, tmp_path / "l"), texts, NO_CHAMPION, tmp_path / "v", 8
    )
    old, new = (glow.load_model(weights_of(voice)) for voice in (trained, later))
    assert model_files.model_characters(new) - model_files.model_characters(old) == {"ž"}
    assert new.config.hidden_channels_enc == 16  # the size of the earlier voice
    assert new.config.speakers == ["ada"]  # and its speaker, though bob has more speech
    assert read_losses(later.location)[0][0] == 0  # normalization is not initialized again
    for name, tensor in old.state_dict().items():
        if name != glow.CHARACTER_EMBEDDING:
            assert (tensor - new.state_dict()[name]).abs().max() < 0.1
    [utterance] = quick.synthesize(later, [Utterance(id="x", text="Žena")], tmp_path)
    assert utterance.error is None


def test_new_letters_leave_the_rows_of_the_others_unchanged(trained: Checkpoint) -> None:
    def rows_by_letter(model: Any) -> dict[str, torch.Tensor]:
        rows = model.state_dict()[glow.CHARACTER_EMBEDDING]
        to_row = model.tokenizer.characters.char_to_id
        letters = model_files.model_characters(model)
        return {letter: rows[to_row(letter)].clone() for letter in letters}

    model = glow.load_model(weights_of(trained))
    before = rows_by_letter(model)
    after = rows_by_letter(glow.extend_model(model, "abcxyz,"))
    assert after.keys() == {*before, *"abcxyz,"}
    for letter, row in before.items():
        assert torch.equal(after[letter], row)


def test_a_start_voice_is_adapted_and_that_of_the_last_round_has_precedence(
    labels: Manifest, texts: Manifest, trained: Checkpoint, tmp_path: Path
) -> None:
    adapting = replace(TINY, steps=1, hidden=64, start=weights_of(trained))
    adapted = adapting.train(None, labels, texts, NO_CHAMPION, tmp_path / "v", 8)
    assert glow.load_model(weights_of(adapted)).config.hidden_channels_enc == 16
    missing = replace(adapting, start=tmp_path / "nowhere.pth")
    missing.train(trained, labels, texts, NO_CHAMPION, tmp_path / "w", 8)
    with pytest.raises(EngineError, match=r"nowhere\.pth: there is no config\.json beside it"):
        missing.train(None, labels, texts, NO_CHAMPION, tmp_path / "x", 8)


def test_a_published_voice_is_half_as_large_and_can_be_trained_further(
    labels: Manifest, texts: Manifest, trained: Checkpoint, tmp_path: Path
) -> None:
    model = glow.load_model(weights_of(trained))
    file = model_files.publish_model(model, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    assert file.stat().st_size < 0.6 * weights_of(trained).stat().st_size
    for name, tensor in glow.load_model(file).state_dict().items():
        assert tensor.dtype == model.state_dict()[name].dtype
        assert torch.allclose(tensor, model.state_dict()[name], rtol=1e-3, atol=1e-6)
    adapting = replace(TINY, steps=1, hidden=64, start=tmp_path)
    adapted = adapting.train(None, labels, texts, NO_CHAMPION, tmp_path / "v", 8)
    assert glow.load_model(weights_of(adapted)).config.hidden_channels_enc == 16
    file.write_bytes(b"no weights")
    with pytest.raises(EngineError, match="not the weights of a Coqui voice"):
        glow.load_model(file)


def test_a_file_that_could_run_code_is_not_loaded(trained: Checkpoint, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    (tmp_path / "config.json").write_bytes((trained.location / "config.json").read_bytes())
    torch.save({"model": Trap()}, tmp_path / "model.pth")
    with pytest.raises(EngineError, match=r"contains more than tensors .* not loaded"):
        glow.load_model(tmp_path / "model.pth")
    assert not (tmp_path / "sprung").exists()


def test_too_few_clips_are_an_error_that_counts_them(texts: Manifest, tmp_path: Path) -> None:
    few = write_labeled_clips(tmp_path / "filtered_labels", clips=19)
    long = [replace(clip, duration=13.0, id=f"{clip.id}-long") for clip in few]
    unlabeled = [replace(clip, text=None, id=f"{clip.id}-none") for clip in few]
    labels = Manifest.write([*few, *long, *unlabeled], tmp_path / "all")
    with pytest.raises(ConfigError, match=r"at least 20 labeled clips .* there are 19 .*ada"):
        TINY.train(None, labels, texts, NO_CHAMPION, tmp_path / "v", 7)
    with pytest.raises(ConfigError, match=r"there are 0 of speaker eve"):
        replace(TINY, speaker="eve").train(None, labels, texts, NO_CHAMPION, tmp_path / "w", 7)


def test_a_loss_that_is_not_a_number_stops_the_training(
    labels: Manifest, texts: Manifest, tmp_path: Path
) -> None:
    diverging = replace(TINY, learning_rate=1e12)
    with pytest.raises(EngineError, match=r"failed at step 1\d: .*NaN.* smaller learning_rate"):
        diverging.train(None, labels, texts, NO_CHAMPION, tmp_path / "v", 7)


def test_speed_and_noise_are_drawn_for_every_sample_if_they_are_ranges(
    trained: Checkpoint, tmp_path: Path
) -> None:
    texts = [Utterance(id=f"sample-{n}", text="la terra e il sole") for n in range(4)]
    varied = Synthesizer.build({"use": "glow_tts", "speed": [0.05, 0.2], "noise": [0, 0.5]})
    durations = []
    for synthesizer in (replace(TINY, noise=0.0), varied, varied):
        spoken = list(synthesizer.synthesize(trained, texts, tmp_path))
        assert all(utterance.error is None for utterance in spoken)
        durations.append([utterance.duration for utterance in spoken])
    assert len(set(durations[0])) == 1 and len(set(durations[1])) > 2
    assert durations[1] == durations[2]
    with pytest.raises(
        ConfigError, match=r"noise: must be .* two numbers from 0 up, the smaller one first"
    ):
        Synthesizer.build({"use": "glow_tts", "noise": [0.5, 0.1]})


@pytest.mark.parametrize(
    ("has_start", "lang", "transcript", "refused"),
    [
        (False, "it", "", True),
        (False, "ru", "", False),
        (False, None, "", False),
        (False, "it", "где моя щука", False),
        (True, "it", "", True),
    ],
)
def test_texts_in_a_script_that_the_voice_could_never_learn_are_refused_beforehand(
    has_start: bool, lang: str | None, transcript: str, refused: bool, trained: Checkpoint,
    tmp_path: Path,
) -> None:  # fmt: skip
    texts = write_texts(tmp_path / "texts", "где щука", "моя щука!", "la via KGB")
    utterances = [Utterance(id="a", duration=2.0, lang=lang, text=transcript)]
    speech = Manifest.write(utterances, tmp_path / "speech")
    check = partial(TINY.check, trained if has_start else None, texts, [speech])
    if not refused:
        check()
        return
    with pytest.raises(ConfigError, match=r"2 of 3 texts .* from speech in it, such as 'где щука'"):
        check()


def test_a_voice_that_has_the_letters_may_be_given_texts_in_them(
    trained: Checkpoint, tmp_path: Path
) -> None:
    letters = "абвгдежзийклмнопрстуфхцчшщя"
    model_files.save_model(
        glow.extend_model(glow.load_model(weights_of(trained)), letters), tmp_path
    )
    texts = write_texts(tmp_path / "texts", "где моя щука")
    speech = Manifest.write([Utterance(id="a", duration=2.0, lang="it")], tmp_path / "speech")
    replace(TINY, start=tmp_path).check(None, texts, [speech])
    TINY.check(Checkpoint("glow_tts", tmp_path), texts, [speech])
    with pytest.raises(ConfigError, match="in a script that the voice was not trained on"):
        TINY.check(None, texts, [speech])


def test_a_round_with_such_texts_is_refused_before_anything_is_transcribed(
    tmp_path: Path,
) -> None:
    plan = toy.build(tmp_path)
    (tmp_path / "data" / "texts.txt").write_text("где моя щука\n")
    changes = {"language": "en", "voices": {"glow": {"use": "glow_tts"}}}
    with pytest.raises(ConfigError, match=r"voices\.glow: 1 of 1 texts are in a script"):
        next_round(load(plan, changes), tmp_path / "run")
    assert not list((tmp_path / "run").glob("round-*"))
