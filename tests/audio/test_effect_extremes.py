"""Every effect at the ends of its ranges, on speech, silence and a clip of few samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.options import inside, list_part_options
from twister_loop.audio import io as audio
from twister_loop.audio.effects._base import Effect
from twister_loop.core.errors import TwisterError

pytest.importorskip("audiomentations")
pytest.importorskip("pyroomacoustics")
pytestmark = pytest.mark.model


def list_extremes(name: str) -> Iterator[dict[str, Any]]:
    """Yield the options of an effect with one of them at an end of its range, and the defaults."""
    yield {}
    for option in list_part_options(Effect):
        if option.owner == f"effect {name}":
            yield from ({option.place.rpartition(".")[2]: end} for end in inside(option.annotation))


@pytest.fixture(scope="module")
def clips() -> dict[str, audio.Samples]:
    rng = np.random.default_rng(1)
    seconds = np.arange(8_000) / audio.SAMPLE_RATE
    tone = 0.3 * np.sin(2 * np.pi * 220 * seconds) + 0.01 * rng.normal(size=8_000)
    return {
        "speech": tone.astype(np.float32),
        "silence": np.zeros(8_000, np.float32),
        "full scale": np.sign(tone).astype(np.float32),
        "few samples": tone[:400].astype(np.float32),
    }


@pytest.mark.parametrize("name", Effect.list_names())
def test_an_effect_at_the_ends_of_its_ranges_gives_finite_samples(
    name: str, clips: dict[str, audio.Samples], tmp_path: Path
) -> None:
    audio.write(clips["speech"], tmp_path / "recordings" / "0.wav")
    for options in list_extremes(name):
        folders = {
            key: tmp_path / "recordings" for key in ("recordings", "responses") if key in options
        }
        try:
            effect = Effect.build({"use": name, **options, **folders})
        except TwisterError:  # a pair that cannot be is refused with a sentence
            continue
        for kind, samples in clips.items():
            changed = effect.apply(samples.copy(), np.random.default_rng(7))
            assert changed.dtype == np.float32 and np.isfinite(changed).all(), (options, kind)
            if not effect.stretches:
                assert len(changed) == len(samples), (options, kind)
