"""Loaded Whisper models: features, tokens, languages and the encoder.

Whisper pads every clip to 30 s. Here the encoder gets the clip and a margin of silence only, which
is several times faster. A model that was not trained for that needs a margin of 5 s.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from tokenizers import Tokenizer
from torch.nn.functional import gelu
from transformers import (
    GenerationConfig,
    WhisperConfig,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)
from transformers.utils import logging as transformers_logging

from ...audio import io as audio
from ...audio.io import SAMPLE_RATE, Samples
from ...core.errors import AudioError, EngineError, TwisterError
from ...core.segments import timestamp_index
from ...core.types import UNSPACED, Language, Seconds, Utterance
from . import attention
from .model_folder import (
    NO_TIMESTAMPS,
    POSITION_SECONDS,
    UNTRAINED_MARGIN,
    WINDOW_LENGTH,
    explain_too_long,
)

# Weights load in seconds, many times in a run: these bars would break up the run's own progress.
transformers_logging.disable_progress_bar()


def load_clip(utterance: Utterance) -> Samples:
    """Return the samples of an utterance of at most 30 s, float32 (samples,) at 16 kHz.

    Raises AudioError.
    """
    if reason := explain_too_long(utterance):
        raise AudioError(reason)
    return audio.load_utterance(utterance)


@dataclass(frozen=True)
class WhisperProcessing:
    """Feature extractor, tokenizer and special tokens of a Whisper, without its network.

    Every engine shares it, whether PyTorch or CTranslate2 computes the network.
    """

    config: WhisperConfig
    generation_config: GenerationConfig
    """Special tokens, suppressed tokens and alignment heads of the checkpoint."""
    processor: WhisperProcessor

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Load from a transformers folder.

        Raises:
            EngineError: the folder holds no Whisper model.
        """
        with load_errors_explained(folder):
            return cls(
                WhisperConfig.from_pretrained(folder, local_files_only=True),
                GenerationConfig.from_pretrained(folder, local_files_only=True),
                WhisperProcessor.from_pretrained(folder, local_files_only=True),
            )

    @property
    def on_cpu(self) -> bool:
        """Return whether the network runs on the CPU."""
        return not torch.cuda.is_available()

    @property
    def tokenizer(self) -> WhisperTokenizer:
        return self.processor.tokenizer

    @property
    def max_tokens(self) -> int:
        """Return the context length of the decoder, prompt and end token included."""
        return int(self.config.max_target_positions)

    def effective_margin(self, requested: Seconds) -> Seconds:
        """Return the margin of silence after the clip: the requested one, or the model's least."""
        # `trained_margin` is written by our own training.
        return max(requested, getattr(self.config, "trained_margin", UNTRAINED_MARGIN))

    def extract_features(self, clips: Sequence[Samples], context: Seconds) -> torch.Tensor:
        """Compute log-mel features of a batch.

        Args:
            clips: samples of each clip, float32 (samples,) at 16 kHz.
            context: length to which every clip is padded or cut, a multiple of 0.02 s.

        Returns:
            Features, float32 (batch, mels, frames), at most 30 s long. They are the beginning of
            those of a full window padded with zeros. A clip's features do not depend on the others.
        """
        positions = min(round(context / POSITION_SECONDS), self.config.max_source_positions)
        extracted = self.processor.feature_extractor(
            list(clips),
            sampling_rate=SAMPLE_RATE,
            # Without it the extractor pads to 30 s.
            max_length=round(positions * POSITION_SECONDS * SAMPLE_RATE),
            return_tensors="pt",
        )
        return torch.as_tensor(extracted.input_features)

    @cached_property
    def language_tokens(self) -> dict[Language, int]:
        """Return the token of every language; empty for an English-only model."""
        # English-only checkpoints do not have the field.
        tokens: dict[str, int] = getattr(self.generation_config, "lang_to_id", None) or {}
        return {name.strip("<|>"): token for name, token in tokens.items()}

    def explain_unsupported(self, utterance: Utterance) -> str | None:
        """Return why an utterance cannot be transcribed: the model lacks its language; or None."""
        if utterance.lang and self.language_tokens and utterance.lang not in self.language_tokens:
            return f"Whisper has no language {utterance.lang!r}"
        return None

    @property
    def start_token(self) -> int:
        """Return the token `<|startoftranscript|>`."""
        return int(self.generation_config.decoder_start_token_id)

    @property
    def end_token(self) -> int:
        """Return the token `<|endoftext|>`."""
        return int(self.config.eos_token_id)

    @property
    def previous_text_token(self) -> int:
        """Return the token `<|startofprev|>`, which the previous text follows."""
        return int(self.tokenizer.convert_tokens_to_ids("<|startofprev|>"))

    @property
    def first_timestamp_token(self) -> int:
        """Return the token `<|0.00|>`; those up to 30 s follow it in steps of 0.02 s.

        Raises:
            EngineError: the vocabulary of the model has no timestamps.
        """
        first = int(self.generation_config.no_timestamps_token_id) + 1
        if not self.has_timestamps:
            raise EngineError(NO_TIMESTAMPS)
        return first

    @property
    def has_timestamps(self) -> bool:
        """Return whether the vocabulary has timestamps, as those of all published models have."""
        first = int(self.generation_config.no_timestamps_token_id) + 1
        return int(self.config.vocab_size) > first + timestamp_index(WINDOW_LENGTH)

    @property
    def no_speech_token(self) -> int:
        """Return the token `<|nospeech|>`, which older vocabularies call `<|nocaptions|>`."""
        # By its place before <|notimestamps|>, which is the same under both names.
        return int(self.generation_config.no_timestamps_token_id) - 1

    def prompt_tokens(self, lang: Language | None, timestamps: bool = False) -> list[int]:
        """Return the tokens after the start: language, task and, if so, `<|notimestamps|>`.

        Raises:
            AudioError: the model does not have the language.
        """
        no_timestamps = [] if timestamps else [int(self.generation_config.no_timestamps_token_id)]
        if not self.language_tokens:
            return no_timestamps
        if lang not in self.language_tokens:
            raise AudioError(f"Whisper has no language {lang!r}")
        task = self.generation_config.task_to_id["transcribe"]
        return [self.language_tokens[lang], task, *no_timestamps]

    def tokenize_words(self, text: str, lang: Language | None) -> list[tuple[str, list[int]]]:
        """Split a text into words with their tokens, which together are those of the whole text.

        A text in a language without spaces is split into characters, and Latin words within it.
        """
        words: list[tuple[str, list[int]]] = []
        for index, word in enumerate(text.split()):
            # Byte pairs never reach across a space, so each word can be encoded by itself. Whisper
            # begins a text with a space, except in languages without spaces. Its own tokenizer
            # splits those by character too, but not Khmer; whisper-base begins Khmer without a
            # space as often as Burmese (median share of a space first 0.18, Burmese 0.18).
            prefix = "" if lang in UNSPACED and index == 0 else " "
            tokens = self._text_tokenizer.encode(prefix + word, add_special_tokens=False).ids
            words += self._group_characters(tokens) if lang in UNSPACED else [(word, tokens)]
        return words

    def tokenize(self, text: str, lang: Language | None) -> list[int]:
        """Return the tokens of a text as Whisper would write it, without its end."""
        return [token for _, tokens in self.tokenize_words(text, lang) for token in tokens]

    def detokenize(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, without special tokens and surrounding spaces."""
        # In Whisper's vocabularies all special tokens come after the end token, timestamps too.
        text_tokens = [token for token in tokens if token < self.end_token]
        # No "clean up": it would change the text, such as "do n't" to "don't".
        text: str = self.tokenizer.decode(
            text_tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text.strip()

    @cached_property
    def _text_tokenizer(self) -> Tokenizer:
        """Return the tokenizer without special tokens, for which `<|endoftext|>` is text like any.

        The option `split_special_tokens` of transformers does not do: timestamps such as `<|0.00|>`
        are no special tokens in published vocabularies, and would stay tokens.
        """
        pipeline = json.loads(self.tokenizer.backend_tokenizer.to_str())
        return Tokenizer.from_str(json.dumps({**pipeline, "added_tokens": []}))

    def _group_characters(self, tokens: list[int]) -> list[tuple[str, list[int]]]:
        """Group tokens into whole characters; Latin words stay whole."""
        groups: list[tuple[str, list[int]]] = []
        pending: list[int] = []
        for token in tokens:
            pending.append(token)
            text = self.detokenize(pending)
            # The replacement character marks an incomplete UTF-8 sequence: Whisper's tokens are
            # bytes or runs of bytes, and a character may be spread over several of them.
            if "\ufffd" in text:
                continue
            # Names and foreign words are kept whole: nobody needs the time of a single letter.
            if groups and _is_latin(groups[-1][0][-1:]) and _is_latin(text[:1]):
                previous_text, previous_tokens = groups.pop()
                text, pending = previous_text + text, previous_tokens + pending
            if text:
                groups.append((text, pending))
                pending = []
        return [*groups, (self.detokenize(pending), pending)] if pending else groups


@dataclass(frozen=True)
class Whisper(WhisperProcessing):
    """Whisper with its network in transformers, for decoding, alignment and training."""

    model: WhisperForConditionalGeneration

    @classmethod
    def load(cls, folder: Path, dtype: torch.dtype) -> Self:
        """Load from a transformers folder, onto the GPU if there is one.

        Args:
            folder: holds config, weights and tokenizer.
            dtype: precision of the weights.

        Raises:
            EngineError: the folder holds no Whisper model.
        """
        with load_errors_explained(folder):
            model = WhisperForConditionalGeneration.from_pretrained(
                folder, dtype=dtype, attn_implementation=attention.NAME, local_files_only=True
            )
            processor = WhisperProcessor.from_pretrained(folder, local_files_only=True)
        model.model.encoder.embed_positions.requires_grad_(False)  # sinusoids, never learned
        # Evaluation mode, without dropout; training switches it.
        whisper = cls(model.config, model.generation_config, processor, model.eval())
        model.to("cpu" if whisper.on_cpu else "cuda")
        return whisper

    @property
    def device(self) -> torch.device:
        return torch.device(self.model.device)

    def extract_features(self, clips: Sequence[Samples], context: Seconds) -> torch.Tensor:
        """Compute log-mel features of a batch, on the model's device and in its precision."""
        return super().extract_features(clips, context).to(self.device, self.model.dtype)

    def encode(self, features: torch.Tensor) -> torch.Tensor:
        """Encode features, (batch, mels, frames) -> (batch, positions, width).

        It computes what the encoder of transformers does, but for any number of frames: that one
        refuses everything but 3000.
        """
        encoder = self.model.model.encoder
        hidden: torch.Tensor = gelu(encoder.conv2(gelu(encoder.conv1(features)))).transpose(1, 2)
        hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
        # No dropout, although transformers has it here: all Whispers are published with 0.
        for layer in encoder.layers:
            hidden = layer(hidden, None)
        return torch.as_tensor(encoder.layer_norm(hidden))


@contextmanager
def load_errors_explained(folder: Path) -> Iterator[None]:
    """Raise EngineError with the folder's name for any error of transformers inside."""
    try:
        yield
    except TwisterError:
        raise
    # A broken pickle (pytorch_model.bin) or configuration raises almost any class.
    except Exception as cause:
        # The first line only: torch adds advice to switch off its protection against code.
        reason = " ".join((str(cause).splitlines() or [""])[0].split())[:200]
        raise EngineError(
            f"{folder}: not a Whisper model that can be loaded ({type(cause).__name__}: {reason})"
        ) from cause


def round_statistic(statistic: Any) -> float:
    """Round to 4 decimals.

    Manifests hold rounded statistics: the last digits differ with the number of threads and the
    batch, and a window that is decoded again must give the same line.
    """
    return round(float(statistic), 4)


def _is_latin(character: str) -> bool:
    return character.isascii() and character.isalnum()
