"""What every filter objects to, and what it lets pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twister_loop import ConfigError, Utterance
from twister_loop.audio import io as audio
from twister_loop.core.manifest import Manifest
from twister_loop.data.filters._base import Filter


def said(text: str | None = None, **fields: Any) -> Utterance:
    return Utterance(id="1", text=text, **{"lang": "en", "duration": 2.0, **fields})


def why(name: str, utterance: Utterance, **options: Any) -> str | None:
    return Filter.build({"use": name, **options}).objection(utterance)


@pytest.mark.parametrize(
    ("name", "options", "kept", "dropped", "reason"),
    [
        ("duration", {}, said(duration=0.4), said(duration=0.39), "0.4 s, not 0.4 to 30 s"),
        ("confidence", {}, said(confidence=-1.0), said(confidence=-1.01), "-1.01 < -1"),
        ("confidence", {}, said(confidence=0.0), said(), "gave no confidence"),
        ("compression", {}, said(compression_ratio=2.4), said(compression_ratio=2.5), "2.5 > 2.4"),
        ("no_speech", {}, said(no_speech=0.6), said(no_speech=0.61), "0.61 > 0.6"),
        ("length_limit", {}, said(), said(hit_limit=True), "length limit"),
        ("char_rate", {}, said("word " * 4), said("w"), "0.5 characters a second"),
        ("repetition", {}, said("no " * 9), said("no " * 10), "only 10% of it"),
        (
            "repetition",
            {},
            said("我們今天去台北看電影", lang="zh"),
            said("好" * 12, lang="zh"),
            "8%",
        ),
        ("repetition", {}, said("one"), said(""), "no text"),
        ("longest_word", {}, said("x" * 25), said("a " + "x" * 26), "a word of 26 letters"),
        ("longest_word", {"at_most": 35}, said("x" * 35), said("x" * 36), "36 letters"),
        (
            "agreement",
            {},
            said("press one", pred_text="Press 1."),
            said("a", pred_text="b"),
            "1.00",
        ),
        (
            "agreement",
            {"unit": "words", "at_most": 0.5},
            said("press one now", pred_text="press a now"),
            said("press one now", pred_text="a one b"),
            "word error rate 0.67 > 0.5",
        ),
        ("language", {}, said(lang_probability=0.7), said(lang_probability=0.69), "en with prob"),
        ("language", {}, said(lang_probability=1.0), said(), "does not tell languages apart"),
        (
            "language",
            {"only": ["it", "en"]},
            said(lang_probability=1.0),
            said(lang="fr", lang_probability=1.0),
            "fr, not it, en",
        ),
    ],
)
def test_a_filter_keeps_what_is_just_good_enough_and_says_why_it_drops_the_rest(
    name: str,
    options: dict[str, Any],
    kept: Utterance,
    dropped: Utterance,
    reason: str,
) -> None:
    assert why(name, kept, **options) is None
    assert reason in (why(name, dropped, **options) or "")


@pytest.mark.parametrize(
    ("lang", "text", "options"),
    [
        ("it", "Perché l'utente n° 2 è così?", {}),
        ("ko", "3시에 뉴스, 70% 봤어요.", {}),
        ("ja", "東京タワーは333メートル、ﾊﾝｶｸです。", {}),
        ("ja", "ラーメン", {}),
        ("zh", "我在臺灣買iPhone", {"also": ["LATIN"]}),
        ("hi", "नमस्ते, 12 बजे", {}),
        ("ru", "Ёлка — 5 шт.", {}),
        ("uk", "пʼять", {}),
        ("th", "สวัสดี 123", {}),
        ("ar", "مرحبا", {}),
        ("he", "שלום", {}),
        ("ka", "გამარჯობა", {}),
        ("it", "il karaoke カ e altre venti lettere", {"at_most": 0.1}),
        (None, "был カ two", {}),
    ],
)
def test_no_script_is_dropped_for_being_what_the_language_is_written_in(
    lang: str | None, text: str, options: dict[str, Any]
) -> None:
    assert why("script", said(text, lang=lang), **options) is None


@pytest.mark.parametrize(
    ("lang", "text", "options", "reason"),
    [
        ("zh", "我在臺灣買iPhone", {}, "of the letters are latin, not zh"),
        ("it", "ciao, как дела", {}, "64% of the letters are cyrillic, not it"),
        ("ko", "안녕하세요 カ", {"also": ["LATIN"]}, "katakana"),
        ("it", "caffè #1", {"characters": "acef1èb"}, "characters that are not allowed: #"),
    ],
)
def test_letters_of_another_script_are_an_objection(
    lang: str, text: str, options: dict[str, Any], reason: str
) -> None:
    assert reason in (why("script", said(text, lang=lang), **options) or "")


@pytest.mark.parametrize(
    "text",
    [
        "Thanks for watching!",
        "Thank you for watching. Thanks for watching!",
        "Sottotitoli creati dalla comunità Amara.org",
        "E adesso i sottotitoli di QTSS",
        "ご視聴ありがとうございました",
        "시청해주셔서 감사합니다.",
        "Субтитры сделал DimaTorzok",
        "Продолжение следует...",
        "中文字幕志愿者 杨栋梁",
        "Untertitelung des ZDF, 2020",
        "Sous-titrage Société Radio-Canada",
        "İzlediğiniz için teşekkür ederim.",
    ],
)
def test_what_whisper_writes_where_nobody_speaks_is_dropped_in_any_language(text: str) -> None:
    assert why("hallucination", said(text, lang=None))


@pytest.mark.parametrize(
    "text", ["Thank you.", "you", "Grazie.", "Ho guardato dai media", "and thanks for watching him"]
)
def test_what_people_do_say_is_no_hallucination(text: str) -> None:
    assert why("hallucination", said(text, lang=None)) is None


def test_phrases_of_ones_own_and_phrases_beside_other_words(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("Music playing\n\n")
    own = Filter.build({"use": "hallucination", "also": "own.txt", "anywhere": True}, tmp_path)
    assert own.objection(said("MUSIC PLAYING")) and own.objection(said("hello, music playing!"))
    assert own.objection(said("music is playing")) is None
    assert why("hallucination", said("music playing")) is None


def test_every_phrase_is_written_as_texts_are_compared() -> None:
    from twister_loop.data.filters._phrases import CLOSING_PHRASES, SUBTITLE_CREDITS
    from twister_loop.text.normalizers.basic import Basic

    phrases = [
        *SUBTITLE_CREDITS,
        *(each for phrases in CLOSING_PHRASES.values() for each in phrases),
    ]
    assert len(phrases) == len(set(phrases))
    assert [Basic(numbers=False).normalize(each, None) for each in phrases] == phrases


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"use": "longest_word", "at_most": 0}, "at_most: 1 letter at least"),
        ({"use": "script", "also": ["LATN"]}, "unknown script 'LATN'"),
        ({"use": "hallucination", "also": "none.txt"}, "none.txt cannot be read"),
        ({"use": "second_decode", "beam": 1}, "must differ"),
        ({"use": "second_decode", "temperature": -1}, "not below 0"),
        ({"use": "second_decode", "temperature": 0.4}, "must differ by one of them"),
        ({"use": "second_model"}, "asr: missing"),
        ({"use": "second_model", "asr": "toi"}, "did you mean 'toy'"),
        ({"use": "agreement", "unit": "letters"}, "unit: input should be 'words' or 'characters'"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_with_a_sentence(
    tmp_path: Path, spec: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as wrong:
        Filter.build(spec, tmp_path)
    assert message in str(wrong.value)


def test_the_rate_of_characters_is_narrowed_by_a_corpus_that_is_large_enough(
    tmp_path: Path,
) -> None:
    rates = [10 + (n % 11) / 10 for n in range(110)]
    corpus = Manifest.write(
        (said("x" * round(10 * rate), duration=10.0) for rate in rates), tmp_path
    )
    learned = Filter.build({"use": "char_rate"}).fit(corpus)
    assert learned.objection(said("x" * 105, duration=10.0)) is None
    assert learned.objection(said("x" * 140, duration=10.0))
    assert why("char_rate", said("x" * 140, duration=10.0)) is None


@pytest.mark.model
def test_poor_sound_is_told_from_silence_of_a_studio(tmp_path: Path) -> None:
    """DNSMOS gives white noise the least; both ends of its scale are reached by the threshold."""
    noise = np.random.default_rng(1).normal(0, 0.2, 32_000).astype(np.float32)
    path = tmp_path / "noise.wav"
    duration = audio.write(noise, path)
    noisy = said("x", audio_filepath=path, duration=duration)
    assert "DNSMOS 1." in (why("dnsmos", noisy) or "")
    assert why("dnsmos", noisy, at_least=1.0) is None
    assert "no.wav" in (why("dnsmos", said(audio_filepath=tmp_path / "no.wav")) or "")
