"""Loaded weights of a model trained from scratch: transcription and alignment of windows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from ...core import schema
from ...core.artifacts import read_json
from ...core.errors import AudioError, ConfigError, EngineError
from ...core.progress import note_answered
from ...core.types import Checkpoint, Seconds, Utterance, Word
from ...text.script_neutral import compression_ratio
from . import ctc
from .architecture import CONFIG, WEIGHTS, ScratchArchitecture
from .ctc_network import unpad_logprobs
from .feature_kinds import FRAMES_PER_SECOND
from .features import extract_features, load_samples, pad_features
from .tokenizer import Tokenizer

BatchFunction = Callable[[Sequence[Utterance], torch.Tensor, torch.Tensor], list[Utterance]]
"""Function of a batch: utterances, features (batch, frames, size), lengths (batch,) in frames."""


@dataclass(frozen=True)
class LoadedModel:
    """A network with its vocabulary, on the device where it computes."""

    options: ScratchArchitecture
    tokenizer: Tokenizer
    network: torch.nn.Module

    @torch.inference_mode()
    def process_window(
        self, window: Sequence[Utterance], process_batch: BatchFunction
    ) -> list[Utterance]:
        """Apply a function to a window of utterances in batches, and return them in its order.

        Utterances to skip come back unchanged, unreadable ones with an error.
        """
        processed = {index: clip for index, clip in enumerate(window) if clip.should_skip}
        clips: dict[int, torch.Tensor] = {}
        for index, utterance in enumerate(window):
            if index not in processed:
                try:
                    samples = load_samples(utterance)
                except AudioError as error:
                    processed[index] = replace(utterance, error=str(error))
                else:
                    clips[index] = extract_features(
                        samples, self.options.features, self.options.mels
                    )
        # Longest first: batches need little padding, and memory fails at once if it fails.
        order = sorted(clips, key=lambda index: (-len(clips[index]), index))
        size = self.options.decode_batch
        for first in range(0, len(order), size):
            batch = order[first : first + size]
            features, lengths = pad_features([clips[index] for index in batch])
            utterances = [window[index] for index in batch]
            answers = process_batch(utterances, features.to(device()), lengths.to(device()))
            processed |= dict(zip(batch, answers, strict=True))
            note_answered(len(batch))
        return [processed[index] for index in range(len(window))]

    def transcribe_batch(
        self, utterances: Sequence[Utterance], features: torch.Tensor, lengths: torch.Tensor
    ) -> list[Utterance]:
        """Return the utterances with `pred_text` and the statistics of the decoder."""
        hypotheses = self.options.transcribe_batch(self.network, features, lengths)
        return [
            self._with_transcript(utterance, hypothesis)
            for utterance, hypothesis in zip(utterances, hypotheses, strict=True)
        ]

    def align_batch(
        self, utterances: Sequence[Utterance], features: torch.Tensor, lengths: torch.Tensor
    ) -> list[Utterance]:
        """Return the utterances with the times of the words of their texts."""
        logprobs, frames = self.network(features, lengths)
        return [
            # Seconds per frame of the model, by division: how padding rounds differs by network.
            self._with_words(utterance, clip, int(length) / len(clip) / FRAMES_PER_SECOND)
            for utterance, clip, length in zip(
                utterances, unpad_logprobs(logprobs, frames), lengths, strict=True
            )
        ]

    def _with_transcript(self, utterance: Utterance, hypothesis: ctc.Hypothesis) -> Utterance:
        text = self.tokenizer.decode(hypothesis.tokens)
        # Per token, so that long texts can be compared with short ones, as with Whisper.
        confidence = hypothesis.logprob / max(len(hypothesis.tokens), 1)
        return replace(
            utterance,
            pred_text=text,
            confidence=round(confidence, 4),
            compression_ratio=round(compression_ratio(text), 4),
        )

    def _with_words(
        self, utterance: Utterance, logprobs: ctc.Logprobs, frame: Seconds
    ) -> Utterance:
        """Return the utterance with the words of its text; `frame` is the length of a frame."""
        text = self.options.normalize_text(utterance.text or "", utterance.lang)
        words = self.tokenizer.encode_words(text)
        if not words:
            return replace(utterance, words=())
        if any(not tokens for _, tokens in words):
            return replace(
                utterance, error="cannot align: a word has no character in the vocabulary"
            )
        spans = ctc.align(logprobs, [token for _, tokens in words for token in tokens])
        if spans is None:
            return replace(utterance, error="cannot align: the text is too long for the audio")
        aligned, first = [], 0
        space = self.tokenizer.encode(" ")
        for word, tokens in words:
            own = spans[first : first + len(tokens)]
            first += len(tokens)
            # A space belongs to the word behind it, but lies in the pause before it.
            starts_with_space = bool(space) and tokens[:1] == space and len(own) > 1
            letters = own[1:] if starts_with_space else own
            aligned.append(
                Word(
                    word=word,
                    start=round(letters[0].first_frame * frame, 3),
                    end=round(letters[-1].end_frame * frame, 3),
                    logprob=round(sum(span.logprob for span in own), 4),
                )
            )
        return replace(utterance, words=tuple(aligned))


def load(options: ScratchArchitecture, checkpoint: Checkpoint) -> LoadedModel | None:
    """Load a trained checkpoint for inference; return None if it is untrained.

    Raises:
        EngineError: the weights are another recognizer's, or do not fit the options.
    """
    if checkpoint.engine != options.name:
        raise EngineError(f"{options.name} cannot read weights of {checkpoint.engine}")
    # Only an untrained checkpoint has a source; it has no folder.
    if checkpoint.source:
        return None
    folder = checkpoint.location
    try:
        config: dict[str, Any] = read_json(folder / CONFIG)
        merged = schema.parse_data(type(options), {**_fields(options), **config["shape"]})
        weights = load_file(folder / WEIGHTS)
        tokenizer = Tokenizer.load(folder, config["tokens"])
        network = merged.build_network(len(tokenizer))
        network.load_state_dict(weights)
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        RuntimeError,
        SafetensorError,
        ConfigError,
    ) as cause:
        raise EngineError(f"{folder}: cannot load a {options.name} model ({cause})") from cause
    return LoadedModel(merged, tokenizer, network.to(device()).eval())


def device() -> torch.device:
    """Return the GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _fields(options: ScratchArchitecture) -> dict[str, Any]:
    # Not dataclasses.asdict, which would turn nested options into dictionaries.
    return {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
