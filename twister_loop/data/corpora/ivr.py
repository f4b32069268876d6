"""Recorded telephone prompts: Italian or French to learn, English to retain, divided by text.

The recordings are those of the Asterisk project (Carlo Flora in Italian, June Wallack in French,
Allison Smith in English) and of Marco Menardi and Paola Dal Zot (Italian, never transcribed),
CC-BY-SA 3.0; `ATTRIBUTION` lies beside them in the cache. A sentence falls into a split by a hash
of its text, so that no text is in two. The law of the room: what belongs to a pool has no text;
what it would be is a split of its own, for comparisons alone.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ...core.types import Language, Seconds, Share, Utterance
from ._asterisk import Voice, fetch
from ._base import Corpus
from ._prompts import Recording, assign_share, comparison_key, read_recordings

log = logging.getLogger(__name__)

Split = Literal[
    "pool", "pool_references", "second_speaker", "texts", "development", "test", "retention"
]
PromptLanguage = Literal["it", "fr", "en"]

SHARES: Mapping[str, Share] = {"pool": 0.40, "texts": 0.10, "development": 0.20, "test": 0.30}
"""Of the distinct sentences of the first speaker, by chance of their hash. Half of a development
set this large leaves the gates thirty utterances, on which a quarter fewer errors may be chance."""
MAX_WORD_CHARACTERS = 12
"""Characters; what is no longer counts as a word, a letter or a number, not as a sentence."""
MAX_HELD_OUT_SECONDS: Seconds = 30.0
"""What is longer is cut at pauses in a pool, and is not held out."""

ITALIAN = Voice(
    name="it-carlo",
    packages=("asterisk-core-sounds-it-wav", "asterisk-core-sounds-it"),
    tarball="asterisk-core-sounds-it-wav-1.6.1.tar.gz",
    digest="560cbcd0da40d5a6f3f552a9f8ee6c779b97039f8754bf2dee221927d9db561d",
    credit="Copyright 2012 Carlo Flora (http://www.carloflora.com; new voices: "
    "http://www.segreterietelefoniche.it), translated by Silvia Petrin.",
)
FRENCH = Voice(
    name="fr-june",
    packages=("asterisk-core-sounds-fr-wav", "asterisk-core-sounds-fr"),
    tarball="asterisk-core-sounds-fr-wav-1.6.1.tar.gz",
    digest="48d8182bb255d51f8bd3e44fd265eff8a80993a3a45037264af6750f3d7d437b",
    credit="Copyright 2006-2008 June Wallack (http://www.junewallack.com), translated by Clod "
    "Patry, Kristopher Lalletti and June Wallack, with contributions by Digium, Unlimitel and "
    "BGM Informatique.",
)
MENARDI = Voice(
    name="it-menardi",
    packages=("asterisk-prompt-it-menardi-wav",),
    tarball=None,
    digest="db0fc978c1661cc80185c15a806edf19dced80997451e47dca8c025b77fa2a47",
    credit="Copyright 2006-2011 Marco Menardi and his wife Paola Dal Zot, who made these sound "
    "files (http://www.voip.ammdomus.it, also for updates and new voices).",
)
ENGLISH = Voice(
    name="en-allison",
    packages=("asterisk-core-sounds-en-wav", "asterisk-core-sounds-en"),
    tarball="asterisk-core-sounds-en-wav-1.6.1.tar.gz",
    digest="d0d44c451bbaacd5b6d65dd8624ad2a79b2202e29bbcdb83310308eb578e1078",
    credit="Copyright 2003-2010 Allison Smith (http://www.theivrvoice.com), with contributions "
    "by Digium, Inc. (http://www.digium.com).",
)
VOICES: Mapping[PromptLanguage, Voice] = {"it": ITALIAN, "fr": FRENCH, "en": ENGLISH}


@dataclass(frozen=True)
class Ivr(Corpus):
    """One split of the telephone prompts, which are fetched the first time one is read."""

    split: Split
    """`pool`: the first speaker's share to learn from, untranscribed, with all that is too short
    or too long to be held out. `pool_references`: what of it is transcribed, for comparisons.
    `second_speaker`: another Italian speaker, untranscribed, without the prompts that have the
    name of one in the next three splits. `texts`: sentences without their audio. `development`,
    `test`: transcribed sentences of the first speaker. `retention`: all English sentences,
    transcribed; a plan with English in its pool holds out a share of them by `lang` instead."""
    lang: PromptLanguage = "it"
    """Of all splits but `retention`."""

    def __post_init__(self) -> None:
        if self.split == "second_speaker" and self.lang != "it":
            raise ValueError("split: only Italian has a second_speaker")

    def utterances(self) -> Iterator[Utterance]:
        """Yield the split in the order of names.

        Raises ConfigError where the prompts are not in the cache and cannot be fetched.
        """
        chosen = list(self._chosen())
        words = sum(len(comparison_key(each.text or "").split()) for each in chosen)
        minutes = sum(each.duration for each in chosen) / 60
        log.info(
            "ivr %s: %d utterances, %.1f minutes, %s",
            self.split, len(chosen), minutes, f"{words} words" if words else "no texts",
        )  # fmt: skip
        yield from chosen

    def _chosen(self) -> Iterator[Utterance]:
        if self.split == "retention":
            return _transcribed(select_sentences(load_recordings(ENGLISH)), "en", "en-1")
        lang, speaker = self.lang, f"{self.lang}-1"
        first = load_recordings(VOICES[lang])
        share = {each.name: assign_share(each.text, SHARES) for each in select_sentences(first)}
        if self.split == "pool":
            return _untranscribed(_free(first, share), lang, speaker)
        if self.split == "pool_references":
            known = [each for each in _free(first, share) if not each.problem]
            return _transcribed(known, lang, speaker)
        if self.split == "second_speaker":
            silent = {each.name for each in first if each.problem == "not speech"}
            taken = {name for name in share if share[name] != "pool"} | silent
            second = load_recordings(MENARDI)
            return _untranscribed([e for e in second if e.name not in taken], lang, "it-menardi")
        mine = [each for each in first if share.get(each.name) == self.split]
        return _texts(mine, lang) if self.split == "texts" else _transcribed(mine, lang, speaker)


def load_recordings(voice: Voice) -> list[Recording]:
    """All prompts of a voice. Raises ConfigError where they cannot be fetched."""
    found = read_recordings(fetch(voice))
    doubts = Counter(each.problem for each in found if each.problem)
    said = ", ".join(f"{count} {doubt}" for doubt, count in sorted(doubts.items()))
    log.info("%s: %d prompts; never held out: %s", voice.name, len(found), said or "none")
    return found


def select_sentences(found: Sequence[Recording]) -> list[Recording]:
    """What can be held out: transcribed without a doubt, no single word, not too long."""
    return [
        each
        for each in found
        if not each.problem and len(comparison_key(each.text)) > MAX_WORD_CHARACTERS and each.duration <= MAX_HELD_OUT_SECONDS
    ]


def _free(found: Sequence[Recording], share: Mapping[str, str]) -> list[Recording]:
    """All speech that is in no other share, neither itself nor by a text that equals one there."""
    taken = {comparison_key(each.text) for each in found if share.get(each.name, "pool") != "pool"}
    return [each for each in found if each.problem != "not speech" and comparison_key(each.text) not in taken]


def _untranscribed(found: Sequence[Recording], lang: Language, speaker: str) -> Iterator[Utterance]:
    for each in found:
        yield Utterance(
            id=f"{speaker}/{each.name}",
            audio_filepath=each.audio,
            duration=each.duration,
            lang=lang,
            speaker=speaker,
        )


def _transcribed(found: Sequence[Recording], lang: Language, speaker: str) -> Iterator[Utterance]:
    for each in found:
        yield Utterance(
            id=f"{speaker}/{each.name}",
            audio_filepath=each.audio,
            duration=each.duration,
            text=each.text,
            lang=lang,
            speaker=speaker,
        )


def _texts(found: Sequence[Recording], lang: Language) -> Iterator[Utterance]:
    """Every text once, without its audio."""
    distinct = {comparison_key(each.text): each for each in reversed(found)}
    for each in reversed(distinct.values()):
        yield Utterance(id=f"{lang}/{each.name}", text=each.text, lang=lang, origin="synthetic")
