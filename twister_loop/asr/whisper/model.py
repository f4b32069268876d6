"""A Whisper that is loaded: what goes into it, and what its tokens mean.

Whisper pads every clip to 30 s. Here its encoder hears the clip and a margin of silence only,
which is several times faster; a model that was not trained for it needs a margin of 5 s.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
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
from ...core.artifacts import read_json
from ...core.errors import AudioError, EngineError
from ...core.segments import LONGEST, timestamp
from ...core.types import UNSPACED, Checkpoint, Language, Seconds, Utterance

transformers_logging.disable_progress_bar()

WINDOW_LENGTH: Seconds = LONGEST
"""What Whisper hears at once."""
UNTRAINED_MARGIN: Seconds = 5.0
"""The least that a model bears which was only trained on full windows."""
CANDIDATE_MARGINS: tuple[Seconds, ...] = (1.0, 2.0, 3.0, 5.0, 10.0)
"""Those that are tried before labeling, from the fastest on."""
POSITION_SECONDS: Seconds = 0.02
"""What one position of the encoder stands for: two frames of 10 ms."""
POSITIONS_MULTIPLE = 25
"""Positions; contexts are multiples of it, so that batches share their shapes."""


def load_clip(utterance: Utterance) -> Samples:
    """Its samples. Raises AudioError where Whisper cannot hear it: unreadable, or over 30 s."""
    if utterance.duration > WINDOW_LENGTH + POSITION_SECONDS:
        raise AudioError(
            f"{utterance.duration:.1f} s is longer than the 30 s that Whisper hears at once; "
            "cut it at pauses first"
        )
    return require_finite(utterance, audio.load_utterance(utterance))


def require_finite(utterance: Utterance, samples: Samples) -> Samples:
    """Raises AudioError where some are no numbers."""
    if not np.isfinite(samples).all():
        raise AudioError(f"{utterance.audio_filepath}: samples that are no numbers")
    return samples


@dataclass(frozen=True)
class WhisperProcessing:
    """What goes into a Whisper and what its tokens mean, whichever engine computes it."""

    config: WhisperConfig
    generation_config: GenerationConfig
    """What the checkpoint says of its vocabulary and its heads."""
    processor: WhisperProcessor

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Raises EngineError where the folder holds no Whisper model."""
        with load_errors_explained(folder):
            return cls(
                WhisperConfig.from_pretrained(folder, local_files_only=True),
                GenerationConfig.from_pretrained(folder, local_files_only=True),
                WhisperProcessor.from_pretrained(folder, local_files_only=True),
            )

    @property
    def on_cpu(self) -> bool:
        """Whether the model is where everything else computes too."""
        return not torch.cuda.is_available()

    @property
    def tokenizer(self) -> WhisperTokenizer:
        return self.processor.tokenizer

    @property
    def max_tokens(self) -> int:
        """Tokens that the decoder can hold, the prompt and the end included."""
        return int(self.config.max_target_positions)

    def effective_margin(self, requested: Seconds) -> Seconds:
        """The silence after the clip: what is asked, but never less than the model can bear."""
        return max(requested, getattr(self.config, "trained_margin", UNTRAINED_MARGIN))

    def extract_features(self, clips: Sequence[Samples], margin: Seconds) -> torch.Tensor:
        """Log-mel features of a batch, as long as its longest clip and the margin.

        Returns (batch, mels, frames), float32; a whole window of zeros would give the same frames.
        """
        longest = max(map(len, clips)) / SAMPLE_RATE + margin
        positions = math.ceil(longest / POSITION_SECONDS / POSITIONS_MULTIPLE) * POSITIONS_MULTIPLE
        positions = min(positions, self.config.max_source_positions)
        extracted = self.processor.feature_extractor(
            list(clips),
            sampling_rate=SAMPLE_RATE,
            max_length=round(positions * POSITION_SECONDS * SAMPLE_RATE),
            return_tensors="pt",
        )
        return torch.as_tensor(extracted.input_features)

    @cached_property
    def language_tokens(self) -> dict[Language, int]:
        """Token of every language; empty for a model that only knows English."""
        known: dict[str, int] = getattr(self.generation_config, "lang_to_id", None) or {}
        return {name.strip("<|>"): token for name, token in known.items()}

    @property
    def start_token(self) -> int:
        return int(self.generation_config.decoder_start_token_id)

    @property
    def end_token(self) -> int:
        return int(self.config.eos_token_id)

    @property
    def previous_text_token(self) -> int:
        """Token of `<|startofprev|>`, after which stands what was said before."""
        return int(self.tokenizer.convert_tokens_to_ids("<|startofprev|>"))

    @property
    def first_timestamp_token(self) -> int:
        """Token of `<|0.00|>`; the others of the grid follow up to 30 s.

        Raises EngineError for a model that has none.
        """
        first = int(self.generation_config.no_timestamps_token_id) + 1
        if self.config.vocab_size < first + timestamp(WINDOW_LENGTH) + 1:
            raise EngineError("this Whisper has no timestamps: set `timestamps: 0`")
        return first

    @property
    def no_speech_token(self) -> int:
        """Token of `<|nospeech|>`, which older vocabularies call `<|nocaptions|>`."""
        return int(self.generation_config.no_timestamps_token_id) - 1

    def prompt_tokens(self, lang: Language | None) -> list[int]:
        """What is forced after the start: language, task, no timestamps.

        Raises AudioError for a language that the model does not know.
        """
        plain = [int(self.generation_config.no_timestamps_token_id)]
        if not self.language_tokens:
            return plain
        if lang not in self.language_tokens:
            raise AudioError(f"Whisper knows no language {lang!r}")
        return [self.language_tokens[lang], self.generation_config.task_to_id["transcribe"], *plain]

    def tokenize_words(self, text: str, lang: Language | None) -> list[tuple[str, list[int]]]:
        """The words of a text with their tokens: exactly the tokens of the whole text.

        Byte pairs never reach across a space, so the words can be encoded one by one. A text
        of an unspaced script is cut where its tokens end a character.
        """
        words: list[tuple[str, list[int]]] = []
        for place, word in enumerate(text.split()):
            before = "" if lang in UNSPACED and place == 0 else " "
            tokens = self.tokenizer.encode(before + word, add_special_tokens=False)
            words += self._group_characters(tokens) if lang in UNSPACED else [(word, tokens)]
        return words

    def tokenize(self, text: str, lang: Language | None) -> list[int]:
        """The tokens of a text as Whisper would write it."""
        return [token for _, tokens in self.tokenize_words(text, lang) for token in tokens]

    def detokenize(self, tokens: Sequence[int]) -> str:
        said: str = self.tokenizer.decode(
            list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return said.strip()

    def _group_characters(self, tokens: list[int]) -> list[tuple[str, list[int]]]:
        """Groups of tokens that decode to whole characters; Latin words stay whole."""
        groups: list[tuple[str, list[int]]] = []
        pending: list[int] = []
        for token in tokens:
            pending.append(token)
            said = self.detokenize(pending)
            if "\ufffd" in said:
                continue
            if groups and _is_latin(groups[-1][0][-1:]) and _is_latin(said[:1]):
                before, earlier = groups.pop()
                said, pending = before + said, earlier + pending
            if said:
                groups.append((said, pending))
                pending = []
        return [*groups, (self.detokenize(pending), pending)] if pending else groups


@dataclass(frozen=True)
class Whisper(WhisperProcessing):
    """The same with its model in transformers: the one that learns."""

    model: WhisperForConditionalGeneration

    @classmethod
    def load(cls, folder: Path, dtype: torch.dtype, attention: str = "sdpa") -> Self:
        """Raises EngineError where the folder holds no such model."""
        with load_errors_explained(folder):
            model = WhisperForConditionalGeneration.from_pretrained(
                folder, dtype=dtype, attn_implementation=attention, local_files_only=True
            )
            processor = WhisperProcessor.from_pretrained(folder, local_files_only=True)
        model.model.encoder.embed_positions.requires_grad_(False)  # sinusoids, never learned
        whisper = cls(model.config, model.generation_config, processor, model.eval())
        model.to("cpu" if whisper.on_cpu else "cuda")
        return whisper

    @property
    def device(self) -> torch.device:
        return torch.device(self.model.device)

    def extract_features(self, clips: Sequence[Samples], margin: Seconds) -> torch.Tensor:
        """The same, where the model is and in what it computes in."""
        return super().extract_features(clips, margin).to(self.device, self.model.dtype)

    def encode(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, mels, frames) -> (batch, positions, width).

        What the encoder of transformers does, except that it insists on a full window. (All
        Whispers have no dropout there.)
        """
        encoder = self.model.model.encoder
        hidden: torch.Tensor = gelu(encoder.conv2(gelu(encoder.conv1(features)))).transpose(1, 2)
        hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
        for layer in encoder.layers:
            hidden = layer(hidden, None)
        return torch.as_tensor(encoder.layer_norm(hidden))


@contextmanager
def load_errors_explained(folder: Path) -> Iterator[None]:
    """Turn what transformers says of a folder into a sentence."""
    try:
        yield
    except (OSError, ValueError, RuntimeError) as cause:
        raise EngineError(f"{folder}: not a Whisper model that can be loaded") from cause


def supported_margins(checkpoint: Checkpoint) -> list[Seconds]:
    """Margins to try with these weights, down to the least that they were trained to bear."""
    config = read_json(weights_folder(checkpoint) / "config.json")
    least = config.get("trained_margin", UNTRAINED_MARGIN)
    return [each for each in CANDIDATE_MARGINS if each >= least]


def _is_latin(character: str) -> bool:
    return character.isascii() and character.isalnum()


def weights_folder(checkpoint: Checkpoint) -> Path:
    if checkpoint.engine != "whisper":
        raise EngineError(f"whisper cannot read weights of {checkpoint.engine}")
    return checkpoint.location


def round_statistic(values: Any) -> float:
    """A statistic as it is written down: 4 decimals, so that a line repeats itself exactly."""
    return round(float(values), 4)
