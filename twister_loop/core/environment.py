"""Record of the software and the machine that a round ran on.

It explains why the same plan may give other bits elsewhere.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .artifacts import JsonRecord

PACKAGES = (
    "twister-loop numpy av soundfile soxr rapidfuzz num2words torch torchaudio transformers "
    "coqui-tts prefect silero-vad opencc whisper-normalizer ctranslate2 sentencepiece"
).split()
"""Packages whose version may change a result."""
AUDIO_PACKAGES = ("numpy", "av", "soundfile", "soxr")
"""Packages that read and resample audio for every engine; other samples give other transcripts."""


@dataclass(frozen=True)
class Environment(JsonRecord):
    """Versions of Python and packages, and the machine."""

    python: str
    system: str
    processor: str
    cores: int
    packages: dict[str, str]
    """Version by name, of the installed ones among `PACKAGES`."""


def describe_environment() -> Environment:
    """Return the environment of this process, without importing any engine."""
    # From the metadata of the packages: importing torch would take seconds and memory.
    versions = {name: installed_version(name) for name in PACKAGES}
    return Environment(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        processor=_read_processor_name(),
        cores=count_cores(),
        packages={name: number for name, number in versions.items() if number},
    )


def installed_version(package: str) -> str | None:
    """Return the version of a package, or None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def installed_versions(*packages: str) -> dict[str, str]:
    """Return the version of each package, `missing` for one that is not installed."""
    return {package: installed_version(package) or "missing" for package in packages}


def count_cores() -> int:
    """Return the number of processor cores that this process may use."""
    # A container may use fewer cores than the machine has; macOS does not tell.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read_processor_name() -> str:
    # On Linux `platform.processor` is empty or names the architecture only.
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown")
