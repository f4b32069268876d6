"""What the gates say of the candidates of a comparison, whose arms have none.

python benchmarks/verdicts_of_arms.py PLAN FOLDER ARM_FOLDER [...] [--full-window]

PLAN has development sets, and English prompts become its retention set. The untouched model and the
candidate of each arm are measured on them, and the default gates judge. No test set is read. What
is measured lies in FOLDER and is not measured again. `--full-window` also decodes in 30 s windows.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from anchors import ENGLISH, write_held_out

from twister_loop import load
from twister_loop.core.types import Checkpoint, Report
from twister_loop.data.corpora._base import Corpus
from twister_loop.evaluation.gates._base import Gate
from twister_loop.evaluation.outcomes import HeldOutSet
from twister_loop.pipeline.plan_schema import DEFAULT_GATES
from twister_loop.pipeline.stages.evaluation import evaluate, judge


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plan", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("arms", type=Path, nargs="+")
    parser.add_argument("--full-window", action="store_true")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    plan = load(options.plan)
    sets = {
        name: HeldOutSet("development", write_held_out(corpus, options.folder / "sets" / name))
        for name, (kind, corpus) in plan.sets.items()
        if kind == "development"
    }
    english = write_held_out(Corpus.build(ENGLISH), options.folder / "sets" / "en")
    sets["en"] = HeldOutSet("retention", english)

    def measure(checkpoint: Checkpoint, name: str) -> Report:
        report = evaluate(
            recognizer=plan.asr,
            checkpoint=checkpoint,
            sets=sets,
            normalizer=plan.normalizer,
            full_window=options.full_window,
            out=options.folder / name,
        )
        for decoding, scores in (("", report.scores), (", 30 s windows", report.full_window)):
            rates = "  ".join(
                f"{score.name} {100 * score.words.rate:.2f} "
                f"({score.words.errors}/{score.words.length})"
                for score in scores
            )
            if rates:
                sys.stdout.write(f"{name}{decoding}: {rates}\n")
        sys.stdout.flush()
        return report

    untouched = measure(plan.asr.initial_checkpoint(), "untouched")
    for arm in options.arms:
        last_round = sorted(arm.glob("round-*"))[-1]
        candidate = measure(Checkpoint.load(last_round / "candidate"), arm.name)
        verdict = judge(
            gates=[Gate.build({"use": name}) for name in DEFAULT_GATES],
            untouched=untouched,
            champion=untouched,
            candidate=candidate,
            references={},
            normalizer=plan.normalizer,
            out=options.folder / f"{arm.name}-verdict",
        )
        sys.stdout.write(f"{arm.name}: {verdict.outcome}\n")
        for objection in verdict.objections:
            sys.stdout.write(f"  {objection}\n")


if __name__ == "__main__":
    main()
