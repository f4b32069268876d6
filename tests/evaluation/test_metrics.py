"""Error counts, alignments and bootstrap intervals."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

from twister_loop import Utterance
from twister_loop.core.types import Proportion
from twister_loop.evaluation import metrics
from twister_loop.text.contamination import HeldOutTexts
from twister_loop.types import ErrorCount

letters = some.text("abc ", max_size=12)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "counted"),
    [
        ("a b c", "a b c", ErrorCount(hits=3)),
        ("a b c", "a x c d", ErrorCount(substitutions=1, insertions=1, hits=2)),
        ("a b", "", ErrorCount(deletions=2)),
        ("", "a b", ErrorCount(insertions=2)),
        ("", "", ErrorCount()),
    ],
)
def test_word_errors_are_counted(reference: str, hypothesis: str, counted: ErrorCount) -> None:
    assert metrics.count_word_errors(reference, hypothesis) == counted


def test_characters_are_counted_without_spaces() -> None:
    assert metrics.count_character_errors("per favore", "perfavore") == ErrorCount(hits=9)


def test_the_rate_without_a_reference_is_one_with_insertions_and_zero_without() -> None:
    assert ErrorCount(insertions=3).rate == 1.0 and ErrorCount().rate == 0.0


@given(reference=letters, hypothesis=letters)
def test_counts_add_up_to_both_lengths(reference: str, hypothesis: str) -> None:
    counted = metrics.count_word_errors(reference, hypothesis)
    assert counted.length == len(reference.split())
    assert counted.hits + counted.substitutions + counted.insertions == len(hypothesis.split())


@given(reference=letters, hypothesis=letters)
def test_counts_are_those_of_jiwer_in_one_of_the_two_orders(
    reference: str, hypothesis: str
) -> None:
    jiwer = pytest.importorskip("jiwer")
    # jiwer has no answer to an empty reference.
    assume(reference.split() and hypothesis.split())
    there = jiwer.process_words(reference, hypothesis)
    back = jiwer.process_words(hypothesis, reference)
    assert metrics.count_word_errors(reference, hypothesis) in [
        ErrorCount(there.substitutions, there.deletions, there.insertions, there.hits),
        ErrorCount(back.substitutions, back.insertions, back.deletions, back.hits),
    ]


@given(reference=letters, hypothesis=letters)
def test_swapping_the_texts_swaps_insertions_and_deletions(reference: str, hypothesis: str) -> None:
    there, back = (
        metrics.count_word_errors(reference, hypothesis),
        metrics.count_word_errors(hypothesis, reference),
    )
    assert (there.substitutions, there.hits) == (back.substitutions, back.hits)
    assert (there.deletions, there.insertions) == (back.insertions, back.deletions)


@given(pairs=some.lists(some.tuples(letters, letters), max_size=6), cut=some.integers(0, 6))
def test_counts_of_parts_add_up_to_the_count_of_the_whole(
    pairs: list[tuple[str, str]], cut: int
) -> None:
    counts = [metrics.count_word_errors(*pair) for pair in pairs]
    whole = metrics.sum_counts(counts)
    assert metrics.sum_counts(counts[:cut]) + metrics.sum_counts(counts[cut:]) == whole
    assert whole.errors == sum(count.errors for count in counts)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "counted"),
    [
        ("我 去 apple store", "我去 apple store", ErrorCount(hits=4)),
        ("我去apple", "我来 apple 了", ErrorCount(substitutions=1, insertions=1, hits=2)),
        ("안녕 하세요", "안녕 하새요", ErrorCount(substitutions=1, hits=1)),
        ("カナ", "カ", ErrorCount(deletions=1, hits=1)),
        ("ไป apple", "ไม apple", ErrorCount(substitutions=1, hits=2)),
        ("ສະບາຍ", "ສະ ບາຍ", ErrorCount(hits=5)),
        ("ទៅ", "ទ", ErrorCount(deletions=1, hits=1)),
        ("မြန်မာ", "", ErrorCount(deletions=6)),
        ("one two", "one two", ErrorCount(hits=2)),
    ],
)
def test_mixed_errors_count_unspaced_scripts_by_character_and_all_else_by_word(
    reference: str, hypothesis: str, counted: ErrorCount
) -> None:
    assert metrics.count_mixed_errors(reference, hypothesis) == counted


def test_repeated_ngrams_are_five_units_that_occurred_before() -> None:
    assert metrics.count_repeated_ngrams("a b c d e f g") == Proportion(0, 3)
    assert metrics.count_repeated_ngrams(" ".join(10 * ["ja"])) == Proportion(5, 6)
    assert metrics.count_repeated_ngrams("谢谢谢谢谢谢") == Proportion(1, 2)
    assert metrics.count_repeated_ngrams("네네네네네네") == Proportion(1, 2), "without spaces"
    assert metrics.count_repeated_ngrams("กกกกกก") == Proportion(1, 2)
    assert metrics.count_repeated_ngrams("too short") == Proportion(0, 0)


def test_alignment_chunks_show_where_two_texts_differ() -> None:
    def shown(reference: str, hypothesis: str) -> list[tuple[str, str]]:
        return [
            (chunk.reference, chunk.hypothesis)
            for chunk in metrics.alignment_chunks(reference, hypothesis)
        ]

    assert shown("a b c d", "a x c") == [("a", "a"), ("b", "x"), ("c", "c"), ("d", "")]
    assert shown("", "a b") == [("", "a b")] and shown("a", "") == [("a", "")]
    assert shown("", "") == []


def test_an_interval_contains_the_rate_and_narrows_with_more_speech() -> None:
    counts = [ErrorCount(substitutions=1, hits=9), ErrorCount(substitutions=3, hits=7)] * 20
    low, high = metrics.percentile_interval_95(metrics.bootstrap_rates({"a": counts}, seed=1)["a"])
    assert low < 0.2 < high
    closer = metrics.percentile_interval_95(
        metrics.bootstrap_rates({"a": counts * 16}, seed=1)["a"]
    )
    assert low < closer[0] < 0.2 < closer[1] < high


@pytest.mark.parametrize("groups", [None, [str(n % 15) for n in range(40)]])
def test_differences_of_bootstrapped_rates_are_a_paired_bootstrap(groups: list[str] | None) -> None:
    first = [ErrorCount(substitutions=n % 3, hits=8) for n in range(40)]
    second = [ErrorCount(substitutions=n % 3, insertions=n % 2, hits=8) for n in range(40)]
    drawn = metrics.bootstrap_rates({"first": first, "second": second}, seed=5, groups=groups)
    paired = metrics.paired_bootstrap(second, first, seed=5, groups=groups)
    by_utterance = metrics.paired_bootstrap(second, first, seed=5)
    differences = np.sort(drawn["second"] - drawn["first"])
    # Of speakers and utterances, those that differ more.
    assert np.allclose(max(differences, by_utterance, key=np.std), paired)


def test_intervals_of_few_speakers_are_the_wider_ones() -> None:
    """Five speakers, each better or worse throughout, are no evidence of a gain."""
    before = [ErrorCount(substitutions=2, hits=8)] * 100
    after = [ErrorCount(substitutions=1 if n % 5 < 4 else 3, hits=8) for n in range(100)]
    speakers = [str(n % 5) for n in range(100)]
    by_utterance = metrics.percentile_interval_95(metrics.paired_bootstrap(after, before, seed=1))
    by_speaker = metrics.percentile_interval_95(
        metrics.paired_bootstrap(after, before, seed=1, groups=speakers)
    )
    assert by_utterance[1] < 0 < by_speaker[1]
    # Speakers without differences of their own: utterances leave more doubt.
    mixed = [ErrorCount(substitutions=n % 2, hits=8) for n in range(100)]
    alike = [str(n // 2) for n in range(100)]
    drawn = metrics.paired_bootstrap(mixed, before, seed=1, groups=alike)
    assert (drawn == metrics.paired_bootstrap(mixed, before, seed=1)).all()
    assert metrics.widest_interval_95(np.arange(100.0), np.arange(50.0))[1] > 90


def test_speakers_or_recordings_are_drawn_whole_from_two_on() -> None:
    speech = [Utterance(id=str(n), speaker=f"s{n % 12}") for n in range(48)]
    assert metrics.choose_resampling_groups(speech) == (
        "speakers",
        [utterance.speaker for utterance in speech],
    )
    one_speaker = [
        replace(utterance, speaker="s", audio_filepath=Path("all.wav")) for utterance in speech
    ]
    assert metrics.choose_resampling_groups(one_speaker)[0] == "utterances", (
        "one recording says nothing of others"
    )
    two_speakers = [*one_speaker[1:], replace(one_speaker[0], speaker="t")]
    assert metrics.choose_resampling_groups(two_speakers)[0] == "speakers"
    unnamed = [*one_speaker[1:], replace(one_speaker[0], speaker=None)]
    assert metrics.choose_resampling_groups(unnamed)[0] == "utterances"
    many_recordings = [
        replace(utterance, audio_filepath=Path(f"{int(utterance.id) // 4}.wav"))
        for utterance in one_speaker
    ]
    assert metrics.choose_resampling_groups(many_recordings)[0] == "recordings"


def test_the_bootstrap_is_paired_seeded_and_signed() -> None:
    worse = [ErrorCount(substitutions=2, hits=8)] * 50
    better = [ErrorCount(substitutions=1, hits=9)] * 50
    drawn = metrics.paired_bootstrap(better, worse, seed=1)
    assert np.allclose(drawn, -0.1)
    mixed = [better[0], worse[0]] * 25
    assert (np.quantile(metrics.paired_bootstrap(mixed, worse, 1), [0, 1]) <= 0).all()
    assert (
        metrics.paired_bootstrap(mixed, worse, 1) == metrics.paired_bootstrap(mixed, worse, 1)
    ).all()


def test_a_paired_bootstrap_needs_equally_many_utterances() -> None:
    with pytest.raises(
        ValueError, match="needs the same utterances of both models, but there are 1 and 0"
    ):
        metrics.paired_bootstrap([ErrorCount()], [], seed=1)


@pytest.mark.parametrize(
    ("text", "is_near"),
    [
        ("the number you have dialed is wrong", True),
        ("The number you have dialed is busy!", True),
        ("the number you have now is not theirs", False),
        ("wrong is dialed have you number the", True),
        ("the number", False),
        ("", False),
        ("the the the the the number you", False),
    ],
)
def test_a_near_duplicate_shares_four_fifths_of_the_words(text: str, is_near: bool) -> None:
    held_out = [Utterance(id="1", text="the number you have dialed is wrong", lang="en")]
    assert (
        HeldOutTexts(held_out).is_near_duplicate(Utterance(id="2", text=text, lang="en")) is is_near
    )


def test_unspaced_scripts_are_compared_by_character() -> None:
    held_out = HeldOutTexts([Utterance(id="1", text="您拨打的电话号码是空号", lang="zh")])
    assert held_out.is_near_duplicate(Utterance(id="2", text="您拨打的电话号码是错号", lang="zh"))
    assert not held_out.is_near_duplicate(Utterance(id="2", text="请稍后再试一次谢谢您", lang="zh"))
