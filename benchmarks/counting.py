"""A million pairs counted: time on one core, memory, and the ratio to jiwer asked pair by pair.

python benchmarks/counting.py [PAIRS]
"""

from __future__ import annotations

import random
import resource
import sys
import time
from collections.abc import Callable, Iterator

import jiwer

from twister_loop import ErrorCount

PAIRS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
WORDS = [f"word{number}" for number in range(5_000)]


def pairs() -> Iterator[tuple[str, str]]:
    """Ten words, of which one in ten was heard otherwise."""
    rng = random.Random(1)
    for _ in range(PAIRS):
        said = rng.choices(WORDS, k=10)
        yield " ".join(said), " ".join(w if rng.random() > 0.1 else rng.choice(WORDS) for w in said)


def timed(count: Callable[[str, str], object]) -> float:
    """Seconds of processor time, without those of making the pairs."""
    began = time.process_time()
    for _ in pairs():
        pass
    making = time.process_time() - began
    began, total = time.process_time(), ErrorCount()
    for pair in pairs():
        found = count(*pair)
        total += found if isinstance(found, ErrorCount) else ErrorCount()
    return time.process_time() - began - making


def main() -> None:
    theirs = timed(jiwer.process_words)
    for name in ("words", "mixed", "characters"):
        ours = timed(getattr(metrics, name))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(
            f"{name:10} {PAIRS:,} pairs in {ours:.1f} s, {ours / theirs:.2f} x jiwer.process_words "
            f"pair by pair; peak memory {peak:.0f} MiB\n"
        )


if __name__ == "__main__":
    main()
