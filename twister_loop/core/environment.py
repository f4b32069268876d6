"""What a round ran on: it explains why the same plan may end in other bits elsewhere."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .artifacts import JsonRecord

PACKAGES = (
    "twister-loop numpy soundfile soxr jiwer num2words torch torchaudio transformers coqui-tts "
    "prefect silero-vad opencc whisper-normalizer ctranslate2 sentencepiece"
).split()
"""Those whose version may change a result."""


@dataclass(frozen=True)
class Environment(JsonRecord):
    """Versions and machine."""

    python: str
    system: str
    processor: str
    cores: int
    packages: dict[str, str]
    """By name, those that are installed."""


def environment() -> Environment:
    """What this process runs on, found out without importing any engine."""
    return Environment(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        processor=_processor(),
        cores=len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        packages={name: found for name in PACKAGES if (found := installed(name))},
    )


def installed(package: str) -> str | None:
    """Its version, or None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown")
