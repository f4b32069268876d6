"""Do decodes with noise on the weights tell which pseudo-labels to keep, better than confidence?

python benchmarks/noised_labels.py FOLDER [--pools it fr cs] [--noise 0.05 0.1] [--copies 4]

Labels are greedy transcripts of untouched Whisper base in CTranslate2, of pools with references.
A label is trusted if copies of the model with Gaussian noise on their weights transcribe the clip
alike (STAR, arXiv 2405.14161, filters by this). The surest labels with 40 and 60 % of all words are
kept by each order, and their WER is printed. Transcripts are kept in FOLDER.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from rescoring import ivr, list_corpora, write_once

from twister_loop import Manifest, Utterance
from twister_loop.asr._base import Recognizer
from twister_loop.asr.whisper.model import Whisper
from twister_loop.asr.whisper.model_folder import weights_folder
from twister_loop.core.types import Checkpoint, ErrorCount
from twister_loop.evaluation import metrics

POOLS: Mapping[str, dict[str, object]] = {
    "it": ivr("pool_references"),
    "fr": {**ivr("pool_references"), "lang": "fr"},
    "cs": {"use": "fillets", "split": "pool_references"},
}
SHARES = (0.4, 0.6)
"""Shares of the words of all labels that are kept."""
SEED = 13


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pools", nargs="+", choices=POOLS, default=list(POOLS))
    parser.add_argument("--noise", nargs="+", type=float, default=[0.05, 0.1])
    parser.add_argument("--copies", type=int, default=4)
    options = parser.parse_args()
    recognizer = Recognizer.build({"use": "ctranslate2"})
    untouched = recognizer.initial_checkpoint()
    beam = recognizer.with_beam(5)
    assert beam
    for pool in options.pools:
        clips = [
            replace(utterance, lang=pool, origin="pseudo")
            for utterance in list_corpora(POOLS[pool])
        ]
        folder = options.folder / pool
        labels = write_once(folder / "labels", recognizer.transcribe(untouched, clips))
        beams = write_once(folder / "beam", beam.transcribe(untouched, clips))
        errors = [metrics.count_utterance_errors(label, "words") for label in labels]
        _print(f"{pool}: {len(labels)} labels, WER {100 * metrics.sum_counts(errors).rate:.1f}")
        scores = {
            "confidence": [label.confidence or 0.0 for label in labels],
            "agreement with a beam of 5": _agreement(labels, [beams]),
        }
        for noise in options.noise:
            noised = list[Manifest]()
            for copy in range(options.copies):
                weights = _add_noise(
                    untouched, noise, copy, options.folder / f"noise-{noise:g}-{copy}"
                )
                decodes = recognizer.transcribe(weights, clips)
                noised.append(write_once(folder / f"noise-{noise:g}-{copy}", decodes))
            rate = statistics.mean(
                metrics.sum_counts(
                    [metrics.count_utterance_errors(decode, "words") for decode in copy]
                ).rate
                for copy in noised
            )
            name = f"agreement with noise of {noise:g} (WER {100 * rate:.1f})"
            scores[name] = _agreement(labels, noised)
            scores[f"mean rank of confidence and noise of {noise:g}"] = [
                sum(ranks)
                for ranks in zip(_ranks(scores["confidence"]), _ranks(scores[name]), strict=True)
            ]
        for name, trust in scores.items():
            _print(f"  {name}: " + ", ".join(_describe_kept(labels, errors, trust)))


def _add_noise(untouched: Checkpoint, noise: float, seed: int, out: Path) -> Checkpoint:
    """Write a copy of the model whose matrices have noise of a share of their own deviation."""
    if not out.is_dir():
        whisper = Whisper.load(weights_folder(untouched), torch.float32)
        generator = torch.Generator().manual_seed(SEED + seed)
        with torch.no_grad():
            for weight in whisper.model.parameters():
                if weight.ndim > 1:
                    drawn = torch.randn(weight.shape, generator=generator)
                    weight += drawn * weight.std() * noise
        whisper.model.save_pretrained(out)
        whisper.processor.save_pretrained(out)
    return Checkpoint("whisper", out)


def _agreement(labels: Manifest, decodes: Sequence[Manifest]) -> list[float]:
    """Return for each label how alike other decodes of its clip are: 1 less their mean CER."""
    rows = zip(labels, *decodes, strict=True)
    return [
        1 - statistics.mean(min(1.0, _difference(label, other)) for other in others)
        for label, *others in rows
    ]


def _difference(label: Utterance, other: Utterance) -> float:
    """Return the CER of a decode against a label, also where the label is empty."""
    if not label.pred_text:
        return float(bool(other.pred_text))
    return metrics.count_utterance_errors(replace(other, text=label.pred_text)).rate


def _ranks(scores: Sequence[float]) -> list[float]:
    order = sorted(range(len(scores)), key=scores.__getitem__)
    ranks = [0.0] * len(scores)
    for rank, place in enumerate(order):
        ranks[place] = float(rank)
    return ranks


def _describe_kept(
    labels: Manifest, errors: Sequence[ErrorCount], trust: Sequence[float]
) -> list[str]:
    """Return the WER of the most trusted labels with each share of the words."""
    words = [len((label.pred_text or "").split()) for label in labels]
    order = sorted(range(len(words)), key=lambda place: -trust[place])
    described = list[str]()
    for share in SHARES:
        kept, taken = list[ErrorCount](), 0
        for place in order:
            if taken >= share * sum(words):
                break
            kept.append(errors[place])
            taken += words[place]
        rate = 100 * metrics.sum_counts(kept).rate
        described.append(f"{100 * share:.0f} % of the words {rate:.1f} ({len(kept)} clips)")
    return described


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
