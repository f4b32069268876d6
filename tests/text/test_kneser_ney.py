"""The n-gram model against values computed by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from twister_loop.text.kneser_ney import BEGIN, END, KneserNey

CORPUS = ["a b".split(), "a b".split(), "a c".split()]
"""Bigrams: <s> a 3, a b 2, b </s> 2, a c 1, c </s> 1. Different words before: </s> 2, a, b, c 1."""


def test_a_bigram_is_what_the_paper_says() -> None:
    """Discounts n1 / (n1 + 2 n2): 2 / (2 + 2 * 2) of bigrams, 3 / (3 + 2 * 1) of single words."""
    model = KneserNey(CORPUS, 2)
    pairs, singly = 1 / 3, 3 / 5
    alone = singly * 4 / 5 * 1 / 5  # left to four words of the corpus and any other, alike
    b, c, end = (1 - singly) / 5 + alone, (1 - singly) / 5 + alone, (2 - singly) / 5 + alone
    assert model.probability("b", []) == pytest.approx(b)
    assert model.probability(END, []) == pytest.approx(end)
    assert model.probability("never", []) == pytest.approx(alone)
    left = pairs * 2 / 3  # after "a" stand two different words, three times
    assert model.probability("b", ["a"]) == pytest.approx((2 - pairs) / 3 + left * b)
    assert model.probability("c", ["a"]) == pytest.approx((1 - pairs) / 3 + left * c)
    assert model.probability("a", ["never"]) == pytest.approx(model.probability("a", []))


def test_a_word_after_many_others_is_likelier_than_one_that_is_as_frequent_after_one() -> None:
    """Kneser and Ney's own point: Francisco stands after San alone."""
    texts = ["san francisco", "san francisco", "san francisco", "a cup", "the cup", "my cup"]
    model = KneserNey([text.split() for text in texts], 2)
    assert model.probability("cup", ["new"]) > model.probability("francisco", ["new"])


def test_the_likelihood_of_a_text_is_that_of_its_words_and_its_end() -> None:
    model = KneserNey(CORPUS, 3)
    said = [
        model.probability("a", [BEGIN]),
        model.probability("c", [BEGIN, "a"]),
        model.probability(END, ["a", "c"]),
    ]
    assert model.logprob(["a", "c"]) == pytest.approx(sum(map(math.log, said)))
    assert model.logprob(["a", "b"]) > model.logprob(["a", "c"]) > model.logprob(["c", "a"])


def test_without_a_corpus_all_is_alike() -> None:
    assert KneserNey([]).logprob(["a", "b"]) == KneserNey([]).logprob(["b", "b"])


words = some.sampled_from("abcd")


@given(
    texts=some.lists(some.lists(words, max_size=6), min_size=1, max_size=8),
    order=some.integers(1, 4),
    before=some.lists(some.sampled_from(["never", *"abcd"]), max_size=4),
    begins=some.booleans(),
)
def test_after_anything_the_probabilities_of_all_words_add_up_to_one(
    texts: list[list[str]], order: int, before: list[str], begins: bool
) -> None:
    model = KneserNey(texts, order)
    known = {word for text in texts for word in text} | {END, "any other"}
    context = [BEGIN, *before] if begins else before
    found = [model.probability(word, context) for word in sorted(known)]
    assert sum(found) == pytest.approx(1.0)
    assert all(each > 0 for each in found)
