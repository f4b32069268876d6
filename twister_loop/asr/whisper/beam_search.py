"""Decoding by a beam: several texts go on side by side, and the best of them wins.

Scores are divided by the length of a text, its end included, as OpenAI's decoder does by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from ...core.types import Alternative, Language
from .decoding import CachedDecoder, Hypothesis, detect_speech, repeating_tokens, suppression_bias
from .model import Whisper, round_statistic


@dataclass
class BeamState:
    """One clip's beam: texts that go on, and texts that have ended, as tokens and their sum."""

    size: int
    limit: int
    going: list[tuple[list[int], float]] = field(default_factory=lambda: [([], 0.0)])
    ended: list[tuple[list[int], float]] = field(default_factory=list)

    def advance(self, logprobs: torch.Tensor, end: int) -> list[int]:
        """Take a step, (beam, vocabulary); give the row that each text going on came from."""
        sums = torch.tensor([total for _, total in self.going], device=logprobs.device)
        flat = (logprobs + sums[:, None]).flatten()
        best, places = flat.topk(min(2 * self.size, len(flat)))
        going: list[tuple[list[int], float]] = []
        rows: list[int] = []
        for total, place in zip(best.tolist(), places.tolist(), strict=True):
            row, token = divmod(place, logprobs.shape[1])
            text = ([*self.going[row][0], token], total)
            if total == -torch.inf or len(going) == self.size:
                break
            if token == end:
                self.ended.append(text)
            elif len(text[0]) < self.limit:
                going.append(text)
                rows.append(row)
            else:
                self.ended.append(text)
        done = len(self.ended) >= self.size
        self.going = [] if done else going
        return [] if done else rows

    @property
    def best(self) -> list[tuple[list[int], float]]:
        """By score, the best first."""
        ended = sorted(self.ended, key=lambda each: -each[1] / len(each[0]))
        return ended[: self.size]


@torch.inference_mode()
def decode_beams(
    whisper: Whisper,
    size: int,
    features: torch.Tensor,
    langs: Sequence[Language | None],
    limits: Sequence[int],
    ngram: int = 0,
) -> list[list[Hypothesis]]:
    """`decoding.Greedy`, but the best texts of each clip, as many as `size` or fewer."""
    decoder = CachedDecoder(whisper, whisper.encode(features))
    heard = detect_speech(whisper, decoder, langs)
    logits = decoder.step([whisper.prompt_tokens(each) for each in heard.langs])
    first, banned = suppression_bias(whisper, begin=True), suppression_bias(whisper, begin=False)
    searches = [BeamState(size, limit) for limit in limits]
    active = list(range(len(searches)))
    while active:
        logits = logits + (banned if searches[active[0]].going[0][0] else first)
        going = [text for place in active for text, _ in searches[place].going]
        if ngram:
            for row, text in enumerate(going):
                logits[row, repeating_tokens(text, ngram)] = -torch.inf
        logprobs = logits.log_softmax(-1)
        at, kept = 0, list[int]()
        for place in active:
            width = len(searches[place].going)
            rows = searches[place].advance(logprobs[at : at + width], whisper.end_token)
            kept += [at + row for row in rows]
            at += width
        active = [place for place in active if searches[place].going]
        if active:
            decoder.select_rows(kept)
            tokens = [text[-1:] for place in active for text, _ in searches[place].going]
            logits = decoder.step(tokens)
    return [
        [
            Hypothesis(
                tokens=tokens,
                text=whisper.detokenize(tokens),
                lang=heard.langs[place],
                lang_probability=heard.probabilities[place],
                confidence=total / len(tokens),
                no_speech=heard.no_speech[place],
                hit_limit=tokens[-1] != whisper.end_token,
            )
            for tokens, total in search.best
        ]
        for place, search in enumerate(searches)
    ]


def decode_with_beam(
    whisper: Whisper,
    size: int,
    noted: int,
    features: torch.Tensor,
    langs: Sequence[Language | None],
    limits: Sequence[int],
    ngram: int = 0,
) -> list[Hypothesis]:
    """`decoding.Greedy`: the best text of each clip, and so many that were nearly it."""
    return [
        replace(texts[0], alternatives=list_alternatives(texts)[:noted])
        for texts in decode_beams(whisper, size, features, langs, limits, ngram)
    ]


def list_alternatives(texts: Sequence[Hypothesis]) -> tuple[Alternative, ...]:
    """Each once; a text that can be spelled with other tokens is as likely as its likeliest."""
    likely: dict[str, float] = {}
    for each in texts:
        logprob = round_statistic(each.confidence * len(each.tokens))
        likely[each.text] = max(logprob, likely.get(each.text, logprob))
    return tuple(Alternative(text=text, logprob=logprob) for text, logprob in likely.items())
