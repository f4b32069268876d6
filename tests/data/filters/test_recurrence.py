"""The filter on labels that recur for unlike clips; true recurrences stay."""

from __future__ import annotations

import pickle
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from twister_loop import Utterance
from twister_loop.audio import io as audio
from twister_loop.core.errors import ConfigError
from twister_loop.core.manifest import Manifest
from twister_loop.data.filters.recurrence import Recurrence

SUBTITLES = "Sottotitoli creati dalla comunità Amara.org"


def spread(count: int, shortest: float, longest: float) -> list[float]:
    """Return so many durations from the shortest to the longest."""
    return list(np.geomspace(shortest, longest, count))


def find_objections(
    text: str | Sequence[str], durations: Sequence[float], folder: Path
) -> list[str | None]:
    """Return the objections to clips with these durations and one label, or these in turn."""
    texts = [text] if isinstance(text, str) else text
    labels = [
        Utterance(id=str(number), text=texts[number % len(texts)], duration=duration, lang="it")
        for number, duration in enumerate(durations)
    ]
    # As a shard gets it on another machine.
    fitted = pickle.loads(pickle.dumps(Recurrence().fit(Manifest.write(labels, folder))))
    return [fitted.objection(label) for label in labels]


@pytest.mark.parametrize(
    ("text", "durations"),
    [
        (SUBTITLES, spread(60, 0.5, 29)),
        ("ご視聴ありがとうございました", spread(20, 0.6, 25)),
        ("Продолжение следует...", spread(20, 0.6, 25)),
        ("vuole lasciare un messaggio", spread(20, 1, 20)),
        ("...", spread(20, 1, 20)),
        # Case, punctuation and the language that was detected make no label of its own.
        (["Thank you.", "thank you", "Thank you!"], spread(30, 0.5, 20)),
        # Equally long, but nobody needs 28 s for it, or manages it in one.
        (SUBTITLES, spread(20, 26, 30)),
        (SUBTITLES, spread(20, 0.9, 1.1)),
    ],
)
def test_one_label_of_many_unlike_clips_is_dropped(
    text: str | list[str], durations: list[float], tmp_path: Path
) -> None:
    objections = find_objections(text, durations, tmp_path)
    assert all(objections)
    assert f"label of {len(durations)} clips of {durations[0]:.1f} to" in (objections[0] or "")


@pytest.mark.parametrize(
    ("text", "durations"),
    [
        ("sì", spread(200, 0.3, 1.2)),
        ("grazie", [0.6] * 50),
        ("premere uno per continuare", spread(60, 1.6, 2.6)),
        # A sentence that many people read, and a copy with a long pause here and there.
        (SUBTITLES, [*spread(100, 2.4, 4.5), 9.0, 11.0]),
        # Too few to judge, and lines of a text corpus, which have no time.
        (SUBTITLES, spread(4, 0.5, 29)),
        (SUBTITLES, [0.0] * 60),
        # Many labels, each of its own time.
        (["sì", "pronto chi parla", SUBTITLES], [0.5, 1.2, 3.0] * 30),
    ],
)
def test_true_recurrences_are_kept(
    text: str | list[str], durations: list[float], tmp_path: Path
) -> None:
    assert not any(find_objections(text, durations, tmp_path))


def test_a_short_answer_stays_in_recordings_with_any_silence(tmp_path: Path) -> None:
    rng, noises, labels = random.Random(1), np.random.default_rng(1), []
    answer = 0.5 * np.sin(np.arange(6000) * 0.2).astype(np.float32)
    for number in range(20):
        silence = rng.randrange(10 * audio.SAMPLE_RATE)
        path = tmp_path / f"{number}.wav"
        samples = np.pad(answer, (silence // 3, silence))
        # Every other one over noise: it makes no difference.
        samples += noises.normal(0, 0.05 * (number % 2), len(samples)).astype(np.float32)
        duration = audio.write(samples, path)
        labels.append(Utterance(id=path.stem, audio_filepath=path, duration=duration, text="sì"))
    manifest = Manifest.write(labels, tmp_path / "labels")
    assert not any(map(Recurrence().fit(manifest).objection, labels))
    # Sound all the way, for any time, is no short answer.
    for label in labels:
        noise = noises.normal(0, 0.1, round(label.duration * audio.SAMPLE_RATE))
        audio.write(noise.astype(np.float32), label.audio_filepath)
    assert all(map(Recurrence().fit(manifest).objection, labels))


def test_other_labels_of_the_corpus_are_kept(tmp_path: Path) -> None:
    texts = [f"frase numero {number} del corpus" for number in range(200)]
    labels = [
        Utterance(id=text, text=text, duration=1.5 + number / 100)
        for number, text in enumerate(texts)
    ]
    stock = [
        Utterance(id=str(number), text="Grazie per la visione!", duration=duration)
        for number, duration in enumerate(spread(20, 0.5, 29))
    ]
    # Errors are rejected elsewhere; their text is of an earlier decode, if there is one.
    broken = [Utterance(id="broken", text=None, duration=3.0, error="unreadable")]
    manifest = Manifest.write([*labels, *stock, *broken], tmp_path)
    fitted = Recurrence().fit(manifest)
    assert all(map(fitted.objection, stock))
    assert not any(map(fitted.objection, [*labels, *broken]))


@pytest.mark.parametrize("spread", [0.0, -1.0, float("inf"), float("nan")])
def test_a_spread_that_means_nothing_is_refused(spread: float) -> None:
    with pytest.raises(ConfigError, match="spread: must be a number above 0 and at most 10"):
        Recurrence.build({"use": "recurrence", "spread": spread})
