"""Code-switched speech for evaluation, joined from a miniature of the prompts."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from twister_loop.audio import io as audio
from twister_loop.core.artifacts import write_json
from twister_loop.core.cache import cache_folder
from twister_loop.core.errors import ConfigError
from twister_loop.core.types import Utterance
from twister_loop.data.corpora._prompts import assign_share, comparison_key
from twister_loop.data.corpora.ivr import ENGLISH, ITALIAN, SHARES, Ivr
from twister_loop.data.corpora.ivr_switched import PAUSE_SECONDS, IvrSwitched

NUMBERS = "one two three four five six seven eight nine ten eleven twelve".split()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write forty sentences and forty phrases a language, each half a second between silences."""
    monkeypatch.setenv("TWISTER_CACHE", str(tmp_path / "cache"))
    tone = 0.3 * np.sin(np.arange(8_000) / 5)
    sound = np.concatenate([np.zeros(4_000), tone, np.zeros(4_000)]).astype(np.float32)
    for voice, words in ((ITALIAN, "questa frase numero"), (ENGLISH, "this sentence number")):
        folder = cache_folder() / "asterisk" / voice.name
        texts = []
        for number in range(80):
            name = NUMBERS[number % 12] + " " + NUMBERS[number // 12]
            long = f"{words} {name} has more than five words" if number % 2 else f"{words} {name}"
            audio.write(sound, folder / "sounds" / f"{number}.wav")
            texts.append(f"{number}: {long}")
        (folder / "texts.txt").write_text("\n".join(texts))
        write_json({"source": "here", "sha256": voice.name}, folder / "source.json")


def read(split: str) -> list[Utterance]:
    return list(IvrSwitched(split).utterances())  # type: ignore[arg-type]


@pytest.mark.parametrize("split", ["development", "test"])
def test_utterances_switch_between_and_inside_sentences_from_either_language(split: str) -> None:
    utterances = read(split)
    kinds = {(len(utterance.pieces), utterance.lang) for utterance in utterances}
    assert kinds == {(2, "it"), (2, "en"), (3, "it"), (3, "en")}
    for utterance in utterances:
        assert all(first.lang != second.lang for first, second in pairwise(utterance.pieces))
        assert utterance.lang == utterance.pieces[0].lang and utterance.origin == "human"
        assert utterance.text == " ".join(piece.text for piece in utterance.pieces)
        silence = utterance.pieces[1].start - utterance.pieces[0].end
        assert silence == pytest.approx(
            PAUSE_SECONDS if len(utterance.pieces) == 2 else 0, abs=0.002
        )


def test_audio_has_the_stated_duration_and_no_silence_inside_sentences() -> None:
    for utterance in read("test"):
        assert audio.read_duration(utterance.audio_filepath) == pytest.approx(
            utterance.duration, abs=1e-3
        )
        length = utterance.pieces[0].end - utterance.pieces[0].start
        assert length == pytest.approx(1.0 if len(utterance.pieces) == 2 else 0.6, abs=0.03)


def test_no_sentence_is_used_twice_or_in_another_split() -> None:
    for split in ("development", "test"):
        texts = [
            comparison_key(piece.text) for utterance in read(split) for piece in utterance.pieces
        ]
        assert len(texts) == len(set(texts))
        assert {assign_share(text, SHARES) for text in texts} == {split}
    names = {utterance.id.partition("/")[2] for utterance in Ivr("pool").utterances()}
    used = {
        piece.id for utterance in read("test") for piece in utterance.pieces if piece.lang == "it"
    }
    assert used and not used & names


def test_speech_is_joined_once_and_again_after_a_kill() -> None:
    before = read("test")
    folder = before[0].audio_filepath.parent
    times = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert read("test") == before and len(times) == len(before)
    assert times == {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    before[0].audio_filepath.unlink()
    folder.rename(folder.with_name(f".{folder.name}"))
    assert read("test") == before and before[0].audio_filepath.is_file()


def test_a_split_without_sentences_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twister_loop.data.corpora.ivr_switched.SHARES", {"test": 1.0})
    with pytest.raises(ConfigError, match="no sentence of 'it' is in development"):
        read("development")


def test_english_that_is_joined_nowhere_is_a_split_of_its_own() -> None:
    alone = read("retention")
    joined = {
        comparison_key(piece.text)
        for split in ("development", "test")
        for utterance in read(split)
        for piece in utterance.pieces
        if piece.lang == "en"
    }
    left = {comparison_key(utterance.text or "") for utterance in alone}
    every = {comparison_key(utterance.text or "") for utterance in Ivr("retention").utterances()}
    assert left == every - joined and joined and left
    assert {(utterance.lang, utterance.speaker, utterance.pieces) for utterance in alone} == {
        ("en", "en-1", ())
    }
    assert {utterance.id for utterance in alone} < {u.id for u in Ivr("retention").utterances()}
