"""Rules for decoding with timestamps, and the segments that timestamps delimit.

The rules are those of OpenAI's decoder (`ApplyTimestampRules` in openai-whisper 20250625).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch

from ...core.segments import TIMESTAMP_STEP, timestamp_index
from ...core.types import Seconds
from .model import WhisperProcessing
from .model_folder import WINDOW_LENGTH

MAX_FIRST_TIMESTAMP: Seconds = 1.0
"""Latest start of the first segment of a window."""


@dataclass(frozen=True)
class TimestampRules:
    """Masks of logits with which a decoder writes `<|start|> text <|end|>` again and again."""

    first_token: int
    """Token `<|0.00|>`."""
    end_token: int
    """Token `<|endoftext|>`; all tokens of text come before it."""

    @classmethod
    def of(cls, whisper: WhisperProcessing) -> Self:
        """Return the rules for the vocabulary of a model."""
        return cls(whisper.first_timestamp_token, whisper.end_token)

    def constrain(self, logits: torch.Tensor, texts: Sequence[Sequence[int]]) -> torch.Tensor:
        """Return the logits with minus infinity for every token that may not come next.

        Args:
            logits: (rows, vocabulary); suppressed tokens are minus infinity already.
            texts: tokens of each row so far, timestamps included; all empty at the beginning.

        Returns:
            Logits, (rows, vocabulary).
        """
        tokens = torch.arange(logits.shape[1], device=logits.device)
        bounds = [self._bounds(text) for text in texts]
        # Each row allows text before the first bound, and timestamps from the second on.
        text_ends, least, most = torch.tensor(bounds, device=logits.device)[:, :, None].unbind(1)
        is_timestamp = tokens >= self.first_token
        allowed = torch.where(
            is_timestamp,
            (tokens >= least) & (tokens <= most),
            (tokens < text_ends) | ((tokens == self.end_token) & (text_ends >= 0)),
        )
        logits = logits.masked_fill(~allowed, -torch.inf)
        # A timestamp is forced where all of them together are more probable than any other token.
        any_timestamp = logits[:, self.first_token :].logsumexp(-1, keepdim=True)
        best_other = logits[:, : self.first_token].amax(-1, keepdim=True)
        return logits.masked_fill(~is_timestamp & (any_timestamp > best_other), -torch.inf)

    def _bounds(self, text: Sequence[int]) -> tuple[int, int, int]:
        """Return what may follow a text.

        Returns:
            Token that all allowed tokens of text are below: 0 allows the end alone, and -1 not even
            the end. Then the least and the greatest timestamp that are allowed.
        """
        last_timestamp = self.first_token + timestamp_index(WINDOW_LENGTH)
        if not text:
            return -1, self.first_token, self.first_token + timestamp_index(MAX_FIRST_TIMESTAMP)
        ends_in_timestamp = text[-1] >= self.first_token
        if ends_in_timestamp and (len(text) < 2 or text[-2] >= self.first_token):
            return self.end_token, last_timestamp + 1, last_timestamp  # a segment began: text only
        previous = next(token for token in reversed(text) if token >= self.first_token)
        # A segment may begin where the one before ended, but must not end where it began.
        if ends_in_timestamp:
            return 0, previous, last_timestamp
        return self.end_token, previous + 1, last_timestamp


class WindowSegment(NamedTuple):
    """Part of a window's transcript; its times count from the start of the window."""

    start: Seconds
    end: Seconds
    tokens: list[int]
    """Tokens with their timestamps."""
    has_end: bool = True
    """False if no end was predicted."""


class SplitWindow(NamedTuple):
    """Transcript of a window in segments."""

    segments: list[WindowSegment]
    next_start: Seconds
    """Time at which the next window begins, from the start of this one."""


def split_at_timestamps(
    whisper: WhisperProcessing, tokens: Sequence[int], duration: Seconds
) -> SplitWindow:
    """Split the tokens of a window into segments, as OpenAI's transcription does.

    Args:
        whisper: special tokens.
        tokens: tokens of the window, with timestamps.
        duration: length of the audio in the window, in seconds. Timestamps may lie beyond it.
    """
    first = whisper.first_timestamp_token
    tokens = [token for token in tokens if token != whisper.end_token]
    is_timestamp = [token >= first for token in tokens]

    def seconds(token: int) -> Seconds:
        return round((token - first) * TIMESTAMP_STEP, 2)

    # Two timestamps in a row end one segment and begin the next.
    ends = [place for place in range(1, len(tokens)) if all(is_timestamp[place - 1 : place + 1])]
    # One timestamp at the end: nothing is said after it.
    is_complete = is_timestamp[-2:] == [False, True]
    if not ends:
        start = seconds(tokens[0]) if any(is_timestamp[:1]) else 0.0
        end = seconds(tokens[-1]) if is_complete else max(start, duration)
        return SplitWindow([WindowSegment(start, end, tokens, has_end=is_complete)], duration)
    if is_complete:
        ends.append(len(tokens))
    parts = [tokens[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
    segments = [WindowSegment(seconds(part[0]), seconds(part[-1]), part) for part in parts]
    # An unfinished segment at the end is decoded again, whole, in the next window.
    return SplitWindow(segments, duration if is_complete else segments[-1].end)
