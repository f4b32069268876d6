"""Time that the check of an artifact's digests takes, by its size.

    python benchmarks/content_checks.py    # 100,000 lines, 10,000 clips, 300 MB of weights

Each artifact is checked as by a process that has just been started (first) and again in the same
process (again), as by the stages after that.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from twister_loop import Manifest, Utterance
from twister_loop.core import content_check
from twister_loop.core.artifacts import write_json

SECONDS_OF_AUDIO = 3.0
BYTES_PER_SECOND = 32_000
"""16-bit samples at 16 kHz."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--weights", type=int, default=300, help="megabytes")
    options = parser.parse_args()
    artifacts: dict[str, Callable[[Path], None]] = {
        f"manifest of {options.lines:,} lines": lambda folder: write_lines(folder, options.lines),
        f"{options.clips:,} clips of {SECONDS_OF_AUDIO:g} s": lambda folder: write_clips(
            folder, options.clips
        ),
        f"weights of {options.weights} MB": lambda folder: write_weights(folder, options.weights),
    }
    sys.stdout.write("| artifact | MB | first, s | again, s |\n|---|--:|--:|--:|\n")
    for name, write in artifacts.items():
        with tempfile.TemporaryDirectory() as home:
            folder = Path(home)
            write(folder)
            write_json({"content": content_check.digest_files(folder)}, folder / "made.json")
            megabytes = sum(path.stat().st_size for path in folder.rglob("*")) / 1e6
            first, again = seconds_of_check(folder), seconds_of_check(folder)
            sys.stdout.write(f"| {name} | {megabytes:.0f} | {first:.2f} | {again:.2f} |\n")


def seconds_of_check(folder: Path) -> float:
    start = time.perf_counter()
    content_check.check_unchanged(folder)
    return time.perf_counter() - start


def write_lines(folder: Path, count: int) -> None:
    text = "words of a pseudo-label of usual length, as a filter has kept it"
    Manifest.write(
        (
            Utterance(
                id=f"{number:016x}",
                audio_filepath=Path(f"/data/pool/{number}.wav"),
                duration=3.0,
                text=text,
                pred_text=text,
                lang="it",
                confidence=-0.1234,
                compression_ratio=1.2345,
                no_speech=0.0123,
            )
            for number in range(count)
        ),
        folder,
    )


def write_clips(folder: Path, count: int) -> None:
    (folder / "audio").mkdir()
    samples = bytes(round(SECONDS_OF_AUDIO * BYTES_PER_SECOND))
    for number in range(count):
        (folder / "audio" / f"{number}.wav").write_bytes(samples)


def write_weights(folder: Path, megabytes: int) -> None:
    with (folder / "model.safetensors").open("wb") as weights:
        for _ in range(megabytes):
            weights.write(bytes(1_000_000))


if __name__ == "__main__":
    main()
