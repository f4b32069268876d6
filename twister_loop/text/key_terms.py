"""Key terms of a plan: names and words of a domain, and where a text has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from ..core.types import Language

Split = Callable[[str, Language | None], list[str]]
"""Function that returns the units of a text in a language, such as its normalized words."""
Span = tuple[int, int]
"""First unit of an occurrence, and the one after its last."""


class TermFinder:
    """Finder of key terms among the units of a text.

    A term is found as it is written: other inflections of a word are terms of their own.

    Args:
        key_terms: Words or phrases.
        split: Returns the units of a text; terms are compared in these units.

    >>> finder = TermFinder(["conto", "Conto corrente"], lambda text, lang: text.lower().split())
    >>> finder.find("il conto corrente o un conto".split(), "it")
    [(1, 3), (5, 6)]
    """

    def __init__(self, key_terms: Sequence[str], split: Split) -> None:
        self._key_terms, self._split = tuple(key_terms), split
        # A finder meets a few languages, and thousands of texts in each.
        self._terms_by_first_unit = cache(self._index_terms)

    def find(self, units: Sequence[str], lang: Language | None) -> list[Span]:
        """Return where terms occur, in order; of terms that overlap the first and longest one."""
        terms_by_first_unit = self._terms_by_first_unit(lang)
        spans = list[Span]()
        # From left to right, as an occurrence may begin only where the last one ended.
        end = 0
        for start, unit in enumerate(units):
            for term in terms_by_first_unit.get(unit, ()) if start >= end else ():
                if tuple(units[start : start + len(term)]) == term:
                    end = start + len(term)
                    spans.append((start, end))
                    break
        return spans

    def split_terms(self, lang: Language | None) -> list[tuple[str, ...]]:
        """Return the units of every distinct term in a language."""
        return [term for terms in self._terms_by_first_unit(lang).values() for term in terms]

    def _index_terms(self, lang: Language | None) -> dict[str, list[tuple[str, ...]]]:
        """Return the distinct terms by their first unit, long ones first."""
        distinct = {units for term in self._key_terms if (units := tuple(self._split(term, lang)))}
        by_first_unit: dict[str, list[tuple[str, ...]]] = {}
        # Sorted by their units too, since the order of a set differs from process to process.
        for units in sorted(distinct, key=lambda units: (-len(units), units)):
            by_first_unit.setdefault(units[0], []).append(units)
        return by_first_unit
