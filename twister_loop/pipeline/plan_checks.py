"""Checks of a plan across its keys: what each key allows by itself, but not together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ..asr._base import Recognizer
from ..core.schema_errors import show_value
from ..data.filters._base import Filter
from ..evaluation.gates._base import Gate
from ..evaluation.outcomes import FULL_WINDOW_SUFFIX
from .plan import Labeler
from .plan_schema import PlanDocument
from .stages.rescoring import RescoringOptions

SAFE_NAME = re.compile(r"\w[\w.-]{0,59}")
"""A name that is a plain folder name on every system: no separator, no leading dot."""


MOVED_OPTIONS = {
    "asr.interpolate": (
        "moved to the plan, since it goes back to the untouched weights of the run in every round; "
        "write `interpolate: 0.5` beside `asr`, and leave it out of `asr`"
    )
}
"""Options that plans of earlier versions name elsewhere, with what to write today."""

LANGUAGE_CODE = re.compile(r"[A-Za-z]{2,20}([-_][A-Za-z0-9]{1,8})*")
"""Form of a code of a language, or of its English name, which the recognizer then corrects."""


def check_names(document: PlanDocument) -> Iterator[str]:
    """Yield an error for every name that becomes a folder of the run and cannot safely be one."""
    for place in ("development", "test", "retention", "voices", "references"):
        for name in getattr(document, place) or ():
            if not SAFE_NAME.fullmatch(name) or name.endswith(FULL_WINDOW_SUFFIX):
                yield (
                    f"{place}.{name[:40]!r}: the name becomes a folder, so it must begin with a "
                    "letter or a digit, hold at most 60 letters, digits, `_`, `-` and `.`, and not "
                    f"end in {FULL_WINDOW_SUFFIX!r}"
                )
    sets: dict[str, str] = {}
    for kind in ("development", "test", "retention"):
        for name in getattr(document, kind):
            if name in sets:
                yield f"{kind}.{name}: another set has this name, in {sets[name]}"
            sets[name] = kind


def check_data(document: PlanDocument) -> Iterator[str]:
    """Yield an error for data that other keys need and the plan lacks."""
    if not document.development:
        yield "development: gates need at least one set"
    if document.language is not None and not LANGUAGE_CODE.fullmatch(document.language):
        yield (
            f"language: {show_value(document.language)} is no code of a language, such as 'en'; "
            "without a language it is detected"
        )
    if document.voices and not document.texts:
        yield "texts: a voice needs texts to synthesize"
    if document.rescore and not document.texts:
        yield "rescore: needs `texts` for its language model"


def check_recognizers(
    document: PlanDocument,
    asr: Recognizer,
    labeler: Labeler | None,
    teacher: Recognizer | None = None,
) -> Iterator[str]:
    """Yield an error for a recognizer that cannot do what the plan wants of it.

    Args:
        document: The plan as it was written.
        asr: The recognizer that is fine-tuned.
        labeler: The decoder of the champion's labels; None if it could not be built.
        teacher: The pretrained model that labels the pool; None for the champion.
    """
    if not asr.trainable:
        yield (
            f"asr: {asr.name} cannot be trained; it can be the `labeler` or the `teacher` beside "
            "an asr that can"
        )
    if teacher and not teacher.pretrained:
        yield f"teacher: {teacher.name} starts from random weights; name a pretrained model"
    yield from _check_rescoring(document, list_label_decoders(asr, labeler, teacher))
    yield from _check_averaging(document, asr)
    if labeler and not teacher:
        yield from _check_labeler(asr, labeler.recognizer)
    own_model = getattr(asr, "model", None)
    named_model = getattr(labeler.recognizer, "model", own_model) if labeler else own_model
    if named_model != own_model and _names_model(document):
        yield (
            f"labeler: it decodes with the champion's weights, so `model: {named_model}` would "
            f"never be used; leave `model` out, or put {own_model!r} there too; to label with "
            "another model, name it as `teacher`"
        )


def list_label_decoders(
    asr: Recognizer, labeler: Labeler | None, teacher: Recognizer | None
) -> list[Recognizer]:
    """Return the recognizers of which one will make the labels of the pool."""
    # The trial of decoders may choose the labeler or the recognizer itself.
    return [teacher] if teacher else [asr, labeler.recognizer] if labeler else [asr]


def _check_rescoring(document: PlanDocument, decoders: Iterable[Recognizer]) -> Iterator[str]:
    """Yield an error for a decoder of labels that cannot give what rescoring needs."""
    if not document.rescore:
        return
    options = RescoringOptions() if document.rescore is True else document.rescore
    for decoder in decoders:
        if decoder.with_beam(options.texts, nbest=options.texts) is None:
            yield f"rescore: {decoder.name} has no beam search with alternatives"
            return
        if options.prompt_words and decoder.with_prompt("") is None:
            yield f"rescore: {decoder.name} decodes after no prompt; set `prompt_words: 0`"
            return


def _check_labeler(asr: Recognizer, labeler: Recognizer) -> Iterator[str]:
    """Yield an error for a labeler that cannot read the weights of the recognizer."""
    if labeler.name == asr.name:
        return
    # Several engines may decode the same weights, so the weights are compared and not the names.
    theirs, ours = (
        recognizer.preview_checkpoint(recognizer.find_weights()) for recognizer in (labeler, asr)
    )
    if theirs and ours and theirs.engine != ours.engine:
        yield (
            f"labeler: {labeler.name} cannot decode weights of {asr.name}; to label with another "
            "model, name it as `teacher`"
        )


def _check_averaging(document: PlanDocument, asr: Recognizer) -> Iterator[str]:
    """Yield an error for weights that cannot be averaged, or would be deleted although wanted."""
    wants_mean = (document.trainings or 1) > 1
    if not wants_mean and document.interpolate in (None, 1):
        return
    if not asr.can_average:
        key = "trainings" if wants_mean else "interpolate"
        reason = (
            "cannot average weights"
            if asr.pretrained
            else "starts from random weights, and the mean of networks from random weights is none "
            "that works"
        )
        yield f"{key}: {asr.name} {reason}; set `{key}: 1`, or take another `asr`, such as whisper"
    if getattr(asr, "keep_epochs", False) and not document.keep.trainings:
        yield (
            "asr.keep_epochs: the weights of epochs lie with those of their training, which are "
            "deleted after averaging; set `keep: {trainings: true}` too"
        )


def _names_model(document: PlanDocument) -> bool:
    """Return whether the plan names a model of the labeler; else it has the part's default."""
    return isinstance(document.labeler, dict) and "model" in document.labeler


def check_filters(text_filters: Sequence[Filter]) -> Iterator[str]:
    """Yield an error for every filter of texts that needs speech."""
    for filter_ in text_filters:
        if filter_.needs_context:
            yield f"filters.texts: {filter_.name} transcribes speech, and a text has no audio yet"


def check_gates(
    document: PlanDocument,
    gates: Sequence[Gate],
    asr: Recognizer | None,
    labeler: Labeler | None,
) -> Iterator[str]:
    """Yield an error for every gate that would have nothing to look at."""
    for gate in gates:
        if gate.name == "best_untouched" and not document.references:
            yield (
                "gates: best_untouched needs other models under `references`; add one, or leave "
                "the gate out"
            )
        # With the recognizer itself as labeler there are no two engines to compare.
        has_other_engine = labeler is not None and labeler.recognizer is not asr
        if gate.needs_labeler_report and not has_other_engine:
            yield f"gates: {gate.name} needs another engine as `labeler`, such as ctranslate2"
        if document.full_window is False and getattr(gate, "decoding", "clip") != "clip":
            yield (
                f"gates: {gate.name} reads standard decoding, which `full_window: false` leaves "
                "out; remove one of the two"
            )
