"""The default filters on labels in many scripts: right ones are kept, and wrong ones dropped.

`declaration.json` holds about 20 s of the Universal Declaration of Human Rights in 26 languages,
each with the seconds that espeak-ng takes for it. `benchmarks/languages.py` measures all of it.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from twister_loop import Utterance
from twister_loop.core.manifest import Manifest
from twister_loop.data import presets
from twister_loop.data.filters._base import Filter
from twister_loop.text.script_neutral import compression_ratio, is_unspaced

DECLARATION: dict[str, tuple[str, float]] = json.loads(
    Path(__file__).with_name("declaration.json").read_text(encoding="utf-8")
)


def make_label(lang: str, text: str, duration: float, number: int = 0) -> Utterance:
    return Utterance(
        id=str(number),
        text=text,
        lang=lang,
        duration=duration,
        confidence=-0.1,
        compression_ratio=compression_ratio(text),
    )


def find_objection(label: Utterance) -> str | None:
    """Return the name of the default filter that drops a label."""
    filters = [Filter.build(spec) for spec in presets.FILTERS["default"].parts]
    return next((filter_.name for filter_ in filters if filter_.objection(label)), None)


def repeat_a_phrase(text: str) -> str:
    if is_unspaced(text):
        return text[:8] * 6
    return f"{' '.join(text.split()[:3])} " * 6


def shuffle(text: str, rng: random.Random) -> str:
    """Return a third of the words, or characters of a script without spaces, in any order."""
    units = list(text) if is_unspaced(text) else text.split()
    return ("" if is_unspaced(text) else " ").join(rng.sample(units, len(units) // 3))


@pytest.mark.parametrize("lang", DECLARATION)
@pytest.mark.parametrize("speed", [0.8, 1.0, 1.25])
def test_right_labels_of_20_seconds_are_kept_in_every_script(lang: str, speed: float) -> None:
    text, seconds = DECLARATION[lang]
    assert find_objection(make_label(lang, text, seconds * speed)) is None


@pytest.mark.parametrize("lang", DECLARATION)
def test_a_phrase_that_is_repeated_six_times_is_dropped_in_every_script(lang: str) -> None:
    text, seconds = DECLARATION[lang]
    loop = repeat_a_phrase(text)
    assert find_objection(make_label(lang, loop, seconds)) in {"compression", "repetition"}
    # A decode is tried again where it loops, which is before any filter sees it.
    assert compression_ratio(text[:30] * 6) > 2.4


@pytest.mark.parametrize("lang", DECLARATION)
def test_a_text_in_another_script_is_dropped_in_every_language(lang: str) -> None:
    other = "hi" if lang in {"en", "fi"} else "fi"
    text, seconds = DECLARATION[other]
    assert find_objection(make_label(lang, text, seconds)) == "script"


def test_a_sentence_that_switches_into_latin_script_is_kept() -> None:
    assert find_objection(make_label("zh", "我買 iPhone 15 Pro Max 了", 3.0)) is None


def write_corpus(folder: Path, lang: str) -> Manifest:
    """Write 120 different labels of one language, at three speeds."""
    text, seconds = DECLARATION[lang]
    rng, labels = random.Random(1), []
    for number in range(120):
        part = shuffle(text, rng)
        duration = seconds * len(part) / len(text) * (0.8, 1.0, 1.25)[number % 3]
        labels.append(make_label(lang, part, duration, number))
    return Manifest.write(labels, folder)


@pytest.mark.parametrize("lang", ["en", "hi", "th", "zh"])
def test_a_label_that_lacks_half_of_its_text_is_dropped_after_learning(
    tmp_path: Path, lang: str
) -> None:
    text, seconds = DECLARATION[lang]
    rate = Filter.build({"use": "char_rate"})
    learned = rate.fit(write_corpus(tmp_path, lang))
    half = make_label(lang, text[: len(text) // 2], seconds)
    assert "letters a second" in (learned.objection(half) or "")
    assert rate.objection(half) is None
    assert learned.objection(make_label(lang, text, seconds)) is None


def test_limits_are_learned_for_each_language_alone(tmp_path: Path) -> None:
    learned = Filter.build({"use": "char_rate"}).fit(write_corpus(tmp_path, "en"))
    text, seconds = DECLARATION["en"]
    half = text[: len(text) // 2]
    assert learned.objection(make_label("en", half, seconds))
    assert learned.objection(make_label("fi", half, seconds)) is None


def test_perplexity_drops_another_language_in_the_same_script(tmp_path: Path) -> None:
    learned = Filter.build({"use": "perplexity"}).fit(write_corpus(tmp_path, "en"))
    english, finnish = DECLARATION["en"][0], DECLARATION["fi"][0]
    assert "perplexity" in (learned.objection(make_label("en", finnish, 20.0)) or "")
    assert learned.objection(make_label("en", english, 20.0)) is None
    # Nothing is known of other languages, nor where there are too few texts.
    assert learned.objection(make_label("fi", finnish, 20.0)) is None
    few = Manifest.write([make_label("en", english, 20.0)], tmp_path / "few")
    unfitted = Filter.build({"use": "perplexity"}).fit(few)
    assert unfitted.objection(make_label("en", finnish, 20.0)) is None


def test_perplexity_learns_the_same_from_any_order_of_the_corpus(tmp_path: Path) -> None:
    forward = write_corpus(tmp_path / "forward", "en")
    backward = Manifest.write(reversed(list(forward)), tmp_path / "backward")
    label = make_label("en", DECLARATION["fi"][0], 20.0)
    objections = {
        Filter.build({"use": "perplexity"}).fit(corpus).objection(label)
        for corpus in (forward, backward)
    }
    assert len(objections) == 1
    assert None not in objections


def test_words_are_measured_by_their_letters_in_every_script() -> None:
    compound = "beskyttelsesforanstaltninger"
    assert find_objection(make_label("da", f"alle {compound}", 3.0)) is None
    longest_word = Filter.build({"use": "longest_word"})
    url = "https://example.org/a/long/path/to/nothing/at/all"
    for text in (f"看 {url}", url, "ក" + url):
        assert "letters" in (longest_word.objection(make_label("zh", text, 5.0)) or "")


def test_texts_are_as_long_as_they_take_to_say() -> None:
    text_length = Filter.build({"use": "text_length"})
    for lang, (text, seconds) in DECLARATION.items():
        # None of 20 s is too long, and twice as much is in no script three times too long.
        assert text_length.objection(make_label(lang, text, seconds)) is None
        assert text_length.objection(make_label(lang, text * 4, seconds * 4))
