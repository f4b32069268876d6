"""Transcription of speech of any length: clips in their own contexts, and longer recordings."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from textwrap import shorten

from ...core.progress import note_processed
from ...core.types import Utterance
from .batching import describe_margin
from .by_segments import transcribe_by_segments
from .decoding import BatchDecoder, transcribe_window
from .model import WhisperProcessing
from .model_folder import explain_too_long
from .options import DecodingOptions
from .sequential import Attempt, transcribe_sequentially


def describe_algorithm(options: DecodingOptions, fallback: str) -> str:
    """Describe how clips and longer recordings are decoded, as far as it changes error rates.

    Args:
        options: those of the recognizer.
        fallback: name of what is tried on windows that failed.

    >>> describe_algorithm(DecodingOptions(decoding="sequential"), "temperature fallback")
    '30 s windows with timestamps, sequential after the previous text, temperature fallback'
    """
    previous = " after the previous text" if options.condition_on_previous_text else ""
    if options.prompt:
        fallback = f"{fallback}, {describe_prompt(options.prompt)}"
    if options.decoding == "sequential":
        return f"30 s windows with timestamps, sequential{previous}, {fallback}"
    longer = f"sequential{previous}" if options.long_form == "sequential" else "by segments"
    description = f"{describe_margin(options.margin)}, repetition guard, over 30 s {longer}"
    return f"{description}, {describe_prompt(options.prompt)}" if options.prompt else description


def describe_prompt(prompt: str) -> str:
    """Describe a prompt by its beginning and a checksum, since it may be long.

    >>> describe_prompt("premi cancelletto")
    "after the prompt 'premi cancelletto' (20a6f550)"
    """
    beginning = shorten(prompt, 40, placeholder="...")
    return f"after the prompt {beginning!r} ({zlib.crc32(prompt.encode()):08x})"


@dataclass(frozen=True)
class AnyLengthDecoder:
    """Decoder of an engine for clips and for longer recordings, with the options of a plan."""

    whisper: WhisperProcessing
    decode: BatchDecoder
    """Decodes clips of at most 30 s."""
    attempts: Sequence[Attempt]
    """Ways to decode a window of the sequential algorithm, tried in turn."""
    options: DecodingOptions
    batch_size: int

    def transcribe(self, window: Sequence[Utterance]) -> list[Utterance]:
        """Transcribe utterances of any length, and return them in their order."""
        if self.options.decoding == "sequential":
            return self._transcribe_sequentially(window)
        is_long = [explain_too_long(utterance) is not None for utterance in window]
        clips = _skip(window, is_long)
        transcribed = transcribe_window(
            self.whisper,
            self.decode,
            clips,
            margin=self.options.margin,
            batch_size=self.batch_size,
            prompt=self.options.prompt,
        )
        note_processed(sum(clip.duration for clip in clips if not clip.should_skip))
        if not any(is_long):
            return transcribed
        recordings = _skip(window, [not long for long in is_long])
        in_long_form = (
            self._transcribe_sequentially(recordings)
            if self.options.long_form == "sequential"
            else self._transcribe_by_segments(recordings)
        )
        return [
            recording if long else clip
            for recording, clip, long in zip(in_long_form, transcribed, is_long, strict=True)
        ]

    def _transcribe_sequentially(self, window: Sequence[Utterance]) -> list[Utterance]:
        return transcribe_sequentially(
            self.whisper,
            self.attempts,
            window,
            batch_size=self.batch_size,
            with_previous_text=self.options.condition_on_previous_text,
            prompt=self.options.prompt,
        )

    def _transcribe_by_segments(self, window: Sequence[Utterance]) -> list[Utterance]:
        return transcribe_by_segments(
            self.whisper,
            self.decode,
            window,
            margin=self.options.margin,
            batch_size=self.batch_size,
            prompt=self.options.prompt,
        )


def _skip(window: Sequence[Utterance], marks: Sequence[bool]) -> list[Utterance]:
    """Return the window with the marked utterances to be skipped."""
    return [
        replace(utterance, skip=True) if mark else utterance
        for utterance, mark in zip(window, marks, strict=True)
    ]
