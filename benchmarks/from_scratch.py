"""Recognizers from nothing beside Whisper, on real telephone prompts; does self-attention help?

python benchmarks/from_scratch.py FOLDER [--seeds 3] [--minutes 3]

Supervised, on one thread: the prompts, digits and letters of one Italian speaker are learned from;
heard are the test sentences of the same speaker, and the numbers as another speaker says them.
Every arm from nothing has about 2 M parameters, Deep Speech 2 with and without self-attention
equally many and equally many steps, over several seeds; the others have one. A run takes at most so
many minutes of processor time: one epoch is timed, and the number of steps follows. Killed at any
moment, the same command goes on.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from twister_loop.asr._base import Recognizer
from twister_loop.core import schema
from twister_loop.core.artifacts import read_json, write_json
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint, ErrorCount, Utterance
from twister_loop.data.corpora._base import Corpus
from twister_loop.evaluation import metrics

MOST_PARAMETERS = 2_000_000
"""What one thread can teach in minutes."""
HOPELESS = 0.6
"""Character error rate: where both arms stay above it, neither has learned to hear."""
LONGEST = 15
"""Seconds; a longer prompt is neither learned from nor heard."""
SETS = ("sentences", "numbers")
PLAIN, ATTENTIVE = "Deep Speech 2", "Deep Speech 2 + self-attention"
SAMPLE = {"batch": 8, "learning_rate": 1.5e-3, "unit": "character", "mels": 40}
DEEP = {"use": "deepspeech2", "layers": 3, "cell": "gru"}
CONFORMER = {
    "use": "conformer", "layers": 4, "decoder_layers": 1, "width": 128, "heads": 4, "inner": 512,
    "kernel": 15,
}  # fmt: skip
WHISPER = {"use": "whisper", "full_windows": 0.0, "learning_rate": 2e-5}


@dataclass(frozen=True)
class Result:
    """One arm, one seed."""

    arm: str
    seed: int
    steps: int
    counts: dict[str, dict[str, tuple[int, int, int, int]]]
    """By set and utterance: substitutions, deletions, insertions, hits of characters."""
    parameters: int | None = None


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    options.folder.mkdir(parents=True, exist_ok=True)
    learned = islice(_prompts("pool_references", "development"), options.clips)
    lesson = Manifest.write(learned, options.folder / "filtered_labels")
    heard = {"sentences": _prompts("test"), "numbers": _numbers()}
    sets = {name: list(islice(each, options.clips)) for name, each in heard.items()}
    _print(_size("learned from", lesson))
    for name, each in sets.items():
        _print(_size(f"heard: {name}", each))
    arms = {
        PLAIN: {**SAMPLE, **_fitted(DEEP)},
        ATTENTIVE: {**SAMPLE, **_fitted({**DEEP, "attention": True, "heads": 4})},
        "Conformer": {**SAMPLE, **CONFORMER},
        "Whisper base, untouched": WHISPER,
        "Whisper base, fine-tuned": WHISPER,
    }
    steps = _steps(options, arms, lesson)
    questioned = [(arm, seed) for seed in range(options.seeds) for arm in (PLAIN, ATTENTIVE)]
    beside = [(arm, 0) for arm in arms if arm not in (PLAIN, ATTENTIVE)]
    results = [
        _result(options.folder, arm, arms[arm], seed, steps.get(arm, 0), lesson, sets)
        for arm, seed in questioned + beside
    ]
    _table(arms, results)
    _print(answer(results))


def answer(results: Iterable[Result]) -> str:
    """Does self-attention help, at equal parameters and steps? Asked of the sentences."""
    runs = {name: [each for each in results if each.arm == name] for name in (PLAIN, ATTENTIVE)}
    rates = [_total(runs[name], "sentences").rate for name in (PLAIN, ATTENTIVE)]
    said = f"Does self-attention help? Deep Speech 2 {rates[0]:.3f}, with it {rates[1]:.3f}: "
    if min(rates) > HOPELESS:
        return said + f"both above {HOPELESS}, so it cannot be told from this data"
    found = {name: _counts(each, "sentences") for name, each in runs.items()}
    groups = [name for name, _ in found[ATTENTIVE]]  # a clip belongs to all seeds
    counts = ([count for _, count in found[name]] for name in (ATTENTIVE, PLAIN))
    low, high = metrics.percentile_interval_95(
        metrics.paired_bootstrap(*counts, seed=1, groups=groups)
    )
    interval = f"change {rates[1] - rates[0]:+.3f} (95 % interval {low:+.3f} to {high:+.3f})"
    seeds = f"{len(runs[PLAIN])} seeds"
    if low <= 0 <= high:
        return f"{said}{interval}, {seeds}: no difference is seen"
    return f"{said}{interval}, {seeds}: {'it helps' if high < 0 else 'it harms'} here"


def _counts(runs: Iterable[Result], name: str) -> list[tuple[str, ErrorCount]]:
    return [(id, ErrorCount(*each)) for run in runs for id, each in run.counts[name].items()]


def _total(runs: Iterable[Result], name: str) -> ErrorCount:
    return metrics.sum_counts([each for _, each in _counts(runs, name)])


def _prompts(*splits: str) -> Iterator[Utterance]:
    for split in splits:
        for each in Corpus.build({"use": "ivr", "split": split}).utterances():
            if each.duration <= LONGEST:
                yield each


def _numbers() -> Iterator[Utterance]:
    """0 to 98 by the second speaker, whose prompts have no texts, but the first one's names."""
    texts = {each.id.partition("/")[2]: each.text for each in _prompts("pool_references")}
    for each in _prompts("second_speaker"):
        name = each.id.partition("/")[2]
        if name.removeprefix("digits/").isdecimal():
            yield dataclasses.replace(each, text=texts[name])


def _fitted(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The width at which it has as many parameters as it may, so that arms have equally many."""
    fits = 0
    for hidden in range(16, 512, 2):
        if _parameters({**SAMPLE, **spec, "hidden": hidden}) > MOST_PARAMETERS:
            break
        fits = hidden
    return {**spec, "hidden": fits}


def _parameters(spec: Mapping[str, Any], tokens: int = 40) -> int:
    part: Any = Recognizer.build(spec)
    with torch.device("meta"):
        return sum(each.numel() for each in part.network(tokens).parameters())


def _steps(
    options: argparse.Namespace, arms: Mapping[str, Mapping[str, Any]], lesson: Manifest
) -> dict[str, int]:
    """How many every arm takes: decided once, so that a run that goes on takes as many."""
    note = options.folder / "steps.json"
    if not note.is_file():
        found = {"Whisper base, fine-tuned": options.whisper_steps}
        for arm in (name for name, spec in arms.items() if spec is not WHISPER):
            part: Any = Recognizer.build(arms[arm])
            epoch = min(-(-len(lesson) // part.batch), options.steps or len(lesson))
            began = time.process_time()
            part.with_updates(epoch).train(part.initial_checkpoint(), lesson, options.folder / "timed", seed=0)
            each = (time.process_time() - began) / epoch
            shutil.rmtree(options.folder / "timed")
            fits = max(1, int(60 * options.minutes / each))
            found[arm] = min(fits, options.steps or fits)
            _print(f"{arm}: {each:.2f} s a step, so {found[arm]} steps")
        found[PLAIN] = found[ATTENTIVE] = min(found[PLAIN], found[ATTENTIVE])
        write_json(found, note)
    return {arm: int(count) for arm, count in read_json(note).items()}


def _result(
    folder: Path,
    arm: str,
    spec: Mapping[str, Any],
    seed: int,
    steps: int,
    lesson: Manifest,
    sets: Mapping[str, Sequence[Utterance]],
) -> Result:
    """Read back, or train and hear."""
    at = folder / f"{arm.lower().replace(' ', '-').replace(',', '')}-{seed}"
    if (at / "result.json").is_file():
        return schema.parse_data(Result, read_json(at / "result.json"))
    own = {} if spec is WHISPER else {"seed": seed}
    part = Recognizer.build({**spec, **own})
    checkpoint = part.initial_checkpoint()
    if steps:
        checkpoint = part.with_updates(steps).train(checkpoint, lesson, at / "model", seed)
    counts = {name: dict(_heard(part, checkpoint, speech)) for name, speech in sets.items()}
    result = Result(arm, seed, steps, counts, None if spec is WHISPER else _parameters(spec))
    at.mkdir(parents=True, exist_ok=True)
    write_json(schema.to_json_data(result), at / "result.json")
    rates = ", ".join(f"{name} {_total([result], name).rate:.3f}" for name in sets)
    _print(f"{arm}, seed {seed}, {steps} steps: CER {rates}")
    return result


def _heard(
    part: Recognizer, checkpoint: Checkpoint, speech: Sequence[Utterance]
) -> Iterator[tuple[str, tuple[int, int, int, int]]]:
    for each in part.transcribe(checkpoint, speech):
        found = metrics.count_utterance_errors(each)
        yield each.id, (found.substitutions, found.deletions, found.insertions, found.hits)


def _table(arms: Iterable[str], results: Sequence[Result]) -> None:
    _print("\n| arm | parameters | steps | CER, sentences | each seed | S / D / I | CER, numbers |")
    _print("|---|---|---|---|---|---|---|")
    for arm in arms:
        runs = [each for each in results if each.arm == arm]
        total, size = _total(runs, SETS[0]), runs[0].parameters
        seeds = " ".join(f"{_total([run], SETS[0]).rate:.3f}" for run in runs)
        _print(
            f"| {arm} | {f'{size / 1e6:.2f} M' if size else '72.6 M'} | {runs[0].steps} "
            f"| {total.rate:.3f} | {seeds} "
            f"| {total.substitutions} / {total.deletions} / {total.insertions} "
            f"| {_total(runs, SETS[1]).rate:.3f} |"
        )
    _print("")


def _size(what: str, speech: Manifest | Sequence[Utterance]) -> str:
    minutes = sum(each.duration for each in speech) / 60
    return f"{what}: {len(speech)} clips, {minutes:.1f} minutes"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="for checkpoints and results; goes on there")
    parser.add_argument("--seeds", type=int, default=3, help="of both Deep Speech 2")
    parser.add_argument("--minutes", type=float, default=3, help="of a processor, a run at most")
    parser.add_argument("--whisper-steps", type=int, default=60)
    parser.add_argument("--steps", type=int, help="at most, whatever the time; for trying it")
    parser.add_argument("--clips", type=int, help="learned from and heard; for trying it")
    return parser.parse_args()


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
