"""What is trained on: weights in hours, perturbations."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from twister_loop import Utterance, audio
from twister_loop.manifest import Manifest
from twister_loop.mixing import Mix, Perturb, augment, mix
from twister_loop.parts import Effect
from twister_loop.records import Origin


def speech(folder: Path, origin: Origin, lengths: list[float]) -> Manifest:
    def recorded() -> Iterator[Utterance]:
        for number, length in enumerate(lengths):
            noise = np.random.default_rng(number).normal(0, 0.1, round(length * 16_000))
            path = folder / f"{number}.wav"
            duration = audio.write(noise.astype(np.float32), path)
            yield Utterance(
                id=f"{origin}{number}",
                audio_filepath=path,
                duration=duration,
                text=f"text {number}",
                origin=origin,
            )

    return Manifest.write(recorded(), folder)


@pytest.mark.parametrize(
    ("weight", "hours"), [(1.0, 1.0), (2.0, 2.0), (0.5, 0.5), (0.0, 0.0), (2.5, 2.5)]
)
def test_a_weight_is_how_often_the_hours_count(tmp_path: Path, weight: float, hours: float) -> None:
    pseudo = speech(tmp_path / "pseudo", "pseudo", [0.4] * 20)
    human = speech(tmp_path / "human", "human", [0.4] * 5)
    mixed = mix(Mix(pseudo=weight), [pseudo, human], 1, out=tmp_path / "mixture")
    counted = Counter(each.origin for each in mixed)
    assert counted["human"] == 5
    assert counted["pseudo"] == pytest.approx(20 * hours, abs=1)


def test_the_seed_decides_the_order(tmp_path: Path) -> None:
    source = speech(tmp_path / "pseudo", "pseudo", [0.3] * 12)
    orders = [
        [each.id for each in mix(Mix(), [source], seed, out=tmp_path / str(place))]
        for place, seed in enumerate((1, 1, 2))
    ]
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize("name", Effect.names())
def test_every_effect_changes_speech_and_is_decided_by_its_seed(name: str) -> None:
    effect = Effect.build({"use": name})
    samples = np.random.default_rng(3).normal(0, 0.1, 16_000).astype(np.float32)
    one, two, other = (effect.apply(samples, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.dtype == np.float32 and np.isfinite(one).all() and abs(one).max() <= 1.5
    assert (one == two).all()
    assert len(one) != len(samples) or not np.allclose(one, samples, atol=1e-3)
    if name in {"noise", "gain"}:
        assert not np.allclose(one, other, atol=1e-4)


def test_noise_has_the_ratio_that_was_asked_for() -> None:
    samples = np.sin(np.arange(32_000) / 5).astype(np.float32) * 0.1
    noisy = Effect.build({"use": "noise", "snr": [10, 10]}).apply(samples, np.random.default_rng(1))
    ratio = 10 * np.log10(np.mean(samples**2) / np.mean((noisy - samples) ** 2))
    assert ratio == pytest.approx(10, abs=0.1)


def test_a_telephone_line_lets_nothing_through_above_3400_hertz() -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, 32_000).astype(np.float32)
    power = (
        abs(
            np.fft.rfft(Effect.build({"use": "telephone"}).apply(samples, np.random.default_rng(1)))
        )
        ** 2
    )
    frequency = np.fft.rfftfreq(32_000, 1 / 16_000)
    assert power[frequency > 4000].sum() < 0.01 * power.sum()


def test_what_is_perturbed_says_so_and_the_rest_stays_where_it_is(tmp_path: Path) -> None:
    source = speech(tmp_path / "pseudo", "pseudo", [0.5] * 40)
    terms = Perturb((Effect.build({"use": "gain"}), Effect.build({"use": "speed"})), 0.5)
    perturbed = list(augment(terms, source, 7, out=tmp_path / "augmented"))
    before = list(source)
    made_by = Counter(each.made_by for each in perturbed)
    assert set(made_by) == {None, "gain", "speed", "gain+speed"}
    for old, new in zip(before, perturbed, strict=True):
        if new.made_by is None:
            assert new == replace(old, audio_filepath=new.audio_filepath)
        else:
            assert new.audio_filepath.is_file() and new.text == old.text
            assert new.duration == pytest.approx(audio.duration_of(new.audio_filepath), abs=1e-3)
