"""Greedy decoding in batches, and what is done about a decode that looks insane."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from transformers import DynamicCache, EncoderDecoderCache

from ...audio.io import SAMPLE_RATE, Samples
from ...core.types import Alternative, Language, Seconds, Utterance
from .batching import answer_unprocessable, batch_by_length, load_clips, map_batches
from .model import WINDOW_LENGTH, Whisper, WhisperProcessing, round_statistic

log = logging.getLogger(__name__)

MAX_TOKENS_PER_SECOND = 20
"""More than anybody speaks, in any script."""
EXTRA_TOKENS = 32
"""Allowed beside those, so that a short clip can be written out."""
MAX_COMPRESSION_RATIO = 2.4
"""Compression ratio above which a text repeats itself, as in OpenAI's decoder."""
FALLBACK_NGRAM = 5
"""Tokens that must not occur twice in the same order, when all else failed."""


@dataclass(frozen=True)
class Hypothesis:
    """What the decoder made of one clip."""

    tokens: list[int]
    text: str
    lang: Language | None
    confidence: float
    no_speech: float
    hit_limit: bool
    lang_probability: float | None = None
    alternatives: tuple[Alternative, ...] = ()

    @property
    def compression_ratio(self) -> float:
        data = self.text.encode()
        return len(data) / len(zlib.compress(data))

    @property
    def failure_signs(self) -> int:
        """How many signs there are that it repeats itself or does not end.

        A low confidence is none: what is hard to hear is not heard better by the same model in
        a longer window, and it is for a filter to drop it.
        """
        repetitive = self.compression_ratio > MAX_COMPRESSION_RATIO
        return int(repetitive) + int(self.hit_limit)


class BatchDecoder(Protocol):
    """What an engine does for a batch: the likeliest token, again and again.

    `langs` that are None are detected. No text becomes longer than its limit in tokens. With
    `ngram`, no run of so many tokens occurs twice. `features` are (batch, mels, frames).
    """

    def __call__(
        self,
        features: torch.Tensor,
        langs: Sequence[Language | None],
        limits: Sequence[int],
        ngram: int,
    ) -> list[Hypothesis]: ...


def transcribe_window(
    whisper: WhisperProcessing,
    decode: BatchDecoder,
    window: Sequence[Utterance],
    margin: Seconds,
    batch: int,
) -> list[Utterance]:
    """Hear one window: its utterances by length in batches, the answers in their own order."""
    answers = answer_unprocessable(whisper, window)
    margin = whisper.effective_margin(margin)

    def hear(
        places: Iterable[int], margin: Seconds, ngram: int
    ) -> Iterator[tuple[int, Hypothesis]]:
        def work(group: list[int]) -> list[tuple[int, Hypothesis]]:
            clips = load_clips(window, group, answers)
            if not clips:
                return []
            features = whisper.extract_features(list(clips.values()), margin)
            langs = [window[place].lang for place in clips]
            limits = [max_text_tokens(whisper, len(clip)) for clip in clips.values()]
            return list(zip(clips, decode(features, langs, limits, ngram), strict=True))

        for found in map_batches(whisper, work, batch_by_length(window, places, batch)):
            yield from found

    decodes = dict(hear(set(range(len(window))) - answers.keys(), margin, 0))
    insane = [place for place, decode in decodes.items() if decode.failure_signs]
    attempts = {place: [decodes[place]] for place in insane}
    for again, ngram in ((WINDOW_LENGTH, 0), (WINDOW_LENGTH, FALLBACK_NGRAM)):
        if ngram or margin < WINDOW_LENGTH:
            left = [
                place for place in insane if all(each.failure_signs for each in attempts[place])
            ]
            for place, attempt in hear(left, again, ngram):
                attempts[place].append(attempt)
    for place, first in decodes.items():
        saner = select_best(attempts.get(place, [first]))
        answers[place] = add_hypothesis(window[place], saner, fallback=place in attempts)
    return [answers[place] for place in range(len(window))]


def select_best(attempts: Sequence[Hypothesis]) -> Hypothesis:
    """The decode with the fewest complaints; among equals the most confident, then the first."""
    return min(attempts, key=lambda each: (each.failure_signs, -each.confidence))


def add_hypothesis(utterance: Utterance, decode: Hypothesis, fallback: bool) -> Utterance:
    return replace(
        utterance,
        pred_text=decode.text,
        lang=utterance.lang or decode.lang,
        lang_probability=round_optional(decode.lang_probability),
        confidence=round_statistic(decode.confidence),
        compression_ratio=round_statistic(decode.compression_ratio),
        no_speech=round_statistic(decode.no_speech),
        hit_limit=decode.hit_limit,
        fallback=fallback,
        alternatives=decode.alternatives,
    )


def round_optional(probability: float | None) -> float | None:
    return None if probability is None else round_statistic(probability)


def max_text_tokens(whisper: WhisperProcessing, samples: int) -> int:
    """How many tokens a clip may become, the end included."""
    room = (
        whisper.max_tokens
        - 1
        - len(whisper.prompt_tokens(next(iter(whisper.language_tokens), None)))
    )
    return min(room, EXTRA_TOKENS + MAX_TOKENS_PER_SECOND * samples // SAMPLE_RATE)


@torch.inference_mode()
def decode_greedily(
    whisper: Whisper,
    features: torch.Tensor,
    langs: Sequence[Language | None],
    limits: Sequence[int],
    ngram: int = 0,
    temperature: float = 0.0,
) -> list[Hypothesis]:
    """Decode (batch, mels, frames) into text, the likeliest token each time, no timestamps.

    A language that is None is detected. No text becomes longer than its limit in tokens. With
    `ngram`, no run of so many tokens occurs twice. With a `temperature` tokens are drawn; what is
    random comes from the speech, so the same batch repeats itself.
    """
    decoder = CachedDecoder(whisper, whisper.encode(features))
    heard = detect_speech(whisper, decoder, langs)
    logits = decoder.step([whisper.prompt_tokens(lang) for lang in heard.langs])
    rng = torch.Generator().manual_seed(zlib.crc32(features.float().cpu().numpy().tobytes()))
    first, banned = suppression_bias(whisper, begin=True), suppression_bias(whisper, begin=False)
    rows: list[list[int]] = [[] for _ in langs]
    logprobs = [0.0] * len(rows)
    active = list(range(len(rows)))
    while active:
        logits = logits + (banned if rows[active[0]] else first)
        if ngram:
            for row, place in enumerate(active):
                logits[row, repeating_tokens(rows[place], ngram)] = -torch.inf
        best, tokens = (
            each.tolist() for each in select_tokens(logits.log_softmax(-1), temperature, rng)
        )
        for place, token, logprob in zip(active, tokens, best, strict=True):
            rows[place].append(token)
            logprobs[place] += logprob
        going = [
            row
            for row, place in enumerate(active)
            if tokens[row] != whisper.end_token and len(rows[place]) < limits[place]
        ]
        if going and len(going) < len(active):
            decoder.select_rows(going)
        active = [active[row] for row in going]
        if active:
            logits = decoder.step([rows[place][-1:] for place in active])
    return [
        Hypothesis(
            tokens=row,
            text=whisper.detokenize(row),
            lang=heard.langs[place],
            lang_probability=heard.probabilities[place],
            confidence=logprobs[place] / len(row),
            no_speech=heard.no_speech[place],
            hit_limit=row[-1] != whisper.end_token,
        )
        for place, row in enumerate(rows)
    ]


def select_tokens(
    logprobs: torch.Tensor, temperature: float, rng: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """The likeliest token of each row, or one drawn (Gumbel's trick): its logprob and the token."""
    if not temperature:
        best = logprobs.max(-1)
        return best.values, best.indices
    noise = torch.rand(logprobs.shape, generator=rng).log().neg().log().neg()
    tokens = (logprobs / temperature + noise.to(logprobs.device)).argmax(-1)
    return logprobs.gather(-1, tokens[:, None])[:, 0], tokens


@dataclass(frozen=True)
class SpeechDetection:
    """What the decoder says of a batch before it writes."""

    no_speech: list[float]
    langs: list[Language | None]
    """The languages that were asked for, else those that were detected."""
    probabilities: list[float | None]
    """Of those languages; None where the model knows only one."""


def detect_speech(
    whisper: Whisper, decoder: CachedDecoder, langs: Sequence[Language | None]
) -> SpeechDetection:
    """Feed the start: how likely there is no speech, and which languages are spoken."""
    first = decoder.step([[whisper.start_token]] * len(langs))  # (batch, vocabulary)
    no_speech: list[float] = first.softmax(-1)[:, whisper.no_speech_token].tolist()
    if not whisper.language_tokens:
        return SpeechDetection(no_speech, ["en"] * len(langs), [None] * len(langs))
    names = list(whisper.language_tokens)
    of_each = first[:, list(whisper.language_tokens.values())].softmax(-1)  # (batch, languages)
    likeliest = of_each.argmax(-1).tolist()
    spoken = [lang or names[each] for lang, each in zip(langs, likeliest, strict=True)]
    shares = [row[names.index(lang)] for row, lang in zip(of_each.tolist(), spoken, strict=True)]
    return SpeechDetection(no_speech, list(spoken), list(shares))


def detect_languages(
    whisper: Whisper, clips: Sequence[Samples], margin: Seconds
) -> list[Language | None]:
    """The languages of a batch of clips."""
    with torch.inference_mode():
        features = whisper.extract_features(clips, margin)
        decoder = CachedDecoder(whisper, whisper.encode(features))
        return detect_speech(whisper, decoder, [None] * len(clips)).langs


class CachedDecoder:
    """The decoder's half of the model with its memory of a batch."""

    def __init__(self, whisper: Whisper, encoded: torch.Tensor) -> None:
        self._whisper, self._encoded = whisper, encoded
        config = whisper.config
        self._cache = EncoderDecoderCache(DynamicCache(config=config), DynamicCache(config=config))

    def step(self, tokens: Sequence[Sequence[int]]) -> torch.Tensor:
        """Take in tokens, as many for every row, and give logits of the next, float32.

        Returns (batch, vocabulary).
        """
        whisper = self._whisper
        hidden = whisper.model.model.decoder(
            input_ids=torch.tensor(tokens, device=whisper.device),
            encoder_hidden_states=self._encoded,
            past_key_values=self._cache,
            use_cache=True,
        ).last_hidden_state[:, -1]
        logits: torch.Tensor = whisper.model.proj_out(hidden)
        return logits.float()

    def select_rows(self, rows: Sequence[int]) -> None:
        """Forget all other rows of the batch: they are finished."""
        places = torch.tensor(rows, device=self._whisper.device)
        self._cache.batch_select_indices(places)
        self._encoded = self._encoded[places]


def suppression_bias(whisper: Whisper, begin: bool) -> torch.Tensor:
    """What is added to logits, (vocabulary,): minus infinity for tokens that are no text.

    All special tokens stand behind the end in Whisper's vocabularies, timestamps too.
    """
    mask = torch.zeros(whisper.config.vocab_size, device=whisper.device)
    mask[whisper.end_token + 1 :] = -torch.inf
    mask[whisper.generation_config.suppress_tokens or []] = -torch.inf
    if begin:
        mask[whisper.generation_config.begin_suppress_tokens or []] = -torch.inf
    return mask


def repeating_tokens(tokens: Sequence[int], ngram: int) -> list[int]:
    """The tokens that would repeat a run of `ngram` tokens."""
    tail = tokens[len(tokens) - ngram + 1 :]
    starts = range(len(tokens) - ngram + 1)
    return [tokens[at + ngram - 1] for at in starts if tokens[at : at + ngram - 1] == tail]
