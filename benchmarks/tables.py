"""Kinds of tables and texts that people have: which are read, counted or refused, and which lost.

python benchmarks/tables.py                      a table of all kinds
python benchmarks/tables.py --checkout FOLDER    the same, and with another version of the package
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from tests.table_kinds import ALL_KINDS

ROOT = Path(__file__).parents[1]
READ = """
import json, sys
sys.path[:0] = [sys.argv[1]]
from twister_loop.data.corpora._base import Corpus
source, specs = json.load(sys.stdin)
exec(source)
for spec in specs:
    try:
        outcome = read_outcome(Corpus.build(spec))
    except RecursionError as error:
        outcome = {"error": "RecursionError", "message": str(error), "plain": False}
    print("OUTCOME", json.dumps(outcome), flush=True)
"""
"""Program that reads corpora with one version of the package."""


def read_all(checkout: Path, folder: Path) -> list[dict[str, Any]]:
    """Return the outcome of every kind with a version of the package."""
    specs = []
    for number, kind in enumerate(ALL_KINDS):
        specs.append(kind.write(folder / str(number)))
    # By its source, since the other version has no such module.
    source = (ROOT / "tests" / "table_kinds" / "_kind.py").read_text(encoding="utf-8")
    process = subprocess.run(
        [sys.executable, "-c", READ, str(checkout)],
        input=json.dumps([source.replace("from __future__ import annotations", ""), specs]),
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [line for line in process.stdout.splitlines() if line.startswith("OUTCOME ")]
    return [json.loads(line.removeprefix("OUTCOME ")) for line in lines]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--checkout", type=Path, help="checkout of another version")
    options = arguments.parse_args()
    versions = {"now": ROOT} | ({"before": options.checkout} if options.checkout else {})
    faults = dict[str, list[str]]()
    for version, checkout in versions.items():
        with tempfile.TemporaryDirectory() as folder:
            outcomes = read_all(checkout.absolute(), Path(folder))
        faults[version] = [
            kind.judge(outcome) for kind, outcome in zip(ALL_KINDS, outcomes, strict=True)
        ]
    sys.stdout.write(f"{len(ALL_KINDS)} kinds\n\n| outcome | {' | '.join(versions)} |\n")
    sys.stdout.write(f"|---|{'--:|' * len(versions)}\n")
    # A traceback is counted as one outcome, whatever its exception.
    counts = {
        version: Counter(fault.partition(":")[0] or "as wanted" for fault in faults_of_version)
        for version, faults_of_version in faults.items()
    }
    for outcome in sorted(set().union(*counts.values())):
        numbers = (str(counts[version][outcome]) for version in versions)
        sys.stdout.write(f"| {outcome} | {' | '.join(numbers)} |\n")
    for version, faults_of_version in faults.items():
        sys.stdout.write(f"\nNot as wanted, {version}:\n")
        for kind, fault in zip(ALL_KINDS, faults_of_version, strict=True):
            if fault:
                sys.stdout.write(f"- {kind.name}: {fault}\n")


if __name__ == "__main__":
    main()
