"""Finer ablation of packing, timestamps, previous text and rescoring.

python benchmarks/ablation.py FOLDER [--seeds 1] [--updates 60] [--plan configs/ivr-everything.yaml]

Like `twister compare PLAN FOLDER --ablation --rounds 1`, with other arms. Stages that arms have in
common are run once, and stages of an ordinary run of the plan in the folder are reused. `--arms 4`
runs the first four arms only. A killed comparison resumes.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from twister_loop.pipeline.experiments.arms import FULL_LOOP, CompareOptions, build_arms
from twister_loop.pipeline.experiments.compare import compare
from twister_loop.pipeline.plan_reader import load
from twister_loop.reporting.comparison import write_comparison
from twister_loop.types import Plan


def build_finer_arms(arms: dict[str, Plan]) -> Iterator[tuple[str, Plan]]:
    """Yield the arms of this ablation, made from those of `twister compare`."""
    full_loop = arms[FULL_LOOP]

    def with_training(**training_options: Any) -> Plan:
        asr = replace(full_loop.asr, **training_options)
        return replace(full_loop, asr=asr, labeler=replace(full_loop.labeler, recognizer=asr))

    assert full_loop.pack, "the plan must pack, or there is nothing to leave out"
    yield FULL_LOOP, full_loop
    plain = with_training(timestamps=0.0, previous_text=0.0)
    yield "no timestamps, no previous text", plain
    yield "and nothing trimmed", replace(plain, pack=replace(full_loop.pack, trim=None))
    yield "nothing packed", arms["without packing"]
    yield "no rescoring", arms["without rescoring"]
    yield from ((name, arm) for name, arm in arms.items() if "voice" in name)
    yield "no previous text", with_training(previous_text=0.0)
    yield "no timestamps", with_training(timestamps=0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--updates", type=int, default=60)
    parser.add_argument("--arms", type=int)
    parser.add_argument("--plan", type=Path, default=Path("configs/ivr-everything.yaml"))
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    plan = load(options.plan)
    compare_options = CompareOptions(options.updates, options.seeds, rounds=1, ablation=True)
    arms = build_finer_arms(build_arms(plan, compare_options))
    selected = dict(islice(arms, options.arms))
    comparison = compare(plan, options.folder, compare_options, selected)
    logging.info("%s", write_comparison(comparison, options.folder))


if __name__ == "__main__":
    main()
