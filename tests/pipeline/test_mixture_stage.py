"""The mixture: weights are multiples of the hours of a source."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from twister_loop import Utterance
from twister_loop.audio import io as audio
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Origin
from twister_loop.data.mixture import MixOptions
from twister_loop.pipeline.stages.mixture import mix


def speech(folder: Path, origin: Origin, lengths: list[float]) -> Manifest:
    def generate_utterances() -> Iterator[Utterance]:
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

    return Manifest.write(generate_utterances(), folder)


@pytest.mark.parametrize(
    ("weight", "hours"), [(1.0, 1.0), (2.0, 2.0), (0.5, 0.5), (0.0, 0.0), (2.5, 2.5)]
)
def test_a_weight_multiplies_the_hours_of_an_origin(
    tmp_path: Path, weight: float, hours: float
) -> None:
    pseudo = speech(tmp_path / "pseudo_labels", "pseudo", [0.4] * 20)
    human = speech(tmp_path / "human", "human", [0.4] * 5)
    mixed = mix(MixOptions(pseudo=weight), [pseudo, human], 1, out=tmp_path / "mixture")
    counts = Counter(utterance.origin for utterance in mixed)
    assert counts["human"] == 5
    assert counts["pseudo"] == pytest.approx(20 * hours, abs=1)


def test_the_seed_determines_the_order(tmp_path: Path) -> None:
    source = speech(tmp_path / "pseudo_labels", "pseudo", [0.3] * 12)
    orders = [
        [utterance.id for utterance in mix(MixOptions(), [source], seed, out=tmp_path / str(place))]
        for place, seed in enumerate((1, 1, 2))
    ]
    assert orders[0] == orders[1] != orders[2]
