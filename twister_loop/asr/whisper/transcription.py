"""Transcription with a model that is loaded already, decoded as the options say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from ...core.manifest import iter_windows
from ...core.types import Utterance
from . import beam_search, greedy_search
from .decoding import BatchDecoder
from .long_form import AnyLengthDecoder
from .model import Whisper
from .options import WhisperOptions
from .sequential import TEMPERATURES, Attempt


def transcribe(
    options: WhisperOptions, whisper: Whisper, speech: Iterable[Utterance]
) -> Iterator[Utterance]:
    """Transcribe speech; see `Recognizer.transcribe`.

    Early stopping calls it with the model that is being trained.
    """
    sample = partial(greedy_search.decode_greedily, whisper)
    decode: BatchDecoder = partial(sample, temperature=options.temperature)
    # A beam of 1 would give the same texts as greedy decoding, only slower.
    if options.beam > 1:
        decode = partial(beam_search.decode_with_beam, whisper, options.beam, options.nbest or 0)
    decoder = AnyLengthDecoder(
        whisper=whisper,
        decode=decode,
        attempts=[
            Attempt(decode, options.temperature),
            *(
                Attempt(partial(sample, temperature=temperature), temperature)
                for temperature in TEMPERATURES
                if temperature > options.temperature
            ),
        ],
        options=options,
        batch_size=options.decode_batch,
    )
    for window in iter_windows(speech):
        yield from decoder.transcribe(window)
