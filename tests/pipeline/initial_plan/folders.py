"""Folders as people have them, made of short noises that all differ."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from twister_loop.audio import io as audio
from twister_loop.pipeline.initial_plan.draft import Draft, Wishes
from twister_loop.pipeline.initial_plan.first_plan import draft_plan_of, survey_folder
from twister_loop.pipeline.initial_plan.listening import HeardClip, Hearing


def record(
    folder: Path, names: Iterable[str], seconds: float = 0.2, rate: int = 16000, channels: int = 1
) -> list[Path]:
    """Write a noise under each name, another one each."""
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        seed = int(hashlib.sha256(bytes(path)).hexdigest()[:8], 16)
        noise = np.random.default_rng(seed).normal(0, 0.1, (round(seconds * rate), channels))
        if channels == 1:
            audio.write(noise[:, 0].astype(np.float32), path, rate)
        else:
            import soundfile

            soundfile.write(path, noise, rate)
    return paths


def names(count: int, prefix: str = "") -> list[str]:
    return [f"{prefix}{number:03d}.wav" for number in range(count)]


def write_table(path: Path, rows: Iterable[tuple[str, ...]], header: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [header, *("\t".join(row) for row in rows)]
    path.write_text("\n".join(lines).replace("\t", "," if path.suffix == ".csv" else "\t") + "\n")
    return path


def sentence(number: int) -> str:
    return f"this is the sentence of number {number} which nobody repeats"


def transcribe(folder: Path, files: Iterable[str], **more: str) -> Path:
    """Write a metadata.csv beside recordings."""
    rows = [(name, sentence(number), *more.values()) for number, name in enumerate(files)]
    return write_table(folder / "metadata.csv", rows, ",".join(["file_name", "text", *more]))


def draft(
    folder: Path,
    hearing: Hearing | None = None,
    wishes: Wishes | None = None,
    *,
    search: bool = False,
) -> Draft:
    survey = survey_folder(folder)
    lists = folder.parent / "lists"
    return draft_plan_of(
        survey, hearing or Hearing(skipped="no"), wishes or Wishes(), lists, search=search
    )


def make_hearing(*languages: str, bandwidth: float = 7000.0, confidence: float = -0.2) -> Hearing:
    clips = [
        HeardClip(
            path=Path(f"{number}.wav"), start=0, duration=1, language=language,
            language_probability=0.9, confidence=confidence, bandwidth=bandwidth, text="words",
        )
        for number, language in enumerate(languages)
    ]  # fmt: skip
    return Hearing("openai/whisper-base", tuple(clips))
