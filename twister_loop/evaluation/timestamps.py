"""Accuracy of the timestamps that standard decoding predicts."""

from __future__ import annotations

from collections.abc import Iterable

from ..core.types import Proportion, Seconds, Utterance

TOLERANCE: Seconds = 0.5
"""Largest distance of a timestamp from where speech begins or ends."""


def count_correct_timestamps(transcribed: Iterable[Utterance]) -> Proportion:
    """Count utterances whose segments begin and end with the speech, and all with speech.

    The truth does not depend on the recognizer: voice activity detection finds where speech begins
    first and ends last. The first segment must start, and the last one end, within `TOLERANCE` of
    these times. An utterance without segments is wrong; one without speech does not count.

    Raises:
        AudioError: The audio cannot be read.
    """
    # Imported here, because it imports torch.
    from ..audio.vad import find_speech_bounds

    correct = total = 0
    for utterance in transcribed:
        if (bounds := find_speech_bounds(utterance)) is None:
            continue
        total += 1
        if utterance.segments:
            start, end = utterance.segments[0].start, utterance.segments[-1].end
            correct += abs(start - bounds[0]) <= TOLERANCE and abs(end - bounds[1]) <= TOLERANCE
    return Proportion(correct, total)
