"""Speaks by joining words cut out of the lesson: unit selection (Hunt and Black, 1996).

It learns in seconds and speaks in the lesson's own voices and rooms. What it says it has
heard: words of a text that no label contains exactly are taken from a label only where
that label is no word at all and the champion itself, made to choose, prefers the text's.
"""

from __future__ import annotations

import difflib
import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..asr._base import BoundRecognizer
from ..audio import io as audio
from ..core.artifacts import JsonRecord
from ..core.errors import EngineError
from ..core.manifest import Manifest
from ..core.types import Checkpoint, Language, Seconds, Share, Utterance, Word
from ..text.normalizers.basic import Basic
from ..text.spelling import lexicon_of
from ._base import Synthesizer

log = logging.getLogger(__name__)

FADE = 160
"""Samples of cross-fade at a join: 10 ms at 16 kHz."""
LOUDNESS = -23.0
"""Decibels below full scale, to which every joined stretch is brought."""
SHORTEST, LONGEST = 0.04, 2.0
"""Seconds that one word can take."""
NEW_STRETCH, NEW_SPEAKER = 1.0, 3.0
"""Costs of a join that the lesson does not contain, and of one that changes the speaker."""


@dataclass(frozen=True)
class Repair:
    """A label that was no word, taken for a word of the texts."""

    label: str
    word: str
    clips: int
    """On which the champion, made to choose, preferred the word."""
    tried: int


@dataclass(frozen=True)
class Inventory(JsonRecord):
    """What the voice can say, and what it cannot."""

    clips: int
    words: int
    """Distinct words that the lesson contains exactly."""
    repairs: tuple[Repair, ...]
    texts: int
    cannot_speak: int
    """Texts of the corpus with a word that the voice lacks."""
    missing: tuple[str, ...]
    """Those words, the most wanted first."""


@dataclass(frozen=True)
class ConcatenativeSynthesizer(Synthesizer):
    continues_from_last_round, uses_randomness = False, False

    clips_per_word: int = 24
    """The clearest of each word are kept."""
    confidence: float = -1.5
    """Natural log-probability that a clip of a word must have, given its sentence."""
    repair: Share | None = 0.78
    """Similarity from which on a label may stand for a word of the texts; null repairs nothing."""
    lexicon: Path | None = field(default=None)
    """Words, one a line, that are words although no text has them: they are never repaired."""
    gap: Seconds = 0.0
    """Silence at a join."""

    def train(
        self,
        start: Checkpoint | None,
        filtered_labels: Manifest,
        texts: Manifest,
        champion: BoundRecognizer,
        out: Path,
        seed: int,
    ) -> Checkpoint:
        clips = [
            clip for each in champion.align(filtered_labels) for clip in _cut(each, self.confidence)
        ]
        if not clips:
            raise EngineError("concatenative: the lesson has no word that could be cut out of it")
        wanted = {word for each in texts for word in _words(each.text, each.lang)}
        known = {clip.text or "" for clip in clips}
        repaired, repairs = self._repaired(clips, known, wanted, champion, filtered_labels)
        kept = list(_clearest([*clips, *repaired], self.clips_per_word))
        Manifest.write(kept, out / "words")
        _inventory(kept, known, repairs, texts).save(out)
        return Checkpoint("concatenative", out)

    def synthesize(
        self, checkpoint: Checkpoint, texts: Iterable[Utterance], out: Path
    ) -> Iterator[Utterance]:
        clips = defaultdict[str, list[Utterance]](list)
        for clip in Manifest.load(checkpoint.location / "words"):
            clips[clip.text or ""].append(clip)
        for text in texts:
            words = _words(text.text, text.lang)
            spoken = [[clip for clip in clips[word] if _same(clip, text)] for word in words]
            missing = [word for word, found in zip(words, spoken, strict=True) if not found]
            if missing or not words:
                yield replace(text, error=f"no clip of {', '.join(missing) or 'anything'}")
                continue
            rng = np.random.default_rng([*hashlib.sha256(text.id.encode()).digest()[:8]])
            chosen = _select(spoken, rng)
            path = out / f"{text.id}.wav"
            duration = audio.write(_join(chosen, self.gap), path)
            speakers = {clip.speaker for clip in chosen}
            yield replace(
                text,
                audio_filepath=path,
                duration=duration,
                speaker=None if None in speakers else "+".join(sorted(filter(None, speakers))),
                made_by="concatenative",
            )

    def _repaired(
        self,
        clips: Sequence[Utterance],
        known: set[str],
        wanted: set[str],
        champion: BoundRecognizer,
        lesson: Manifest,
    ) -> tuple[list[Utterance], tuple[Repair, ...]]:
        """Clips under the texts' spelling, where the label is no word and the champion agrees."""
        if self.repair is None:
            return [], ()
        no_words = known - wanted - lexicon_of(self.lexicon)
        pairs = {
            label: match[0]
            for label in sorted(no_words)
            if (match := difflib.get_close_matches(label, wanted - known, 1, self.repair))
        }
        sentences = {each.id: each for each in lesson}
        asked = [clip for clip in clips if clip.text in pairs]
        repaired = [
            replace(clip, text=pairs[clip.text or ""])
            for clip, agrees in zip(asked, _prefers(asked, pairs, sentences, champion), strict=True)
            if agrees
        ]
        return repaired, tuple(
            Repair(
                label,
                word,
                sum(1 for clip in repaired if clip.text == word),
                sum(1 for clip in asked if clip.text == label),
            )
            for label, word in pairs.items()
        )


def _words(text: str | None, lang: Language | None) -> list[str]:
    """Words between spaces, in the form in which clips are looked up: `L'Utente,` is `l'utente`."""
    spelled = (Basic().normalize(word, lang).replace(" ", "'") for word in (text or "").split())
    return [word for word in spelled if word]


def _same(clip: Utterance, text: Utterance) -> bool:
    """Whether they are of one language, as far as is known: some words are words in two."""
    return clip.lang == text.lang or clip.lang is None or text.lang is None


def _cut(utterance: Utterance, confidence: float) -> Iterator[Utterance]:
    """The words of an aligned utterance, each an utterance of its own.

    The id tells sentence and place, so that neighbors are recognized when they meet again.
    """
    for place, word in enumerate(utterance.words):
        spelled = _words(word.word, utterance.lang)
        if len(spelled) != 1 or word.logprob < confidence:
            continue
        start, end = _borders(utterance.words, place, utterance.duration)
        if SHORTEST <= end - start <= LONGEST:
            yield replace(
                utterance,
                id=f"{utterance.id}:{place}",
                offset=round(utterance.offset + start, 3),
                duration=round(end - start, 3),
                text=spelled[0],
                confidence=word.logprob,
                words=(),
                pred_text=None,
            )


def _borders(words: Sequence[Word], place: int, duration: Seconds) -> tuple[Seconds, Seconds]:
    """Where to cut: word times leave small holes, which go half to each side, 50 ms at most."""
    word = words[place]
    before = words[place - 1].end if place else 0.0
    after = words[place + 1].start if place + 1 < len(words) else duration
    start = word.start - min(max(word.start - before, 0.0) / 2, 0.05)
    end = word.end + min(max(after - word.end, 0.0) / 2, 0.05)
    return max(start, 0.0), min(end, duration)


def _clearest(clips: Iterable[Utterance], most: int) -> Iterator[Utterance]:
    by_word = defaultdict[tuple[str, str], list[Utterance]](list)
    for clip in clips:
        by_word[clip.text or "", clip.lang or ""].append(clip)
    for word in sorted(by_word):
        clearest = sorted(by_word[word], key=lambda clip: (-(clip.confidence or 0.0), clip.id))
        yield from clearest[:most]


def _prefers(
    asked: Sequence[Utterance],
    pairs: Mapping[str, str],
    sentences: Mapping[str, Utterance],
    champion: BoundRecognizer,
) -> Iterator[bool]:
    """Whether a sentence is likelier to the champion with the text's word than the label's."""
    rivals = []
    for clip in asked:
        sentence_id, _, place = clip.id.rpartition(":")
        sentence = sentences[sentence_id]
        words = (sentence.text or "").split()
        words[int(place)] = pairs[clip.text or ""]
        rivals += [sentence, replace(sentence, text=" ".join(words))]
    scores = list(champion.score(rivals))
    for label, word in zip(scores[::2], scores[1::2], strict=True):
        yield label is not None and word is not None and word > label


def _select(choices: Sequence[Sequence[Utterance]], rng: np.random.Generator) -> list[Utterance]:
    """The cheapest path through the clips of each word (Viterbi); noise makes takes differ."""
    costs = [rng.uniform(0, 1, len(choices[0]))]
    came_from: list[np.ndarray] = []
    for before, now in pairwise(choices):
        joins = np.array([[_join_cost(a, b) for a in before] for b in now])  # (now, before)
        whole = joins + costs[-1]
        came_from.append(whole.argmin(axis=1))
        costs.append(whole.min(axis=1) + rng.uniform(0, 1, len(now)))
    place = int(costs[-1].argmin())
    path = [choices[-1][place]]
    for step in range(len(choices) - 2, -1, -1):
        place = int(came_from[step][place])
        path.append(choices[step][place])
    return path[::-1]


def _join_cost(before: Utterance, after: Utterance) -> float:
    if _follows(before, after):
        return 0.0
    return NEW_STRETCH + NEW_SPEAKER * (before.speaker != after.speaker)


def _follows(before: Utterance, after: Utterance) -> bool:
    """Whether two clips are neighbors in one sentence of the lesson."""
    sentence, _, place = before.id.rpartition(":")
    return after.id == f"{sentence}:{int(place) + 1}"


def _join(clips: Sequence[Utterance], gap: Seconds) -> audio.Samples:
    """One sound: neighbors are read as one stretch, stretches are leveled and cross-faded."""
    stretches: list[list[Utterance]] = []
    for clip in clips:
        if stretches and _follows(stretches[-1][-1], clip):
            stretches[-1].append(clip)
        else:
            stretches.append([clip])
    pause = np.zeros(round(gap * audio.SAMPLE_RATE), np.float32)
    joined = np.zeros(0, np.float32)
    for stretch in stretches:
        first, last = stretch[0], stretch[-1]
        length = last.offset + last.duration - first.offset
        samples = audio.read(first.audio_filepath, first.offset, length, first.channel)
        samples = samples * np.float32(10 ** ((LOUDNESS - audio.loudness(samples)) / 20))
        joined = _cross_fade(joined, np.concatenate([pause, samples]) if len(joined) else samples)
    return np.clip(joined, -1, 1)


def _cross_fade(before: audio.Samples, after: audio.Samples) -> audio.Samples:
    length = min(FADE, len(before), len(after))
    if not length:
        return np.concatenate([before, after])
    rising = np.linspace(0, 1, length, dtype=np.float32)
    mixed = before[-length:] * (1 - rising) + after[:length] * rising
    return np.concatenate([before[:-length], mixed, after[length:]])


def _inventory(
    kept: Sequence[Utterance], known: set[str], repairs: tuple[Repair, ...], texts: Manifest
) -> Inventory:
    can_say = {clip.text or "" for clip in kept}
    wanted = defaultdict[str, int](int)
    count = cannot = 0
    for each in texts:
        missing = set(_words(each.text, each.lang)) - can_say
        count, cannot = count + 1, cannot + bool(missing)
        for word in missing:
            wanted[word] += 1
    inventory = Inventory(
        clips=len(kept),
        words=len(known),
        repairs=repairs,
        texts=count,
        cannot_speak=cannot,
        missing=tuple(sorted(wanted, key=lambda word: (-wanted[word], word))),
    )
    log.info(
        "concatenative: %d clips of %d words, %d of %d repairs allowed; %d of %d texts cannot be "
        "spoken",
        inventory.clips,
        len(can_say),
        sum(1 for each in repairs if each.clips),
        len(repairs),
        cannot,
        count,
    )
    return inventory
