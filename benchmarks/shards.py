"""Overhead of shards, in processor time on one core: `python benchmarks/shards.py`.

The work itself takes hardly any time, so the rest is the process, its imports and its lines.
"""

import os
import pickle
import resource
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from twister_loop import Utterance
from twister_loop.core.manifest import Manifest
from twister_loop.pipeline.execution.shards import Shard, ShardOrder, run_guarded

LINES, SHARD, SHARDS = 100_000, 4096, 5
TEXT = "il numero che avete chiamato non è al momento raggiungibile"


def transcribe(utterances: Iterable[Utterance], _: Path) -> Iterator[Utterance]:
    """Return the utterances with a transcript, in the place of a recognizer."""
    return (
        replace(utterance, pred_text=utterance.text, confidence=-0.1234) for utterance in utterances
    )


def measure(work: Callable[[], object], processes: int = resource.RUSAGE_SELF) -> float:
    """Run some work; return its processor time in seconds, in this or in child processes."""

    def processor_seconds() -> float:
        usage = resource.getrusage(processes)
        return usage.ru_utime + usage.ru_stime

    before = processor_seconds()
    work()
    return processor_seconds() - before


def write(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        utterances = (
            Utterance(
                id=f"{number:016x}", audio_filepath=folder / "audio" / f"{number:016x}.wav",
                duration=4.125, text=TEXT, lang="it", confidence=-0.2345, no_speech=0.0123,
                compression_ratio=1.0123, origin="pseudo",
            )
            for number in range(LINES)
        )  # fmt: skip
        source = Manifest.write(utterances, folder / "source")
        bytes_on_disk = source.path.stat().st_size / LINES
        joining = measure(lambda: Manifest.write(source, folder / "joined"))
        skipping = measure(lambda: list(source.iter_lines(LINES - 1)))
        tracemalloc.start()
        in_memory = list(source.iter_lines(0, 10_000))
        bytes_in_memory = tracemalloc.get_traced_memory()[0] / len(in_memory)
        tracemalloc.stop()
        write(f"a line: {bytes_on_disk:.0f} bytes on disk, {bytes_in_memory:.0f} in memory")
        write(f"joining: {LINES / joining:,.0f} lines a second; skipping: {LINES / skipping:,.0f}")

        (folder / "out" / "shards").mkdir(parents=True)
        # The process of a shard imports the function from a module, which `__main__` is not there.
        transcribe.__module__ = Path(__file__).stem
        sys.modules[transcribe.__module__] = sys.modules["__main__"]
        os.environ["PYTHONPATH"] = (
            f"{Path(__file__).parent}{os.pathsep}{os.getenv('PYTHONPATH', '')}"
        )

        def run_shards() -> None:
            for number in range(SHARDS):
                first = number * SHARD
                shard = Shard(transcribe, source, first, first + SHARD, folder / "out" / "shards")
                order = ShardOrder(
                    shard.folder.name, pickle.dumps((shard, {})), shard.shards_folder
                )
                run_guarded(600, order)

        total = measure(run_shards, resource.RUSAGE_CHILDREN) / SHARDS
        own_lines = SHARD / (LINES / joining)
        write(f"a shard of {SHARD} lines: {total:.2f} s, {total - own_lines:.2f} beyond its lines")


if __name__ == "__main__":
    main()
