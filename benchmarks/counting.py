"""Error counts of a million text pairs: time on one core, memory, and the ratio to plain jiwer.

python benchmarks/counting.py [PAIRS]
"""

from __future__ import annotations

import random
import resource
import sys
import time
from collections.abc import Callable, Iterator

import jiwer

from twister_loop.evaluation import metrics
from twister_loop.types import ErrorCount

PAIRS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
WORDS = [f"word{number}" for number in range(5_000)]
MEASURES = {
    "words": metrics.count_word_errors,
    "mixed": metrics.count_mixed_errors,
    "characters": metrics.count_character_errors,
}


def generate_pairs() -> Iterator[tuple[str, str]]:
    """Yield references of ten words, and hypotheses with one word in ten replaced."""
    rng = random.Random(1)
    for _ in range(PAIRS):
        reference = rng.choices(WORDS, k=10)
        hypothesis = [word if rng.random() > 0.1 else rng.choice(WORDS) for word in reference]
        yield " ".join(reference), " ".join(hypothesis)


def measure(count: Callable[[str, str], object]) -> float:
    """Return the processor time of counting all pairs, in seconds."""
    began = time.process_time()
    for _ in generate_pairs():
        pass
    generating = time.process_time() - began  # generated twice, since a list would not fit
    began, total = time.process_time(), ErrorCount()
    for reference, hypothesis in generate_pairs():
        errors = count(reference, hypothesis)
        total += errors if isinstance(errors, ErrorCount) else ErrorCount()
    return time.process_time() - began - generating


def main() -> None:
    jiwer_seconds = measure(jiwer.process_words)
    for name, count in MEASURES.items():
        seconds = measure(count)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux
        sys.stdout.write(
            f"{name:10} {PAIRS:,} pairs in {seconds:.1f} s, {seconds / jiwer_seconds:.2f} x "
            f"jiwer.process_words pair by pair; peak memory {peak:.0f} MiB\n"
        )


if __name__ == "__main__":
    main()
