"""Reading texts from what CTC says (Graves et al., ICML 2006): greedy, by beam, or forced.

pyctcdecode has a beam too, but needs numpy below 2; torchaudio's needs its compiled library.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .tokenizer import BLANK

Logprobs = NDArray[np.float32]
"""(frames, tokens), natural logarithms."""
LIKELY = 20
"""Tokens that a beam goes on with in a frame."""


@dataclass(frozen=True)
class Reading:
    """Tokens, without blanks, and the logarithm of how likely they are."""

    tokens: list[int]
    logprob: float


def greedy(logprobs: Logprobs) -> Reading:
    """The likeliest path: what repeats is one, blanks go. Its own logarithm, not its text's."""
    best = logprobs.argmax(axis=1)
    tokens = [
        int(token)
        for place, token in enumerate(best)
        if token != BLANK and (place == 0 or token != best[place - 1])
    ]
    return Reading(tokens, float(logprobs.max(axis=1).sum()))


def beam(logprobs: Logprobs, width: int) -> list[Reading]:
    """The likeliest texts, all paths of each added up; the first is the likeliest."""
    kept: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -math.inf)}
    for frame in logprobs:
        # For every text: paths that end in a blank, and paths that end in its last token.
        after: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [-math.inf, -math.inf])
        likely = np.argpartition(-frame, min(LIKELY, len(frame) - 1))[:LIKELY]
        for text, (blank, token) in kept.items():
            both = np.logaddexp(blank, token)
            for number in map(int, likely):
                said = float(frame[number])
                if number == BLANK:
                    _add(after[text], 0, both + said)
                elif text and text[-1] == number:
                    _add(after[text], 1, token + said)
                    _add(after[(*text, number)], 1, blank + said)
                else:
                    _add(after[(*text, number)], 1, both + said)
        possible = ((text, ends) for text, ends in after.items() if _both(ends) > -math.inf)
        best = sorted(possible, key=lambda each: (-_both(each[1]), each[0]))
        kept = {text: (ends[0], ends[1]) for text, ends in best[:width]}
    return [Reading(list(text), _both(ends)) for text, ends in kept.items()]


def forced(logprobs: Logprobs, tokens: Sequence[int]) -> list[tuple[int, int, float]] | None:
    """The likeliest path that says these tokens; None where there are too few frames.

    For every token its first frame, the frame after its last, and the sum of its logarithms.
    """
    states = [BLANK]
    for token in tokens:
        states += [token, BLANK]
    count = len(states)
    said = logprobs[:, states]  # (frames, states)
    skips = np.array([at > 1 and states[at] not in (BLANK, states[at - 2]) for at in range(count)])
    score = np.full(count, -np.inf)
    score[:2] = said[0, :2]
    moves = np.zeros((len(logprobs), count), dtype=np.int8)
    for frame in range(1, len(logprobs)):
        stay, step = score, np.concatenate([[-np.inf], score[:-1]])
        skip = np.where(skips, np.concatenate([[-np.inf, -np.inf], score[:-2]])[:count], -np.inf)
        choices = np.stack([stay, step, skip])
        moves[frame] = choices.argmax(axis=0)
        score = choices.max(axis=0) + said[frame]
    at = count - 1 if count == 1 or score[-1] >= score[-2] else count - 2
    if not np.isfinite(score[at]):
        return None
    path = [at]
    for frame in range(len(logprobs) - 1, 0, -1):
        at -= int(moves[frame, at])
        path.append(at)
    path.reverse()
    frames: dict[int, list[int]] = defaultdict(list)
    for frame, state in enumerate(path):
        frames[state].append(frame)
    found = []
    for place in range(len(tokens)):
        own = frames[2 * place + 1]
        found.append((own[0], own[-1] + 1, float(said[own, 2 * place + 1].sum())))
    return found


def _both(ends: Sequence[float]) -> float:
    return float(np.logaddexp(ends[0], ends[1]))


def _add(ends: list[float], kind: int, logprob: float) -> None:
    ends[kind] = float(np.logaddexp(ends[kind], logprob))
