"""Hashes of words and n-grams of many texts, against the same worked out one by one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from twister_loop.text.hashed_keys import Keys, Letters, Postings, bags

texts_of_words = some.lists(
    some.lists(some.text("abc", min_size=1, max_size=3), max_size=7).map(" ".join), max_size=6
)


def pairs(keys: Keys) -> list[tuple[int, int]]:
    return list(zip(keys.texts.tolist(), keys.hashes.tolist(), strict=True))


def same_as(keys: Keys, named: list[tuple[int, str]]) -> bool:
    """Return whether keys stand for these strings: equal hashes for equal strings only."""
    hashes_of = defaultdict[str, set[int]](set)
    for (text, hash_), (named_text, name) in zip(pairs(keys), named, strict=True):
        assert text == named_text
        hashes_of[name].add(hash_)
    distinct = {hash_ for hashes in hashes_of.values() for hash_ in hashes}
    return len(distinct) == len(hashes_of) and all(
        len(matches) == 1 for matches in hashes_of.values()
    )


@given(texts=texts_of_words)
def test_words_have_one_hash_each_wherever_they_stand(texts: list[str]) -> None:
    named = [(number, word) for number, text in enumerate(texts) for word in text.split()]
    assert same_as(Letters(texts).words(), named)


@given(texts=texts_of_words, size=some.integers(1, 4))
def test_n_grams_reach_across_words_and_never_across_texts(texts: list[str], size: int) -> None:
    named, reaches = [], []
    for number, text in enumerate(texts):
        letters = text.replace(" ", "")
        words = [place for place, word in enumerate(text.split()) for _ in word]
        for start in range(len(letters) - size + 1):
            named.append((number, letters[start : start + size]))
            reaches.append(words[start] != words[start + size - 1])
    row = Letters(texts)
    assert same_as(row.grams(size), named)
    assert row.reaches_into_another_word(size).tolist() == reaches


@given(texts=texts_of_words, step=some.integers(1, 4))
def test_n_grams_are_taken_at_every_step_from_the_beginning_of_a_text(
    texts: list[str], step: int
) -> None:
    steps = [step + number % 2 for number in range(len(texts))]
    named = [
        (number, letters[start : start + 2])
        for number, letters in enumerate(text.replace(" ", "") for text in texts)
        for start in range(0, len(letters) - 1, steps[number])
    ]
    assert same_as(Letters(texts).grams(2, np.array(steps, np.int64)), named)


def keys_of(*texts: str) -> Keys:
    """Return one key for each letter, its code."""
    hashes = [ord(letter) for text in texts for letter in text]
    numbers = [number for number, text in enumerate(texts) for _ in text]
    return Keys(np.array(hashes, np.uint64), np.array(numbers, np.int64))


def letters_of(keys: Keys) -> Iterator[tuple[int, str]]:
    return ((text, chr(hash_)) for text, hash_ in pairs(keys))


def test_each_key_of_a_text_is_kept_once_in_order() -> None:
    keys = keys_of("bab", "", "ab")
    assert list(letters_of(keys.distinct())) == [(0, "a"), (0, "b"), (2, "a"), (2, "b")]
    assert pairs(Keys.join(keys, keys).distinct()) == pairs(keys.distinct())
    assert pairs(keys_of().distinct()) == []
    assert list(letters_of(keys.select(keys.texts == 2))) == [(2, "a"), (2, "b")]


def test_keys_that_few_texts_have_are_rare_and_each_text_keeps_some() -> None:
    keys = keys_of("aaxb", "ab", "ac", "a")  # a in four texts, b in two, c and x in one
    assert set(letters_of(keys.rare(2, 0))) == {(0, "b"), (0, "x"), (1, "b"), (2, "c")}
    assert set(letters_of(keys.rare(1, 0))) == {(0, "x"), (2, "c")}
    assert set(letters_of(keys.rare(0, 1))) == {(0, "x"), (1, "b"), (2, "c"), (3, "a")}
    assert set(letters_of(keys.rare(1, 2))) == {
        (0, "x"), (0, "b"), (1, "b"), (1, "a"), (2, "c"), (2, "a"), (3, "a"),
    }  # fmt: skip
    assert pairs(keys.rare(4, 0)) and len(keys.rare(4, 0).hashes) == 8


def naive_bags(words: list[str]) -> set[tuple[str, ...]]:
    whole = tuple(sorted(words))
    return {whole, *(whole[:place] + whole[place + 1 :] for place in range(len(whole)))}


@pytest.mark.parametrize(
    ("first", "second", "share_a_bag"),
    [
        ("a b c", "c b a", True),
        ("a b c", "a x c", True),  # all words but one
        ("a b c", "a x y", False),
        ("a b c", "a b c d", True),
        ("a b", "a b c", False),  # fewer words than the smallest
        ("a b c d e", "a b c d", False),  # more than the largest
        ("a a b", "a b b", True),
        ("a a a", "a b b", False),
    ],
)
def test_texts_share_a_bag_if_they_have_all_words_but_one_in_common(
    first: str, second: str, share_a_bag: bool
) -> None:
    keys = bags(Letters([first, second]).words(), 2, 3, 4)
    of_each = [{hash_ for text, hash_ in pairs(keys) if text == number} for number in (0, 1)]
    assert bool(of_each[0] & of_each[1]) is share_a_bag
    if all(3 <= len(text.split()) <= 4 for text in (first, second)):
        naive = [naive_bags(text.split()) for text in (first, second)]
        assert bool(naive[0] & naive[1]) is share_a_bag
        assert [len(matches) for matches in of_each] == [len(matches) for matches in naive]


letters_of_texts = some.lists(some.text("abcdefgh", max_size=6), min_size=1, max_size=5)


@given(indexed=letters_of_texts, searched=letters_of_texts, at_least=some.integers(1, 3))
def test_pairs_that_share_keys_are_found_with_their_number(
    indexed: list[str], searched: list[str], at_least: int
) -> None:
    texts, numbers, counts = Postings(keys_of(*indexed)).find(
        keys_of(*searched), len(indexed), at_least
    )
    shared = {
        (text, number): sum(
            (Counter(one)[letter] * Counter(other)[letter]) for letter in "abcdefgh"
        )
        for text, one in enumerate(searched)
        for number, other in enumerate(indexed)
    }
    matches = list(zip(texts.tolist(), numbers.tolist(), counts.tolist(), strict=True))
    assert {(text, number): count for text, number, count in matches} == {
        pair: count for pair, count in shared.items() if count >= at_least
    }
    assert matches == sorted(matches, key=lambda pair: (pair[0], -pair[2])), (
        "the best matches first"
    )


def test_large_hashes_are_found_in_their_place() -> None:
    hashes = np.array([0, 1, 2**63, 2**64 - 1, 2**64 - 2], np.uint64)
    index = Postings(Keys(hashes, np.arange(5)))
    for number, hash_ in enumerate(hashes):
        _, numbers, _ = index.find(Keys(np.array([hash_]), np.zeros(1, np.int64)), 5, 1)
        assert numbers.tolist() == [number]
    missing = Keys(np.array([3, 2**62], np.uint64), np.zeros(2, np.int64))
    assert [len(part) for part in index.find(missing, 5, 1)] == [0, 0, 0]
