"""Augmentation is repeatable, random, and follows its options."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.kinds import speak
from tests.kinds._write import encode
from twister_loop import Utterance, load, next_round
from twister_loop.audio import io as audio
from twister_loop.audio.augmentation import Augmentation, AugmentedDataset, RandomEffect, load_audio
from twister_loop.audio.effects._audiomentations import list_recordings
from twister_loop.audio.effects._base import Effect
from twister_loop.core.artifacts import cache_key
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Piece, Word
from twister_loop.errors import ConfigError
from twister_loop.pipeline.stages.mixture import augment
from twister_loop.types import Plan

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


def apply(effect: Effect, samples: np.ndarray, seed: int = 1) -> np.ndarray:
    return effect.apply(samples.copy(), np.random.default_rng(seed))


def speech(folder: Path, lengths: list[float]) -> Manifest:
    def record() -> Iterator[Utterance]:
        for number, length in enumerate(lengths):
            path = folder / f"{number}.wav"
            duration = audio.write(noise(length, number), path)
            yield Utterance(id=f"u{number}", audio_filepath=path, duration=duration, text="due")

    return Manifest.write(record(), folder)


@pytest.fixture(params=Effect.list_names())
def any_effect(request: pytest.FixtureRequest) -> Effect:
    return effect(request.param)


def test_every_effect_changes_speech_and_depends_on_its_seed_only(any_effect: Effect) -> None:
    samples = noise(1.0)
    changed, repeated, reseeded = (apply(any_effect, samples, seed) for seed in (1, 1, 2))
    assert changed.dtype == np.float32 and np.isfinite(changed).all()
    assert abs(changed).max() <= 1.5
    assert (changed == repeated).all()
    assert len(changed) != len(samples) or not np.allclose(changed, samples, atol=1e-3)
    assert any_effect.stretches == (len(changed) != len(samples))
    # These draw one of a few options, or nothing.
    if any_effect.name not in {"telephone", "codec", "speed"}:
        assert not np.allclose(changed, reseeded, atol=1e-4)


def test_global_random_generators_are_left_as_they_were(any_effect: Effect) -> None:
    import random

    random.seed(1)
    np.random.seed(1)
    expected = random.Random(1).random(), np.random.RandomState(1).random()
    apply(any_effect, noise(0.5))
    assert (random.random(), np.random.random()) == expected


@pytest.mark.parametrize("is_recorded", [False, True])
def test_noise_has_the_requested_signal_to_noise_ratio(is_recorded: bool, tmp_path: Path) -> None:
    audio.write(noise(0.7), tmp_path / "noises" / "hum.flac")
    options = {"recordings": str(tmp_path / "noises")} if is_recorded else {}
    samples = tone(2, 500)
    noisy = apply(effect("noise", snr=[10, 10], **options), samples)
    ratio = 10 * np.log10(np.mean(samples**2) / np.mean((noisy - samples) ** 2))
    assert ratio == pytest.approx(10, abs=0.3)


def test_recorded_noise_is_added_to_speech(tmp_path: Path) -> None:
    audio.write(tone(3, 1_000), tmp_path / "a.wav")
    added = apply(effect("noise", recordings=str(tmp_path), snr=[5, 5]), noise(1)) - noise(1)
    assert np.abs(np.fft.rfft(added)).argmax() == 1_000


def test_a_room_adds_reverberation_and_keeps_the_loudness(tmp_path: Path) -> None:
    dry = np.concatenate([noise(0.3), np.zeros(round(0.3 * RATE), np.float32)])
    response = np.zeros(RATE // 4, np.float32)
    response[[0, 2_000, 3_900]] = 1.0, 0.5, 0.25
    audio.write(response / 2, tmp_path / "hall.wav")
    for room in (effect("room"), effect("room", responses=str(tmp_path))):
        wet = apply(room, dry)
        assert len(wet) == len(dry)
        assert audio.measure_loudness(wet) == pytest.approx(audio.measure_loudness(dry), abs=0.1)
        assert audio.measure_loudness(wet[round(0.32 * RATE) : round(0.4 * RATE)]) > -60


def test_pitch_shift_keeps_the_duration() -> None:
    higher = apply(effect("pitch", semitones=[12, 12]), tone(2, 400))
    assert len(higher) == 2 * RATE
    assert np.abs(np.fft.rfft(higher)).argmax() / 2 == pytest.approx(800, rel=0.03)


def test_clipping_cuts_off_the_requested_share_of_samples() -> None:
    clipped = apply(effect("clipping", percent=[20, 20]), noise(1))
    share_at_limit = np.mean((clipped == clipped.max()) | (clipped == clipped.min()))
    assert share_at_limit == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(("name", "cut"), [("telephone", 4_000), ("codec", 4_000)])
def test_narrow_bands_let_nothing_through_above(name: str, cut: int) -> None:
    options = {"codecs": ["gsm"]} if name == "codec" else {}
    power = abs(np.fft.rfft(apply(effect(name, **options), noise(2)))) ** 2
    frequency = np.fft.rfftfreq(2 * RATE, 1 / RATE)
    assert power[frequency > cut].sum() < 0.01 * power.sum()


@pytest.mark.parametrize("codec", ["gsm", "opus", "vorbis", "mp3", "adpcm"])
def test_a_codec_keeps_length_and_timing(codec: str) -> None:
    original = np.concatenate([np.zeros(RATE // 2, np.float32), tone(0.5, 700)])
    decoded = apply(effect("codec", codecs=[codec]), original)
    assert len(decoded) == len(original)
    assert (
        audio.measure_loudness(decoded[: RATE // 2 - 1_000])
        < audio.measure_loudness(decoded[RATE // 2 :]) - 20
    )


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"use": "noise", "recordings": "nowhere"}, "recordings: .*nowhere is not a folder"),
        ({"use": "noise", "recordings": "empty"}, "recordings: .*empty contains no audio"),
        ({"use": "room", "responses": "broken"}, "responses: .*a.wav: cannot read audio"),
        ({"use": "noise", "recordings": "phone"}, "recordings: .*a.m4a: .*; convert it to WAV"),
        (
            {"use": "noise", "snr": [20, 10]},
            "snr: must be two numbers from -100 to 100, the smaller one first",
        ),
        ({"use": "codec", "codecs": ["gms"]}, "'gsm'"),
        ({"use": "clipping", "percent": [0, 200]}, "percent: must be two numbers from 0 to 100"),
        (
            {"use": "gain", "probability": 2},
            "effects.gain.probability: must be a number from 0",
        ),
    ],
)
def test_unusable_effects_are_refused_with_the_plan(
    world: Path, spec: dict[str, Any], message: str
) -> None:
    (world.parent / "empty").mkdir()
    (world.parent / "broken").mkdir()
    (world.parent / "broken" / "a.wav").write_text("no audio")
    # The corpora read it, but audiomentations does not.
    (world.parent / "phone").mkdir()
    encode(world.parent / "phone" / "a.m4a", speak(0.5), "aac", "ipod")
    document = yaml.safe_load(world.read_text())
    world.write_text(yaml.safe_dump({**document, "augment": {"effects": [spec]}}))
    with pytest.raises(ConfigError, match=message):
        load(world)


def test_an_effect_has_its_own_probability_or_that_of_the_plan(world: Path) -> None:
    document = yaml.safe_load(world.read_text())
    effects = [{"use": "gain", "probability": 0.1}, "speed"]
    document["augment"] = {"effects": effects, "probability": 0.3, "when": "reading"}
    world.write_text(yaml.safe_dump(document))
    augmentation = load(world).augment
    assert augmentation and augmentation.when == "reading"
    assert [
        (random_effect.effect.name, random_effect.probability)
        for random_effect in augmentation.effects
    ] == [
        ("gain", 0.1),
        ("speed", 0.3),
    ]
    with pytest.raises(ConfigError, match="copies: must be a whole number from 1 to 1000, not 0"):
        load(world, {"augment": {"effects": effects, "copies": 0}})


def test_another_recording_under_the_same_name_changes_the_cache_key(tmp_path: Path) -> None:
    audio.write(noise(0.5), tmp_path / "a.wav")
    key = cache_key(effect("noise", recordings=str(tmp_path)))
    assert key == cache_key(effect("noise", recordings=str(tmp_path)))
    audio.write(noise(0.5, 9), tmp_path / "a.wav")
    assert cache_key(effect("noise", recordings=str(tmp_path))) != key
    assert list_recordings(tmp_path) == (tmp_path / "a.wav",)


HALF = Augmentation((RandomEffect(effect("gain"), 0.5), RandomEffect(effect("speed"), 0.5)))
ALWAYS_GAIN = Augmentation((RandomEffect(effect("gain"), 1.0),))


def test_augmented_utterances_name_their_effects_and_the_others_are_unchanged(
    tmp_path: Path,
) -> None:
    source = speech(tmp_path / "pseudo_labels", [0.3] * 40)
    augmented = list(augment(HALF, source, 7, out=tmp_path / "augmented"))
    assert {utterance.made_by for utterance in augmented} == {None, "gain", "speed", "gain+speed"}
    for old, new in zip(source, augmented, strict=True):
        if new.made_by is None:
            assert new == replace(old, audio_filepath=new.audio_filepath)
        else:
            assert new.audio_filepath.is_file() and new.text == old.text
            assert new.duration == pytest.approx(audio.read_duration(new.audio_filepath), abs=1e-3)


def test_copies_differ_from_each_other_and_are_repeatable(tmp_path: Path) -> None:
    source = speech(tmp_path / "pseudo_labels", [0.3] * 6)
    twice = replace(ALWAYS_GAIN, copies=2)
    first_run, second_run = (
        list(augment(twice, source, 7, out=tmp_path / name)) for name in ("first", "second")
    )
    assert len({utterance.id for utterance in first_run}) == len(first_run) == 12
    first_audio, second_audio = (
        [audio.load_utterance(utterance) for utterance in run] for run in (first_run, second_run)
    )
    assert all((a == b).all() for a, b in zip(first_audio, second_audio, strict=True))
    copies = zip(first_audio[:6], first_audio[6:], strict=True)
    assert not any(np.allclose(a, b) for a, b in copies)


def test_two_occurrences_of_an_utterance_are_augmented_differently(tmp_path: Path) -> None:
    source = speech(tmp_path / "pseudo_labels", [0.3])
    twice = Manifest.write([*source, *source], tmp_path / "mixture")
    augmented = augment(ALWAYS_GAIN, twice, 7, out=tmp_path / "augmented")
    first, second = (audio.load_utterance(utterance) for utterance in augmented)
    assert not np.allclose(first, second)


def test_augmentation_while_reading_depends_on_seed_epoch_copy_and_id_only(tmp_path: Path) -> None:
    source = speech(tmp_path / "pseudo_labels", [0.3] * 3)
    augmentation = replace(ALWAYS_GAIN, when="reading")
    dataset, repeated = (AugmentedDataset(source.folder, augmentation, 7) for _ in range(2))
    first, *others = source
    samples = {
        (epoch, copy): load_audio(dataset, first, epoch, copy)[1]
        for epoch in (1, 2)
        for copy in (0, 1)
    }
    assert len({array.tobytes() for array in samples.values()}) == 4
    load_audio(repeated, others[0], 1)
    assert (load_audio(repeated, first, 2, 1)[1] == samples[2, 1]).all()
    reseeded = load_audio(AugmentedDataset(source.folder, augmentation, 8), first, 1)[1]
    assert not np.allclose(reseeded, samples[1, 0])
    assert (load_audio(source, first, 1)[1] == audio.load_utterance(first)).all()


def test_speed_scales_times_and_never_exceeds_the_window_of_whisper(
    tmp_path: Path,
) -> None:
    [short, long] = speech(tmp_path, [10.0, 29.0])
    piece = Piece(id="a", origin="pseudo", text="due", start=2.0, end=4.0)
    word = Word(word="due", start=2.0, end=4.0, logprob=0.0)
    augmentation = Augmentation((RandomEffect(effect("speed", factors=[0.8]), 1.0),))
    slower, samples = augmentation.apply(replace(short, pieces=(piece,), words=(word,)), 1, 1, 0)
    assert slower.duration == pytest.approx(12.5, abs=0.01) and len(samples) == 12.5 * RATE
    assert (slower.pieces[0].start, slower.pieces[0].end) == (2.5, 5.0)
    assert (slower.words[0].start, slower.words[0].end) == (2.5, 5.0)
    same, samples = augmentation.apply(long, 1, 1, 0)
    assert same == long and len(samples) == 29 * RATE


@pytest.mark.parametrize(
    ("seconds", "more_samples", "is_applied"),
    [(29.0, RATE, True), (29.0, RATE + 1, False), (30.0, 1, False), (31.0, 1, True)],
)
def test_an_effect_may_make_speech_30_s_long_and_no_longer(
    tmp_path: Path, seconds: float, more_samples: int, is_applied: bool
) -> None:
    """What was too long before stays so, and training leaves it out."""

    class Longer(Effect):
        stretches = True

        def apply(self, samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
            return np.pad(samples, (0, more_samples))

    [utterance] = speech(tmp_path, [seconds])
    changed, samples = Augmentation((RandomEffect(Longer(), 1.0),)).apply(utterance, 1, 1, 0)
    assert len(samples) == round(seconds * RATE) + (more_samples if is_applied else 0)
    assert (changed != utterance) == is_applied


def test_unreadable_speech_stays_in_the_manifest_and_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = speech(tmp_path / "pseudo_labels", [0.3, 0.3])
    (tmp_path / "pseudo_labels" / "0.wav").write_text("no audio")
    augmented = list(augment(HALF, source, 7, out=tmp_path / "augmented"))
    assert len(augmented) == 2 and "u0 is not augmented" in caplog.text


@pytest.mark.parametrize("when", ["written", "reading"])
def test_a_round_augments_as_the_plan_requests(plan: Plan, tmp_path: Path, when: Any) -> None:
    gain = RandomEffect(effect("gain", decibels=[-3, -1]), 1.0)
    augmentation = Augmentation((gain,), when=when)
    folder = next_round(replace(plan, augment=augmentation), tmp_path / "run").folder
    assert (folder / "augmented").is_dir() == (when == "written")
    if when == "written":
        augmented = Manifest(folder / "augmented")
        assert {utterance.made_by for utterance in augmented} == {"gain"}
