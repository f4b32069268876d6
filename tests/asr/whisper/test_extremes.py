"""Whisper at the ends of its options' ranges: a step and a transcript, or a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.asr.whisper.builders import build_trainable
from tests.options import inside, list_part_options
from twister_loop.asr._base import Recognizer
from twister_loop.core.errors import TwisterError
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint, Utterance

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = [pytest.mark.model, pytest.mark.slow]

DECODING = set(
    "margin decoding long_form condition_on_previous_text precision beam nbest temperature "
    "decode_batch".split()
)


def list_extremes() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name of an option, and options in which it is at an end of its range."""
    for option in list_part_options(Recognizer):
        key = option.place.rpartition(".")[2]
        if option.owner != "recognizer whisper" or key in {"model", "stop"}:
            continue
        for value in inside(option.annotation):
            yield key, {"max_steps": 1, "epochs": 1, key: value}
    yield "nbest", {"beam": 100, "nbest": 100}
    yield "stop", {"epochs": 1, "max_steps": 1, "stop": {"set": "dev", "patience": 1, "every": 1}}


def test_training_and_decoding_at_the_ends_of_the_ranges_end_without_a_traceback(
    tiny_whisper: Checkpoint, clips: list[Utterance], tmp_path: Path
) -> None:
    from dataclasses import replace

    labeled = [replace(clip, text="uno due", lang="it") for clip in clips[:2]]
    training_set = Manifest.write(labeled, tmp_path / "speech")
    done: set[str] = set()
    for number, (key, options) in enumerate(list_extremes()):
        try:
            recognizer = build_trainable(model=str(tiny_whisper.location), **options)
            checkpoint = tiny_whisper
            if key not in DECODING:
                early = training_set if recognizer.early_stopping_set else None
                out = tmp_path / str(number)
                checkpoint = recognizer.train(tiny_whisper, training_set, out, 1, early)
            [clip] = recognizer.transcribe(checkpoint, labeled[:1])
            assert clip.error is None, (options, clip.error)
            done.add(key)
        except TwisterError as error:
            assert "Traceback" not in str(error)
    assert done >= DECODING and len(done) > 25
