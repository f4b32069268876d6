"""The measure that a set is read by: characters, words, or both where it holds both kinds."""

import pytest

from twister_loop import Utterance
from twister_loop.core.types import Language, Measure
from twister_loop.evaluation.measures import choose_measure

JAPANESE, CHINESE, KOREAN = "今日はいい天気ですね", "今天天气很好", "오늘 날씨가 좋네요"
THAI, ITALIAN, ENGLISH = "วันนี้อากาศดีมาก", "oggi il tempo è bello", "the weather is nice today"
ARABIC, HINDI, RUSSIAN = "الطقس جميل اليوم", "आज मौसम अच्छा है", "сегодня хорошая погода"


@pytest.mark.parametrize(
    ("texts", "measure"),
    [
        ([("ja", JAPANESE)], "characters"),
        ([("zh", CHINESE)], "characters"),
        ([("yue", CHINESE)], "characters"),
        ([("th", THAI)], "characters"),
        ([("lo", "ມື້ນີ້ອາກາດດີ")], "characters"),
        ([("km", "ថ្ងៃនេះអាកាសធាតុល្អ")], "characters"),
        ([("my", "ဒီနေ့ရာသီဥတုကောင်းတယ်")], "characters"),
        ([("ko", KOREAN)], "characters"),
        ([("it", ITALIAN)], "words"),
        ([("vi", "hôm nay trời đẹp")], "words"),
        ([("ar", ARABIC), ("hi", HINDI), ("ru", RUSSIAN)], "words"),
        # Both are counted by character.
        ([("ja", JAPANESE), ("ko", KOREAN)], "characters"),
        ([("zh", CHINESE), ("en", ENGLISH)], "mixed"),
        ([("en", ENGLISH)] * 99 + [("ko", KOREAN)], "mixed"),
        # A language is stronger than letters.
        ([("ja", "NHK")], "characters"),
        ([("en", "北京")], "words"),
        ([], "words"),
    ],
)
def test_languages_decide_the_measure(texts: list[tuple[Language, str]], measure: Measure) -> None:
    assert choose_measure(_utterances(texts)) == measure


@pytest.mark.parametrize(
    ("texts", "measure"),
    [
        ([JAPANESE], "characters"),
        ([CHINESE], "characters"),
        ([KOREAN], "characters"),
        ([THAI], "characters"),
        ([ITALIAN, RUSSIAN, ARABIC, HINDI], "words"),
        # One sentence in two languages, or sentences in different ones.
        (["我 買 iPhone 了"], "mixed"),
        ([ENGLISH, KOREAN], "mixed"),
        # A few names do not make another kind.
        ([JAPANESE] * 5 + ["NHKです"], "characters"),
        ([ITALIAN] * 20 + ["ha detto 你好"], "words"),
        # Full-width Latin letters are Latin.
        (["ｗｅａｔｈｅｒ"], "words"),
        (["123 456", ""], "words"),
        ([""], "words"),
    ],
)
def test_letters_of_the_references_decide_where_the_language_is_detected(
    texts: list[str], measure: Measure
) -> None:
    assert choose_measure(_utterances([(None, text) for text in texts])) == measure


def test_utterances_with_and_without_a_language_are_judged_together() -> None:
    assert choose_measure(_utterances([("it", ITALIAN), (None, CHINESE)])) == "mixed"
    assert choose_measure(_utterances([("ja", JAPANESE), (None, CHINESE)])) == "characters"


def _utterances(texts: list[tuple[Language | None, str]]) -> list[Utterance]:
    return [
        Utterance(id=str(number), text=text, lang=lang) for number, (lang, text) in enumerate(texts)
    ]
