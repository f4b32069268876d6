"""espeak-ng: phonemes, speech, languages, and draws that depend on the id of a text alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests import world as toy
from twister_loop import load, next_round
from twister_loop.audio import io as audio
from twister_loop.core.errors import ConfigError, EngineError
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.tts import _espeak
from twister_loop.tts.espeak import EspeakSynthesizer

pytest.importorskip("espeakng_loader", reason="needs espeakng-loader")

ITALIAN = Utterance(id="a", text="Premere uno, per favore.", lang="it")


def speak(*texts: Utterance, out: Path) -> list[Utterance]:
    return list(EspeakSynthesizer().synthesize(Checkpoint("espeak", out), texts, out))


@pytest.mark.parametrize(
    ("lang", "text", "phonemes"),
    [
        ("it", "Premere uno, per favore.", "prˈɛmere ˈuno, per favˈore."),
        ("it", "il 23", "il ventitrˈe"),
        ("cs", "Oko? Ne!", "ˈoko? nˈe!"),
        ("en", "Hello", "həlˈoʊ"),
    ],
)
def test_phonemes_keep_punctuation_and_read_numbers(lang: str, text: str, phonemes: str) -> None:
    assert _espeak.phonemize(text, _espeak.find_voice(lang) or "") == phonemes


def test_long_text_is_read_to_its_end() -> None:
    phonemes = _espeak.phonemize("uno due tre. " * 60 + "fine", "it")
    assert phonemes.count("trˈe") == 60
    assert phonemes.endswith("fˈine")


def test_a_word_of_another_language_leaves_no_note() -> None:
    assert "(" not in _espeak.phonemize("Привет, computer world!", "ru")


def test_languages_have_voices_by_whispers_codes() -> None:
    assert [_espeak.find_voice(lang) for lang in ("zh", "no", "en", "ko", "fr")] == [
        "cmn", "nb", "en-US", "ko", "fr"
    ]  # fmt: skip
    assert _espeak.find_voice("bo") is None
    assert _espeak.find_voice(None) is None
    with pytest.raises(EngineError, match="espeak-ng has no voice 'xx'"):
        _espeak.phonemize("a", "xx")


def test_speech_is_16_khz_and_as_loud_and_long_as_speech(tmp_path: Path) -> None:
    [spoken] = speak(ITALIAN, out=tmp_path)
    samples = audio.read(spoken.audio_filepath)
    assert 0.8 < spoken.duration < 4
    assert len(samples) == round(spoken.duration * audio.SAMPLE_RATE)
    assert 0.1 < np.abs(samples).max() <= 1
    assert spoken.made_by == "espeak"
    assert (spoken.speaker or "").startswith("espeak-")


def test_draws_depend_on_the_id_and_not_on_the_place(tmp_path: Path) -> None:
    texts = [replace(ITALIAN, id=f"text-{number}") for number in range(12)]
    forwards = speak(*texts, out=tmp_path / "a")
    backwards = speak(*reversed(texts), out=tmp_path / "b")
    for first, second in zip(forwards, reversed(backwards), strict=True):
        assert first.audio_filepath.read_bytes() == second.audio_filepath.read_bytes()
        assert first.speaker == second.speaker
    assert len({utterance.speaker for utterance in forwards}) > 2
    assert len({utterance.duration for utterance in forwards}) > 6


def test_a_text_that_cannot_be_spoken_is_an_error_of_that_text(tmp_path: Path) -> None:
    tibetan, none, good = speak(
        Utterance(id="b", text="བོད", lang="bo"), Utterance(id="c", text="?!", lang="it"), ITALIAN,
        out=tmp_path,
    )  # fmt: skip
    assert tibetan.error == "espeak-ng does not read the language bo"
    assert none.error or none.duration > 0
    assert good.error is None


def test_texts_in_no_language_of_espeak_are_refused_before_the_round(tmp_path: Path) -> None:
    texts = Manifest.write(
        [Utterance(id=str(number), text="a", lang=None) for number in range(3)], tmp_path
    )
    with pytest.raises(ConfigError, match="most texts \\(3 in no language\\); name the language"):
        EspeakSynthesizer().check(None, texts, [])


def test_rates_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(ConfigError, match="slowest: 200 is more than `fastest: 100`"):
        EspeakSynthesizer.build({"use": "espeak", "slowest": 200, "fastest": 100})


def test_a_round_tries_it_and_goes_on_without_a_voice_that_is_not_understood(
    tmp_path: Path,
) -> None:
    changes = {"voices": {"any": {"use": "espeak"}}, "language": "en"}
    done = next_round(load(toy.build(tmp_path), changes), tmp_path / "run")
    [trial] = done.trials
    # The toy recognizer hears tones only.
    assert trial.synthesized == trial.texts > 0 and not trial.passed
    assert not (done.folder / "voices" / "any" / "spoken").exists()
