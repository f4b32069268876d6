"""Text and sound must cover each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from twister_loop import Plan, next_round
from twister_loop.asr._base import Recognizer
from twister_loop.audio import io as audio
from twister_loop.core.cache import cache_folder
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Utterance, Word
from twister_loop.data.corpora._base import Corpus
from twister_loop.data.filters.coverage import Coverage

RATE = audio.SAMPLE_RATE


def said(folder: Path, *words: tuple[str, float, float], silence: bool = False) -> Utterance:
    """Four seconds, of which the last is silent if so asked, and where words are in it."""
    samples = np.random.default_rng(1).normal(0, 0.1, 4 * RATE).astype(np.float32)
    if silence:
        samples[3 * RATE :] *= 0.001
    path = folder / "a.wav"
    audio.write(samples, path)
    return Utterance(
        id="a",
        audio_filepath=path,
        duration=4.0,
        text=" ".join(word for word, _, _ in words),
        words=tuple(Word(word=w, start=s, end=e, logprob=-1.0) for w, s, e in words),
    )


WHOLE = [("premere", 0.0, 1.0), ("cancelletto", 1.0, 2.5), ("adesso", 2.5, 3.2)]


def test_speech_with_a_word_for_all_of_it_is_kept(tmp_path: Path) -> None:
    assert Coverage().objection(said(tmp_path, *WHOLE)) is None


def test_words_that_no_time_is_left_for_were_not_spoken(tmp_path: Path) -> None:
    found = said(tmp_path, *WHOLE, ("grazie", 4.0, 4.0))
    assert Coverage().objection(found) == "1 of 4 words are not spoken"
    assert Coverage(max_unspoken_share=0.25).objection(found) is None


def test_speech_that_goes_on_without_words_is_dropped_and_silence_is_not(tmp_path: Path) -> None:
    short = WHOLE[:2]
    assert Coverage().objection(said(tmp_path, *short)) == "1.5 s of speech without a word"
    assert Coverage(max_untranscribed_seconds=1.6).objection(said(tmp_path, *short)) is None
    assert Coverage().objection(said(tmp_path, *short, silence=True)) is None


def test_a_word_is_not_given_more_time_than_it_can_take(tmp_path: Path) -> None:
    """A text that lacks its end is often stretched over all of the sound."""
    objection = Coverage().objection(said(tmp_path, ("premere", 0.0, 1.0), ("due", 1.0, 4.0)))
    assert objection == "2.3 s of speech without a word"


def test_where_words_were_never_looked_for_nothing_is_said(tmp_path: Path) -> None:
    assert Coverage().objection(replace(said(tmp_path, *WHOLE), words=())) is None


def test_speech_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    gone = replace(said(tmp_path, *WHOLE), audio_filepath=tmp_path / "gone.wav")
    assert "gone.wav" in (Coverage().objection(gone) or "")


@pytest.mark.parametrize("options", [{"unspoken": 2}, {"untold": -1}])
def test_limits_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="unspoken, untold"):
        Coverage(**options)


def test_a_filter_that_asks_for_words_is_given_them(plan: Plan, tmp_path: Path) -> None:
    strict = (*plan.pseudo_filters, Coverage(max_untranscribed_seconds=0.01))
    at = next_round(replace(plan, pseudo_filters=strict), tmp_path / "run").folder
    assert all(each.words for each in Manifest(at / "aligned") if (each.text or "").strip())
    assert not (next_round(plan, tmp_path / "other").folder / "aligned").exists()


@pytest.mark.pretrained
@pytest.mark.parametrize(
    ("change", "objection"),
    [
        (lambda text: text, None),
        (lambda text: f"{text} oppure richiamare domani mattina", "are not spoken"),
        (lambda text: " ".join(text.split()[: len(text.split()) // 2]), "without a word"),
    ],
    ids=["whole", "unspoken", "untold"],
)
def test_whisper_finds_what_of_a_text_was_said(
    change: Callable[[str], str], objection: str | None
) -> None:
    pytest.importorskip("torch")
    if not (cache_folder() / "asterisk" / "it-carlo").is_dir():
        pytest.skip("the telephone prompts are not in the cache; the corpus ivr fetches them")
    prompts = Corpus.build({"use": "ivr", "split": "development"}).utterances()
    long = [each for each in prompts if 4 < each.duration < 8][:2]
    speech = [replace(each, lang="it", text=change(each.text or "")) for each in long]
    asr = Recognizer.build({"use": "whisper"})
    found = [Coverage().objection(each) for each in asr.align(asr.base(), speech)]
    assert len(found) == 2
    assert all(each is None if objection is None else objection in (each or "") for each in found)
