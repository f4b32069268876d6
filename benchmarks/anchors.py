"""What the mean of trainings brings, and the way back to the untouched weights.

python benchmarks/anchors.py PLAN RUN [RUN ...] [--shares 0.25 0.5 0.75 1] [--english 100]

RUN is a run of PLAN, or an arm of its comparison, with `keep: {last: 2, trainings: true}`, so that
the weights of each training are in its last round. Every combination is counted on the
development sets of the plan and on English prompts; test sets are not read.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from twister_loop import Manifest, Utterance, load
from twister_loop.asr._base import Recognizer
from twister_loop.asr.whisper.weight_averaging import average_weights
from twister_loop.core.types import Checkpoint, ErrorCount
from twister_loop.data.corpora._base import Corpus
from twister_loop.evaluation import metrics
from twister_loop.pipeline.plan import Plan

ENGLISH = {"use": "ivr", "split": "retention"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plan", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.25, 0.5, 0.75, 1.0])
    parser.add_argument("--english", type=int, default=100, help="number of English prompts")
    options = parser.parse_args()
    plan = load(options.plan)
    untouched = plan.asr.initial_checkpoint()
    with tempfile.TemporaryDirectory() as scratch:
        sets = list_sets(plan, Path(scratch), options.english)
        print_counts("untouched", count_words(plan.asr, untouched, sets))
        sums: dict[str, dict[str, ErrorCount]] = defaultdict(lambda: defaultdict(ErrorCount))
        for run in options.runs:
            trainings = _find_trainings(run)
            for number, share in (
                (n, share) for n in (1, len(trainings)) for share in options.shares
            ):
                weights = average_weights(
                    trainings[:number], untouched, share, Path(scratch) / "weights"
                )
                counts = count_words(plan.asr, weights, sets)
                name = f"{number} training{'s' * (number > 1)}, share {share:g}"
                print_counts(f"{run.name}, {name}", counts)
                for set_name, count in counts.items():
                    sums[name][set_name] += count
        for name, counts in sums.items():
            print_counts(f"all runs, {name}", counts)


def list_sets(plan: Plan, folder: Path, english: int) -> dict[str, Sequence[Utterance]]:
    """Return the utterances of the development sets, and of so many English prompts, by name."""
    sets: dict[str, Sequence[Utterance]] = {
        name: list(write_held_out(corpus, folder / name))
        for name, (kind, corpus) in plan.sets.items()
        if kind == "development"
    }
    sets["en"] = list(write_held_out(Corpus.build(ENGLISH), folder / "en"))[:english]
    return sets


def write_held_out(corpus: Corpus, folder: Path) -> Manifest:
    """List the utterances of a held-out set that have speech and a reference, unless it is done."""
    if folder.is_dir():
        return Manifest.load(folder)
    usable = (
        dataclasses.replace(utterance, id=str(number))
        for number, utterance in enumerate(corpus.utterances())
        if utterance.text and utterance.audio_filepath and not utterance.rejected_by
    )
    return Manifest.write(usable, folder)


def _find_trainings(run: Path) -> list[Checkpoint]:
    """Return the trainings of the last round that kept them, in their order."""
    folders = sorted(run.glob("round-*/trainings/*/checkpoint.json"))
    if not folders:
        sys.exit(f"{run}: no trainings are kept; use `keep: {{last: 2, trainings: true}}`")
    last = folders[-1].parents[1]
    return [Checkpoint("whisper", path.parent) for path in folders if path.parents[1] == last]


def count_words(
    recognizer: Recognizer, checkpoint: Checkpoint, sets: Mapping[str, Sequence[Utterance]]
) -> dict[str, ErrorCount]:
    """Return the word errors of each set, each clip decoded in its own context."""
    return {
        name: metrics.sum_counts(
            [
                metrics.count_utterance_errors(utterance, "words")
                for utterance in recognizer.transcribe(checkpoint, utterances)
            ]
        )
        for name, utterances in sets.items()
    }


def print_counts(name: str, counts: Mapping[str, ErrorCount]) -> None:
    rates = "  ".join(
        f"{set_name} {100 * count.rate:.2f} ({count.errors}/{count.length})"
        for set_name, count in counts.items()
    )
    sys.stdout.write(f"{name}: {rates}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
