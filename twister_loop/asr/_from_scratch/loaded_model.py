"""Weights that are loaded: they hear, and find words in time."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from ...core import schema
from ...core.artifacts import read_json
from ...core.errors import AudioError, EngineError
from ...core.types import Checkpoint, Seconds, Utterance, Word
from . import ctc
from .architecture import CONFIG, WEIGHTS, ScratchArchitecture, trimmed
from .features import FRAMES_A_SECOND, batch_of, features, hearable
from .tokenizer import Tokens

Answer = Callable[[Sequence[Utterance], torch.Tensor, torch.Tensor], list[Utterance]]
"""Of a batch: its utterances, features (batch, frames, size) and lengths (batch,)."""


@dataclass(frozen=True)
class Ear:
    """Weights, and what they mean."""

    part: ScratchArchitecture
    tokens: Tokens
    model: torch.nn.Module

    @torch.inference_mode()
    def work(self, window: Sequence[Utterance], answer: Answer) -> list[Utterance]:
        """One window, by length in batches; the answers in its own order."""
        answers = {place: each for place, each in enumerate(window) if each.should_skip}
        clips: dict[int, torch.Tensor] = {}
        for place, each in enumerate(window):
            if place not in answers:
                try:
                    clips[place] = features(hearable(each), self.part.features, self.part.mels)
                except AudioError as error:
                    answers[place] = replace(each, error=str(error))
        order = sorted(clips, key=lambda place: (-len(clips[place]), place))
        size = self.part.decode_batch
        for first in range(0, len(order), size):
            group = order[first : first + size]
            speech, lengths = (each.to(device()) for each in batch_of([clips[p] for p in group]))
            found = answer([window[place] for place in group], speech, lengths)
            answers |= dict(zip(group, found, strict=True))
        return [answers[place] for place in range(len(window))]

    def heard(
        self, group: Sequence[Utterance], speech: torch.Tensor, lengths: torch.Tensor
    ) -> list[Utterance]:
        readings = self.part.readings(self.model, speech, lengths)
        return [self._answer(each, reading) for each, reading in zip(group, readings, strict=True)]

    def aligned(
        self, group: Sequence[Utterance], speech: torch.Tensor, lengths: torch.Tensor
    ) -> list[Utterance]:
        logprobs, frames = self.model(speech, lengths)
        return [
            self._timed(each, said, int(length) / len(said) / FRAMES_A_SECOND)
            for each, said, length in zip(group, trimmed(logprobs, frames), lengths, strict=True)
        ]

    def _answer(self, utterance: Utterance, reading: ctc.Reading) -> Utterance:
        text = self.tokens.decode(reading.tokens)
        data = text.encode()
        said = max(len(reading.tokens), 1)
        return replace(
            utterance,
            pred_text=text,
            confidence=round(reading.logprob / said, 4),
            compression_ratio=round(len(data) / len(zlib.compress(data)), 4),
        )

    def _timed(self, utterance: Utterance, logprobs: ctc.Logprobs, frame: Seconds) -> Utterance:
        """The utterance with the words of its text, each `frame` as long as one of the model's."""
        words = self.tokens.words(self.part.plainly(utterance.text or "", utterance.lang))
        if not words:
            return replace(utterance, words=())
        if any(not tokens for _, tokens in words):
            return replace(utterance, error="a word of its text has no letter that is known")
        path = ctc.forced(logprobs, [token for _, tokens in words for token in tokens])
        if path is None:
            return replace(utterance, error="its text is longer than the audio can say")
        found, at = [], 0
        space = self.tokens.encode(" ")
        for word, tokens in words:
            own = path[at : at + len(tokens)]
            at += len(tokens)
            letters = own[1:] if space and tokens[:1] == space and len(own) > 1 else own
            found.append(
                Word(
                    word=word,
                    start=round(letters[0][0] * frame, 3),
                    end=round(letters[-1][1] * frame, 3),
                    logprob=round(sum(each[2] for each in own), 4),
                )
            )
        return replace(utterance, words=tuple(found))


def load(part: ScratchArchitecture, checkpoint: Checkpoint) -> Ear | None:
    """What a checkpoint hears with; None if it is untrained.

    Raises EngineError where the weights are another engine's, or do not fit.
    """
    if checkpoint.engine != part.name:
        raise EngineError(f"{part.name} cannot read weights of {checkpoint.engine}")
    if checkpoint.source:
        return None
    folder = checkpoint.location
    try:
        config: dict[str, Any] = read_json(folder / CONFIG)
        own = schema.parse_data(type(part), {**_options(part), **config["shape"]})
        weights = load_file(folder / WEIGHTS)
        tokens = Tokens.load(folder, config["tokens"])
        model = own.network(len(tokens))
        model.load_state_dict(weights)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as cause:
        raise EngineError(f"{folder}: no {part.name} that can be loaded ({cause})") from cause
    return Ear(own, tokens, model.to(device()).eval())


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def room_for(tokens: Sequence[int]) -> int:
    """Frames that a text needs at least: between two equal tokens stands a blank."""
    return len(tokens) + sum(one == two for one, two in pairwise(tokens))


def _options(part: ScratchArchitecture) -> dict[str, Any]:
    return {each.name: getattr(part, each.name) for each in dataclasses.fields(part)}
