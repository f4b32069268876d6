"""The ablation, finer: what of packing pays or harms, and what repair does.

python benchmarks/ablation.py FOLDER [--seeds 1] [--updates 60] [--plan configs/ivr-everything.yaml]

As `twister compare PLAN FOLDER --ablation --rounds 1`, with other arms; what arms have in common is
made once, also of an ordinary run of the plan that lies in the folder. `--arms 4` takes the first
four. Killed, it goes on.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from twister_loop import Plan
from twister_loop.pipeline.experiments.arms import FULL_LOOP, CompareOptions, build_arms
from twister_loop.pipeline.experiments.compare import compare
from twister_loop.pipeline.plan_reader import load
from twister_loop.reporting import dashboard


def variations(found: dict[str, Plan]) -> Iterator[tuple[str, Plan]]:
    whole = found[FULL_LOOP]

    def learning(**other: Any) -> Plan:
        asr = replace(whole.asr, **other)
        return replace(whole, asr=asr, labeler=replace(whole.labeler, recognizer=asr))

    assert whole.pack
    yield FULL_LOOP, whole
    plain = learning(timestamps=0.0, previous_text=0.0)
    yield "no timestamps, no previous text", plain
    yield "and nothing trimmed", replace(plain, pack=replace(whole.pack, trim=None))
    yield "nothing packed", found["without packing"]
    yield "no repair", found["without repair"]
    yield from ((name, each) for name, each in found.items() if "voice" in name)
    yield "no previous text", learning(previous_text=0.0)
    yield "no timestamps", learning(timestamps=0.0)


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
    terms = CompareOptions(options.updates, options.seeds, rounds=1, ablation=True)
    others = dict(islice(variations(build_arms(plan, terms)), options.arms))
    dashboard.print_comparison(compare(plan, options.folder, terms, others))


if __name__ == "__main__":
    main()
