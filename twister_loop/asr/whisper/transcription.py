"""Transcription with a model that is loaded already, decoded as the options say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from ...core.manifest import iter_windows
from ...core.types import Utterance
from . import beam_search, decoding, greedy_search
from .model import Whisper
from .options import WhisperOptions


def transcribe(
    options: WhisperOptions, whisper: Whisper, speech: Iterable[Utterance]
) -> Iterator[Utterance]:
    """Transcribe speech; see `Recognizer.transcribe`.

    Early stopping calls it with the model that is being trained.
    """
    decode = partial(greedy_search.decode_greedily, whisper, temperature=options.temperature)
    # A beam of 1 would give the same texts as greedy decoding, only slower.
    if options.beam > 1:
        decode = partial(beam_search.decode_with_beam, whisper, options.beam, options.nbest or 0)
    for window in iter_windows(speech):
        yield from decoding.transcribe_window(
            whisper, decode, window, margin=options.margin, batch_size=options.decode_batch
        )
