"""Options of tiny models of every architecture that is trained from scratch."""

from __future__ import annotations

from typing import Any

import pytest

from twister_loop.asr._base import Recognizer

OPTIONS: dict[str, dict[str, Any]] = {
    "deepspeech2": {"hidden": 24, "layers": 2},
    "deepspeech2+attention": {"hidden": 24, "layers": 2, "attention": True, "heads": 2},
    "conformer": {
        "layers": 2, "decoder_layers": 1, "width": 32, "heads": 2, "inner": 64, "kernel": 7,
    },
    "transformer": {"layers": 2, "decoder_layers": 1, "width": 32, "heads": 2, "inner": 64},
    "las": {"layers": 1, "decoder_layers": 1, "hidden": 24, "heads": 2, "dropout": 0.1},
    "transducer": {"layers": 1, "decoder_layers": 1, "hidden": 24, "width": 32},
    "jasper": {"blocks": 2, "repeat": 2, "scale": 0.1, "dropout": 0.5},
}  # fmt: skip

every_model = pytest.mark.parametrize("name", OPTIONS)


def tiny_recognizer(name: str, **options: Any) -> Any:
    """Return a recognizer that trains within a second, with some other options."""
    combined = {"batch": 4, "epochs": 2, "unit": "grapheme", **OPTIONS[name], **options}
    return Recognizer.build({"use": name.partition("+")[0], **combined})
