"""Transcription of windows by any engine, with new attempts for decodes that went wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch

from ...audio.io import SAMPLE_RATE
from ...core.progress import note_answered
from ...core.types import Alternative, Language, Seconds, Utterance
from ...text.script_neutral import MAX_COMPRESSION_RATIO, compression_ratio
from .batching import (
    ClipBatch,
    answer_unprocessable,
    batch_by_context,
    load_clips,
    map_batches,
)
from .model import WhisperProcessing, round_statistic
from .model_folder import WINDOW_LENGTH

MAX_TOKENS_PER_SECOND = 90
"""Limit of a transcript's length: 30 characters a second, above which the filter `char_rate` drops
it, of 3 tokens each, since Whisper spells many scripts byte by byte (Tibetan has the most, 78
tokens a second; BENCHMARKS.md)."""
EXTRA_TOKENS = 32
"""Tokens allowed beside those per second, so that the text of a short clip is not cut."""
FALLBACK_NGRAM = 5
"""Length of token n-grams that must not occur twice in the last attempt."""


@dataclass(frozen=True)
class Hypothesis:
    """Transcript of one clip, with the decoder's statistics."""

    tokens: list[int]
    """Tokens of the text, the end token included if it was reached."""
    text: str
    lang: Language | None
    confidence: float
    """Mean log-probability of a token, in nats."""
    no_speech: float
    """Probability of `<|nospeech|>`, 0 to 1."""
    hit_limit: bool
    """Whether decoding stopped at the length limit, without an end token."""
    lang_probability: float | None = None
    """Probability of the language among all languages, 0 to 1; None without a choice."""
    alternatives: tuple[Alternative, ...] = ()
    """Texts of the beam, the best first."""

    @property
    def compression_ratio(self) -> float:
        """Return how well the text compresses; a loop has a high ratio, in any script."""
        return compression_ratio(self.text)

    @property
    def failure_signs(self) -> int:
        """Count the signs that decoding went wrong, 0 to 2: repetition, and no end."""
        # Low confidence is not among them, unlike in OpenAI's decoder: speech that is hard to
        # recognize does not get easier for the same model in a longer window. A filter drops it.
        is_repetitive = self.compression_ratio > MAX_COMPRESSION_RATIO
        return int(is_repetitive) + int(self.hit_limit)


class BatchDecoder(Protocol):
    """Function with which an engine decodes one batch."""

    def __call__(
        self,
        features: torch.Tensor,
        langs: Sequence[Language | None],
        limits: Sequence[int],
        ngram: int = 0,
        timestamps: bool = False,
        previous_tokens: Sequence[Sequence[int]] = (),
    ) -> list[Hypothesis]:
        """Decode a batch.

        Args:
            features: (batch, mels, frames).
            langs: language of each clip; None is detected.
            limits: maximum tokens of each transcript, the end included.
            ngram: length of token n-grams that must not occur twice; 0 allows all.
            timestamps: whether to decode timestamps too.
            previous_tokens: tokens of the text before each clip, equally many for all; () for none.
        """


def transcribe_window(
    whisper: WhisperProcessing,
    decode: BatchDecoder,
    window: Sequence[Utterance],
    *,
    margin: Seconds,
    batch_size: int,
    prompt: str = "",
) -> list[Utterance]:
    """Transcribe one window.

    Clips whose decode shows signs of failure are decoded again in the full window, and if that
    fails too, with repeated n-grams forbidden. The best attempt is kept.

    Args:
        whisper: feature extractor and tokenizer.
        decode: the engine's decoder.
        window: utterances in any order of length.
        margin: least silence after each clip, in seconds.
        batch_size: maximum clips per batch; it does not change the transcripts.
        prompt: text that every clip is decoded after.

    Returns:
        The utterances in their order, with transcripts or errors.
    """
    previous_tokens = tokenize_prompt(whisper, prompt)
    answers = answer_unprocessable(whisper, window)
    margin = whisper.effective_margin(margin)

    def decode_clips(
        indices: Iterable[int], margin: Seconds, ngram: int
    ) -> Iterator[tuple[int, Hypothesis]]:
        def decode_batch(batch: ClipBatch) -> list[tuple[int, Hypothesis]]:
            # Threads share `answers`, but each writes only to the indices of its own batch.
            clips = load_clips(window, batch.indices, answers)
            if not clips:
                return []
            features = whisper.extract_features(list(clips.values()), batch.context)
            langs = [window[index].lang for index in clips]
            limits = [
                max_text_tokens(whisper, len(clip), len(previous_tokens)) for clip in clips.values()
            ]
            hypotheses = decode(
                features=features,
                langs=langs,
                limits=limits,
                ngram=ngram,
                previous_tokens=[previous_tokens] * len(clips) if previous_tokens else (),
            )
            return list(zip(clips, hypotheses, strict=True))

        batches = batch_by_context(window, indices, margin, batch_size)
        for hypotheses in map_batches(whisper, decode_batch, batches):
            yield from hypotheses

    first_attempts = {}
    for index, attempt in decode_clips(set(range(len(window))) - answers.keys(), margin, ngram=0):
        first_attempts[index] = attempt
        note_answered()
    failed = [index for index, attempt in first_attempts.items() if attempt.failure_signs]
    attempts = {index: [first_attempts[index]] for index in failed}
    # The full window first: it is what the model was trained on. Forbidding n-grams comes last,
    # since it also forbids what a speaker really repeats.
    for fallback_margin, ngram in ((WINDOW_LENGTH, 0), (WINDOW_LENGTH, FALLBACK_NGRAM)):
        if ngram or margin < WINDOW_LENGTH:
            still_failed = [
                index
                for index in failed
                if all(attempt.failure_signs for attempt in attempts[index])
            ]
            for index, attempt in decode_clips(still_failed, fallback_margin, ngram):
                attempts[index].append(attempt)
    for index, first_attempt in first_attempts.items():
        best = select_best(attempts.get(index, [first_attempt]))
        answers[index] = add_hypothesis(window[index], best, fallback=index in attempts)
    return [answers[index] for index in range(len(window))]


def select_best(attempts: Sequence[Hypothesis]) -> Hypothesis:
    """Return the attempt with the fewest failure signs; among equals the most confident one."""
    return min(attempts, key=lambda attempt: (attempt.failure_signs, -attempt.confidence))


def add_hypothesis(utterance: Utterance, hypothesis: Hypothesis, fallback: bool) -> Utterance:
    """Return the utterance with the transcript and its statistics, rounded."""
    return replace(
        utterance,
        pred_text=hypothesis.text,
        lang=utterance.lang or hypothesis.lang,
        lang_probability=round_optional(hypothesis.lang_probability),
        confidence=round_statistic(hypothesis.confidence),
        compression_ratio=round_statistic(hypothesis.compression_ratio),
        no_speech=round_statistic(hypothesis.no_speech),
        hit_limit=hypothesis.hit_limit,
        fallback=fallback,
        alternatives=hypothesis.alternatives,
    )


def round_optional(probability: float | None) -> float | None:
    """Round a probability, if there is one."""
    return None if probability is None else round_statistic(probability)


def tokenize_prompt(whisper: WhisperProcessing, prompt: str) -> list[int]:
    """Return the tokens of a previous text, at most half of the decoder's context.

    The end of a longer one is kept, as in OpenAI's decoder.
    """
    tokens = whisper.tokenize(prompt, None)
    return tokens[-(whisper.max_tokens // 2 - 1) :]


def max_text_tokens(whisper: WhisperProcessing, samples: int, previous_tokens: int = 0) -> int:
    """Return the maximum length of a clip's transcript in tokens, the end included.

    Args:
        whisper: tokenizer.
        samples: length of the clip.
        previous_tokens: tokens of the previous text, without the one that announces it.
    """
    any_language = next(iter(whisper.language_tokens), None)  # all prompts are equally long
    # The start token is the 1.
    context = whisper.max_tokens - 1 - len(whisper.prompt_tokens(any_language))
    context -= previous_tokens + 1 if previous_tokens else 0
    return min(context, EXTRA_TOKENS + MAX_TOKENS_PER_SECOND * samples // SAMPLE_RATE)
