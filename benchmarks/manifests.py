"""Manifests at Twister's size: lines a second and memory of every stage that only keeps books.

python benchmarks/manifests.py [LINES]      (1,410,000 unless said; each stage in its own process)
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
COMMON = list(itertools.accumulate(1 / rank for rank in range(1, len(WORDS) + 1)))
"""How often words are said, summed up: as Zipf found."""
HELD_OUT = 300


def pool(run: Path) -> Iterator[Utterance]:
    """Clips as a scan leaves them, a thousand in a folder."""
    rng = random.Random(1)
    for number in range(LINES):
        path = run / "audio" / f"{number // 1000:04d}" / f"{number:07d}.wav"
        yield Utterance(id=f"{number:016x}", audio_filepath=path, duration=rng.uniform(1, 12))


def heard(speech: Iterable[Utterance]) -> Iterator[Utterance]:
    """A recognizer that takes no time."""
    rng = random.Random(2)
    for each in speech:
        text = " ".join(rng.choices(WORDS, cum_weights=COMMON, k=9))
        yield Utterance(
            id=each.id,
            audio_filepath=each.audio_filepath,
            duration=each.duration,
            text=text,
            pred_text=text,
            lang="it",
            origin="pseudo",
            confidence=round(rng.uniform(-1.2, 0), 4),
            compression_ratio=0.9,
            no_speech=0.01,
        )


def label(run: Path) -> None:
    Manifest.resume(heard, Manifest(run / "pool"), run / "pseudo_labels")


def sifting(run: Path) -> None:
    filters = [Filter.build(each) for each in FILTERS["default"].parts]
    held_out = Manifest.write(
        itertools.islice(Manifest(run / "pseudo_labels"), HELD_OUT), run / "held_out"
    )
    filter_utterances(filters, Manifest(run / "pseudo_labels"), None, [held_out], out=run / "filtered_labels")


def mixing(run: Path) -> None:
    mix(MixOptions(), [Manifest(run / "pseudo_labels")], 1, out=run / "mixture")


def packed(run: Path) -> None:
    """All of packing but the audio."""
    packer = packing.Packer(packing.PackOptions(), lambda utterance: 0.0, 1)
    groups = packer.packed_groups(Manifest(run / "pseudo_labels"))
    Manifest.write(
        (
            Utterance(id=f"packed-{number:06d}", pieces=group.pieces)
            for number, group in enumerate(groups)
        ),
        run / "packed",
    )


def parsing(run: Path) -> None:
    """What reading alone takes."""
    for _ in iter_windows(Manifest(run / "pseudo_labels")):
        pass


def measured(work: Callable[[Path], None], run: Path) -> None:
    began = time.process_time()
    work(run)
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(
        f"{work.__name__:10} {LINES / seconds:9,.0f} lines a second of one core, "
        f"peak memory {peak:.0f} MiB\n"
    )


def main() -> None:
    fresh = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        write_json({}, run / RUN_MARKER)
        Manifest.write(pool(run), run / "pool")
        for work in (label, parsing, sifting, mixing, packed):
            process = fresh.Process(target=measured, args=(work, run))
            process.start()
            process.join()


if __name__ == "__main__":
    main()
