"""Check that the held-out sets can be measured: references, lengths, languages and files."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from ..audio import io as audio
from ..core.errors import AudioError, ConfigError
from ..core.progress import show_progress
from ..core.types import Utterance
from ..evaluation.outcomes import LONG_SUFFIX, HeldOutSet
from .input_check import describe_rejected
from .plan import Plan

log = logging.getLogger(__name__)


def check_held_out_sets(plan: Plan, sets: Mapping[str, HeldOutSet]) -> None:
    """Check that every held-out set can be transcribed, and has enough references to count on.

    Raises:
        ConfigError: A set has no references, or too few, or holds something that cannot be
            transcribed: all its words would count as deletions, for every model.
    """
    for name, held_out in sets.items():
        place = f"{held_out.kind}.{name}"
        count = len(held_out.speech)
        without_text = [
            utterance
            for utterance in held_out.speech
            if not (utterance.text or utterance.speechless)
        ]
        if not count:
            raise ConfigError(f"{place}: no speech found{describe_rejected(held_out.speech)}")
        if without_text:
            raise ConfigError(
                f"{place}: {len(without_text)} of {count} utterances have no reference; a held-out "
                f"set needs human transcripts: {_explain_missing(plan, name, without_text, count)}"
            )
        if _count_with_other_part(name, sets) < plan.minimum_utterances:
            raise ConfigError(
                f"{place}: {count} utterances are fewer than "
                f"minimum_utterances: {plan.minimum_utterances}; add some, or lower that"
            )
        if not any(_normalized_text(plan, utterance) for utterance in held_out.speech):
            raise ConfigError(
                f"{place}: the normalizer {plan.normalizer.name} leaves nothing of any reference; "
                "there would be nothing to count"
            )

    _warn_of_digits(plan, sets)
    recognizers = {"asr": plan.asr} | {
        f"references.{name}": recognizer for name, recognizer in plan.references.items()
    }
    reasons = {
        key: recognizer.unsupported_reason(recognizer.initial_checkpoint())
        for key, recognizer in recognizers.items()
    }
    # Length and language first, which take a moment; then all audio is read once.
    for name, held_out in sets.items():
        for utterance in held_out.speech:
            for key, unsupported_reason in reasons.items():
                if reason := utterance.error or unsupported_reason(utterance):
                    raise _unusable(f"{held_out.kind}.{name}", utterance, f"{key}: {reason}")
    for name, held_out in sets.items():
        place, speech = f"{held_out.kind}.{name}", held_out.speech
        for utterance in show_progress(speech, f"reading {place}", len(speech)):
            try:
                audio.load_utterance(utterance)
            except AudioError as error:
                raise _unusable(place, utterance, str(error)) from error


def _explain_missing(plan: Plan, name: str, without_text: Sequence[Utterance], count: int) -> str:
    """Return which utterances of a set have no reference, or why none has."""
    set_name = name if name in plan.sets else name.removesuffix(LONG_SUFFIX)
    if len(without_text) == count and set_name in plan.sets:
        return plan.sets[set_name][1].explain_missing_text()
    files = ", ".join(utterance.audio_filepath.name for utterance in without_text[:3])
    return f"add those of {files}" + (", ..." if len(without_text) > 3 else "")


def _warn_of_digits(plan: Plan, sets: Mapping[str, HeldOutSet]) -> None:
    """Warn of languages whose numbers the normalizer cannot read aloud."""
    languages = {utterance.lang for held_out in sets.values() for utterance in held_out.speech}
    if digits := plan.normalizer.languages_keeping_digits(languages):
        log.warning(
            "normalizer %s: there are no number words for %s, so digits stay digits and differ "
            "from numbers in words; write numbers in references as the recognizer does, mostly in "
            "digits",
            plan.normalizer.name,
            ", ".join(digits),
        )


def _count_with_other_part(name: str, sets: Mapping[str, HeldOutSet]) -> int:
    """Count the utterances of a set, with those of its long or short recordings."""
    short_name = name.removesuffix(LONG_SUFFIX)
    parts = {name, short_name, f"{short_name}{LONG_SUFFIX}"} & sets.keys()
    return sum(len(sets[part].speech) for part in parts)


def _unusable(place: str, utterance: Utterance, reason: str) -> ConfigError:
    return ConfigError(
        f"{place}: {utterance.audio_filepath} cannot be transcribed ({reason}), and its words "
        "would count as deletions for every model; mend it, or remove it from the set"
    )


def _normalized_text(plan: Plan, utterance: Utterance) -> str:
    return plan.normalizer.normalize(utterance.text or "", utterance.lang)
