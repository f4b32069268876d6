"""Languages of texts, among those that a recognizer knows."""

from __future__ import annotations

from tests.pipeline.initial_plan.test_language import CZECH, ENGLISH, ITALIAN
from twister_loop.asr.whisper.published import LANGUAGES
from twister_loop.text.language_identification import identify_languages


def test_a_language_is_told_from_its_relatives() -> None:
    assert identify_languages(CZECH, LANGUAGES) == ("cs",)
    assert identify_languages(ITALIAN, LANGUAGES) == ("it",)
    assert identify_languages(CZECH, LANGUAGES - {"cs"}) != ("cs",)


def test_a_quarter_of_the_texts_is_a_second_language() -> None:
    assert identify_languages([*ITALIAN, *ITALIAN, *ENGLISH[:4]], LANGUAGES) == ("it", "en")
    assert identify_languages([*ITALIAN, *ITALIAN, *ENGLISH[:2]], LANGUAGES) == ("it",)


def test_few_texts_numbers_and_names_tell_nothing() -> None:
    assert identify_languages(ITALIAN[:4], LANGUAGES) == ()
    assert identify_languages([f"{n} {n} {n} {n}" for n in range(40)], LANGUAGES) == ()
    assert identify_languages(["OK", "Anna", "Skype"] * 10, LANGUAGES) == ()
    assert identify_languages([], LANGUAGES) == ()


def test_codes_are_those_of_whisper() -> None:
    javanese = [
        "Aku arep lunga menyang pasar karo ibu.",
        "Kowe wis mangan apa durung?",
        "Omahe gedhe lan kebone amba banget.",
        "Bapak lagi maca koran ing teras.",
        "Sesuk aku kudu tangi esuk banget.",
    ]
    assert identify_languages(javanese, LANGUAGES) == ("jw",)
