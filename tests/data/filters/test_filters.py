"""Filters on single utterances: what each drops and keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twister_loop import Utterance
from twister_loop.audio import io as audio
from twister_loop.core.manifest import Manifest
from twister_loop.data.filters._base import Filter
from twister_loop.errors import ConfigError


def make_utterance(text: str | None = None, **fields: Any) -> Utterance:
    return Utterance(id="1", text=text, **{"lang": "en", "duration": 2.0, **fields})


def objection_to(name: str, utterance: Utterance, **options: Any) -> str | None:
    return Filter.build({"use": name, **options}).objection(utterance)


@pytest.mark.parametrize(
    ("name", "options", "accepted", "dropped", "reason"),
    [
        (
            "duration",
            {},
            make_utterance(duration=0.4),
            make_utterance(duration=0.39),
            "0.4 s, not 0.4 to 30 s",
        ),
        (
            "confidence",
            {},
            make_utterance(confidence=-1.0),
            make_utterance(confidence=-1.01),
            "-1.01 < -1",
        ),
        ("confidence", {}, make_utterance(confidence=0.0), make_utterance(), "gave no confidence"),
        (
            "compression",
            {},
            make_utterance(compression_ratio=2.4),
            make_utterance(compression_ratio=2.5),
            "2.5 > 2.4",
        ),
        (
            "no_speech",
            {},
            make_utterance(no_speech=0.6),
            make_utterance(no_speech=0.61),
            "0.61 > 0.6",
        ),
        ("length_limit", {}, make_utterance(), make_utterance(hit_limit=True), "length limit"),
        (
            "char_rate",
            {},
            make_utterance("word " * 4),
            make_utterance("w"),
            "0.5 letters a second",
        ),
        ("repetition", {}, make_utterance("no " * 9), make_utterance("no " * 10), "only 10% of it"),
        (
            "repetition",
            {},
            make_utterance("我們今天去台北看電影", lang="zh"),
            make_utterance("好" * 12, lang="zh"),
            "25%",
        ),
        ("repetition", {}, make_utterance("one"), make_utterance(""), "no text"),
        (
            "longest_word",
            {},
            make_utterance("x" * 35),
            make_utterance("a " + "x" * 36),
            "a word of 36 letters",
        ),
        (
            "longest_word",
            {"at_most": 25},
            make_utterance("x" * 25),
            make_utterance("x" * 26),
            "26 letters",
        ),
        (
            "agreement",
            {},
            make_utterance("press one", pred_text="Press 1."),
            make_utterance("a", pred_text="b"),
            "1.00",
        ),
        (
            "agreement",
            {"unit": "words", "at_most": 0.5},
            make_utterance("press one now", pred_text="press a now"),
            make_utterance("press one now", pred_text="a one b"),
            "word error rate 0.67 > 0.5",
        ),
        # Where words are not separated by spaces, or by style only, characters are counted.
        (
            "agreement",
            {"unit": "words", "at_most": 0.5},
            make_utterance("今日はいい天気", pred_text="今日もいい天気", lang="ja"),
            make_utterance("今日はいい天気", pred_text="明日", lang=None),
            "character error rate 0.86 > 0.5",
        ),
        (
            "agreement",
            {"unit": "words", "at_most": 0.2},
            make_utterance("날씨가 좋네요", pred_text="날 씨가 좋네 요", lang="ko"),
            make_utterance("날씨가 좋네요", pred_text="날씨는 좋아", lang="ko"),
            "character error rate 0.50 > 0.2",
        ),
        (
            "agreement",
            {"unit": "words", "at_most": 0.3},
            make_utterance("我買 iPhone 了", pred_text="我買 iPhone", lang=None),
            make_utterance("我買 iPhone 了", pred_text="我買", lang=None),
            "mixed error rate 0.50 > 0.3",
        ),
        (
            "language",
            {},
            make_utterance(lang_probability=0.7),
            make_utterance(lang_probability=0.69),
            "en with prob",
        ),
        (
            "language",
            {},
            make_utterance(lang_probability=1.0),
            make_utterance(),
            "does not tell languages apart",
        ),
        (
            "language",
            {"only": ["it", "en"]},
            make_utterance(lang_probability=1.0),
            make_utterance(lang="fr", lang_probability=1.0),
            "fr, not it, en",
        ),
    ],
)
def test_a_filter_keeps_utterances_at_its_threshold_and_drops_those_beyond_it(
    name: str,
    options: dict[str, Any],
    accepted: Utterance,
    dropped: Utterance,
    reason: str,
) -> None:
    assert objection_to(name, accepted, **options) is None
    assert reason in (objection_to(name, dropped, **options) or "")


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
def test_text_in_the_scripts_of_its_language_is_kept(
    lang: str | None, text: str, options: dict[str, Any]
) -> None:
    assert objection_to("script", make_utterance(text, lang=lang), **options) is None


@pytest.mark.parametrize(
    ("lang", "text", "options", "reason"),
    [
        ("zh", "我在臺灣買iPhone", {}, "of the letters are latin, not zh"),
        ("it", "ciao, как дела", {}, "64% of the letters are cyrillic, not it"),
        ("ko", "안녕하세요 カ", {"also": ["LATIN"]}, "katakana"),
        ("it", "caffè #1", {"characters": "acef1èb"}, "characters that are not allowed: #"),
    ],
)
def test_text_with_letters_of_another_script_is_dropped(
    lang: str, text: str, options: dict[str, Any], reason: str
) -> None:
    assert reason in (objection_to("script", make_utterance(text, lang=lang), **options) or "")


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
def test_phrases_that_whisper_hallucinates_are_dropped_in_any_language(text: str) -> None:
    assert objection_to("hallucination", make_utterance(text, lang=None))


@pytest.mark.parametrize(
    "text", ["Thank you.", "you", "Grazie.", "Ho guardato dai media", "and thanks for watching him"]
)
def test_everyday_phrases_are_kept(text: str) -> None:
    assert objection_to("hallucination", make_utterance(text, lang=None)) is None


def test_phrases_from_a_file_and_phrases_among_other_words_are_dropped(tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("Music playing\n\n")
    own = Filter.build({"use": "hallucination", "also": "own.txt", "anywhere": True}, tmp_path)
    assert own.objection(make_utterance("MUSIC PLAYING")) and own.objection(
        make_utterance("hello, music playing!")
    )
    assert own.objection(make_utterance("music is playing")) is None
    assert objection_to("hallucination", make_utterance("music playing")) is None


def test_phrases_are_stored_in_normalized_form() -> None:
    from twister_loop.data.filters._phrases import CLOSING_PHRASES, SUBTITLE_CREDITS
    from twister_loop.text.normalizers.basic import Basic

    phrases = [
        *SUBTITLE_CREDITS,
        *(phrase for phrases in CLOSING_PHRASES.values() for phrase in phrases),
    ]
    assert len(phrases) == len(set(phrases))
    assert [Basic(numbers=False).normalize(phrase, None) for phrase in phrases] == phrases


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"use": "longest_word", "at_most": 0}, "at_most: must be a whole number from 1"),
        ({"use": "script", "also": ["LATN"]}, "unknown script 'LATN'"),
        ({"use": "hallucination", "also": "none.txt"}, "none.txt cannot be read"),
        ({"use": "second_decode", "beam": 1}, "must differ"),
        ({"use": "second_decode", "temperature": -1}, "must be a number from 0"),
        ({"use": "second_decode", "temperature": 0.4}, "must differ by one of them"),
        ({"use": "second_model"}, "asr: missing"),
        ({"use": "second_model", "asr": "toi"}, "did you mean 'toy'"),
        (
            {"use": "agreement", "unit": "letters"},
            "unit: must be one of: 'words', 'characters'",
        ),
    ],
)
def test_invalid_options_are_refused(tmp_path: Path, spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        Filter.build(spec, tmp_path)
    assert message in str(error.value)


def test_char_rate_adapts_to_a_corpus_that_is_large_enough(
    tmp_path: Path,
) -> None:
    rates = [10 + (n % 11) / 10 for n in range(110)]
    corpus = Manifest.write(
        (make_utterance("x" * round(10 * rate), duration=10.0) for rate in rates), tmp_path
    )
    learned = Filter.build({"use": "char_rate"}).fit(corpus)
    assert learned.objection(make_utterance("x" * 105, duration=10.0)) is None
    assert learned.objection(make_utterance("x" * 140, duration=10.0))
    assert objection_to("char_rate", make_utterance("x" * 140, duration=10.0)) is None


@pytest.mark.model
def test_noise_is_dropped_for_its_dnsmos_score(tmp_path: Path) -> None:
    """DNSMOS gives white noise the lowest scores, which only the lowest threshold accepts."""
    noise = np.random.default_rng(1).normal(0, 0.2, 32_000).astype(np.float32)
    path = tmp_path / "noise.wav"
    duration = audio.write(noise, path)
    noisy = make_utterance("x", audio_filepath=path, duration=duration)
    assert "DNSMOS 1." in (objection_to("dnsmos", noisy) or "")
    assert objection_to("dnsmos", noisy, at_least=1.0) is None
    assert "no.wav" in (
        objection_to("dnsmos", make_utterance(audio_filepath=tmp_path / "no.wav")) or ""
    )
