"""What a candidate gains by the weights that transcripts bring over pseudo-labels elsewhere.

    python benchmarks/weight_vectors.py PLAN CANDIDATE --real WEIGHTS --pseudo WEIGHTS

Of another language or domain that has transcripts, two trainings began at the same untouched
weights: one on transcripts (`--real`), one on pseudo-labels (`--pseudo`). Their difference is added
to the candidate, multiplied by each share (SYN2REAL, arXiv 2406.02925; Pseudo2Real, arXiv
2510.08047). CANDIDATE and WEIGHTS are folders of candidates, such as `FOLDER/supervised-1/
round-01/candidate`. Every sum is counted on the development sets of the plan and on English
prompts; test sets are not read.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
from anchors import count_words, list_sets, print_counts

from twister_loop import load
from twister_loop.asr._training.averaging import ExactMean
from twister_loop.asr.whisper.model import Whisper
from twister_loop.asr.whisper.model_folder import weights_folder
from twister_loop.asr.whisper.weight_averaging import save_mean
from twister_loop.core.types import Checkpoint


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plan", type=Path)
    parser.add_argument("candidate", type=Path)
    parser.add_argument("--real", type=Path, required=True, help="candidate of transcripts")
    parser.add_argument("--pseudo", type=Path, required=True, help="candidate of pseudo-labels")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.5, 1.0])
    parser.add_argument("--english", type=int, default=100, help="number of English prompts")
    options = parser.parse_args()
    plan = load(options.plan)
    candidate, real, pseudo = map(
        Checkpoint.load, (options.candidate, options.real, options.pseudo)
    )
    with tempfile.TemporaryDirectory() as scratch:
        sets = list_sets(plan, Path(scratch), options.english)
        print_counts("candidate", count_words(plan.asr, candidate, sets))
        for share in options.shares:
            weights = add_vector(candidate, real, pseudo, share, Path(scratch) / "weights")
            print_counts(
                f"candidate + {share:g} x (real - pseudo)", count_words(plan.asr, weights, sets)
            )


def add_vector(
    candidate: Checkpoint, real: Checkpoint, pseudo: Checkpoint, share: float, out: Path
) -> Checkpoint:
    """Write `candidate + share * (real - pseudo)` to a folder."""
    # The shares add up to one, so that this mean is a sum.
    total = ExactMean()
    for checkpoint, factor in ((candidate, 1.0), (real, share), (pseudo, -share)):
        total.update(dict(_load(checkpoint).model.named_parameters()), factor)
    return save_mean(_load(candidate), total, out)


def _load(checkpoint: Checkpoint) -> Whisper:
    return Whisper.load(weights_folder(checkpoint), torch.float32)


if __name__ == "__main__":
    main()
