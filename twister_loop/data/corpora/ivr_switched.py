"""Held-out speech that switches between two languages, joined from the telephone prompts of `ivr`.

Half of it switches between two sentences, the rest inside: short phrases one right after the
other, their silence cut off. It is made of sentences of the same split of both languages, each
used once at most, so nothing that `ivr` gives to a pool or to texts is in it.

The recordings are two people's, so this is no one's real bilingual speech: it measures whether a
recognizer goes along with a switch, not how people switch.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ...audio import io as audio
from ...core.artifacts import read_json
from ...core.cache import cache_folder
from ...core.errors import ConfigError
from ...core.locks import exclusive_lock
from ...core.types import Seconds, Utterance
from ..packing import PackedGroup
from ._asterisk import FETCH_LOCK, fetch
from ._base import Corpus
from ._prompts import Recording, assign_share, comparison_key
from .ivr import ENGLISH, SHARES, VOICES, load_recordings, select_sentences

SHORT = 5
"""Words, at most, of what is joined inside a sentence."""
PAUSE: Seconds = 0.4
"""Between two sentences."""
BREATH: Seconds = 0.05
"""Of silence left on each side of a phrase."""
QUIET = 0.02
"""Of the loudest sample; what is softer at the edges of a phrase is silence."""


@dataclass(frozen=True)
class IvrSwitched(Corpus):
    """Switched speech of one split, which is joined the first time it is read."""

    split: Literal["development", "test"]
    """Of both languages."""
    lang: Literal["it", "fr"] = "it"
    """What English is switched with. A half begins in it, the other half in English; that one is
    the language of the utterance."""

    def utterances(self) -> Iterator[Utterance]:
        """Yield the split in the order in which it was joined.

        Raises ConfigError where the prompts are not in the cache and cannot be fetched.
        """
        voices = (VOICES[self.lang], ENGLISH)
        sources = "".join(read_json(fetch(each) / "source.json")["sha256"] for each in voices)
        version = hashlib.sha256(sources.encode()).hexdigest()[:8]
        home = cache_folder() / "asterisk" / f"switched-{self.lang}-en-{version}"
        with exclusive_lock(home.parent / FETCH_LOCK, wait=True):
            yield from list(self._joined(home / self.split))

    def _joined(self, folder: Path) -> Iterator[Utterance]:
        """Every utterance, with its audio in a folder that is there whole or not at all."""
        scratch = folder.with_name(f".{folder.name}")
        shutil.rmtree(scratch, ignore_errors=True)
        for number, parts in enumerate(self._parts()):
            name = f"{number:03d}.wav"
            placed, samples = _sound(parts)
            if not folder.is_dir():
                audio.write(samples, scratch / name)
            yield Utterance(
                id=f"switched-{self.lang}-en/{self.split}/{number:03d}",
                audio_filepath=folder / name,
                duration=len(samples) / audio.SAMPLE_RATE,
                text=placed.text,
                lang=placed.lang,
                speaker=f"{self.lang}-1+en-1",
                pieces=placed.pieces,
            )
        if scratch.is_dir():
            scratch.rename(folder)

    def _parts(self) -> Iterator[list[tuple[str, Recording]]]:
        """Which prompts follow each other, each with its language."""
        first, second = self._sentences(self.lang), self._sentences("en")
        longer = zip(*(_by_length(each)[1] for each in (first, second)), strict=False)
        shorter = zip(*(_by_length(each)[0] for each in (first, second)), strict=False)
        for number, (one, other) in enumerate(longer):
            pair = [(self.lang, one), ("en", other)]
            yield pair[::-1] if number % 2 else pair
        # Of three phrases in each language two utterances: there and back from either.
        pairs = list(shorter)
        for number in range(0, len(pairs) - 2, 3):
            (a, x), (b, y), (c, z) = pairs[number : number + 3]
            yield [(self.lang, a), ("en", x), (self.lang, b)]
            yield [("en", y), (self.lang, c), ("en", z)]

    def _sentences(self, lang: Literal["it", "fr", "en"]) -> list[Recording]:
        """Of the split, each text once, in an order that their texts decide."""
        mine = [
            each for each in select_sentences(load_recordings(VOICES[lang])) if assign_share(each.text, SHARES) == self.split
        ]
        if not mine:
            raise ConfigError(f"ivr_switched: no sentence of {lang!r} is in {self.split}")
        distinct = {comparison_key(each.text): each for each in reversed(mine)}
        return sorted(
            distinct.values(), key=lambda each: hashlib.sha256(comparison_key(each.text).encode()).digest()
        )


def _by_length(found: Sequence[Recording]) -> tuple[list[Recording], list[Recording]]:
    short = [each for each in found if len(comparison_key(each.text).split()) <= SHORT]
    return short, [each for each in found if each not in short and each.duration < 14]


def _sound(parts: Sequence[tuple[str, Recording]]) -> tuple[PackedGroup, audio.Samples]:
    """The parts in time, and what is heard."""
    inside = len(parts) > 2
    group, clips, at = PackedGroup(), list[audio.Samples](), 0.0
    pause = 0.0 if inside else PAUSE
    for lang, each in parts:
        samples = audio.read(each.audio)
        clip = _without_silence(samples) if inside else samples
        duration = len(clip) / audio.SAMPLE_RATE
        group.placed.append(
            (at, Utterance(id=each.name, lang=lang, text=each.text, duration=duration))
        )
        clips += [clip, np.zeros(round(pause * audio.SAMPLE_RATE), np.float32)]
        at = sum(map(len, clips)) / audio.SAMPLE_RATE
    return group, np.concatenate(clips[:-1])


def _without_silence(samples: audio.Samples) -> audio.Samples:
    loud = np.flatnonzero(np.abs(samples) > QUIET * np.abs(samples).max())
    left = round(BREATH * audio.SAMPLE_RATE)
    return samples[max(0, loud[0] - left) : loud[-1] + left]
