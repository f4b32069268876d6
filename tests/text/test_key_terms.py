"""Key terms: where a text has them, longest first, in units of its language."""

from __future__ import annotations

from twister_loop.core.types import Language
from twister_loop.text.key_terms import TermFinder


def split(text: str, lang: Language | None) -> list[str]:
    return (text.upper() if lang == "de" else text.lower()).split()


def test_the_longest_of_overlapping_terms_counts_once() -> None:
    finder = TermFinder(["conto", "conto corrente", "corrente", "Conto"], split)
    assert finder.find("conto corrente conto corrente".split(), None) == [(0, 2), (2, 4)]
    assert finder.find("corrente conto".split(), None) == [(0, 1), (1, 2)]
    assert finder.find("conti correnti".split(), None) == []
    assert TermFinder([], split).find(["conto"], None) == []


def test_a_term_is_split_as_the_texts_of_a_language_are() -> None:
    finder = TermFinder(["Bank", "   "], split)
    assert finder.find(["BANK"], "de") == [(0, 1)] and finder.find(["BANK"], "it") == []
    assert finder.split_terms("it") == [("bank",)], "a term without units is nowhere"


def test_a_term_that_begins_at_the_end_of_a_text_is_not_found() -> None:
    assert TermFinder(["conto corrente"], split).find(["il", "conto"], None) == []
