"""Perturbed speech: repeatable, never constant, and as its options say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from twister_loop import ConfigError, Plan, Utterance, load, next_round
from twister_loop.audio import io as audio
from twister_loop.audio.augmentation import Augmentation, AugmentedDataset, RandomEffect, load_audio
from twister_loop.audio.effects._audiomentations import list_recordings
from twister_loop.audio.effects._base import Effect
from twister_loop.core.artifacts import cache_key
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Piece, Word
from twister_loop.pipeline.stages.mixture import augment

RATE = audio.SAMPLE_RATE


def effect(use: str, **options: Any) -> Effect:
    return Effect.build({"use": use, **options})


def noise(seconds: float, seed: int = 3) -> np.ndarray:
    samples = np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE))
    return samples.astype(np.float32)


def tone(seconds: float, hertz: float) -> np.ndarray:
    return (0.1 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(
        np.float32
    )


def applied(effect: Effect, samples: np.ndarray, seed: int = 1) -> np.ndarray:
    return effect.apply(samples.copy(), np.random.default_rng(seed))


def speech(folder: Path, lengths: list[float]) -> Manifest:
    def recorded() -> Iterator[Utterance]:
        for number, length in enumerate(lengths):
            path = folder / f"{number}.wav"
            duration = audio.write(noise(length, number), path)
            yield Utterance(id=f"u{number}", audio_filepath=path, duration=duration, text="due")

    return Manifest.write(recorded(), folder)


@pytest.fixture(params=Effect.list_names())
def any_effect(request: pytest.FixtureRequest) -> Effect:
    return effect(request.param)


def test_every_effect_changes_speech_and_is_decided_by_its_seed(any_effect: Effect) -> None:
    samples = noise(1.0)
    one, two, other = (applied(any_effect, samples, seed) for seed in (1, 1, 2))
    assert one.dtype == np.float32 and np.isfinite(one).all() and abs(one).max() <= 1.5
    assert (one == two).all()
    assert len(one) != len(samples) or not np.allclose(one, samples, atol=1e-3)
    assert any_effect.stretches == (len(one) != len(samples))
    if any_effect.name not in {"telephone", "codec", "speed"}:  # which draw one of few, or nothing
        assert not np.allclose(one, other, atol=1e-4)


def test_what_the_whole_process_draws_is_left_alone(any_effect: Effect) -> None:
    import random

    random.seed(1)
    np.random.seed(1)
    before = random.Random(1).random(), np.random.RandomState(1).random()
    applied(any_effect, noise(0.5))
    assert (random.random(), np.random.random()) == before


@pytest.mark.parametrize("own", [False, True])
def test_noise_has_the_ratio_that_was_asked_for(own: bool, tmp_path: Path) -> None:
    audio.write(noise(0.7), tmp_path / "noises" / "hum.flac")
    options = {"recordings": str(tmp_path / "noises")} if own else {}
    samples = tone(2, 500)
    noisy = applied(effect("noise", snr=[10, 10], **options), samples)
    ratio = 10 * np.log10(np.mean(samples**2) / np.mean((noisy - samples) ** 2))
    assert ratio == pytest.approx(10, abs=0.3)


def test_own_noise_is_what_was_recorded(tmp_path: Path) -> None:
    audio.write(tone(3, 1_000), tmp_path / "a.wav")
    added = applied(effect("noise", recordings=str(tmp_path), snr=[5, 5]), noise(1)) - noise(1)
    assert np.abs(np.fft.rfft(added)).argmax() == 1_000


def test_a_room_makes_speech_sound_on_and_keeps_its_loudness(tmp_path: Path) -> None:
    said = np.concatenate([noise(0.3), np.zeros(round(0.3 * RATE), np.float32)])
    response = np.zeros(RATE // 4, np.float32)
    response[[0, 2_000, 3_900]] = 1.0, 0.5, 0.25
    audio.write(response / 2, tmp_path / "hall.wav")
    for room in (effect("room"), effect("room", responses=str(tmp_path))):
        heard = applied(room, said)
        assert len(heard) == len(said)
        assert audio.measure_loudness(heard) == pytest.approx(audio.measure_loudness(said), abs=0.1)
        assert audio.measure_loudness(heard[round(0.32 * RATE) : round(0.4 * RATE)]) > -60


def test_pitch_moves_the_pitch_and_not_the_time() -> None:
    higher = applied(effect("pitch", semitones=[12, 12]), tone(2, 400))
    assert len(higher) == 2 * RATE
    assert np.abs(np.fft.rfft(higher)).argmax() / 2 == pytest.approx(800, rel=0.03)


def test_clipping_cuts_off_a_part_of_the_samples() -> None:
    clipped = applied(effect("clipping", percent=[20, 20]), noise(1))
    at_the_edge = np.mean((clipped == clipped.max()) | (clipped == clipped.min()))
    assert at_the_edge == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(("name", "cut"), [("telephone", 4_000), ("codec", 4_000)])
def test_narrow_bands_let_nothing_through_above(name: str, cut: int) -> None:
    options = {"codecs": ["gsm"]} if name == "codec" else {}
    power = abs(np.fft.rfft(applied(effect(name, **options), noise(2)))) ** 2
    frequency = np.fft.rfftfreq(2 * RATE, 1 / RATE)
    assert power[frequency > cut].sum() < 0.01 * power.sum()


@pytest.mark.parametrize("codec", ["gsm", "opus", "vorbis", "mp3", "adpcm"])
def test_a_codec_keeps_length_and_place(codec: str) -> None:
    said = np.concatenate([np.zeros(RATE // 2, np.float32), tone(0.5, 700)])
    heard = applied(effect("codec", codecs=[codec]), said)
    assert len(heard) == len(said)
    assert (
        audio.measure_loudness(heard[: RATE // 2 - 1_000])
        < audio.measure_loudness(heard[RATE // 2 :]) - 20
    )


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"use": "noise", "recordings": "nowhere"}, "recordings: .*nowhere is not a folder"),
        ({"use": "noise", "recordings": "empty"}, "recordings: .*empty contains no audio"),
        ({"use": "room", "responses": "broken"}, "responses: .*a.wav: cannot read audio"),
        (
            {"use": "noise", "snr": [20, 10]},
            "snr, color: two numbers in decibels, the smaller one first",
        ),
        ({"use": "codec", "codecs": ["gms"]}, "'gsm'"),
        ({"use": "clipping", "percent": [0, 200]}, "percent: two numbers from 0 to 100"),
        ({"use": "gain", "probability": 2}, "augment.effects.0.probability: from 0 to 1, not 2"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_plan(
    world: Path, spec: dict[str, Any], message: str
) -> None:
    (world.parent / "empty").mkdir()
    (world.parent / "broken").mkdir()
    (world.parent / "broken" / "a.wav").write_text("no audio")
    document = yaml.safe_load(world.read_text())
    world.write_text(yaml.safe_dump({**document, "augment": {"effects": [spec]}}))
    with pytest.raises(ConfigError, match=message):
        load(world)


def test_probabilities_are_the_effects_own_or_the_plans(world: Path) -> None:
    document = yaml.safe_load(world.read_text())
    effects = [{"use": "gain", "probability": 0.1}, "speed"]
    document["augment"] = {"effects": effects, "probability": 0.3, "when": "reading"}
    world.write_text(yaml.safe_dump(document))
    terms = load(world).augment
    assert terms and terms.when == "reading"
    assert [(each.effect.name, each.probability) for each in terms.effects] == [
        ("gain", 0.1),
        ("speed", 0.3),
    ]
    with pytest.raises(ConfigError, match="copies: must be 1 or more, not 0"):
        load(world, {"augment": {"effects": effects, "copies": 0}})


def test_another_recording_under_the_same_name_is_noticed(tmp_path: Path) -> None:
    audio.write(noise(0.5), tmp_path / "a.wav")
    before = cache_key(effect("noise", recordings=str(tmp_path)))
    assert before == cache_key(effect("noise", recordings=str(tmp_path)))
    audio.write(noise(0.5, 9), tmp_path / "a.wav")
    assert cache_key(effect("noise", recordings=str(tmp_path))) != before
    assert list_recordings(tmp_path) == (tmp_path / "a.wav",)


HALF = Augmentation((RandomEffect(effect("gain"), 0.5), RandomEffect(effect("speed"), 0.5)))


def test_what_is_perturbed_says_so_and_the_rest_stays_where_it_is(tmp_path: Path) -> None:
    source = speech(tmp_path / "pseudo_labels", [0.3] * 40)
    perturbed = list(augment(HALF, source, 7, out=tmp_path / "augmented"))
    before = list(source)
    assert {each.made_by for each in perturbed} == {None, "gain", "speed", "gain+speed"}
    for old, new in zip(before, perturbed, strict=True):
        if new.made_by is None:
            assert new == replace(old, audio_filepath=new.audio_filepath)
        else:
            assert new.audio_filepath.is_file() and new.text == old.text
            assert new.duration == pytest.approx(audio.read_duration(new.audio_filepath), abs=1e-3)


def test_copies_are_perturbed_each_otherwise_and_repeatably(tmp_path: Path) -> None:
    source = speech(tmp_path / "pseudo_labels", [0.3] * 6)
    terms = replace(HALF, effects=(RandomEffect(effect("gain"), 1.0),), copies=2)
    one, two = (list(augment(terms, source, 7, out=tmp_path / name)) for name in ("one", "two"))
    assert len({each.id for each in one}) == len(one) == 12
    sounds = [audio.load_utterance(each) for each in one]
    assert all((a == audio.load_utterance(b)).all() for a, b in zip(sounds, two, strict=True))
    assert not any(np.allclose(a, b) for a, b in zip(sounds[:6], sounds[6:], strict=True))


def test_one_that_stands_in_the_mixture_twice_is_perturbed_twice(tmp_path: Path) -> None:
    source = speech(tmp_path / "pseudo_labels", [0.3])
    twice = Manifest.write([*source, *source], tmp_path / "mixture")
    terms = replace(HALF, effects=(RandomEffect(effect("gain"), 1.0),))
    one, other = (
        audio.load_utterance(each) for each in augment(terms, twice, 7, out=tmp_path / "augmented")
    )
    assert not np.allclose(one, other)


def test_reading_perturbs_by_epoch_copy_and_id_and_nothing_else(tmp_path: Path) -> None:
    source = speech(tmp_path / "pseudo_labels", [0.3] * 3)
    terms = replace(HALF, effects=(RandomEffect(effect("gain"), 1.0),), when="reading")
    lesson, again = (AugmentedDataset(source.folder, terms, 7) for _ in range(2))
    first, *others = source
    heard = {
        (epoch, copy): load_audio(lesson, first, epoch, copy)[1]
        for epoch in (1, 2)
        for copy in (0, 1)
    }
    assert len({samples.tobytes() for samples in heard.values()}) == 4
    load_audio(again, others[0], 1)
    assert (load_audio(again, first, 2, 1)[1] == heard[2, 1]).all()
    other = load_audio(AugmentedDataset(source.folder, terms, 8), first, 1)[1]
    assert not np.allclose(other, heard[1, 0])
    assert (load_audio(source, first, 1)[1] == audio.load_utterance(first)).all()


def test_times_move_with_speed_and_nothing_becomes_longer_than_whisper_hears(
    tmp_path: Path,
) -> None:
    [short, long] = speech(tmp_path, [10.0, 29.0])
    piece = Piece(id="a", origin="pseudo", text="due", start=2.0, end=4.0)
    word = Word(word="due", start=2.0, end=4.0, logprob=0.0)
    terms = Augmentation((RandomEffect(effect("speed", factors=[0.8]), 1.0),))
    slower, samples = terms.apply(replace(short, pieces=(piece,), words=(word,)), 1, 1, 0)
    assert slower.duration == pytest.approx(12.5, abs=0.01) and len(samples) == 12.5 * RATE
    assert (slower.pieces[0].start, slower.pieces[0].end) == (2.5, 5.0)
    assert (slower.words[0].start, slower.words[0].end) == (2.5, 5.0)
    same, samples = terms.apply(long, 1, 1, 0)
    assert same == long and len(samples) == 29 * RATE


def test_speech_that_cannot_be_read_stays_and_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = speech(tmp_path / "pseudo_labels", [0.3, 0.3])
    (tmp_path / "pseudo_labels" / "0.wav").write_text("no audio")
    made = list(augment(HALF, source, 7, out=tmp_path / "augmented"))
    assert len(made) == 2 and "u0 is not augmented" in caplog.text


@pytest.mark.parametrize("when", ["written", "reading"])
def test_a_round_perturbs_as_the_plan_says(plan: Plan, tmp_path: Path, when: Any) -> None:
    terms = Augmentation((RandomEffect(effect("gain", decibels=[-3, -1]), 1.0),), when=when)
    at = next_round(replace(plan, augment=terms), tmp_path / "run").folder
    assert (at / "augmented").is_dir() == (when == "written")
    if when == "written":
        made = Counter(each.made_by for each in Manifest(at / "augmented"))
        assert set(made) == {"gain"}
