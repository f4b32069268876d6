"""N-best lists of a decoder: how probable each sequence of words is, by one list or by several."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from ..core.types import Alternative, Language
from .kneser_ney import split_language_model_units
from .script_neutral import MAX_COMPRESSION_RATIO, compression_ratio, count_letters

Units = tuple[str, ...]
"""Words of a text, or characters in unspaced scripts, as a language model counts them."""

MAX_GROWTH = 1.5
"""Length in letters that a text after a prompt may have, relative to the best one without."""


def find_plausible(
    prompted: Sequence[Alternative], plain: Sequence[Alternative]
) -> list[Alternative]:
    """Return the alternatives after a prompt that are no loops and do not go on with the prompt.

    After a prompt, Whisper writes loops or the prompt itself on clips of less than a second.

    Args:
        prompted: Alternatives after the prompt.
        plain: Those without, the best first.

    >>> plain = [Alternative(text="premi uno", logprob=-1.0)]
    >>> find_plausible([Alternative(text="premi uno premi due", logprob=-0.5), *plain], plain)
    [Alternative(text='premi uno', logprob=-1.0)]
    """
    # By letters: a beam may write one word as two, and script and language change nothing. Short
    # loops compress too little to be found by their ratio, but are longer than what was said.
    longest = MAX_GROWTH * count_letters(plain[0].text) if plain else 0.0
    return [
        alternative
        for alternative in prompted
        if compression_ratio(alternative.text) <= MAX_COMPRESSION_RATIO
        and count_letters(alternative.text) <= longest
    ]


def log_posteriors(
    alternatives: Sequence[Alternative], lang: Language | None
) -> dict[Units, float]:
    """Return the log-probability of each sequence of words among those of a list.

    Spellings of the same words (case, punctuation) are one sequence, with the sum of their
    probabilities. Texts without words are left out.

    >>> texts = {"Premi.": -1.0, "premi": -1.0, "premo": -1.0}
    >>> listed = [Alternative(text=text, logprob=logprob) for text, logprob in texts.items()]
    >>> {units: round(math.exp(p), 2) for units, p in log_posteriors(listed, "it").items()}
    {('premi',): 0.67, ('premo',): 0.33}
    """
    logprobs: dict[Units, list[float]] = {}
    for alternative in alternatives:
        if units := tuple(split_language_model_units(alternative.text, lang)):
            logprobs.setdefault(units, []).append(alternative.logprob)
    # Summed, because a beam of five often holds one sentence in three spellings, and the best of
    # them alone would seem less probable than another sentence with one spelling.
    sums = {units: _log_sum(spellings) for units, spellings in logprobs.items()}
    total = _log_sum(sums.values()) if sums else 0.0
    return {units: logprob - total for units, logprob in sums.items()}


def average_posteriors(lists: Sequence[Mapping[Units, float]]) -> dict[Units, float]:
    """Return the mean log-probability of each sequence of words that any of the lists has.

    A list that lacks a sequence would have found it at most as probable as its last one, so that
    one's log-probability stands in. Empty lists have no vote.

    >>> average_posteriors([{("uno",): -0.1, ("due",): -2.5}, {("due",): -1.0, ("tre",): -0.5}])
    {('uno',): -0.55, ('due',): -1.75, ('tre',): -1.5}
    """
    # After the guard against loops nothing may be left of a list, which then says nothing.
    lists = [posteriors for posteriors in lists if posteriors]
    lowest = [min(posteriors.values()) for posteriors in lists]
    return {
        units: sum(
            posteriors.get(units, least) for posteriors, least in zip(lists, lowest, strict=True)
        )
        / len(lists)
        # In the order of the lists, so that of equals the first list's first one wins.
        for units in dict.fromkeys(units for posteriors in lists for units in posteriors)
    }


def find_spelling(
    units: Units, lists: Sequence[Sequence[Alternative]], lang: Language | None
) -> str:
    """Return the most probable spelling of a sequence of words in the first list that has it.

    Raises:
        KeyError: No list has it.
    """
    # A prompt without capitals and punctuation makes labels without them, which the student would
    # learn; so a spelling of the plain beam, which comes first, is preferred.
    for alternatives in lists:
        spellings = [
            alternative
            for alternative in alternatives
            if tuple(split_language_model_units(alternative.text, lang)) == units
        ]
        if spellings:
            return max(spellings, key=lambda alternative: alternative.logprob).text
    raise KeyError(units)


def _log_sum(logprobs: Collection[float]) -> float:
    """Return the logarithm of a sum of probabilities."""
    # Relative to the highest: the exponential of a long text's sum would be 0.
    highest = max(logprobs)
    return highest + math.log(sum(math.exp(logprob - highest) for logprob in logprobs))
