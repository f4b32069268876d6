"""Weights of the speaker embeddings, found without the libraries that compute with them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ..core.errors import ConfigError

PACKAGE = "Resemblyzer==0.1.4"


def find_weights() -> Path:
    """Return the file of the weights. Raises ConfigError if the package is not installed."""
    # Found without importing the package, which would import webrtcvad.
    spec = find_spec("resemblyzer")
    path = Path(spec.origin or "").with_name("pretrained.pt") if spec else Path()
    if not path.is_file():
        raise ConfigError(
            "speaker clustering needs the weights in the package Resemblyzer, without the "
            f"packages that it depends on: pip install --no-deps {PACKAGE}"
        )
    return path
