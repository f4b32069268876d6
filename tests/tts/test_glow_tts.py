"""A tiny Glow-TTS through Coqui's real trainer, on clips of tones."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("TTS")

import torch

from tests import world as toy
from tests.tones import LETTERS, NO_CHAMPION, read_losses, write_labeled_clips, write_texts
from twister_loop import load, next_round
from twister_loop.audio import io as audio
from twister_loop.core import manifest
from twister_loop.core.errors import ConfigError, EngineError
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import TEXT_ONLY, Checkpoint, Utterance
from twister_loop.tts._base import Synthesizer
from twister_loop.tts._coqui import glow_tts_model as glow
from twister_loop.tts._coqui import model_files, training, training_clips
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
    speed=0.05,  # so little training leaves it hurried
)


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return write_labeled_clips(tmp_path_factory.mktemp("lesson"))


@pytest.fixture(scope="module")
def trained(
    lesson: Manifest, texts: Manifest, tmp_path_factory: pytest.TempPathFactory
) -> Checkpoint:
    """A voice trained without disturbance; it has learned to hold a tone for some time."""
    return TINY.train(None, lesson, texts, NO_CHAMPION, tmp_path_factory.mktemp("voice") / "v", 7)


def test_the_name_in_the_plan_finds_it_and_its_options() -> None:
    assert Synthesizer.build({"use": "glow_tts", "steps": 3}) == GlowTtsSynthesizer(steps=3)


@pytest.mark.parametrize(
    "wrong", [{"hidden": 15}, {"steps": 0}, {"sample_rate": 4000}, {"speed": 0}]
)
def test_options_that_cannot_be_are_a_sentence(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Synthesizer.build({"use": "glow_tts", **wrong})


def test_training_lowers_the_loss_and_leaves_a_voice_and_its_notes_alone(
    trained: Checkpoint,
) -> None:
    left = {each.name for each in trained.location.iterdir()}
    assert left == {"config.json", "model.pth", "training.jsonl", "train.log"}
    noted = read_losses(trained.location)
    assert [step for step, _ in noted] == list(range(10, STEPS))  # ten to initialize, then these
    assert noted[-1][1] < noted[0][1] - 0.1


def test_what_it_speaks_is_a_line_and_a_wav_for_every_text_in_order(
    trained: Checkpoint, texts: Manifest, tmp_path: Path
) -> None:
    spoken = list(TINY.synthesize(trained, texts, tmp_path))
    assert [each.id for each in spoken] == [each.id for each in texts]
    assert [each.text for each in spoken] == [each.text for each in texts]
    assert [each.error for each in spoken] == [None] * len(spoken)
    for each in spoken:
        assert (each.origin, each.made_by, each.speaker) == ("synthetic", "glow_tts", "ada")
        assert each.audio_filepath == tmp_path / f"{each.id}.wav"
        samples = audio.read(each.audio_filepath)
        assert each.duration == len(samples) / audio.SAMPLE_RATE
        assert -30 < audio.measure_loudness(samples) < -15


def test_a_text_it_cannot_speak_comes_back_with_the_characters_named(
    trained: Checkpoint, tmp_path: Path
) -> None:
    asked = write_texts(tmp_path, "alba 7 volte ж", "alba", "...", "  ")
    digits, fine, dots, blank = TINY.synthesize(trained, asked, tmp_path)
    assert digits.error == "the voice cannot speak 7 v ж"
    assert digits.audio_filepath == TEXT_ONLY
    assert fine.error is None
    assert dots.error == blank.error == "there is nothing to speak"


def test_what_is_spoken_absurdly_long_or_short_is_an_error(
    trained: Checkpoint, tmp_path: Path
) -> None:
    asked = write_texts(tmp_path, "la terra e il sole")
    [long] = replace(TINY, speed=1e-9).synthesize(trained, asked, tmp_path)
    [short] = replace(TINY, speed=1e9).synthesize(trained, write_texts(tmp_path, "no"), tmp_path)
    assert long.error == "spoken, it would take more than 30 s"
    assert short.error is not None and short.error.startswith("spoken, it takes only 0.0")
    assert not list(tmp_path.glob("*.wav"))


def test_speaking_twice_gives_the_same_bytes_and_another_id_another_take(
    trained: Checkpoint, tmp_path: Path
) -> None:
    line = Utterance(id="one", text="bella roma")
    for folder in ("a", "b"):
        list(TINY.synthesize(trained, [line, replace(line, id="two")], tmp_path / folder))
    one, again, two = (tmp_path / each for each in ("a/one.wav", "b/one.wav", "a/two.wav"))
    assert one.read_bytes() == again.read_bytes()
    assert one.read_bytes() != two.read_bytes()


def test_a_text_is_spoken_the_same_alone_and_among_others(
    trained: Checkpoint, texts: Manifest, tmp_path: Path
) -> None:
    for each in TINY.synthesize(trained, texts, tmp_path / "together"):
        [alone] = TINY.synthesize(trained, [replace(each, error=None)], tmp_path / "alone")
        one, other = audio.load_utterance(each), audio.load_utterance(alone)
        assert len(one) == len(other)
        assert np.abs(one - other).max() < 0.05


def test_speaking_that_was_killed_inside_a_window_goes_on_to_the_same_audio(
    trained: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "WINDOW", 4)
    words = ["alba", "sole", "la terra", "a te", "non so", "ieri", "bene", "sei", "tre ore"]
    asked = list(write_texts(tmp_path, *words))

    def spoken(folder: Path, stop: int | None) -> Any:
        def speak(rest: Any) -> Any:
            for done, each in enumerate(TINY.synthesize(trained, rest, folder / "audio")):
                if done == stop:
                    raise KeyboardInterrupt
                yield each

        return Manifest.resume(speak, asked, folder)

    spoken(tmp_path / "whole", stop=None)
    with pytest.raises(KeyboardInterrupt):
        spoken(tmp_path / "broken", stop=6)
    assert len(Manifest(tmp_path / "broken")) == 4
    spoken(tmp_path / "broken", stop=None)
    whole = {each.name: each for each in (tmp_path / "whole").rglob("*") if each.is_file()}
    broken = {each.name: each for each in (tmp_path / "broken").rglob("*") if each.is_file()}
    assert len(whole) == len(words) + 1
    assert {name: each.read_bytes() for name, each in whole.items()} == {
        name: each.read_bytes() for name, each in broken.items()
    }


KILLED = """
import sys
from pathlib import Path
from twister_loop.core.manifest import Manifest
from tests.tts.test_glow_tts import TINY
lesson, texts, out = map(Path, sys.argv[1:])
TINY.train(None, Manifest(lesson), Manifest(texts), None, out, 7)
"""


def test_training_killed_goes_on_from_its_checkpoint_to_the_same_voice(
    lesson: Manifest, texts: Manifest, trained: Checkpoint, tmp_path: Path
) -> None:
    out = tmp_path / "v"
    folders = [str(each) for each in (lesson.folder, texts.folder, out)]
    notes = out / "training.jsonl"
    with subprocess.Popen([sys.executable, "-c", KILLED, *folders]) as process:
        while process.poll() is None and not (notes.exists() and '"step": 24' in notes.read_text()):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "it was done before it could be killed"
    left = torch.load(out / "resume" / training.CHECKPOINT, weights_only=True)
    assert left["step"] >= 20
    # A line of a step that must not be repeated; it stays if it is not.
    lines = notes.read_text().splitlines()
    notes.write_text("\n".join([json.dumps({"step": 10, "loss": -1.0}), *lines[1:]]) + "\n")

    resumed = TINY.train(None, lesson, texts, NO_CHAMPION, out, 7)

    assert read_losses(out)[0] == (10, -1.0)
    assert read_losses(out)[1:] == read_losses(trained.location)[1:]
    one, other = (each.location / "model.pth" for each in (trained, resumed))
    assert one.read_bytes() == other.read_bytes()
    assert not (out / "resume").exists()


def test_training_that_is_done_is_not_done_again(
    lesson: Manifest, texts: Manifest, trained: Checkpoint
) -> None:
    before = (trained.location / "model.pth").stat().st_mtime_ns
    assert TINY.train(None, lesson, texts, NO_CHAMPION, trained.location, 7) == trained
    assert (trained.location / "model.pth").stat().st_mtime_ns == before


def test_nothing_is_printed_and_loggers_are_left_as_they_were(
    lesson: Manifest, texts: Manifest, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    loggers = [logging.getLogger(name) for name in (None, "trainer", "TTS")]
    before = [(each.level, each.propagate, list(each.handlers)) for each in loggers]
    drawn, environment = torch.random.get_rng_state(), dict(os.environ)
    quick = replace(TINY, steps=12)
    voice_ = quick.train(None, lesson, texts, NO_CHAMPION, tmp_path / "v", 7)
    list(quick.synthesize(voice_, texts, tmp_path / "audio"))
    assert capfd.readouterr().out == ""
    assert [(each.level, each.propagate, list(each.handlers)) for each in loggers] == before
    assert torch.equal(torch.random.get_rng_state(), drawn)
    assert dict(os.environ) == environment
    assert "EPOCH" in (tmp_path / "v" / "train.log").read_text()


def test_a_later_round_goes_on_from_the_voice_and_learns_of_new_letters(
    texts: Manifest, trained: Checkpoint, tmp_path: Path
) -> None:
    other = write_labeled_clips(tmp_path / "filtered_labels", speaker="bob", clips=30, first=100)
    both = [*other, *write_labeled_clips(tmp_path / "ada", speaker="ada", clips=21, first=200)]
    grown = [replace(each, text=f"{each.text} ž") for each in both]
    quick = replace(TINY, steps=1, hidden=64)
    later = quick.train(
        trained, Manifest.write(grown, tmp_path / "l"), texts, NO_CHAMPION, tmp_path / "v", 8
    )
    old, new = (glow.load_model(each.location / "model.pth") for each in (trained, later))
    assert model_files.model_characters(new) - model_files.model_characters(old) == {"ž"}
    assert new.config.hidden_channels_enc == 16  # the sizes of the earlier voice
    assert new.config.speakers == ["ada"]  # and its speaker, though bob speaks more
    assert read_losses(later.location)[0][0] == 0  # its normalization is not initialized anew
    for name, weights in old.state_dict().items():
        if name != glow.CHARACTER_EMBEDDING:
            assert (weights - new.state_dict()[name]).abs().max() < 0.1
    [spoken] = quick.synthesize(later, [Utterance(id="x", text="Žena")], tmp_path)
    assert spoken.error is None


def test_more_letters_leave_the_rows_of_the_known_ones_as_they_are(trained: Checkpoint) -> None:
    old = glow.load_model(trained.location / "model.pth")
    rows = {
        each: old.state_dict()[glow.CHARACTER_EMBEDDING][
            old.tokenizer.characters.char_to_id(each)
        ].clone()
        for each in model_files.model_characters(old)
    }
    new = glow.extend_model(old, "abcxyz,")
    for each, row in rows.items():
        place = new.tokenizer.characters.char_to_id(each)
        assert torch.equal(new.state_dict()[glow.CHARACTER_EMBEDDING][place], row)
    assert model_files.model_characters(new) == {*rows, *"abcxyz,"}


def test_a_given_voice_is_adapted_and_the_last_round_s_wins_over_it(
    lesson: Manifest, texts: Manifest, trained: Checkpoint, tmp_path: Path
) -> None:
    given = replace(TINY, steps=1, hidden=64, start=trained.location / "model.pth")
    adapted = given.train(None, lesson, texts, NO_CHAMPION, tmp_path / "v", 8)
    assert glow.load_model(adapted.location / "model.pth").config.hidden_channels_enc == 16
    nowhere = replace(given, start=tmp_path / "nowhere.pth")
    nowhere.train(trained, lesson, texts, NO_CHAMPION, tmp_path / "w", 8)
    with pytest.raises(EngineError, match=r"nowhere\.pth: no config\.json beside it"):
        nowhere.train(None, lesson, texts, NO_CHAMPION, tmp_path / "x", 8)


def test_a_voice_that_is_handed_on_is_half_as_large_and_can_be_gone_on_with(
    lesson: Manifest, texts: Manifest, trained: Checkpoint, tmp_path: Path
) -> None:
    model = glow.load_model(trained.location / "model.pth")
    file = model_files.publish_model(model, tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    assert file.stat().st_size < 0.6 * (trained.location / "model.pth").stat().st_size
    for name, weights in glow.load_model(file).state_dict().items():
        assert weights.dtype == model.state_dict()[name].dtype
        assert torch.allclose(weights, model.state_dict()[name], rtol=1e-3, atol=1e-6)
    adapted = replace(TINY, steps=1, hidden=64, start=tmp_path)
    adapted.train(None, lesson, texts, NO_CHAMPION, tmp_path / "v", 8)
    assert glow.load_model(tmp_path / "v" / "model.pth").config.hidden_channels_enc == 16
    file.write_bytes(b"no weights")
    with pytest.raises(EngineError, match="not a Coqui voice that can be read"):
        glow.load_model(file)


def test_the_learning_rate_is_constant_and_then_goes_down_to_nothing() -> None:
    taken = [training.learning_rate_factor(step, 100) for step in range(100)]
    assert taken[:71] == [1.0] * 71
    assert taken[71:] == sorted(taken[71:], reverse=True)
    assert 0 < taken[99] < 0.04
    assert training.learning_rate_factor(0, 1) == 1.0


def test_a_file_that_would_run_code_is_not_read(trained: Checkpoint, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    (tmp_path / "config.json").write_bytes((trained.location / "config.json").read_bytes())
    torch.save({"model": Trap()}, tmp_path / "model.pth")
    with pytest.raises(EngineError, match="holds more than weights"):
        glow.load_model(tmp_path / "model.pth")
    assert not (tmp_path / "sprung").exists()


def test_too_small_a_lesson_is_a_sentence_that_says_what_is_there(
    texts: Manifest, tmp_path: Path
) -> None:
    few = write_labeled_clips(tmp_path / "filtered_labels", clips=19)
    long = [replace(each, duration=13.0, id=f"{each.id}-long") for each in few]
    unlabeled = [replace(each, text=None, id=f"{each.id}-none") for each in few]
    both = Manifest.write([*few, *long, *unlabeled], tmp_path / "both")
    with pytest.raises(ConfigError, match=r"at least 20 labeled clips .* there are 19 .*ada"):
        TINY.train(None, both, texts, NO_CHAMPION, tmp_path / "v", 7)
    with pytest.raises(ConfigError, match=r"there are 0 of speaker eve"):
        replace(TINY, speaker="eve").train(None, both, texts, NO_CHAMPION, tmp_path / "w", 7)


def test_clips_that_cannot_be_read_are_left_out(
    lesson: Manifest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clips = [*lesson, replace(next(iter(lesson)), audio_filepath=tmp_path / "gone.wav")]
    model = glow.create_model(8000, 16, 2, 1, f"{LETTERS} .")
    samples = training_clips.write_clips(clips, tmp_path, model)
    assert len(samples) == len(clips) - 1
    assert "gone.wav" in caplog.text
    first = audio.read(Path(samples[0]["audio_file"]))
    assert len(first) <= next(iter(lesson)).duration * audio.SAMPLE_RATE


def test_the_speaker_with_most_speech_is_chosen_unless_one_is_named(tmp_path: Path) -> None:
    clips = [
        *write_labeled_clips(tmp_path / "a", clips=22),
        *write_labeled_clips(tmp_path / "b", clips=30, speaker="bob", first=50),
    ]
    assert {each.speaker for each in training_clips.select_clips_of_one_speaker(clips, None)} == {
        "bob"
    }
    assert {
        each.speaker for each in training_clips.select_clips_of_one_speaker(clips, "ada", "bob")
    } == {"ada"}


def test_a_voice_keeps_its_speaker_while_the_lesson_has_enough_of_that_one(tmp_path: Path) -> None:
    ada = [*write_labeled_clips(tmp_path / "a", clips=20)]
    bob = [*write_labeled_clips(tmp_path / "b", clips=30, speaker="bob", first=50)]
    of = training_clips.select_clips_of_one_speaker
    assert {each.speaker for each in of([*ada, *bob], None, "ada")} == {"ada"}
    assert {each.speaker for each in of([*ada[1:], *bob], None, "ada")} == {"bob"}


def test_a_loss_that_is_not_a_number_stops_with_a_sentence(
    lesson: Manifest, texts: Manifest, tmp_path: Path
) -> None:
    wild = replace(TINY, learning_rate=1e12)
    with pytest.raises(EngineError, match=r"failed at step 1\d: .*NaN.* smaller learning_rate"):
        wild.train(None, lesson, texts, NO_CHAMPION, tmp_path / "v", 7)
    with pytest.raises(EngineError, match=r"failed at step 3: the loss is inf; .* smaller"):
        training.LossMonitor(tmp_path / "notes.jsonl", 10)(3, float("inf"))


def test_speed_and_noise_are_drawn_for_every_take_where_a_range_is_given(
    trained: Checkpoint, tmp_path: Path
) -> None:
    takes = [Utterance(id=f"take-{at}", text="la terra e il sole") for at in range(4)]
    varied = Synthesizer.build({"use": "glow_tts", "speed": [0.05, 0.2], "noise": [0, 0.5]})
    lengths = []
    for part in (replace(TINY, noise=0.0), varied, varied):
        said = list(part.synthesize(trained, takes, tmp_path))
        assert all(each.error is None for each in said)
        lengths.append([each.duration for each in said])
    assert len(set(lengths[0])) == 1 and len(set(lengths[1])) > 2
    assert lengths[1] == lengths[2]
    with pytest.raises(ConfigError, match="noise is not below 0; of two, the smaller one first"):
        Synthesizer.build({"use": "glow_tts", "noise": [0.5, 0.1]})


@pytest.mark.parametrize(
    ("start", "lang", "transcript", "refused"),
    [
        (False, "it", "", True),
        (False, "ru", "", False),
        (False, None, "", False),
        (False, "it", "где моя щука", False),
        (True, "it", "", True),
    ],
)
def test_texts_in_letters_that_it_could_never_learn_are_refused_beforehand(
    start: bool, lang: str | None, transcript: str, refused: bool, trained: Checkpoint,
    tmp_path: Path,
) -> None:  # fmt: skip
    texts = write_texts(tmp_path / "texts", "где щука", "моя щука!", "la via KGB")
    heard = [Utterance(id="a", duration=2.0, lang=lang, text=transcript)]
    speech = Manifest.write(heard, tmp_path / "speech")
    checked = partial(TINY.check, trained if start else None, texts, [speech])
    if not refused:
        checked()
        return
    with pytest.raises(ConfigError, match=r"2 of 3 texts .* from speech in it, such as 'где щука'"):
        checked()


def test_a_voice_that_knows_the_letters_may_be_asked_to_speak_them(
    trained: Checkpoint, tmp_path: Path
) -> None:
    knowing = glow.extend_model(
        glow.load_model(trained.location / "model.pth"), "абвгдежзийклмнопрстуфхцчшщя"
    )
    model_files.save_model(knowing, tmp_path)
    texts = write_texts(tmp_path / "texts", "где моя щука")
    speech = Manifest.write([Utterance(id="a", duration=2.0, lang="it")], tmp_path / "speech")
    replace(TINY, start=tmp_path).check(None, texts, [speech])
    TINY.check(Checkpoint("glow_tts", tmp_path), texts, [speech])
    with pytest.raises(ConfigError, match="never seen"):
        TINY.check(None, texts, [speech])


def test_a_round_with_such_texts_is_refused_before_anything_is_heard(tmp_path: Path) -> None:
    plan = toy.build(tmp_path)
    (tmp_path / "data" / "texts.txt").write_text("где моя щука\n")
    changes = {"language": "en", "voices": {"glow": {"use": "glow_tts"}}}
    with pytest.raises(ConfigError, match=r"voices\.glow: 1 of 1 texts are in letters"):
        next_round(load(plan, changes), tmp_path / "run")
    assert not list((tmp_path / "run").glob("round-*"))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("  Pronto?  Chi\tparla…", "pronto? chi parla."),
        ("L’ALBA «blu»: sì", "l'alba blu, sì"),
        ("perche\u0301", "perché"),
        ("premi * o 7%", "premi * o 7%"),
        ("再见，朋友！", "再见,朋友!"),
    ],
)
def test_texts_are_spelled_alike_wherever_they_come_from(written: str, read: str) -> None:
    assert model_files.normalize_text(written) == read


def test_the_alphabet_holds_letters_of_the_texts_but_no_signs_that_nobody_spoke() -> None:
    assert model_files.collect_characters(["ab, 7"], ["bc é 8 % ü"]) == " ,7abcéü"


def test_every_clip_comes_once_in_an_epoch_and_epochs_differ() -> None:
    order = training.iterate_batches(50, 8, seed=3)
    one, two = ([next(order) for _ in range(6)] for _ in range(2))
    assert sorted(chain(*one)) == sorted(chain(*two)) == list(range(50))
    assert {frozenset(each) for each in one} != {frozenset(each) for each in two}
    assert max(max(each) - min(each) for each in one) < 30  # like lengths go together
