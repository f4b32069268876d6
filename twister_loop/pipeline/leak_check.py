"""Check that no held-out recording is in the training data.

Held-out texts are another matter: what nearly equals one is dropped and counted where labels, human
and replayed speech are filtered.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..audio import fingerprint
from ..core.errors import LeakError
from ..core.manifest import Manifest
from ..core.progress import show_progress
from ..evaluation.outcomes import HeldOutSet


def check_leaks(*, training: Mapping[str, Manifest], sets: Mapping[str, HeldOutSet]) -> None:
    """Check training data against held-out sets, and held-out sets against each other.

    Args:
        training: The pool, human and replayed speech, as far as there is any, by the plan's key.
        sets: Held-out sets by name.

    Raises:
        LeakError: A held-out recording is in the training data, or in two held-out sets.
    """
    # Cheapest first: ids and texts take moments, fingerprints decode all audio.
    _check_recordings(training, sets)
    _check_fingerprints(training, sets)


def _check_recordings(training: Mapping[str, Manifest], sets: Mapping[str, HeldOutSet]) -> None:
    """Compare recordings by their id, which is a digest of the content."""
    place_by_id = {
        utterance.id: place for place, speech in training.items() for utterance in speech
    }
    for name, held_out in sets.items():
        leaked = [utterance for utterance in held_out.speech if utterance.id in place_by_id]
        if leaked:
            places = sorted({place_by_id[utterance.id] for utterance in leaked})
            raise LeakError(
                f"{held_out.kind}.{name}: {len(leaked)} of its utterances are also in "
                f"{', '.join(places)}, such as {leaked[0].audio_filepath}; remove them from one"
            )
        # Later sets are compared with earlier ones too: no recording may be in two sets.
        place_by_id |= {utterance.id: f"{held_out.kind}.{name}" for utterance in held_out.speech}


def _check_fingerprints(training: Mapping[str, Manifest], sets: Mapping[str, HeldOutSet]) -> None:
    """Compare recordings by their sound, which finds them at another rate, level or codec."""
    held_out_speech = [utterance for held_out in sets.values() for utterance in held_out.speech]
    for place, speech in training.items():
        utterances = show_progress(
            speech, f"looking for held-out recordings in {place}", len(speech)
        )
        duplicates = list(fingerprint.find_duplicates(utterances, held_out_speech))
        if duplicates:
            leaked, held_out_utterance = duplicates[0]
            raise LeakError(
                f"{place}: {len(duplicates)} recordings are also held out, at another rate or "
                f"level or in another codec, such as {leaked.audio_filepath} and "
                f"{held_out_utterance.audio_filepath}; remove them from one"
            )
