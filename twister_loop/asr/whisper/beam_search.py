"""Beam search in batches.

Hypotheses are ranked by their log-probability divided by their length in tokens, the end included,
as OpenAI's decoder does by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from ...core.types import Alternative, Language
from .decoder import CachedDecoder, detect_speech, repeating_tokens, suppression_bias
from .decoding import Hypothesis
from .model import Whisper, round_statistic
from .timestamps import TimestampRules

ScoredTokens = tuple[list[int], float]
"""Tokens of a hypothesis and the sum of their log-probabilities, in nats."""


@dataclass
class BeamState:
    """Beam of one clip: hypotheses that are extended, and finished ones."""

    size: int
    """Maximum number of hypotheses to extend."""
    limit: int
    """Maximum tokens of a hypothesis, the end included."""
    # One empty text at first: several would only be copies of each other.
    active: list[ScoredTokens] = field(default_factory=lambda: [([], 0.0)])
    finished: list[ScoredTokens] = field(default_factory=list)

    def advance(self, logprobs: torch.Tensor, end_token: int) -> list[int]:
        """Extend the active hypotheses by one token.

        Args:
            logprobs: of the next token after each active hypothesis, (active, vocabulary).
            end_token: finishes a hypothesis.

        Returns:
            For each hypothesis that is now active, the row that it extends. Empty when the beam
            is done: as many hypotheses as its size are finished.
        """
        sums = torch.tensor([total for _, total in self.active], device=logprobs.device)
        flat = (logprobs + sums[:, None]).flatten()
        # Twice the size: even if every hypothesis ends here, enough are left to go on with.
        best_totals, positions = flat.topk(min(2 * self.size, len(flat)))
        active: list[ScoredTokens] = []
        rows: list[int] = []
        for total, position in zip(best_totals.tolist(), positions.tolist(), strict=True):
            row, token = divmod(position, logprobs.shape[1])
            hypothesis = ([*self.active[row][0], token], total)
            # Sorted by total, so what follows is no better.
            # Minus infinity: only suppressed tokens are left.
            if total == -torch.inf or len(active) == self.size:
                break
            if token == end_token:
                self.finished.append(hypothesis)
            elif len(hypothesis[0]) < self.limit:
                active.append(hypothesis)
                rows.append(row)
            else:
                self.finished.append(hypothesis)
        # As OpenAI's decoder with its default patience of 1.
        is_done = len(self.finished) >= self.size
        self.active = [] if is_done else active
        return [] if is_done else rows

    def texts(self, width: int) -> list[list[int]]:
        """Return the tokens of the active hypotheses; the first fills up the width."""
        texts = [tokens for tokens, _ in self.active]
        return texts + texts[:1] * (width - len(texts))

    @property
    def best(self) -> list[ScoredTokens]:
        """Return at most `size` finished hypotheses, the best first."""
        # By the mean, not the sum: a sum prefers short texts, since every token lowers it.
        by_mean = sorted(self.finished, key=lambda scored: -scored[1] / len(scored[0]))
        return by_mean[: self.size]


@torch.inference_mode()
def decode_beams(
    whisper: Whisper,
    beam_size: int,
    features: torch.Tensor,
    langs: Sequence[Language | None],
    limits: Sequence[int],
    ngram: int = 0,
    timestamps: bool = False,
    previous_tokens: Sequence[Sequence[int]] = (),
) -> list[list[Hypothesis]]:
    """Decode a batch by beam search.

    Args:
        whisper: the model.
        beam_size: number of hypotheses per clip.
        features: (batch, mels, frames).
        langs: language of each clip; None is detected.
        limits: maximum tokens of each transcript, the end included.
        ngram: length of token n-grams that must not occur twice; 0 allows all.
        timestamps: whether to decode timestamps too.
        previous_tokens: tokens of the text before each clip, equally many for all; () for none.

    Returns:
        For each clip at most `beam_size` hypotheses, the best first.
    """
    decoder = CachedDecoder(whisper, whisper.encode(features))
    detection = detect_speech(whisper, decoder, langs, previous_tokens)
    logits = decoder.step([whisper.prompt_tokens(lang, timestamps) for lang in detection.langs])
    first_bias = suppression_bias(whisper, begin=True, timestamps=timestamps)
    later_bias = suppression_bias(whisper, begin=False, timestamps=timestamps)
    rules = TimestampRules.of(whisper) if timestamps else None
    beams = [BeamState(beam_size, limit) for limit in limits]
    unfinished = list(range(len(beams)))
    # The active hypotheses of all clips are the rows of one batch, clip after clip. A clip with
    # fewer than the others repeats its first, since all clips must have equally many rows.
    width = 1
    while unfinished:
        logits = logits + (later_bias if beams[unfinished[0]].active[0][0] else first_bias)
        hypotheses = [tokens for index in unfinished for tokens in beams[index].texts(width)]
        if rules:
            logits = rules.constrain(logits, hypotheses)
        if ngram:
            for row, tokens in enumerate(hypotheses):
                logits[row, repeating_tokens(tokens, ngram)] = -torch.inf
        logprobs = logits.log_softmax(-1)
        selected_rows: list[list[int]] = []
        for first_row, index in zip(range(0, len(logprobs), width), unfinished, strict=True):
            clip_logprobs = logprobs[first_row : first_row + len(beams[index].active)]
            rows = beams[index].advance(clip_logprobs, whisper.end_token)
            selected_rows.append([first_row + row for row in rows])
        unfinished = [index for index in unfinished if beams[index].active]
        if unfinished:
            width = max(map(len, selected_rows))
            decoder.select_rows([rows + rows[:1] * (width - len(rows)) for rows in selected_rows])
            logits = decoder.step(
                [tokens[-1:] for index in unfinished for tokens in beams[index].texts(width)]
            )
    return [
        [
            Hypothesis(
                tokens=tokens,
                text=whisper.detokenize(tokens),
                lang=detection.langs[index],
                lang_probability=detection.probabilities[index],
                confidence=total / len(tokens),
                no_speech=detection.no_speech[index],
                hit_limit=tokens[-1] != whisper.end_token,
            )
            for tokens, total in beam.best
        ]
        for index, beam in enumerate(beams)
    ]


def decode_with_beam(
    whisper: Whisper,
    beam_size: int,
    nbest: int,
    features: torch.Tensor,
    langs: Sequence[Language | None],
    limits: Sequence[int],
    ngram: int = 0,
    timestamps: bool = False,
    previous_tokens: Sequence[Sequence[int]] = (),
) -> list[Hypothesis]:
    """Return the best hypothesis of each clip, with `nbest` alternatives: a `BatchDecoder`.

    The other arguments are those of `decode_beams`.
    """
    beams = decode_beams(
        whisper,
        beam_size,
        features=features,
        langs=langs,
        limits=limits,
        ngram=ngram,
        timestamps=timestamps,
        previous_tokens=previous_tokens,
    )
    return [
        replace(hypotheses[0], alternatives=list_alternatives(hypotheses)[:nbest])
        for hypotheses in beams
    ]


def list_alternatives(hypotheses: Sequence[Hypothesis]) -> tuple[Alternative, ...]:
    """Return each different text once, in the order of the hypotheses.

    Several token sequences may spell the same text; its log-probability is that of the best.
    """
    logprobs: dict[str, float] = {}
    for hypothesis in hypotheses:
        logprob = round_statistic(hypothesis.confidence * len(hypothesis.tokens))
        logprobs[hypothesis.text] = max(logprob, logprobs.get(hypothesis.text, logprob))
    return tuple(Alternative(text=text, logprob=logprob) for text, logprob in logprobs.items())
