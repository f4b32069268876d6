"""Recall of key terms: aligned with the references, and errors on all other words."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from twister_loop.core.types import ErrorCount, Language, Measure, Proportion, TermCount
from twister_loop.evaluation.metrics import count_errors
from twister_loop.evaluation.term_recall import TermCounter
from twister_loop.text.normalizers._base import Normalizer
from twister_loop.text.normalizers.basic import Basic
from twister_loop.text.normalizers.mixed import Mixed


def count(
    key_terms: Sequence[str],
    reference: str,
    hypothesis: str,
    measure: Measure = "words",
    lang: Language | None = None,
    normalizer: Normalizer | None = None,
) -> TermCount:
    normalizer = normalizer or Basic()
    pair = (normalizer.normalize(reference, lang), normalizer.normalize(hypothesis, lang))
    return TermCounter(key_terms, normalizer, measure).count(*pair, lang)


def test_a_term_counts_where_the_transcript_has_it_and_other_words_are_counted_apart() -> None:
    counted = count(["Rossi"], "il signor Rossi paga", "il signore rossi")
    assert counted == TermCount(Proportion(1, 1), ErrorCount(1, 1, 0, 1))
    counted = count(["Rossi"], "il signor Rossi paga", "il signor rosso paga")
    assert counted == TermCount(Proportion(0, 1), ErrorCount(hits=3))
    # Said elsewhere, it is no recall, but an error on other words.
    counted = count(["Rossi"], "Rossi paga il conto di oggi", "paga il conto di oggi Rossi")
    assert counted == TermCount(Proportion(0, 1), ErrorCount(insertions=1, hits=5))
    assert count(["Rossi"], "ciao", "ciao Rossi").recall == Proportion(0, 0)


def test_a_phrase_counts_only_whole() -> None:
    phrase = ["conto corrente"]
    assert count(phrase, "un conto corrente", "un conto corrente").recall == Proportion(1, 1)
    assert count(phrase, "un conto corrente", "un canto corrente").recall == Proportion(0, 1)
    assert count(phrase, "un conto corrente", "un conto molto corrente").recall == Proportion(0, 1)
    twice = count(phrase, "un conto corrente", "un conto conto corrente")
    assert twice == TermCount(Proportion(1, 1), ErrorCount(insertions=1, hits=1))


def test_of_alignments_with_as_few_errors_the_one_that_matches_terms_is_taken() -> None:
    counted = count(["rossi"], "a rossi b", "rossi c b")
    assert counted.recall == Proportion(1, 1) and counted.others.errors == 2
    # One word cannot be two terms.
    assert count(["rossi"], "rossi rossi", "rossi").recall == Proportion(1, 2)
    # An alignment through the term would need more errors than the words differ in.
    assert count(["rossi"], "a b c d rossi", "rossi e f g h").recall == Proportion(0, 1)


@pytest.mark.parametrize(
    ("measure", "lang", "key_terms", "reference", "hypothesis", "recall"),
    [
        ("characters", "zh", ["手机"], "我的手机坏了", "我的手机怀了", (1, 1)),
        ("characters", "zh", ["手机"], "我的手机坏了", "我的手鸡坏了", (0, 1)),
        ("characters", "ja", ["クラウド"], "クラウドを使う", "クラウトを使う", (0, 1)),
        ("characters", "th", ["กรุงเทพ"], "ไปกรุงเทพวันนี้", "ไปกรุงเทพวันนี", (1, 1)),
        # Particles are written onto a word, and spaces differ by style.
        ("characters", "ko", ["인터넷"], "인터넷이 느려요", "인터 넷이 느려요", (1, 1)),
        # A word of a spaced script is no part of a longer one.
        ("characters", "zh", ["art"], "看 art 展", "看 party 展", (0, 1)),
        ("mixed", None, ["iPhone", "手机"], "我買 iPhone 手机", "我買 iphone 手几", (1, 2)),
    ],
)
def test_terms_are_matched_by_the_measure_of_the_set(
    measure: Measure,
    lang: Language | None,
    key_terms: list[str],
    reference: str,
    hypothesis: str,
    recall: tuple[int, int],
) -> None:
    normalizer = Mixed() if measure == "mixed" else Basic()
    counted = count(key_terms, reference, hypothesis, measure, lang, normalizer)
    assert counted.recall == Proportion(*recall)


def test_terms_are_normalized_like_texts() -> None:
    counted = count(["Interno 2", "dell'UTENTE"], "interno due dell’utente", "Interno 2", lang="it")
    assert counted.recall == Proportion(1, 2)


@pytest.mark.parametrize("measure", ["words", "characters", "mixed"])
def test_errors_on_terms_and_on_other_words_are_all_errors(measure: Measure) -> None:
    rng = random.Random(13)
    words = ["aa", "ab", "ba", "bb", "手", "机"]
    key_terms = ["ab", "aa ba", "手机"]
    for _ in range(300):
        reference, hypothesis = (" ".join(rng.choices(words, k=rng.randint(0, 9))) for _ in "rh")
        counted = TermCounter(key_terms, Basic(), measure).count(reference, hypothesis, None)
        total = count_errors(reference, hypothesis, measure)
        without = TermCounter(["never said"], Basic(), measure).count(reference, hypothesis, None)
        assert without.others.errors == total.errors and without.others.length == total.length
        # The alignment has the fewest errors, and only those on missed terms are not among them.
        assert counted.others.errors <= total.errors
        if counted.recall.count == counted.recall.total:
            assert counted.others.errors == total.errors
