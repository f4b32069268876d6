"""One epoch of fine-tuning Whisper, ours and the common recipe's, with the same data and updates.

python benchmarks/training.py FOLDER [--clips 240] [--threads N]        (needs the extra `peers`)

The common recipe is transformers' Seq2SeqTrainer with every clip padded to 30 s, in bfloat16 as
ours. Both take their steps in turn, so that other work on the machine slows both alike. Then the
same with clips joined to 30 s, the best published practice for short clips. Both results decode
the test set in the usual window of 30 s.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import peers

from twister_loop import Utterance
from twister_loop.asr._base import Recognizer
from twister_loop.audio import io as audio
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint
from twister_loop.data.corpora._base import Corpus
from twister_loop.evaluation import metrics
from twister_loop.text.normalizers.basic import Basic

SEED = 13


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", type=int, default=240)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    import torch

    torch.set_num_threads(options.threads)
    training_options = {"epochs": 1, "learning_rate": 2e-5}
    ours = Recognizer.build({"use": "whisper", **training_options})
    labels = Manifest.write(
        islice(_prompts("pool_references"), options.clips), options.folder / "filtered_labels"
    )
    joined = Manifest.write(_join_clips(labels, options.folder), options.folder / "joined")
    for speech in (labels, joined):
        _print(f"{speech.folder.name}: {len(speech)} recordings, {speech.duration:.0f} s")
    test = list(_prompts("test"))
    _report("untouched", [], [], _transcribe_test(ours, ours.initial_checkpoint(), test))
    for name, speech, changes in (
        ("short clips", labels, {}),
        ("short clips, no batch in the full window", labels, {"full_windows": 0.0}),
        ("joined to 30 s", joined, {}),
    ):
        recognizer = dataclasses.replace(ours, **changes)
        out = options.folder / name.replace(",", "").replace(" ", "-")
        our_training = _Ours(recognizer, speech, out / "ours")
        recipe_seconds = (
            [] if changes else _recipe(recognizer, speech, out / "theirs", our_training)
        )
        our_training.finish()
        pairs = _transcribe_test(ours, our_training.checkpoint, test)
        _report(f"ours, {name}", our_training.seconds, our_training.waited, pairs)
        if recipe_seconds:
            recipe_pairs = _transcribe_test(ours, Checkpoint("whisper", out / "theirs"), test)
            _report(f"the common recipe, {name}", recipe_seconds, [], recipe_pairs)
            ratio = sum(recipe_seconds) / sum(our_training.seconds)
            _print(f"{name}: the recipe's epoch takes {ratio:.1f} times ours")
            our_errors, recipe_errors = (
                [metrics.count_word_errors(*pair) for pair in pairs_]
                for pairs_ in (pairs, recipe_pairs)
            )
            low, high = metrics.percentile_interval_95(
                metrics.paired_bootstrap(our_errors, recipe_errors, SEED)
            )
            _print(f"{name}: WER of ours less the recipe's, 95 %: {low:+.2%} to {high:+.2%}")


def _prompts(split: str) -> Iterator[Utterance]:
    for number, utterance in enumerate(Corpus.build({"use": "ivr", "split": split}).utterances()):
        if utterance.text and not utterance.error and utterance.audio_filepath:
            yield dataclasses.replace(utterance, id=f"{split}-{number}")


def _join_clips(labels: Manifest, folder: Path) -> Iterator[Utterance]:
    speech = list(labels)
    clips = [audio.load_utterance(utterance) for utterance in speech]
    for number, places in enumerate(peers.group_clips(clips)):
        path = folder / "audio" / f"{number}.wav"
        seconds = audio.write(peers.join_clips([clips[place] for place in places]), path)
        text = " ".join(speech[place].text or "" for place in places)
        yield Utterance(
            id=f"joined-{number}", audio_filepath=path, duration=seconds, text=text, lang="it"
        )


class _Ours:
    """One epoch of our training, a step at a time."""

    def __init__(self, options: Any, labels: Manifest, out: Path) -> None:
        import torch

        from twister_loop.asr._training.batching import steps_per_epoch
        from twister_loop.asr.whisper import training
        from twister_loop.asr.whisper.dataset import plan_steps, prefetch_batches
        from twister_loop.asr.whisper.labels import build_examples
        from twister_loop.asr.whisper.model import Whisper
        from twister_loop.asr.whisper.model_folder import UNTRAINED_MARGIN, weights_folder

        start = options.initial_checkpoint()
        self.checkpoint = Checkpoint("whisper", out)
        whisper = Whisper.load(weights_folder(start), torch.float32)
        examples = build_examples(whisper, labels, UNTRAINED_MARGIN, options.batch)
        total_steps = steps_per_epoch(len(examples), options.batch, options.accumulate)
        self.trainer = training.build_trainer(
            options, whisper, out, total_steps=total_steps, epochs=1
        )
        steps = plan_steps(examples, options, total_steps, SEED)
        self.batches = prefetch_batches(whisper, labels, steps, options)
        self.write = lambda: training.write_final_weights(options, whisper, start, out)
        self.seconds: list[float] = []
        self.waited: list[float] = []
        out.mkdir(parents=True, exist_ok=True)

    def step(self) -> None:
        from twister_loop.asr._training.determinism import deterministic_algorithms

        began = time.perf_counter()
        loaded = next(self.batches, None)
        if loaded:
            read = time.perf_counter()
            with deterministic_algorithms():
                self.trainer.update(*loaded)
            self.seconds.append(time.perf_counter() - began)
            self.waited.append(read - began)

    def finish(self) -> None:
        while len(self.seconds) < self.trainer.schedule.total_steps:
            self.step()
        self.trainer.finish(self.write)


def _recipe(options: Any, labels: Manifest, out: Path, our_training: _Ours) -> list[float]:
    """Run the recipe's epoch, with a step of ours after each of its own; return its step times."""
    import torch
    from transformers import (
        Seq2SeqTrainer,
        Seq2SeqTrainingArguments,
        TrainerCallback,
        WhisperForConditionalGeneration,
        WhisperProcessor,
    )

    folder = options.initial_checkpoint().location
    processor = WhisperProcessor.from_pretrained(folder, language="italian", task="transcribe")
    model = WhisperForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    model.config.use_cache = False
    clips = list(labels)
    seconds: list[float] = []

    class Turns(TrainerCallback):
        began = 0.0

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.began = time.perf_counter()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            seconds.append(time.perf_counter() - self.began)
            our_training.step()
            _print(
                f"step {len(seconds)}: recipe {seconds[-1]:.1f} s, "
                f"ours {our_training.seconds[-1]:.1f} s"
            )

    def collate(group: Sequence[Utterance]) -> dict[str, torch.Tensor]:
        features = processor.feature_extractor(
            [audio.load_utterance(utterance) for utterance in group],
            sampling_rate=16_000,
            return_tensors="pt",
        )
        tokens = processor.tokenizer(
            [utterance.text for utterance in group], padding=True, return_tensors="pt"
        )
        labels = tokens.input_ids.masked_fill(tokens.attention_mask.ne(1), -100)
        return {"input_features": features.input_features, "labels": labels[:, 1:]}

    arguments = Seq2SeqTrainingArguments(
        output_dir=str(out / "notes"),
        per_device_train_batch_size=options.batch,
        learning_rate=options.learning_rate,
        warmup_steps=options.warmup,
        weight_decay=options.weight_decay,
        num_train_epochs=1,
        bf16=True,
        use_cpu=True,
        optim="adamw_torch_fused",
        save_strategy="no",
        report_to=[],
        remove_unused_columns=False,
        seed=SEED,
        disable_tqdm=True,
    )
    Seq2SeqTrainer(
        model=model, args=arguments, train_dataset=clips, data_collator=collate, callbacks=[Turns()]
    ).train()
    model.save_pretrained(out)
    processor.save_pretrained(out)
    return seconds


def _transcribe_test(
    ours: Any, checkpoint: Checkpoint, test: Sequence[Utterance]
) -> list[tuple[str, str]]:
    basic = Basic()
    full_window = ours.full_context()
    return [
        (
            basic.normalize(utterance.text or "", "it"),
            basic.normalize(utterance.pred_text or "", "it"),
        )
        for utterance in full_window.transcribe(checkpoint, test)
    ]


def _report(
    name: str, seconds: list[float], waited: list[float], pairs: list[tuple[str, str]]
) -> None:
    words = [metrics.count_word_errors(*pair) for pair in pairs]
    characters = [metrics.count_character_errors(*pair) for pair in pairs]
    timing = f"{sum(seconds):.0f} s in {len(seconds)} steps" if seconds else "-"
    if waited:
        timing += f", {100 * sum(waited) / sum(seconds):.1f} % of it waiting for audio"
    if seconds:
        timing += f", median step {statistics.median(seconds):.1f} s"
    _print(
        f"{name}: {timing}; WER {metrics.sum_counts(words)}, CER {metrics.sum_counts(characters)}"
    )


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
