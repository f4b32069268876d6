"""Recognizers from nothing beside Whisper, on real telephone prompts; does self-attention help?

python benchmarks/from_scratch.py FOLDER [--languages it fr] [--seeds 3] [--minutes 15]

Supervised: the transcribed share of the pool and the development sets are learned from, the test
sets are heard. Every arm from nothing has at most 3 M parameters, Deep Speech 2 with and without
self-attention equally many, and at most so many minutes a run (its first steps are timed, and the
number of steps follows). Killed, the same command goes on. It takes (arms x seeds x minutes).
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from twister_loop import measure, schema
from twister_loop.artifact import read_json, write_json
from twister_loop.manifest import Manifest
from twister_loop.normalizers.basic import Basic
from twister_loop.parts import Corpus, Recognizer
from twister_loop.records import Checkpoint, ErrorCount, Utterance

MOST_PARAMETERS = 3_000_000
HOPELESS = 0.6
"""Character error rate: where both arms stay above it, neither has learned to hear."""
TIMED_STEPS = 8
SAMPLE = {"batch": 16, "epochs": 80, "learning_rate": 1e-3, "unit": "character"}
DEEP = {"use": "deepspeech2", "layers": 3, "cell": "gru"}
ATTENTIVE = {**DEEP, "attention": True, "heads": 4}
CONFORMER = {
    "use": "conformer", "layers": 5, "decoder_layers": 2, "width": 128, "heads": 4, "inner": 512,
    "kernel": 15, "decode": "beam",
}  # fmt: skip
WHISPER = {"use": "whisper", "epochs": 3}


@dataclass(frozen=True)
class Result:
    """One arm, one seed."""

    arm: str
    seed: int
    steps: int
    seconds: float
    counts: dict[str, tuple[int, int, int, int]]
    """By utterance: substitutions, deletions, insertions, hits of characters."""
    parameters: int | None = None


def main() -> None:
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    options.folder.mkdir(parents=True, exist_ok=True)
    learned = _prompts(options.languages, "pool_references", "development")
    lesson = Manifest.write(islice(learned, options.clips), options.folder / "lesson")
    test = list(islice(_prompts(options.languages, "test"), options.clips))
    minutes = sum(each.duration for each in test) / 60
    _print(
        f"learned from: {len(lesson)} prompts, {lesson.duration / 60:.1f} minutes; "
        f"heard: {len(test)}, {minutes:.1f} minutes; languages {' '.join(options.languages)}"
    )
    arms = {
        "Deep Speech 2": {**SAMPLE, **_fitted(DEEP)},
        "Deep Speech 2 + self-attention": {**SAMPLE, **_fitted(ATTENTIVE)},
        "Conformer": {**SAMPLE, **CONFORMER},
        "Whisper base, untouched": WHISPER,
        "Whisper base, fine-tuned": WHISPER,
    }
    results = [
        _result(options, arm, spec, seed, lesson, test)
        for arm, spec in arms.items()
        for seed in range(1 if arm.endswith("untouched") else options.seeds)
    ]
    _table(arms, results)
    _print(answer(results))


def answer(results: Iterable[Result]) -> str:
    """Does self-attention help, at equal parameters?"""
    arms = {name: [each for each in results if each.arm == name] for name in _names(results)}
    plain, attentive = (arms[name] for name in ("Deep Speech 2", "Deep Speech 2 + self-attention"))
    rates = [_total(runs).rate for runs in (plain, attentive)]
    said = f"Does self-attention help? Deep Speech 2 {rates[0]:.3f}, with it {rates[1]:.3f}: "
    if min(rates) > HOPELESS:
        return said + f"both above {HOPELESS}, so it cannot be told from this data"
    names = [name for run in attentive for name in run.counts]  # a clip belongs to all seeds
    counts = [[ErrorCount(*each) for run in runs for each in run.counts.values()] for runs in
              (attentive, plain)]  # fmt: skip
    differences = measure.paired_bootstrap(*counts, seed=1, groups=names)
    low, high = (float(differences[round(at * (len(differences) - 1))]) for at in (0.025, 0.975))
    interval = f"change {rates[1] - rates[0]:+.3f} (95 % interval {low:+.3f} to {high:+.3f})"
    seeds = f"{len(attentive)} seeds"
    if low <= 0 <= high:
        return f"{said}{interval}, {seeds}: no difference is seen"
    return f"{said}{interval}, {seeds}: {'it helps' if high < 0 else 'it harms'} here"


def _names(results: Iterable[Result]) -> list[str]:
    return list(dict.fromkeys(each.arm for each in results))


def _total(runs: Iterable[Result]) -> ErrorCount:
    return measure.total([ErrorCount(*each) for run in runs for each in run.counts.values()])


def _prompts(languages: Iterable[str], *splits: str) -> Iterator[Utterance]:
    for lang in languages:
        for split in splits:
            corpus = Corpus.build({"use": "ivr", "split": split, "lang": lang})
            for each in corpus.utterances():
                if each.duration <= 15:
                    yield dataclasses.replace(each, id=f"{lang}/{each.id}")


def _fitted(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The width at which it has as many parameters as it may, so that arms have equally many."""
    fits = 0
    for hidden in range(16, 512, 2):
        if _parameters({**spec, "hidden": hidden}) > 0.97 * MOST_PARAMETERS:
            break
        fits = hidden
    return {**spec, "hidden": fits}


def _parameters(spec: Mapping[str, Any], tokens: int = 64) -> int:
    part: Any = Recognizer.build(spec)
    with torch.device("meta"):
        return sum(each.numel() for each in part.network(tokens).parameters())


def _result(
    options: argparse.Namespace,
    arm: str,
    spec: Mapping[str, Any],
    seed: int,
    lesson: Manifest,
    test: list[Utterance],
) -> Result:
    """Read back, or train and hear."""
    at = options.folder / f"{arm.lower().replace(' ', '-').replace(',', '')}-{seed}"
    if (at / "result.json").is_file():
        return schema.read(Result, read_json(at / "result.json"))
    own = {"seed": seed} if spec["use"] != "whisper" else {}
    part = Recognizer.build({**spec, **own})
    checkpoint, steps, seconds = part.base(), 0, 0.0
    if not arm.endswith("untouched"):
        part = _within(options, part, lesson, at, seed)
        began = time.monotonic()
        checkpoint = part.train(checkpoint, lesson, at / "model", seed)
        seconds = time.monotonic() - began
        steps = len((at / "model/training.jsonl").read_text().splitlines())
    counts = dict(_heard(part, checkpoint, test))
    parameters = _parameters(spec) if spec["use"] != "whisper" else None
    result = Result(arm, seed, steps, round(seconds, 1), counts, parameters)
    at.mkdir(parents=True, exist_ok=True)
    write_json(schema.plain(result), at / "result.json")
    _print(f"{arm}, seed {seed}: CER {_total([result]).rate:.3f}, {steps} steps, {seconds:.0f} s")
    return result


def _within(
    options: argparse.Namespace, part: Recognizer, lesson: Manifest, at: Path, seed: int
) -> Recognizer:
    """The same with so many steps as fit into the time; said once, for a run that goes on."""
    note = at / "steps.json"
    if not note.is_file():
        timed = min(TIMED_STEPS, options.steps or TIMED_STEPS)
        began = time.monotonic()
        part.with_updates(timed).train(part.base(), lesson, at / "timed", seed)
        each = (time.monotonic() - began) / timed
        shutil.rmtree(at / "timed")
        fits = max(1, int(0.9 * 60 * options.minutes / each))
        wanted = part.epochs * -(-len(lesson) // part.batch)  # type: ignore[attr-defined]
        write_json(min(fits, wanted, options.steps or fits), note)
    return dataclasses.replace(part, max_steps=int(read_json(note)))  # type: ignore[type-var]


def _heard(
    part: Recognizer, checkpoint: Checkpoint, test: list[Utterance]
) -> Iterator[tuple[str, tuple[int, int, int, int]]]:
    normalize = Basic(numbers=False).normalize
    for each in part.transcribe(checkpoint, test):
        pair = (normalize(text or "", each.lang) for text in (each.text, each.pred_text))
        found = measure.characters(*pair)
        yield each.id, (found.substitutions, found.deletions, found.insertions, found.hits)


def _table(arms: Mapping[str, Any], results: list[Result]) -> None:
    _print("\n| arm | parameters | seeds | steps | CER (each seed) | CER | S / D / I |")
    _print("|---|---|---|---|---|---|---|")
    for arm in arms:
        runs = [each for each in results if each.arm == arm]
        total, size = _total(runs), runs[0].parameters
        each = " ".join(f"{_total([run]).rate:.3f}" for run in runs)
        _print(
            f"| {arm} | {f'{size / 1e6:.2f} M' if size else '72.6 M'} | {len(runs)} "
            f"| {' '.join(str(run.steps) for run in runs)} | {each} | {total.rate:.3f} "
            f"| {total.substitutions} / {total.deletions} / {total.insertions} |"
        )
    _print("")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="for checkpoints and results; goes on there")
    parser.add_argument("--languages", nargs="+", default=["it"], choices=["it", "fr"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=15, help="a run of an arm trains at most")
    parser.add_argument("--steps", type=int, help="at most, whatever the time; for trying it")
    parser.add_argument("--clips", type=int, help="learned from and heard; for trying it")
    return parser.parse_args()


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
