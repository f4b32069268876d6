"""CTC decoding (Graves et al., ICML 2006): greedy, beam search, and forced alignment.

pyctcdecode has beam search too, but needs numpy below 2; torchaudio's needs its compiled library.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .tokenizer import BLANK

Logprobs = NDArray[np.float32]
"""Log-probabilities of one clip, (frames, vocabulary), natural logarithms."""
TOKENS_PER_FRAME = 20
"""Tokens with which beam search continues in a frame; the others are far less likely."""


@dataclass(frozen=True)
class Hypothesis:
    """A text that a decoder has found."""

    tokens: list[int]
    """Tokens without blanks."""
    logprob: float
    """Natural logarithm of the probability of the text, or of one of its paths."""


class TokenSpan(NamedTuple):
    """Frames that an alignment gives to a token."""

    first_frame: int
    end_frame: int
    """The frame after the last."""
    logprob: float
    """Log-probability of the token, summed over its frames."""


def decode_greedy(logprobs: Logprobs) -> Hypothesis:
    """Return the text of the most likely path, with the log-probability of that path.

    >>> logprobs = np.log(np.array([[0.1, 0.9], [0.8, 0.2], [0.4, 0.6]], dtype=np.float32))
    >>> decode_greedy(logprobs).tokens
    [1, 1]
    """
    path = logprobs.argmax(axis=1)
    tokens = [
        int(token)
        for frame, token in enumerate(path)
        if token != BLANK and (frame == 0 or token != path[frame - 1])
    ]
    return Hypothesis(tokens, float(logprobs.max(axis=1).sum()))


def decode_beam(logprobs: Logprobs, width: int) -> list[Hypothesis]:
    """Return the most likely texts, at most `width`, the most likely first.

    The log-probability of a text is the sum over all its paths that the beam has kept.
    """
    # For every text the log-probability of its paths that end in a blank, and of those that end in
    # its last token: only after a blank may the same token begin again.
    beam: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -math.inf)}
    for frame in logprobs:
        extended: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [-math.inf, -math.inf])
        likely_tokens = np.argpartition(-frame, min(TOKENS_PER_FRAME, len(frame) - 1))
        likely_tokens = likely_tokens[:TOKENS_PER_FRAME]
        for text, (after_blank, after_token) in beam.items():
            after_any = np.logaddexp(after_blank, after_token)
            for token in map(int, likely_tokens):
                logprob = float(frame[token])
                if token == BLANK:
                    _add_paths(extended[text], 0, after_any + logprob)
                elif text and text[-1] == token:
                    _add_paths(extended[text], 1, after_token + logprob)
                    _add_paths(extended[(*text, token)], 1, after_blank + logprob)
                else:
                    _add_paths(extended[(*text, token)], 1, after_any + logprob)
        scored = [(text, ends, _total(ends)) for text, ends in extended.items()]
        possible = [candidate for candidate in scored if candidate[2] > -math.inf]
        # Ties are broken by the tokens, so that the result does not depend on the order of dicts.
        possible.sort(key=lambda candidate: (-candidate[2], candidate[0]))
        beam = {text: (ends[0], ends[1]) for text, ends, _ in possible[:width]}
    return [Hypothesis(list(text), _total(ends)) for text, ends in beam.items()]


def align(logprobs: Logprobs, tokens: Sequence[int]) -> list[TokenSpan] | None:
    """Return the frames of every token on the most likely path of the text (Viterbi).

    None is returned if the clip has too few frames for the text.
    """
    # States are the tokens with a blank before, between and behind them.
    states = [BLANK]
    for token in tokens:
        states += [token, BLANK]
    emissions = logprobs[:, states]  # (frames, states)
    path = _most_likely_states(emissions, states)
    if path is None:
        return None
    frames: dict[int, list[int]] = defaultdict(list)
    for frame, state in enumerate(path):
        frames[state].append(frame)
    spans = []
    for place in range(len(tokens)):
        state = 2 * place + 1
        own = frames[state]
        spans.append(TokenSpan(own[0], own[-1] + 1, float(emissions[own, state].sum())))
    return spans


def frames_needed(tokens: Sequence[int]) -> int:
    """Return the least number of frames for a text: equal neighbors need a blank between them.

    >>> frames_needed([1, 2, 2])
    4
    """
    return len(tokens) + sum(left == right for left, right in pairwise(tokens))


def _most_likely_states(emissions: Logprobs, states: Sequence[int]) -> list[int] | None:
    """Return the state of every frame on the most likely path, or None if there is no path."""
    count = len(states)
    # A blank may be skipped between two different tokens.
    can_skip = np.array(
        [state > 1 and states[state] not in (BLANK, states[state - 2]) for state in range(count)]
    )
    score = np.full(count, -np.inf)
    score[:2] = emissions[0, :2]
    moves = np.zeros((len(emissions), count), dtype=np.int8)  # 0 stay, 1 step, 2 skip
    for frame in range(1, len(emissions)):
        step = np.concatenate([[-np.inf], score[:-1]])
        skip = np.concatenate([[-np.inf, -np.inf], score[:-2]])[:count]
        choices = np.stack([score, step, np.where(can_skip, skip, -np.inf)])
        moves[frame] = choices.argmax(axis=0)
        score = choices.max(axis=0) + emissions[frame]
    # A path may end in the last token or in the blank behind it.
    state = count - 1 if count == 1 or score[-1] >= score[-2] else count - 2
    if not np.isfinite(score[state]):
        return None
    path = [state]
    for frame in range(len(emissions) - 1, 0, -1):
        state -= int(moves[frame, state])
        path.append(state)
    return path[::-1]


def _total(ends: Sequence[float]) -> float:
    return float(np.logaddexp(ends[0], ends[1]))


def _add_paths(ends: list[float], kind: int, logprob: float) -> None:
    ends[kind] = float(np.logaddexp(ends[kind], logprob))
