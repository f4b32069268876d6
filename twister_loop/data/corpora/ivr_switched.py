"""Code-switched speech for evaluation, joined from the telephone prompts of `ivr`.

Half of it switches between two sentences. The rest switches inside a sentence: short phrases
follow each other without a pause. It is made of sentences of one split of both languages, each
used once at most, so it has nothing that `ivr` gives to a pool or to texts. English sentences that
are in none of it are a split of their own (274 sentences of 2,599 words, of which some 200 are
left beside Italian), so that a plan can tell whether English by itself gets worse.

The recordings are of two people, so this is not real bilingual speech: it measures whether a
recognizer follows a switch, not how people switch.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ...audio import io as audio
from ...core.artifacts import read_json
from ...core.cache import cache_folder
from ...core.errors import ConfigError
from ...core.locks import exclusive_lock
from ...core.types import Seconds, Utterance
from ..packed_group import PackedGroup
from ._asterisk import FETCH_LOCK, fetch
from ._base import Corpus
from ._prompts import PromptRecording, assign_share, comparison_key
from .ivr import ENGLISH, PROMPT_SETS, SHARES, load_recordings, select_sentences

JOINED_SPLITS: Sequence[Literal["development", "test"]] = ("development", "test")
MAX_PHRASE_WORDS = 5
"""Most words of a prompt that is joined inside a sentence."""
MAX_SENTENCE_SECONDS: Seconds = 14.0
"""Longest sentence; two of them and a pause fit into Whisper's window of 30 s."""
PAUSE_SECONDS: Seconds = 0.4
"""Silence between two sentences."""
KEPT_SILENCE_SECONDS: Seconds = 0.05
"""Silence that is left on each side of a phrase."""
SILENCE_SHARE = 0.02
"""Share of the loudest sample below which the edges of a phrase count as silence."""


@dataclass(frozen=True)
class IvrSwitched(Corpus):
    """Code-switched speech of one split, which is joined the first time it is read."""

    split: Literal["development", "test", "retention"]
    """`development`, `test`: the split of both languages whose sentences are joined. `retention`:
    all English sentences that are in neither of them, each by itself; a plan with this set cannot
    have English of `ivr` in its pool."""
    lang: Literal["it", "fr"] = "it"
    """The language that is switched with English. Half of the utterances begin in it, the others
    in English; the first language is the `lang` of an utterance."""

    def utterances(self) -> Iterator[Utterance]:
        """Yield the split in the order in which it was joined.

        Raises:
            ConfigError: The prompts are not in the cache and cannot be fetched.
        """
        if self.split == "retention":
            yield from self._list_unjoined()
            return
        prompt_sets = (PROMPT_SETS[self.lang], ENGLISH)
        sources = "".join(
            read_json(fetch(prompts) / "source.json")["sha256"] for prompts in prompt_sets
        )
        # In the name, so that another version of the prompts, or other sentences, are joined anew.
        names = "\n".join(
            prompt.name for prompts in self._choose_prompts() for _, prompt in prompts
        )
        version = hashlib.sha256(f"{sources}\n{names}".encode()).hexdigest()[:8]
        folder = cache_folder() / "asterisk" / f"switched-{self.lang}-en-{version}"
        with exclusive_lock(folder.parent / FETCH_LOCK, wait=True):
            utterances = list(self._join(folder / self.split))
        # Outside, since the caller may take long, or read another split at the same time.
        yield from utterances

    def _list_unjoined(self) -> Iterator[Utterance]:
        """Yield the English sentences that no joined utterance has, by their texts."""
        joined = {
            comparison_key(prompt.text)
            for split in JOINED_SPLITS
            for prompts in replace(self, split=split)._choose_prompts()
            for lang, prompt in prompts
            if lang == "en"
        }
        for sentence in select_sentences(load_recordings(ENGLISH)):
            if comparison_key(sentence.text) not in joined:
                yield Utterance(
                    id=f"en-1/{sentence.name}",
                    audio_filepath=sentence.audio,
                    duration=sentence.duration,
                    text=sentence.text,
                    lang="en",
                    speaker="en-1",
                )

    def _join(self, folder: Path) -> Iterator[Utterance]:
        """Yield every utterance; its audio is written if the folder does not exist yet.

        The folder gets its final name when it is complete.
        """
        scratch = folder.with_name(f".{folder.name}")
        shutil.rmtree(scratch, ignore_errors=True)  # a killed process may have left it
        for number, prompts in enumerate(self._choose_prompts()):
            name = f"{number:03d}.wav"
            group, samples = _join_prompts(prompts)
            if not folder.is_dir():
                audio.write(samples, scratch / name)
            yield Utterance(
                id=f"switched-{self.lang}-en/{self.split}/{number:03d}",
                audio_filepath=folder / name,
                duration=len(samples) / audio.SAMPLE_RATE,
                text=group.text,
                lang=group.lang,
                speaker=f"{self.lang}-1+en-1",
                pieces=group.pieces,
            )
        if scratch.is_dir():
            scratch.rename(folder)

    def _choose_prompts(self) -> Iterator[list[tuple[str, PromptRecording]]]:
        """Yield the prompts of every utterance in their order, each with its language."""
        phrases, sentences = _split_by_length(self._load_sentences(self.lang))
        english_phrases, english_sentences = _split_by_length(self._load_sentences("en"))
        # Not strict: the language with more sentences leaves some unused.
        for number, (first, second) in enumerate(zip(sentences, english_sentences, strict=False)):
            pair = [(self.lang, first), ("en", second)]
            yield pair[::-1] if number % 2 else pair
        # Three phrases in each language make two utterances: there and back from either language.
        pairs = list(zip(phrases, english_phrases, strict=False))
        for number in range(0, len(pairs) - 2, 3):
            own, english = zip(*pairs[number : number + 3], strict=True)
            yield [(self.lang, own[0]), ("en", english[0]), (self.lang, own[1])]
            yield [("en", english[1]), (self.lang, own[2]), ("en", english[2])]

    def _load_sentences(self, lang: Literal["it", "fr", "en"]) -> list[PromptRecording]:
        """Return the sentences of the split, each text once, in the order of a hash of the text."""
        sentences = [
            sentence
            for sentence in select_sentences(load_recordings(PROMPT_SETS[lang]))
            if assign_share(sentence.listed_text, SHARES) == self.split
        ]
        if not sentences:
            raise ConfigError(f"ivr_switched: no sentence of {lang!r} is in {self.split}")
        # Reversed, so that the first of equal texts stays.
        distinct = {comparison_key(sentence.text): sentence for sentence in reversed(sentences)}
        # A hash, so that the order depends on the texts alone and mixes the menus.
        return sorted(
            distinct.values(),
            key=lambda sentence: hashlib.sha256(comparison_key(sentence.text).encode()).digest(),
        )


def _split_by_length(
    recordings: Sequence[PromptRecording],
) -> tuple[list[PromptRecording], list[PromptRecording]]:
    """Return the phrases for switches inside a sentence, and the sentences for those between."""
    phrases, sentences = list[PromptRecording](), list[PromptRecording]()
    for recording in recordings:
        if len(comparison_key(recording.text).split()) <= MAX_PHRASE_WORDS:
            phrases.append(recording)
        elif recording.duration < MAX_SENTENCE_SECONDS:
            sentences.append(recording)
    return phrases, sentences


def _join_prompts(
    prompts: Sequence[tuple[str, PromptRecording]],
) -> tuple[PackedGroup, audio.Samples]:
    """Return the place of each prompt in the joined utterance, and samples, shape (n_samples,)."""
    inside_sentence = len(prompts) > 2
    pause = np.zeros(0 if inside_sentence else round(PAUSE_SECONDS * audio.SAMPLE_RATE), np.float32)
    group, parts, start = PackedGroup(), list[audio.Samples](), 0.0
    for lang, prompt in prompts:
        samples = audio.read(prompt.audio)
        clip = _trim_silence(samples) if inside_sentence else samples
        duration = len(clip) / audio.SAMPLE_RATE
        group.placed.append(
            (start, Utterance(id=prompt.name, lang=lang, text=prompt.text, duration=duration))
        )
        parts += [clip, pause]
        # From whole samples, because sums of rounded seconds would drift away from the audio.
        start = sum(map(len, parts)) / audio.SAMPLE_RATE
    return group, np.concatenate(parts[:-1])


def _trim_silence(samples: audio.Samples) -> audio.Samples:
    """Return the samples without silence at both ends, but for a little of it."""
    # Relative to the loudest sample, because the speakers were recorded at different levels.
    loud = np.flatnonzero(np.abs(samples) > SILENCE_SHARE * np.abs(samples).max())
    margin = round(KEPT_SILENCE_SECONDS * audio.SAMPLE_RATE)
    return samples[max(0, loud[0] - margin) : loud[-1] + margin]
