"""What a plan gets that it does not mention: rescoring of labels, and the averaging of trainings.

Each is what measurements were best with (BENCHMARKS.md). Voices have `default_voices`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..asr._base import Recognizer
from .plan_schema import PlanDocument
from .stages.rescoring import RescoringOptions


def choose_rescoring(
    wanted: RescoringOptions | bool | None, decoders: Sequence[Recognizer], *, has_texts: bool
) -> RescoringOptions | None:
    """Return the options of rescoring, or None for none.

    Args:
        wanted: What the plan says; None if it says nothing.
        decoders: Recognizers that may make the labels. What a plan asks for and they lack is an
            error elsewhere; what it does not ask for is left out.
        has_texts: The plan has texts, of which the language model is made.

    >>> from twister_loop.asr.toy import ToyRecognizer
    >>> choose_rescoring(None, [ToyRecognizer()], has_texts=True) is None  # it has no beam
    True
    >>> choose_rescoring(True, [ToyRecognizer()], has_texts=True).prompt_words
    40
    """
    if isinstance(wanted, RescoringOptions):
        return wanted
    if wanted is not None:
        return RescoringOptions() if wanted else None
    options = RescoringOptions()
    # Random weights have no labels worth the time before their first round.
    if not has_texts or not all(
        decoder.pretrained and decoder.with_beam(options.texts, nbest=options.texts)
        for decoder in decoders
    ):
        return None
    has_prompt = all(decoder.with_prompt("") for decoder in decoders)
    return options if has_prompt else RescoringOptions(prompt_words=0)


def choose_averaging(document: PlanDocument, asr: Recognizer) -> tuple[int, float]:
    """Return the number of trainings of a round, and the share of the trained weights.

    >>> from twister_loop.asr.whisper.recognizer import WhisperRecognizer
    >>> document = PlanDocument(pool="pool/", asr="whisper", development={})
    >>> choose_averaging(document, WhisperRecognizer())
    (2, 0.5)
    """
    # The epochs that a plan wants to keep are those of a single training.
    keeps_epochs = getattr(asr, "keep_epochs", False) and not document.keep.trainings
    trainings, interpolate = (1, 1.0) if keeps_epochs else asr.default_averaging
    return (
        trainings if document.trainings is None else document.trainings,
        interpolate if document.interpolate is None else document.interpolate,
    )
