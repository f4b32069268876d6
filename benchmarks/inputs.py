"""Kinds of files that people have: which are read whole, rejected with a reason, or lost.

python benchmarks/inputs.py                      a table of all kinds, from one telephone prompt
python benchmarks/inputs.py --checkout FOLDER    the same with another version of the package

Each kind is read in a process of its own, which is given up after half a minute.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.kinds import RATE, Kind, Samples, all_kinds
from tests.kinds.reading import Outcome
from tests.kinds.verdicts import GOOD, REJECTED, judge
from twister_loop.audio import io as audio
from twister_loop.data.corpora.ivr import Ivr

ROOT = Path(__file__).parents[1]
READER = ROOT / "tests" / "kinds" / "reading.py"
PATIENCE = 30.0
"""Seconds after which a kind counts as endless."""
SHORTEST, LONGEST = 2.5, 6.0
"""Seconds between which the prompt lies."""


def load_prompt() -> Samples:
    """Return the first telephone prompt of a suitable length."""
    prompts = Ivr(split="development").utterances()
    prompt = next(prompt for prompt in prompts if SHORTEST < prompt.duration < LONGEST)
    return audio.load_utterance(prompt)


def read_in_process(folder: Path, checkout: Path) -> Outcome | str:
    """Return what a version of the package makes of a folder, or how it failed."""
    try:
        finished = subprocess.run(
            [sys.executable, READER, folder],
            env={**os.environ, "PYTHONPATH": str(checkout)},
            capture_output=True,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return "HANG"
    if finished.returncode:
        lines = finished.stderr.decode("utf-8", "replace").strip().splitlines()
        return f"TRACEBACK: {lines[-1][:80] if lines else finished.returncode}"
    return Outcome(**json.loads(finished.stdout))


def try_kind(kind: Kind, speech: Samples, checkout: Path, folder: Path) -> tuple[str, str, str]:
    """Return the truth in seconds, what was read or why not, and the verdict."""
    pool = folder / "pool"
    pool.mkdir(parents=True)
    seconds = kind.write(pool, speech)
    truth: float | None = None
    if kind.share is not None:
        truth = seconds if isinstance(seconds, float) else kind.share * len(speech) / RATE
    outcome = read_in_process(pool, checkout)
    wanted = "-" if truth is None else f"{truth:.2f}"
    if isinstance(outcome, str):
        return wanted, "", outcome
    verdict = judge(kind, truth, speech, outcome)
    reasons = [reason.replace(f"{pool}/", "") for reason in (*outcome.rejected, *outcome.logged)]
    listed_reasons = "; ".join(reasons) if verdict == REJECTED or not outcome.kept else ""
    return wanted, f"{outcome.seconds:.2f}" if outcome.kept else listed_reasons, verdict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkout", type=Path, default=ROOT, help="checkout to try")
    checkout = parser.parse_args().checkout.absolute()
    speech, verdicts = load_prompt(), Counter[str]()
    wrong = []
    sys.stdout.write(
        "| kind | truth (s) | read (s), or the reason | verdict |\n|---|--:|---|---|\n"
    )
    with tempfile.TemporaryDirectory() as scratch:
        for number, kind in enumerate(all_kinds()):
            row = try_kind(kind, speech, checkout, Path(scratch) / str(number))
            # One line of printable text: the reasons quote odd names.
            cells = [ascii(cell)[1:-1][:100].replace("|", "/") for cell in (kind.name, *row)]
            sys.stdout.write(f"| {' | '.join(cells)} |\n")
            verdict = row[-1].split(":")[0]
            verdicts[verdict] += 1
            if verdict not in GOOD:
                wrong.append(f"{kind.name} ({row[-1]})")
    counts = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    sys.stdout.write(f"\n{verdicts.total()} kinds: {counts}\n")
    sys.stdout.writelines(f"- {line}\n" for line in wrong)


if __name__ == "__main__":
    main()
