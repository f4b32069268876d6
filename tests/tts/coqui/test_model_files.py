"""Tests of the texts and characters of Coqui voices."""

import pytest

pytest.importorskip("TTS")

from twister_loop.tts._coqui import model_files

pytestmark = pytest.mark.model


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("  Pronto?  Chi\tparla…", "pronto? chi parla."),
        ("L’ALBA «blu»: sì", "l'alba blu, sì"),
        ("perche\u0301", "perché"),
        ("premi * o 7%", "premi * o 7%"),
        ("再见，朋友！", "再见,朋友!"),
    ],
)
def test_texts_of_all_sources_are_normalized_alike(text: str, normalized: str) -> None:
    assert model_files.normalize_text(text) == normalized


def test_characters_include_letters_of_the_texts_but_not_their_digits_and_signs() -> None:
    assert model_files.collect_characters(["ab, 7"], ["bc é 8 % ü"]) == " ,7abcéü"
