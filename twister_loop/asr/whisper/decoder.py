"""Whisper's decoder network step by step: cache, detection of language and speech, suppression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import DynamicCache, EncoderDecoderCache

from ...audio.io import Samples
from ...core.types import Language, Seconds
from .model import Whisper


@dataclass(frozen=True)
class SpeechDetection:
    """Output of the decoder's first step for a batch: presence of speech, and its language."""

    no_speech: list[float]
    """Probability of `<|nospeech|>` per clip."""
    langs: list[Language | None]
    """Requested language of each clip, or the detected one."""
    probabilities: list[float | None]
    """Probability of that language; None for an English-only model."""


def detect_speech(
    whisper: Whisper,
    decoder: CachedDecoder,
    langs: Sequence[Language | None],
    previous_tokens: Sequence[Sequence[int]] = (),
) -> SpeechDetection:
    """Take the decoder's first step, which predicts the language and whether there is speech.

    Args:
        whisper: the model.
        decoder: nothing was decoded with it yet.
        langs: language of each clip; None is detected.
        previous_tokens: tokens of the text before each clip, equally many for all; () for none.
    """
    prompts = [[whisper.start_token] for _ in langs]
    if any(previous_tokens):
        prompts = [
            [whisper.previous_text_token, *tokens, whisper.start_token]
            for tokens in previous_tokens
        ]
    first = decoder.step(prompts)  # (batch, vocabulary)
    # Over the whole vocabulary, as in OpenAI's decoder.
    no_speech: list[float] = first.softmax(-1)[:, whisper.no_speech_token].tolist()
    # English-only models have no tokens of languages.
    if not whisper.language_tokens:
        return SpeechDetection(no_speech, ["en"] * len(langs), [None] * len(langs))
    names = list(whisper.language_tokens)
    # The softmax is over the languages alone: other tokens are no answer to this question.
    probabilities = first[:, list(whisper.language_tokens.values())].softmax(-1)
    most_probable = probabilities.argmax(-1).tolist()
    used = [lang or names[index] for lang, index in zip(langs, most_probable, strict=True)]
    used_probabilities = [
        row[names.index(lang)] for row, lang in zip(probabilities.tolist(), used, strict=True)
    ]
    return SpeechDetection(no_speech, list(used), list(used_probabilities))


def detect_languages(
    whisper: Whisper, clips: Sequence[Samples], context: Seconds
) -> list[Language | None]:
    """Detect the language of each clip of a batch.

    Args:
        whisper: the model.
        clips: samples of each clip, float32 (samples,) at 16 kHz.
        context: length to which every clip is padded, in seconds.
    """
    with torch.inference_mode():
        features = whisper.extract_features(clips, context)
        decoder = CachedDecoder(whisper, whisper.encode(features))
        return detect_speech(whisper, decoder, [None] * len(clips)).langs


class CachedDecoder:
    """Decoder network with its key-value cache for one batch."""

    def __init__(self, whisper: Whisper, encoded: torch.Tensor) -> None:
        self._whisper, self._encoded = whisper, encoded
        # The first cache has the text of every row, and grows by a token each step. The second has
        # keys and values of the audio, computed once per clip; `shared_attention` lets all rows of
        # a clip use them. Without a configuration, since that would prepare both for as many layers
        # as the encoder has, and a distilled decoder has fewer.
        self._texts, self._audio = DynamicCache(), DynamicCache()
        self._cache = EncoderDecoderCache(self._texts, self._audio)

    def step(self, tokens: Sequence[Sequence[int]]) -> torch.Tensor:
        """Append tokens to every row, equally many, and return the logits of the next token.

        Returns:
            Logits, float32 (batch, vocabulary).
        """
        whisper = self._whisper
        hidden = whisper.model.model.decoder(
            input_ids=torch.tensor(tokens, device=whisper.device),
            encoder_hidden_states=self._encoded,
            past_key_values=self._cache,
            use_cache=True,
        ).last_hidden_state[:, -1]
        logits: torch.Tensor = whisper.model.proj_out(hidden)
        return logits.float()  # a sum of bfloat16 log-probabilities would lose digits

    def select_rows(self, rows: Sequence[Sequence[int]]) -> None:
        """Keep only these rows of the batch.

        Args:
            rows: those that each clip keeps, in their new order; a row may be kept twice. A clip
                without rows leaves the batch. The others have equally many.
        """
        clips = [clip for clip, clip_rows in enumerate(rows) if clip_rows]
        selected = [row for clip_rows in rows for row in clip_rows]
        device = self._whisper.device
        self._texts.batch_select_indices(torch.tensor(selected, device=device))
        # Copied only when clips leave, not at every token: the audio takes far more than the texts.
        if len(clips) < len(rows):
            self._audio.batch_select_indices(torch.tensor(clips, device=device))


def suppression_bias(whisper: Whisper, begin: bool, timestamps: bool = False) -> torch.Tensor:
    """Return what is added to logits: minus infinity for tokens that are not text.

    Args:
        whisper: the model.
        begin: whether it is for the first token, where a space and the end are suppressed too.
        timestamps: whether timestamps are allowed beside text.

    Returns:
        Bias, float32 (vocabulary,).
    """
    bias = torch.zeros(whisper.config.vocab_size, device=whisper.device)
    # In Whisper's vocabularies all special tokens come after the end token, timestamps too.
    bias[whisper.end_token + 1 :] = -torch.inf
    if timestamps:
        bias[whisper.first_timestamp_token :] = 0.0
    bias[whisper.generation_config.suppress_tokens or []] = -torch.inf
    if begin:
        bias[whisper.generation_config.begin_suppress_tokens or []] = -torch.inf
    return bias


def repeating_tokens(tokens: Sequence[int], ngram: int) -> list[int]:
    """Return the tokens that would repeat an n-gram if they came next.

    >>> repeating_tokens([1, 2, 3, 1, 2], ngram=3)
    [3]
    """
    tail = tokens[len(tokens) - ngram + 1 :]
    starts = range(len(tokens) - ngram + 1)
    return [
        tokens[start + ngram - 1] for start in starts if tokens[start : start + ngram - 1] == tail
    ]
