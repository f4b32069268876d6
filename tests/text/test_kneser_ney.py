"""Kneser-Ney model against values computed by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from twister_loop.text.kneser_ney import BEGIN, END, KneserNey

CORPUS = ["a b".split(), "a b".split(), "a c".split()]
"""Bigrams: <s> a 3, a b 2, b </s> 2, a c 1, c </s> 1. Distinct words before: </s> 2, a, b, c 1."""


def test_bigram_probabilities_follow_the_paper() -> None:
    """Discounts n1 / (n1 + 2 n2): 2 / (2 + 2 * 2) of bigrams, 3 / (3 + 2 * 1) of single words."""
    model = KneserNey(CORPUS, 2)
    bigram, unigram = 1 / 3, 3 / 5
    uniform = unigram * 4 / 5 * 1 / 5  # shared by four words of the corpus and any unknown one
    b = c = (1 - unigram) / 5 + uniform
    end = (2 - unigram) / 5 + uniform
    assert model.probability("b", []) == pytest.approx(b)
    assert model.probability(END, []) == pytest.approx(end)
    assert model.probability("never", []) == pytest.approx(uniform)
    backoff = bigram * 2 / 3  # two distinct words follow "a", three times
    assert model.probability("b", ["a"]) == pytest.approx((2 - bigram) / 3 + backoff * b)
    assert model.probability("c", ["a"]) == pytest.approx((1 - bigram) / 3 + backoff * c)
    assert model.probability("a", ["never"]) == pytest.approx(model.probability("a", []))


def test_a_word_that_follows_many_words_is_likelier_than_one_that_follows_one() -> None:
    """Kneser and Ney's own example: Francisco follows San only."""
    texts = ["san francisco", "san francisco", "san francisco", "a cup", "the cup", "my cup"]
    model = KneserNey([text.split() for text in texts], 2)
    assert model.probability("cup", ["new"]) > model.probability("francisco", ["new"])


def test_the_logprob_of_a_text_adds_up_its_words_and_its_end() -> None:
    model = KneserNey(CORPUS, 3)
    probabilities = [
        model.probability("a", [BEGIN]),
        model.probability("c", [BEGIN, "a"]),
        model.probability(END, ["a", "c"]),
    ]
    assert model.logprob(["a", "c"]) == pytest.approx(sum(map(math.log, probabilities)))
    assert model.logprob(["a", "b"]) > model.logprob(["a", "c"]) > model.logprob(["c", "a"])


def test_without_a_corpus_all_texts_are_equally_likely() -> None:
    assert KneserNey([]).logprob(["a", "b"]) == KneserNey([]).logprob(["b", "b"])


words = some.sampled_from("abcd")


@given(
    texts=some.lists(some.lists(words, max_size=6), min_size=1, max_size=8),
    order=some.integers(1, 4),
    before=some.lists(some.sampled_from(["never", *"abcd"]), max_size=4),
    begins=some.booleans(),
)
def test_probabilities_of_all_words_add_up_to_one_after_any_context(
    texts: list[list[str]], order: int, before: list[str], begins: bool
) -> None:
    model = KneserNey(texts, order)
    vocabulary = {word for text in texts for word in text} | {END, "any other"}
    context = [BEGIN, *before] if begins else before
    probabilities = [model.probability(word, context) for word in sorted(vocabulary)]
    assert sum(probabilities) == pytest.approx(1.0)
    assert all(probability > 0 for probability in probabilities)
