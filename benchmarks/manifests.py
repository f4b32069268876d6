"""Manifests of Twister's size: lines a second and memory of every stage that runs no model.

python benchmarks/manifests.py [LINES]      (default 1,410,000; each stage in its own process)
"""

from __future__ import annotations

import itertools
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from twister_loop import Utterance
from twister_loop.core.artifacts import RUN_MARKER, write_json
from twister_loop.core.manifest import Manifest, iter_windows
from twister_loop.data import packing
from twister_loop.data.filters._base import Filter
from twister_loop.data.mixture import MixOptions
from twister_loop.data.presets import FILTERS
from twister_loop.pipeline.stages.filtering import filter_utterances
from twister_loop.pipeline.stages.mixture import mix

LINES = int(sys.argv[1]) if len(sys.argv) > 1 else 1_410_000
WORDS = ["".join(letters) for letters in itertools.product("aeioulmnrst", repeat=4)]
CUMULATIVE_WEIGHTS = list(itertools.accumulate(1 / rank for rank in range(1, len(WORDS) + 1)))
"""Cumulative frequencies of the words by Zipf's law."""
HELD_OUT = 300
"""Utterances whose texts the filtering compares all others with."""


def generate_pool(run: Path) -> Iterator[Utterance]:
    """Yield clips as a scan lists them, a thousand in a folder."""
    rng = random.Random(1)
    for number in range(LINES):
        path = run / "audio" / f"{number // 1000:04d}" / f"{number:07d}.wav"
        yield Utterance(id=f"{number:016x}", audio_filepath=path, duration=rng.uniform(1, 12))


def transcribe(utterances: Iterable[Utterance]) -> Iterator[Utterance]:
    """Label utterances with random words, in the place of a recognizer."""
    rng = random.Random(2)
    for utterance in utterances:
        text = " ".join(rng.choices(WORDS, cum_weights=CUMULATIVE_WEIGHTS, k=9))
        yield Utterance(
            id=utterance.id,
            audio_filepath=utterance.audio_filepath,
            duration=utterance.duration,
            text=text,
            pred_text=text,
            lang="it",
            origin="pseudo",
            confidence=round(rng.uniform(-1.2, 0), 4),
            compression_ratio=0.9,
            no_speech=0.01,
        )


def label(run: Path) -> None:
    Manifest.resume(transcribe, Manifest(run / "pool"), run / "pseudo_labels")


def filtering(run: Path) -> None:
    labels = Manifest(run / "pseudo_labels")
    filters = [Filter.build(spec) for spec in FILTERS["default"].parts]
    held_out = Manifest.write(itertools.islice(labels, HELD_OUT), run / "held_out")
    filter_utterances(filters, labels, None, [held_out], out=run / "filtered_labels")


def mixing(run: Path) -> None:
    mix(MixOptions(), [Manifest(run / "pseudo_labels")], 1, out=run / "mixture")


def packing_(run: Path) -> None:
    """Pack without the audio."""
    packer = packing.Packer(packing.PackOptions(), lambda utterance: 0.0, 1)
    groups = packer.pack(Manifest(run / "pseudo_labels"))
    Manifest.write(
        (
            Utterance(id=f"packed-{number:06d}", pieces=group.pieces)
            for number, group in enumerate(groups)
        ),
        run / "packed",
    )


def parsing(run: Path) -> None:
    """Read the lines and do nothing with them."""
    for _ in iter_windows(Manifest(run / "pseudo_labels")):
        pass


def measure(stage: Callable[[Path], None], run: Path) -> None:
    """Run a stage and print its speed and the peak memory of this process."""
    began = time.process_time()
    stage(run)
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(
        f"{stage.__name__.strip('_'):10} {LINES / seconds:9,.0f} lines a second of one core, "
        f"peak memory {peak:.0f} MiB\n"
    )


def main() -> None:
    # A process for each stage, since peak memory of a process never falls again; spawned, since a
    # forked one begins with the memory of its parent.
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        write_json({}, run / RUN_MARKER)
        Manifest.write(generate_pool(run), run / "pool")
        for stage in (label, parsing, filtering, mixing, packing_):
            process = spawn.Process(target=measure, args=(stage, run))
            process.start()
            process.join()


if __name__ == "__main__":
    main()
