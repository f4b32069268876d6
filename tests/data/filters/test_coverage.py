"""Coverage: the filter on how well the aligned words cover the speech."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from twister_loop import next_round
from twister_loop.asr._base import Recognizer
from twister_loop.audio import io as audio
from twister_loop.core import schema
from twister_loop.core.cache import cache_folder
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Utterance, Word
from twister_loop.data.corpora._base import Corpus
from twister_loop.data.filters.coverage import Coverage
from twister_loop.types import Plan

RATE = audio.SAMPLE_RATE


def aligned(folder: Path, *words: tuple[str, float, float], silence: bool = False) -> Utterance:
    """Return 4 s of noise, with a last second of silence if asked for, and these word times."""
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


def test_speech_that_is_covered_by_words_is_kept(tmp_path: Path) -> None:
    assert Coverage().objection(aligned(tmp_path, *WHOLE)) is None


def test_words_without_time_count_as_not_spoken(tmp_path: Path) -> None:
    utterance = aligned(tmp_path, *WHOLE, ("grazie", 4.0, 4.0))
    assert Coverage().objection(utterance) == "1 of 4 words are not spoken"
    assert Coverage(max_unspoken_share=0.25).objection(utterance) is None


def test_speech_after_the_last_word_is_dropped_and_silence_is_kept(tmp_path: Path) -> None:
    short = WHOLE[:2]
    assert Coverage().objection(aligned(tmp_path, *short)) == "1.5 s of speech without a word"
    assert Coverage(max_untranscribed_seconds=1.6).objection(aligned(tmp_path, *short)) is None
    assert Coverage().objection(aligned(tmp_path, *short, silence=True)) is None


def test_a_word_covers_no_more_time_than_it_can_take(tmp_path: Path) -> None:
    """The aligner stretches the last word if the end of a text is missing."""
    objection = Coverage().objection(aligned(tmp_path, ("premere", 0.0, 1.0), ("due", 1.0, 4.0)))
    assert objection == "2.3 s of speech without a word"


def test_an_utterance_without_word_times_is_kept(tmp_path: Path) -> None:
    assert Coverage().objection(replace(aligned(tmp_path, *WHOLE), words=())) is None


def test_unreadable_audio_is_dropped_with_its_path(tmp_path: Path) -> None:
    missing = replace(aligned(tmp_path, *WHOLE), audio_filepath=tmp_path / "gone.wav")
    assert "gone.wav" in (Coverage().objection(missing) or "")


@pytest.mark.parametrize("options", [{"max_unspoken_share": 2}, {"max_untranscribed_seconds": -1}])
def test_limits_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be a number from 0"):
        schema.parse_data(Coverage, options)


def test_speech_is_aligned_if_a_filter_needs_word_times(plan: Plan, tmp_path: Path) -> None:
    strict = (*plan.pseudo_filters, Coverage(max_untranscribed_seconds=0.01))
    folder = next_round(replace(plan, pseudo_filters=strict), tmp_path / "run").folder
    aligned_labels = [label for label in Manifest(folder / "aligned") if (label.text or "").strip()]
    assert aligned_labels and all(label.words for label in aligned_labels)
    assert not (next_round(plan, tmp_path / "other").folder / "aligned").exists()


@pytest.mark.pretrained
@pytest.mark.parametrize(
    ("change", "objection"),
    [
        (lambda text: text, None),
        (lambda text: f"{text} oppure richiamare domani mattina", "are not spoken"),
        (lambda text: " ".join(text.split()[: len(text.split()) // 2]), "without a word"),
    ],
    ids=["whole text", "words not spoken", "speech without words"],
)
def test_whisper_alignment_shows_how_much_of_a_text_was_spoken(
    change: Callable[[str], str], objection: str | None
) -> None:
    pytest.importorskip("torch")
    if not (cache_folder() / "asterisk" / "it-carlo").is_dir():
        pytest.skip("the telephone prompts are not in the cache; the corpus ivr fetches them")
    prompts = Corpus.build({"use": "ivr", "split": "development"}).utterances()
    long_prompts = [prompt for prompt in prompts if 4 < prompt.duration < 8][:2]
    speech = [replace(prompt, lang="it", text=change(prompt.text or "")) for prompt in long_prompts]
    asr = Recognizer.build({"use": "whisper"})
    aligned_speech = asr.align(asr.initial_checkpoint(), speech)
    objections = [Coverage().objection(utterance) for utterance in aligned_speech]
    assert len(objections) == 2
    if objection is None:
        assert objections == [None, None]
    else:
        assert all(objection in (answer or "") for answer in objections)
