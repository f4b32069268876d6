"""Counts of errors on examples small enough to work out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from twister_loop import Utterance
from twister_loop.core.types import Measure, Proportion
from twister_loop.evaluation import metrics
from twister_loop.types import ErrorCount


@pytest.mark.parametrize(
    ("measure", "errors", "tokens"),
    [("words", 2, 3), ("characters", 2, 7), ("mixed", 2, 5)],
)
def test_each_measure_counts_its_own_tokens(measure: Measure, errors: int, tokens: int) -> None:
    # Two of all tokens differ, 去 and the last letter: of 3 words, 7 characters, 5 of both.
    reference, hypothesis = "我去了 店 abc", "我来了 店 abx"
    count = metrics.count_errors(reference, hypothesis, measure)
    assert (count.errors, count.substitutions, count.length) == (errors, errors, tokens)
    assert metrics.count_tokens(reference, measure) == tokens
    assert metrics.count_tokens("", measure) == 0


def test_substitutions_deletions_and_insertions_are_told_apart() -> None:
    assert metrics.count_word_errors("a b c d", "a x d") == ErrorCount(1, 1, 0, 2)
    assert metrics.count_word_errors("a x d", "a b c d") == ErrorCount(1, 0, 1, 2)
    assert metrics.count_word_errors("c c", "a b c") == ErrorCount(1, 0, 1, 1)
    assert metrics.count_word_errors("a b c", "c c") == ErrorCount(1, 1, 0, 1)
    assert metrics.count_character_errors("a b", "x ab c") == ErrorCount(insertions=2, hits=2)


def test_of_equally_short_alignments_the_same_one_is_counted_ever_after() -> None:
    """Two substitutions are as short as one deletion and one insertion around a hit."""
    assert metrics.count_word_errors("a b", "b c") == ErrorCount(substitutions=2)
    assert metrics.count_word_errors("b c", "a b") == ErrorCount(substitutions=2)
    assert metrics.count_word_errors("a b", "b c c") == ErrorCount(2, 0, 1, 0)


def test_the_size_of_repeated_ngrams_is_five_unless_told() -> None:
    assert metrics.count_repeated_ngrams("a b c d e") == Proportion(0, 1)
    assert metrics.count_repeated_ngrams("a b c d") == Proportion(0, 0)
    assert metrics.count_repeated_ngrams("a b a b a", size=2) == Proportion(2, 4)


def test_letters_of_a_foreign_script_are_those_that_reference_and_language_lack() -> None:
    assert metrics.count_foreign_script("", "ciao жж", "it") == Proportion(2, 6)
    assert metrics.count_foreign_script("ж", "ciao жж", "it") == Proportion(0, 6)
    assert metrics.count_foreign_script("", "ciao жж", "ru") == Proportion(4, 6)


def test_the_transcript_of_an_utterance_is_normalized_and_counted_by_character() -> None:
    utterance = Utterance(id="1", text="Premi 2!", pred_text="premi tre", lang="it")
    # "due" to "tre": two of eight letters.
    assert metrics.count_utterance_errors(utterance) == ErrorCount(substitutions=2, hits=6)
    assert metrics.count_utterance_errors(utterance, "words") == ErrorCount(1, 0, 0, 1)
    silent = replace(utterance, pred_text=None)
    assert metrics.count_utterance_errors(silent, "words") == ErrorCount(deletions=2)
    unlabeled = replace(utterance, text=None)
    assert metrics.count_utterance_errors(unlabeled, "words") == ErrorCount(insertions=2)
    # The language says how numbers are read.
    other = metrics.count_normalized_errors("2", "due", "en", "words")
    assert other == ErrorCount(substitutions=1)
    assert metrics.count_normalized_errors("2", "due", "it", "words") == ErrorCount(hits=1)


def test_chunks_of_an_alignment_hold_whole_runs() -> None:
    chunks = list(metrics.alignment_chunks("a b c d e f", "a b x y e f g"))
    assert [(chunk.reference, chunk.hypothesis) for chunk in chunks] == [
        ("a b", "a b"),
        ("c d", "x y"),
        ("e f", "e f"),
        ("", "g"),
    ]
