"""Concatenative synthesis: unit selection (Hunt and Black, 1996) with whole words as units.

Words are cut out of the filtered labels by their aligned times and joined to new sentences. It
trains in seconds, needs no neural model of its own, and sounds like the training speech: the same
speakers in the same rooms. It can only speak words that occur there.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np

from ..asr._base import BoundRecognizer
from ..audio import io as audio
from ..core.artifacts import JsonRecord
from ..core.errors import AudioError
from ..core.file_hashes import VerifiedManifest
from ..core.manifest import Manifest
from ..core.ranges import Range
from ..core.segments import cut_times
from ..core.types import Checkpoint, Language, Seconds, Utterance
from ..text.normalizers.basic import Basic
from ._base import Synthesizer
from ._drawing import make_generator

log = logging.getLogger(__name__)

CROSS_FADE_SAMPLES = 160
"""Samples of cross-fade at a join: 10 ms at 16 kHz."""
TARGET_LOUDNESS = -23.0
"""Decibels below full scale, to which every joined stretch is brought."""
MIN_WORD_SECONDS, MAX_WORD_SECONDS = 0.04, 2.0
"""Durations outside of this are taken for errors of the alignment, in seconds."""
JOIN_COST, SPEAKER_CHANGE_COST = 1.0, 3.0
"""Costs of a join that the training speech does not contain, and of one that also changes the
speaker. The random cost of a clip is between 0 and 1."""


@dataclass(frozen=True)
class Inventory(JsonRecord):
    """Record of the words that a voice can speak, and of those that the texts lack."""

    clips: int
    """Word clips of the voice, after the best of every word were selected."""
    words: int
    """Distinct words that occur in the training speech."""
    texts: int
    """Texts of the corpus."""
    cannot_speak: int
    """Texts of the corpus with a word that the voice lacks."""
    missing: tuple[str, ...]
    """Those words; the word that most texts need comes first."""


@dataclass(frozen=True)
class ConcatenativeSynthesizer(Synthesizer):
    """Synthesizer that joins recorded words, preferring words that were spoken side by side."""

    # Training cuts and sorts; it draws nothing, and no model is carried into the next round.
    continues_from_last_round = False
    uses_randomness = False
    # Its words are clips of the pool, with their band, level and noise.
    sounds_like_the_pool = True

    # The search compares every clip of a word with every clip of the next one, so its time grows
    # with the square of this.
    clips_per_word: Annotated[int, Range(1, 10000)] = 24
    """Most clips of one word in one language; those with the highest confidence are used."""
    confidence: Annotated[float, Range(-1000, 0)] = -1.5
    """Lowest natural log-probability of a usable clip of a word, from the forced alignment."""
    gap: Annotated[Seconds, Range(0, 10)] = 0.0
    """Silence at a join, in seconds."""

    def count_speakable(self, filtered_labels: Manifest, texts: Iterable[Utterance]) -> int:
        """Count the texts whose words all occur in the labels of their language."""
        languages_of_word = defaultdict[str, set[Language | None]](set)
        for label in filtered_labels:
            for word in split_words(label.text, label.lang):
                languages_of_word[word].add(label.lang)

        def can_speak(word: str, lang: Language | None) -> bool:
            return any(_same_language(of_label, lang) for of_label in languages_of_word[word])

        words_of_texts = ((split_words(text.text, text.lang), text.lang) for text in texts)
        return sum(
            bool(words) and all(can_speak(word, lang) for word in words)
            for words, lang in words_of_texts
        )

    def train(
        self,
        start: Checkpoint | None,
        filtered_labels: Manifest,
        texts: Manifest,
        champion: BoundRecognizer,
        out: Path,
        seed: int,
    ) -> Checkpoint:
        """Align the filtered labels with the champion and list their words as clips.

        Without a single word the voice speaks nothing, and its trial fails.
        """
        clips = [
            clip
            for utterance in champion.align(filtered_labels)
            if not utterance.error
            for clip in _cut_words(utterance, self.confidence)
        ]
        if not clips:
            # No error: other voices may speak, and the labels can be learned without any.
            log.warning(
                "concatenative: no word could be cut out of the filtered labels; check that they "
                "have words that align with a confidence of %g or more",
                self.confidence,
            )
        selected = list(_select_most_confident(clips, self.clips_per_word))
        Manifest.write(selected, out / "words")
        words = {clip.text or "" for clip in clips}
        _take_inventory(selected, len(words), texts).save(out)
        return Checkpoint("concatenative", out)

    def synthesize(
        self, checkpoint: Checkpoint, texts: Iterable[Utterance], out: Path
    ) -> Iterator[Utterance]:
        """Yield every text as joined words; a text with an unknown word gets an `error`."""
        clips = defaultdict[str, list[Utterance]](list)
        # Words are read from the recordings themselves, which may have been replaced since.
        for clip in VerifiedManifest(checkpoint.location / "words"):
            if not clip.error:
                clips[clip.text or ""].append(clip)
        for text in texts:
            words = split_words(text.text, text.lang)
            candidates = [
                [clip for clip in clips[word] if _same_language(clip.lang, text.lang)]
                for word in words
            ]
            missing = [word for word, of_word in zip(words, candidates, strict=True) if not of_word]
            if missing or not words:
                reason = f"no clip of {', '.join(missing)}" if missing else "there is no word in it"
                yield replace(text, error=reason)
                continue
            chosen = _select_clips(candidates, make_generator(text.id))
            path = out / f"{text.id}.wav"
            try:
                duration = audio.write(_join_clips(chosen, self.gap), path)
            except AudioError as error:
                yield replace(text, error=str(error))
                continue
            speakers = {clip.speaker for clip in chosen}
            yield replace(
                text,
                audio_filepath=path,
                duration=duration,
                # Joined names mark speech of several speakers (`segments.speaker_of`). One unknown
                # speaker makes the whole unknown.
                speaker=None if None in speakers else "+".join(sorted(filter(None, speakers))),
                made_by="concatenative",
            )


def split_words(text: str | None, lang: Language | None) -> list[str]:
    """Return the words between spaces in normalized form: `L'Utente,` becomes `l'utente`."""
    # The normalizer turns an apostrophe into a space. It is put back, or one word between spaces,
    # with one time in the alignment, would become two.
    normalized = (Basic().normalize(word, lang).replace(" ", "'") for word in (text or "").split())
    return [word for word in normalized if word]


def _same_language(of_clip: Language | None, of_text: Language | None) -> bool:
    """Return whether clip and text share their language, or one of the two is unknown.

    Some words are spelled alike in two languages and sound differently.
    """
    return of_clip == of_text or of_clip is None or of_text is None


def _cut_words(utterance: Utterance, min_confidence: float) -> Iterator[Utterance]:
    """Yield the usable words of an aligned utterance, each as an utterance of its own.

    The id is `SENTENCE:POSITION`, so that `_is_next_word` recognizes neighbors later.
    """
    for position, word in enumerate(utterance.words):
        normalized = split_words(word.word, utterance.lang)
        # A lone punctuation mark has no word in it.
        if len(normalized) != 1 or word.logprob < min_confidence:
            continue
        start, end = cut_times(utterance, first_word=position, end_word=position + 1)
        if MIN_WORD_SECONDS <= end - start <= MAX_WORD_SECONDS:
            yield replace(
                utterance,
                id=f"{utterance.id}:{position}",
                offset=round(utterance.offset + start, 3),
                duration=round(end - start, 3),
                text=normalized[0],
                confidence=word.logprob,
                # Both describe the whole sentence.
                words=(),
                pred_text=None,
            )


def _select_most_confident(clips: Iterable[Utterance], clips_per_word: int) -> Iterator[Utterance]:
    """Yield the most confident clips of every word and language, word by word."""
    by_word = defaultdict[tuple[str, str], list[Utterance]](list)
    for clip in clips:
        by_word[clip.text or "", clip.lang or ""].append(clip)
    for word in sorted(by_word):
        # The id breaks ties, so that the order of the clips does not depend on their arrival.
        ranked = sorted(by_word[word], key=lambda clip: (-(clip.confidence or 0.0), clip.id))
        yield from ranked[:clips_per_word]


def _select_clips(
    candidates: Sequence[Sequence[Utterance]], rng: np.random.Generator
) -> list[Utterance]:
    """Return one clip for every word: the cheapest path through the candidates (Viterbi).

    Args:
        candidates: the clips of every word; none may be empty.
        rng: source of the random cost of every clip. It makes several samples of one text differ,
            and is small enough against `JOIN_COST` not to break up words spoken side by side.
    """
    costs = [rng.uniform(0, 1, len(candidates[0]))]
    best_previous: list[np.ndarray] = []
    for previous, current in pairwise(candidates):
        join_costs = np.array(
            [[_join_cost(before, after) for before in previous] for after in current]
        )  # (current, previous)
        path_costs = join_costs + costs[-1]
        best_previous.append(path_costs.argmin(axis=1))
        costs.append(path_costs.min(axis=1) + rng.uniform(0, 1, len(current)))
    index = int(costs[-1].argmin())
    path = [candidates[-1][index]]
    for step in range(len(candidates) - 2, -1, -1):
        index = int(best_previous[step][index])
        path.append(candidates[step][index])
    return path[::-1]


def _join_cost(before: Utterance, after: Utterance) -> float:
    """Return the cost of playing one clip after another; 0 if they were spoken that way."""
    if _is_next_word(before, after):
        return 0.0
    return JOIN_COST + SPEAKER_CHANGE_COST * (before.speaker != after.speaker)


def _is_next_word(before: Utterance, after: Utterance) -> bool:
    """Return whether `after` follows `before` in one sentence of the training speech."""
    # Split at the last colon: the id of a sentence may itself contain colons.
    sentence, _, position = before.id.rpartition(":")
    return after.id == f"{sentence}:{int(position) + 1}"


def _join_clips(clips: Sequence[Utterance], gap: Seconds) -> audio.Samples:
    """Return the samples of the clips one after another, at 16 kHz.

    Neighbors are read as one stretch, with the sound between them; stretches are brought to one
    loudness and cross-faded.
    """
    stretches: list[list[Utterance]] = []
    for clip in clips:
        if stretches and _is_next_word(stretches[-1][-1], clip):
            stretches[-1].append(clip)
        else:
            stretches.append([clip])
    pause = np.zeros(round(gap * audio.SAMPLE_RATE), np.float32)
    joined = np.zeros(0, np.float32)
    for stretch in stretches:
        first, last = stretch[0], stretch[-1]
        # One read for the whole stretch: neighbors come from one file, and keep the sound between
        # them.
        length = last.offset + last.duration - first.offset
        samples = audio.read(first.audio_filepath, first.offset, length, first.channel)
        samples = samples * np.float32(
            10 ** ((TARGET_LOUDNESS - audio.measure_loudness(samples)) / 20)
        )
        joined = _cross_fade(joined, np.concatenate([pause, samples]) if len(joined) else samples)
    # Bringing a stretch to the target can lift its peaks above full scale.
    return np.clip(joined, -1, 1)


def _cross_fade(before: audio.Samples, after: audio.Samples) -> audio.Samples:
    """Return both signals joined, with a linear cross-fade of `CROSS_FADE_SAMPLES` at most."""
    length = min(CROSS_FADE_SAMPLES, len(before), len(after))
    if not length:
        return np.concatenate([before, after])
    # In float32: float64 weights would turn the whole signal into float64.
    rising = np.linspace(0, 1, length, dtype=np.float32)
    mixed = before[-length:] * (1 - rising) + after[:length] * rising
    return np.concatenate([before[:-length], mixed, after[length:]])


def _take_inventory(clips: Sequence[Utterance], word_count: int, texts: Manifest) -> Inventory:
    """Return what the voice covers of the texts, and log it."""
    available = {clip.text or "" for clip in clips}
    missing = Counter[str]()
    text_count = unspeakable_count = 0
    for text in texts:
        missing_words = set(split_words(text.text, text.lang)) - available
        missing.update(missing_words)
        text_count += 1
        unspeakable_count += bool(missing_words)
    log.info(
        "concatenative: %d clips of %d words; %d of %d texts cannot be spoken, because a word of "
        "them does not occur in the filtered labels",
        len(clips),
        len(available),
        unspeakable_count,
        text_count,
    )
    return Inventory(
        clips=len(clips),
        words=word_count,
        texts=text_count,
        cannot_speak=unspeakable_count,
        # A Counter's own order is that of first sight, which sets make random between processes.
        missing=tuple(sorted(missing, key=lambda word: (-missing[word], word))),
    )
