"""Recognizers from random weights beside Whisper, on real telephone prompts.

python benchmarks/from_scratch.py FOLDER [--seeds 3] [--minutes 3]

The main question is whether self-attention helps Deep Speech 2. Training is supervised, on one
thread, on the prompts, digits and letters of one Italian speaker. The test sets are sentences of
the same speaker, and numbers by another speaker. Every arm from random weights has about 2 M
parameters. Deep Speech 2 with and without self-attention have equally many parameters and steps,
and several seeds; the other arms have one seed. `--minutes` limits the processor
time of a run: one epoch is timed, and the number of steps follows. A killed command resumes when
it is repeated.
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
"""Size that one thread can train in minutes."""
HOPELESS = 0.6
"""Character error rate above which an arm has not learned to transcribe."""
LONGEST = 15
"""Longest prompt for training and test, in seconds."""
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
    """Error counts of one arm with one seed."""

    arm: str
    seed: int
    steps: int
    counts: dict[str, dict[str, tuple[int, int, int, int]]]
    """Substitutions, deletions, insertions and hits of characters, by set and utterance."""
    parameters: int | None = None


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    options.folder.mkdir(parents=True, exist_ok=True)
    training_clips = islice(_prompts("pool_references", "development"), options.clips)
    labels = Manifest.write(training_clips, options.folder / "filtered_labels")
    test_sets = {"sentences": _prompts("test"), "numbers": _numbers()}
    sets = {name: list(islice(speech, options.clips)) for name, speech in test_sets.items()}
    _print(_size("training", labels))
    for name, speech in sets.items():
        _print(_size(f"test: {name}", speech))
    arms = {
        PLAIN: {**SAMPLE, **_fitted(DEEP)},
        ATTENTIVE: {**SAMPLE, **_fitted({**DEEP, "attention": True, "heads": 4})},
        "Conformer": {**SAMPLE, **CONFORMER},
        "Whisper base, untouched": WHISPER,
        "Whisper base, fine-tuned": WHISPER,
    }
    steps = _steps(options, arms, labels)
    seeded_runs = [(arm, seed) for seed in range(options.seeds) for arm in (PLAIN, ATTENTIVE)]
    single_runs = [(arm, 0) for arm in arms if arm not in (PLAIN, ATTENTIVE)]
    results = [
        _result(options.folder, arm, arms[arm], seed, steps.get(arm, 0), labels, sets)
        for arm, seed in seeded_runs + single_runs
    ]
    _table(arms, results)
    _print(answer(results))


def answer(results: Iterable[Result]) -> str:
    """Say whether self-attention lowers the CER of sentences, at equal parameters and steps."""
    runs = {name: [run for run in results if run.arm == name] for name in (PLAIN, ATTENTIVE)}
    rates = [_total(runs[name], "sentences").rate for name in (PLAIN, ATTENTIVE)]
    question = f"Does self-attention help? Deep Speech 2 {rates[0]:.3f}, with it {rates[1]:.3f}: "
    if min(rates) > HOPELESS:
        return question + f"both above {HOPELESS}, so it cannot be told from this data"
    counts_by_clip = {name: _counts(arm_runs, "sentences") for name, arm_runs in runs.items()}
    groups = [clip for clip, _ in counts_by_clip[ATTENTIVE]]  # a clip belongs to all seeds
    counts = ([count for _, count in counts_by_clip[name]] for name in (ATTENTIVE, PLAIN))
    low, high = metrics.percentile_interval_95(
        metrics.paired_bootstrap(*counts, seed=1, groups=groups)
    )
    interval = f"change {rates[1] - rates[0]:+.3f} (95 % interval {low:+.3f} to {high:+.3f})"
    seeds = f"{len(runs[PLAIN])} seeds"
    if low <= 0 <= high:
        return f"{question}{interval}, {seeds}: no difference is seen"
    return f"{question}{interval}, {seeds}: {'it helps' if high < 0 else 'it harms'} here"


def _counts(runs: Iterable[Result], name: str) -> list[tuple[str, ErrorCount]]:
    return [(id_, ErrorCount(*counts)) for run in runs for id_, counts in run.counts[name].items()]


def _total(runs: Iterable[Result], name: str) -> ErrorCount:
    return metrics.sum_counts([count for _, count in _counts(runs, name)])


def _prompts(*splits: str) -> Iterator[Utterance]:
    for split in splits:
        for utterance in Corpus.build({"use": "ivr", "split": split}).utterances():
            if utterance.duration <= LONGEST:
                yield utterance


def _numbers() -> Iterator[Utterance]:
    """Yield the numbers 0 to 98 by the second speaker, with the texts of the first one's prompts.

    The second speaker's prompts have no texts, but the same names.
    """
    texts = {
        utterance.id.partition("/")[2]: utterance.text for utterance in _prompts("pool_references")
    }
    for utterance in _prompts("second_speaker"):
        name = utterance.id.partition("/")[2]
        if name.removeprefix("digits/").isdecimal():
            yield dataclasses.replace(utterance, text=texts[name])


def _fitted(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with the largest width that the limit of parameters allows."""
    width = 0
    for hidden in range(16, 512, 2):
        if _parameters({**SAMPLE, **spec, "hidden": hidden}) > MOST_PARAMETERS:
            break
        width = hidden
    return {**spec, "hidden": width}


def _parameters(spec: Mapping[str, Any], tokens: int = 40) -> int:
    recognizer: Any = Recognizer.build(spec)
    with torch.device("meta"):
        return sum(tensor.numel() for tensor in recognizer.network(tokens).parameters())


def _steps(
    options: argparse.Namespace, arms: Mapping[str, Mapping[str, Any]], labels: Manifest
) -> dict[str, int]:
    """Return the number of steps of every arm, decided once, so that a resumed run has as many."""
    path = options.folder / "steps.json"
    if not path.is_file():
        steps = {"Whisper base, fine-tuned": options.whisper_steps}
        for arm in (name for name, spec in arms.items() if spec is not WHISPER):
            recognizer: Any = Recognizer.build(arms[arm])
            epoch = min(-(-len(labels) // recognizer.batch), options.steps or len(labels))
            began = time.process_time()
            recognizer.with_updates(epoch).train(
                recognizer.initial_checkpoint(), labels, options.folder / "timed", seed=0
            )
            step_seconds = (time.process_time() - began) / epoch
            shutil.rmtree(options.folder / "timed")
            max_steps = max(1, int(60 * options.minutes / step_seconds))
            steps[arm] = min(max_steps, options.steps or max_steps)
            _print(f"{arm}: {step_seconds:.2f} s a step, so {steps[arm]} steps")
        steps[PLAIN] = steps[ATTENTIVE] = min(steps[PLAIN], steps[ATTENTIVE])
        write_json(steps, path)
    return {arm: int(count) for arm, count in read_json(path).items()}


def _result(
    folder: Path,
    arm: str,
    spec: Mapping[str, Any],
    seed: int,
    steps: int,
    labels: Manifest,
    sets: Mapping[str, Sequence[Utterance]],
) -> Result:
    """Read the result of a finished run, or train and transcribe the test sets."""
    run_folder = folder / f"{arm.lower().replace(' ', '-').replace(',', '')}-{seed}"
    if (run_folder / "result.json").is_file():
        return schema.parse_data(Result, read_json(run_folder / "result.json"))
    seed_option = {} if spec is WHISPER else {"seed": seed}
    recognizer = Recognizer.build({**spec, **seed_option})
    checkpoint = recognizer.initial_checkpoint()
    if steps:
        checkpoint = recognizer.with_updates(steps).train(
            checkpoint, labels, run_folder / "model", seed
        )
    counts = {
        name: dict(_error_counts(recognizer, checkpoint, speech)) for name, speech in sets.items()
    }
    result = Result(arm, seed, steps, counts, None if spec is WHISPER else _parameters(spec))
    run_folder.mkdir(parents=True, exist_ok=True)
    write_json(schema.to_json_data(result), run_folder / "result.json")
    rates = ", ".join(f"{name} {_total([result], name).rate:.3f}" for name in sets)
    _print(f"{arm}, seed {seed}, {steps} steps: CER {rates}")
    return result


def _error_counts(
    recognizer: Recognizer, checkpoint: Checkpoint, speech: Sequence[Utterance]
) -> Iterator[tuple[str, tuple[int, int, int, int]]]:
    for utterance in recognizer.transcribe(checkpoint, speech):
        errors = metrics.count_utterance_errors(utterance)
        yield (
            utterance.id,
            (errors.substitutions, errors.deletions, errors.insertions, errors.hits),
        )


def _table(arms: Iterable[str], results: Sequence[Result]) -> None:
    _print("\n| arm | parameters | steps | CER, sentences | each seed | S / D / I | CER, numbers |")
    _print("|---|---|---|---|---|---|---|")
    for arm in arms:
        runs = [run for run in results if run.arm == arm]
        total, size = _total(runs, SETS[0]), runs[0].parameters
        seeds = " ".join(f"{_total([run], SETS[0]).rate:.3f}" for run in runs)
        _print(
            f"| {arm} | {f'{size / 1e6:.2f} M' if size else '72.6 M'} | {runs[0].steps} "
            f"| {total.rate:.3f} | {seeds} "
            f"| {total.substitutions} / {total.deletions} / {total.insertions} "
            f"| {_total(runs, SETS[1]).rate:.3f} |"
        )
    _print("")


def _size(name: str, speech: Manifest | Sequence[Utterance]) -> str:
    minutes = sum(utterance.duration for utterance in speech) / 60
    return f"{name}: {len(speech)} clips, {minutes:.1f} minutes"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "folder", type=Path, help="folder of checkpoints and results; resumed if it exists"
    )
    parser.add_argument("--seeds", type=int, default=3, help="seeds of both Deep Speech 2 arms")
    parser.add_argument("--minutes", type=float, default=3, help="most processor time of a run")
    parser.add_argument("--whisper-steps", type=int, default=60)
    parser.add_argument("--steps", type=int, help="most steps, whatever the time; for a trial")
    parser.add_argument(
        "--clips", type=int, help="most clips for training and each test set; for a trial"
    )
    return parser.parse_args()


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
