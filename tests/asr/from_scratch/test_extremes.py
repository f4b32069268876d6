"""Networks from scratch at the ends of their options' ranges: a step of training, or a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.asr.from_scratch.tiny_models import OPTIONS
from tests.options import inside, list_part_options
from twister_loop.asr._base import Recognizer
from twister_loop.core.errors import TwisterError
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Utterance

pytest.importorskip("torch")
pytest.importorskip("torchaudio")
pytestmark = [pytest.mark.model, pytest.mark.slow]

LARGEST = {
    **dict.fromkeys("layers decoder_layers blocks repeat".split(), 9),
    **dict.fromkeys("width hidden inner heads kernel mels batch epochs".split(), 1024),
    **dict.fromkeys("decode_batch beam longest average subwords".split(), 1024),
    "scale": 2,
}
"""Largest values that are trained: thousands of layers, or a million units, do not fit here."""


def list_extremes(name: str) -> Iterator[dict[str, Any]]:
    """Yield options of a tiny model with one of them at an end of its range."""
    # Options that all have are the same code, so they are tried with one network.
    shared = {option.place.rpartition(".")[2] for option in options_of("jasper")} & {
        option.place.rpartition(".")[2] for option in options_of("deepspeech2")
    }
    for option in options_of(name):
        key = option.place.rpartition(".")[2]
        if key in shared and name != "deepspeech2":
            continue
        for value in inside(option.annotation):
            if key not in LARGEST or value is None or value <= LARGEST[key]:
                yield {"max_steps": 1, **OPTIONS[name], key: value}


def options_of(name: str) -> Iterator[Any]:
    for option in list_part_options(Recognizer):
        if option.owner == f"recognizer {name}":
            yield option


@pytest.mark.parametrize("name", [name for name in OPTIONS if "+" not in name])
def test_a_step_at_the_ends_of_the_ranges_ends_without_a_traceback(
    name: str, speech: list[Utterance], tmp_path: Path
) -> None:
    training_set = Manifest.write(speech[:3], tmp_path / "speech")
    trained = 0
    for number, options in enumerate(list_extremes(name)):
        try:
            recognizer = Recognizer.build({"use": name, "batch": 2, "unit": "grapheme", **options})
            start = recognizer.initial_checkpoint()
            checkpoint = recognizer.train(start, training_set, tmp_path / str(number), seed=1)
            [clip] = recognizer.transcribe(checkpoint, speech[:1])
            assert clip.error is None, (options, clip.error)
            trained += 1
        except TwisterError as error:
            assert "Traceback" not in str(error)
    assert trained >= 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"use": "conformer", "heads": 3}, "heads must divide width, which is 256, and 3 does not"),
        ({"use": "conformer", "kernel": 4}, "kernel must be an odd number, not 4"),
        ({"use": "transformer", "heads": 7}, "heads must divide width"),
        ({"use": "las", "heads": 3}, "heads must divide twice `hidden`, which is 1024"),
        ({"use": "deepspeech2", "attention": True, "heads": 3}, "heads must divide twice"),
    ],
)
def test_sizes_that_do_not_fit_together_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TwisterError, match=message):
        Recognizer.build(options)
