"""What Whisper learns from: utterances as tokens, put into batches of about one length."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch

from ...audio.augmentation import load_audio
from ...audio.io import Samples
from ...core.errors import AudioError, EngineError
from ...core.manifest import Manifest, windows
from ...core.segments import timestamp
from ...core.types import Seconds, Share, Utterance
from .._training.spec_augment import masked
from .batching import batch_by_length, load_clips
from .decoding import detect_languages
from .model import WINDOW_LENGTH, Whisper, WhisperProcessing, require_finite
from .options import WhisperOptions

log = logging.getLogger(__name__)

BATCHES_PER_BUCKET = 32
"""Batches whose clips are sorted by length together: enough to be alike, few enough to vary."""
MAX_SECONDS_PER_PASS: Seconds = 90.0
"""Of what the encoder hears in one pass, margins included: 8 clips of 8 s, or 2 of 30 s."""
SAMPLES_PER_FRAME = 160
"""Samples between two frames of features."""
IGNORE_INDEX = -100
"""The label of a position that is not learned."""


@dataclass(frozen=True)
class Example:
    """One utterance with what the decoder is given before its text, and its text."""

    utterance: Utterance
    prompt: list[int]
    tokens: list[int]
    sentence_tokens: tuple[list[int], ...] = ()
    """The text by pieces, where there is room for their timestamps."""
    previous_text_tokens: tuple[int, ...] = ()
    """What the same speaker said before, as much as there is room for, with its opening token."""
    copy: int = 0
    """How many times the same utterance stands before it in the lesson."""
    with_timestamps: bool = False
    """Whether it is to be learned with timestamps this time."""
    with_previous_text: bool = False
    """Whether it is to be learned after what was said before this time."""


@dataclass(frozen=True)
class Step:
    """What one update of the weights is made from."""

    number: int
    """From 1."""
    epoch: int
    """From 1."""
    ends_epoch: bool
    batches: list[list[Example]]
    margins: list[Seconds]
    """For each batch, drawn anew."""
    seed: tuple[int, int] = (0, 0)
    """For what else is drawn."""


class Batch(NamedTuple):
    """What the model is given, and what it should say."""

    features: torch.Tensor
    """(batch, mels, frames)"""
    inputs: torch.Tensor
    """(batch, tokens)"""
    labels: torch.Tensor
    """(batch, tokens)"""
    loss_weights: torch.Tensor
    """(batch,): how much a token counts."""


def build_examples(
    whisper: Whisper, lesson: Iterable[Utterance], margin: Seconds, batch: int
) -> list[Example]:
    """The lesson as tokens; what Whisper cannot learn from is left out, counted and logged."""
    made, copies = list[Example](), Counter[str]()
    left_out = {"without a text": 0, "longer than 30 s": 0, "in an unknown language": 0}
    left_out[f"over {whisper.max_tokens} tokens"] = 0
    for window in windows(lesson):
        for utterance in _complete_languages(whisper, window, margin, batch):
            lang, text = utterance.lang, (utterance.text or "").strip()
            if not text or utterance.error:
                left_out["without a text"] += 1
            elif utterance.duration > WINDOW_LENGTH:
                left_out["longer than 30 s"] += 1
            elif whisper.language_tokens and lang not in whisper.language_tokens:
                left_out["in an unknown language"] += 1
            else:
                prompt = [whisper.start_token, *whisper.prompt_tokens(lang)]
                example = Example(utterance, prompt, whisper.tokenize(text, lang))
                if len(prompt) + len(example.tokens) > whisper.max_tokens:
                    left_out[f"over {whisper.max_tokens} tokens"] += 1
                else:
                    copies[utterance.id] += 1
                    example = replace(example, copy=copies[utterance.id])
                    made.append(_with_context(whisper, example))
    for reason, count in left_out.items():
        if count:
            log.warning("%d utterances of the lesson are left out: %s", count, reason)
    if not made:
        raise EngineError("the lesson holds nothing that Whisper can learn from")
    return made


def _with_context(whisper: Whisper, example: Example) -> Example:
    """The example with its sentences and with what was said before, as far as there is room."""
    utterance, used = example.utterance, len(example.prompt) + len(example.tokens)
    sentences = tuple(
        whisper.tokenize(piece.text, piece.lang or utterance.lang) for piece in utterance.pieces
    ) or (example.tokens,)
    timed = len(example.prompt) - 1 + sum(map(len, sentences)) + 2 * len(sentences)
    if timed > whisper.max_tokens:
        sentences, timed = (), 0
    before: tuple[int, ...] = ()
    if utterance.previous_text:
        room = min(whisper.max_tokens // 2, whisper.max_tokens - max(used, timed)) - 1
        said = whisper.tokenize(utterance.previous_text, utterance.lang)
        before = (whisper.previous_text_token, *said[-room:]) if room > 0 else ()
    return replace(example, sentence_tokens=sentences, previous_text_tokens=before)


def label_length_ratio(whisper: WhisperProcessing) -> Callable[[Utterance], Share]:
    """How much of the longest label a text takes: its tokens and two timestamps."""
    room = (
        whisper.max_tokens
        - len(whisper.prompt_tokens(next(iter(whisper.language_tokens), None)))
        - 1
    )

    def of(utterance: Utterance) -> Share:
        tokens = whisper.tokenize(utterance.text or "", None)
        return (len(tokens) + 2) / room

    return of


def _draw_label_forms(
    lesson: Sequence[Example], options: WhisperOptions, seed: Sequence[int]
) -> list[Example]:
    """The lesson as it is learned in one epoch: some with timestamps, some after what was said."""
    if not (options.timestamps or options.previous_text):
        return list(lesson)
    draws = np.random.default_rng(seed).random((len(lesson), 2))
    return [
        replace(
            example,
            with_timestamps=bool(example.sentence_tokens) and one < options.timestamps,
            with_previous_text=bool(example.previous_text_tokens) and other < options.previous_text,
        )
        for example, (one, other) in zip(lesson, draws.tolist(), strict=True)
    ]


def _complete_languages(
    whisper: Whisper, window: Sequence[Utterance], margin: Seconds, batch: int
) -> list[Utterance]:
    """The same utterances, each with a language: its own, or the one that is heard."""
    answers = dict(enumerate(window))
    if whisper.language_tokens:
        unknown = [place for place, each in answers.items() if not each.lang and not each.error]
        for group in batch_by_length(window, unknown, batch):
            if clips := load_clips(window, group, answers):
                langs = detect_languages(whisper, list(clips.values()), margin)
                for place, lang in zip(clips, langs, strict=True):
                    answers[place] = replace(window[place], lang=lang)
    return list(answers.values())


def steps_per_epoch(count: int, batch: int, accumulate: int) -> int:
    return math.ceil(math.ceil(count / batch) / accumulate)


def plan_steps(
    lesson: Sequence[Example], options: WhisperOptions, total: int, seed: int
) -> Iterator[Step]:
    """All steps of a training; an epoch's order depends on nothing but the seed and its number."""
    in_epoch = steps_per_epoch(len(lesson), options.batch, options.accumulate)
    for number in range(1, total + 1):
        place = (number - 1) % in_epoch
        epoch = (number - 1) // in_epoch + 1
        if place == 0:
            rng = np.random.default_rng([seed, epoch])
            drawn = _draw_label_forms(lesson, options, [seed, epoch, 1])
            groups = iter(bucket_by_length(drawn, options.batch, rng))
        chosen = list(islice(groups, options.accumulate))
        yield Step(
            number=number,
            epoch=epoch,
            ends_epoch=number == total or place + 1 == in_epoch,
            batches=chosen,
            margins=[_draw_margin(options, rng) for _ in chosen],
            seed=(seed, number),
        )


def _draw_margin(options: WhisperOptions, rng: np.random.Generator) -> Seconds:
    """One of the range, or now and then the whole window."""
    full = rng.random() < options.full_windows
    return WINDOW_LENGTH if full else float(rng.uniform(*options.margins))


def bucket_by_length(
    lesson: Sequence[Example], batch: int, rng: np.random.Generator
) -> list[list[Example]]:
    """Shuffle, sort within buckets by length, cut into batches, and shuffle those."""
    order = [lesson[place] for place in rng.permutation(len(lesson))]
    groups = []
    for first in range(0, len(order), batch * BATCHES_PER_BUCKET):
        bucket = order[first : first + batch * BATCHES_PER_BUCKET]
        bucket.sort(key=lambda example: example.utterance.duration)
        groups += [bucket[at : at + batch] for at in range(0, len(bucket), batch)]
    return [groups[place] for place in rng.permutation(len(groups))]


def prefetch_batches(
    whisper: Whisper, lesson: Manifest, todo: Iterable[Step], options: WhisperOptions
) -> Iterator[tuple[Step, list[Batch]]]:
    """Every step with its batches, read while the step before it is computed."""

    def load(step: Step) -> tuple[Step, list[Batch]]:
        rng = np.random.default_rng(step.seed)
        made = (
            collate(whisper, load_examples(lesson, step.epoch, part), margin, options, rng)
            for group, margin in zip(step.batches, step.margins, strict=True)
            for part in split_into_passes(group, margin)
        )
        return step, [batch for batch in made if batch is not None]

    with ThreadPoolExecutor(max_workers=1) as reader:
        pending = None
        for step in todo:
            following = reader.submit(load, step)
            if pending:
                yield pending.result()
            pending = following
        if pending:
            yield pending.result()


def split_into_passes(group: Sequence[Example], margin: Seconds) -> Iterator[Sequence[Example]]:
    """Cut a batch of long clips into passes that fit into memory; their gradients add up."""
    longest = max(example.utterance.duration for example in group) + margin
    size = max(1, int(MAX_SECONDS_PER_PASS / min(longest, WINDOW_LENGTH)))
    for first in range(0, len(group), size):
        yield group[first : first + size]


def load_examples(
    lesson: Manifest, epoch: int, group: Sequence[Example]
) -> list[tuple[Example, Samples]]:
    """Examples as they sound in this epoch; one that cannot be read is left out, and said to be."""
    heard = []
    for example in group:
        try:
            utterance, samples = load_audio(lesson, example.utterance, epoch, example.copy)
            heard.append(
                (replace(example, utterance=utterance), require_finite(utterance, samples))
            )
        except AudioError as error:
            log.warning("%s is not learned from: %s", example.utterance.id, error)
    return heard


def collate(
    whisper: Whisper,
    group: Sequence[tuple[Example, Samples]],
    margin: Seconds,
    options: WhisperOptions,
    rng: np.random.Generator,
) -> Batch | None:
    """Tensors of a batch; None where nothing of it could be read."""
    clips, inputs, labels, weights = [], [], [], []
    for example, samples in group:
        clips.append(samples)
        prompt, tokens = decoder_tokens(whisper, example)
        given = [*prompt, *tokens]
        inputs.append(given)
        said = [*tokens, whisper.end_token]
        labels.append([IGNORE_INDEX] * (len(given) - len(said)) + said)
        weights.append(options.loss_weights.get(example.utterance.origin, 1.0))
    if not clips:
        return None
    features = whisper.extract_features(clips, margin)
    if options.spec_augment:
        features = masked(features, [len(clip) // SAMPLES_PER_FRAME for clip in clips], rng)
    return Batch(
        features,
        _pad(inputs, whisper.end_token).to(whisper.device),
        _pad(labels, IGNORE_INDEX).to(whisper.device),
        torch.tensor(weights, device=whisper.device),
    )


def decoder_tokens(whisper: WhisperProcessing, example: Example) -> tuple[list[int], list[int]]:
    """What the decoder is given before the text, and the text, as this epoch wants them."""
    prompt, tokens = example.prompt, example.tokens
    if example.with_timestamps:
        prompt, tokens = prompt[:-1], []  # without the token that says: no timestamps
        times = sentence_times(example.utterance)
        for (start, end), sentence in zip(times, example.sentence_tokens, strict=True):
            first = whisper.first_timestamp_token
            tokens += [first + timestamp(start), *sentence, first + timestamp(end)]
    return (
        [*example.previous_text_tokens, *prompt] if example.with_previous_text else prompt
    ), tokens


def sentence_times(utterance: Utterance) -> list[tuple[Seconds, Seconds]]:
    """From when to when each of its sentences is said."""
    if utterance.pieces:
        return [(piece.start, piece.end) for piece in utterance.pieces]
    if utterance.words:
        return [(utterance.words[0].start, utterance.words[-1].end)]
    return [(0.0, utterance.duration)]


def _pad(rows: Sequence[Sequence[int]], filling: int) -> torch.Tensor:
    """(batch, longest row)."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[filling] * (longest - len(row))] for row in rows])
