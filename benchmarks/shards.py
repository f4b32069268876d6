"""What shards cost beyond their work: `python benchmarks/shards.py`, processor time, one core.

The toy engine takes hardly any time, so what is left is the process, its imports and its lines.
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


def answered(lines: Iterable[Utterance], _: Path) -> Iterator[Utterance]:
    """An engine that takes no time."""
    return (replace(each, pred_text=each.text, confidence=-0.1234) for each in lines)


def spent(work: Callable[[], object], who: int = resource.RUSAGE_SELF) -> float:
    """Processor seconds."""

    def now() -> float:
        used = resource.getrusage(who)
        return used.ru_utime + used.ru_stime

    begin = now()
    work()
    return now() - begin


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        lines = (
            Utterance(
                id=f"{number:016x}", audio_filepath=home / "audio" / f"{number:016x}.wav",
                duration=4.125, text=TEXT, lang="it", confidence=-0.2345, no_speech=0.0123,
                compression_ratio=1.0123, origin="pseudo",
            )
            for number in range(LINES)
        )  # fmt: skip
        source = Manifest.write(lines, home / "source")
        size = source.path.stat().st_size / LINES
        joined = spent(lambda: Manifest.write(source, home / "joined"))
        skipped = spent(lambda: list(source.iter_lines(LINES - 1)))
        tracemalloc.start()
        held = list(source.iter_lines(0, 10_000))
        memory = tracemalloc.get_traced_memory()[0] / len(held)
        tracemalloc.stop()
        say(f"a line: {size:.0f} bytes on disk, {memory:.0f} in memory where a stage holds it")
        say(f"joining: {LINES / joined:,.0f} lines a second; skipping: {LINES / skipped:,.0f}")

        (home / "out" / "shards").mkdir(parents=True)
        answered.__module__ = Path(__file__).stem  # as the process of a shard imports it
        sys.modules[answered.__module__] = sys.modules["__main__"]
        os.environ["PYTHONPATH"] = (
            f"{Path(__file__).parent}{os.pathsep}{os.getenv('PYTHONPATH', '')}"
        )

        def shards() -> None:
            for number in range(SHARDS):
                first = number * SHARD
                shard = Shard(answered, source, first, first + SHARD, home / "out" / "shards")
                order = ShardOrder(
                    shard.folder.name, pickle.dumps((shard, {})), shard.shards_folder
                )
                run_guarded(600, order)

        total = spent(shards, resource.RUSAGE_CHILDREN) / SHARDS
        own = SHARD / (LINES / joined)
        say(f"a shard of {SHARD} lines: {total:.2f} s, {total - own:.2f} beyond its lines")


if __name__ == "__main__":
    main()
