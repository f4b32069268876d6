"""Greedy decoding and sampling in batches."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import compress

import torch

from ...core.types import Language
from .decoder import CachedDecoder, detect_speech, repeating_tokens, suppression_bias
from .decoding import Hypothesis
from .model import Whisper
from .timestamps import TimestampRules


@torch.inference_mode()
def decode_greedily(
    whisper: Whisper,
    features: torch.Tensor,
    langs: Sequence[Language | None],
    limits: Sequence[int],
    ngram: int = 0,
    temperature: float = 0.0,
    timestamps: bool = False,
    previous_tokens: Sequence[Sequence[int]] = (),
) -> list[Hypothesis]:
    """Decode a batch token by token: a `BatchDecoder`.

    Args:
        whisper: the model.
        features: (batch, mels, frames).
        langs: language of each clip; None is detected.
        limits: maximum tokens of each transcript, the end included.
        ngram: length of token n-grams that must not occur twice; 0 allows all.
        temperature: 0 takes the most probable token; above 0, tokens are sampled.
        timestamps: whether to decode timestamps too.
        previous_tokens: tokens of the text before each clip, equally many for all; () for none.
    """
    decoder = CachedDecoder(whisper, whisper.encode(features))
    detection = detect_speech(whisper, decoder, langs, previous_tokens)
    logits = decoder.step([whisper.prompt_tokens(lang, timestamps) for lang in detection.langs])
    rngs = [seed_generator(clip_features) for clip_features in features] if temperature else []
    first_bias = suppression_bias(whisper, begin=True, timestamps=timestamps)
    later_bias = suppression_bias(whisper, begin=False, timestamps=timestamps)
    rules = TimestampRules.of(whisper) if timestamps else None
    texts: list[list[int]] = [[] for _ in langs]
    logprobs = [0.0] * len(texts)
    active = list(range(len(texts)))
    while active:
        logits = logits + (later_bias if texts[active[0]] else first_bias)
        if ngram:
            for row, index in enumerate(active):
                logits[row, repeating_tokens(texts[index], ngram)] = -torch.inf
        if rules:
            logits = rules.constrain(logits, [texts[index] for index in active])
        active_rngs = [rngs[index] for index in active] if temperature else []
        selected = select_tokens(logits.log_softmax(-1), temperature, active_rngs)
        token_logprobs, tokens = (column.tolist() for column in selected)
        for index, token, logprob in zip(active, tokens, token_logprobs, strict=True):
            texts[index].append(token)
            logprobs[index] += logprob
        unfinished = [
            tokens[row] != whisper.end_token and len(texts[index]) < limits[index]
            for row, index in enumerate(active)
        ]
        # Finished clips leave the batch, so that a short one costs nothing while a long one ends.
        if any(unfinished) and not all(unfinished):
            decoder.select_rows(
                [[row] if goes_on else [] for row, goes_on in enumerate(unfinished)]
            )
        active = list(compress(active, unfinished))
        if active:
            logits = decoder.step([texts[index][-1:] for index in active])
    return [
        Hypothesis(
            tokens=tokens,
            text=whisper.detokenize(tokens),
            lang=detection.langs[index],
            lang_probability=detection.probabilities[index],
            confidence=logprobs[index] / len(tokens),
            no_speech=detection.no_speech[index],
            hit_limit=tokens[-1] != whisper.end_token,
        )
        for index, tokens in enumerate(texts)
    ]


def seed_generator(features: torch.Tensor) -> torch.Generator:
    """Return the generator of a clip's random numbers, seeded by its features, (mels, frames).

    So a clip is sampled in the same way wherever and whenever it is decoded, whatever was decoded
    before it or is decoded beside it.
    """
    return torch.Generator().manual_seed(zlib.crc32(features.float().cpu().numpy().tobytes()))


def select_tokens(
    logprobs: torch.Tensor, temperature: float, rngs: Sequence[torch.Generator]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Select one token per row: the most probable, or a sample at a temperature above 0.

    Args:
        logprobs: (rows, vocabulary), in nats.
        temperature: 0, or a divisor of the log-probabilities.
        rngs: generator of each row, on the CPU; none are needed at a temperature of 0.

    Returns:
        Log-probabilities of the tokens, and the tokens, (rows,) each.
    """
    if not temperature:
        best = logprobs.max(-1)
        return best.values, best.indices
    # Gumbel's trick: the maximum with this noise added is a sample from the softmax. The noise is
    # drawn on the CPU, so that a GPU samples the same tokens.
    uniform = torch.stack([torch.rand(logprobs.shape[1], generator=rng) for rng in rngs])
    noise = uniform.log().neg().log().neg()
    tokens = (logprobs / temperature + noise.to(logprobs.device)).argmax(-1)
    return logprobs.gather(-1, tokens[:, None])[:, 0], tokens
