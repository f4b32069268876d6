"""Recorded telephone prompts: Italian to learn, English to retain, divided by what is said.

The recordings are those of the Asterisk project (Carlo Flora in Italian, Allison Smith in
English) and of Marco Menardi and Paola Dal Zot (Italian, never transcribed), CC-BY-SA 3.0;
`ATTRIBUTION` lies beside them in the cache. A sentence falls into a split by a hash of its text,
so that no text is in two. The law of the room: what belongs to a pool has no text.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..parts import Corpus
from ..records import Seconds, Share, Utterance
from ._asterisk import Voice, fetch
from ._prompts import Recording, drawn, key, recordings

log = logging.getLogger(__name__)

Split = Literal["pool", "second_speaker", "texts", "development", "test", "retention"]

SHARES: Mapping[str, Share] = {"pool": 0.40, "texts": 0.10, "development": 0.20, "test": 0.30}
"""Of the distinct Italian sentences, by chance of their hash. Half of a development set this large
leaves the gates thirty utterances, on which a gain of a quarter of all errors may be chance."""
LONGEST_WORD = 12
"""Characters; what is no longer counts as a word, a letter or a number, not as a sentence."""
LONGEST: Seconds = 30.0
"""What is longer is cut at pauses in a pool, and is not held out."""

ITALIAN = Voice(
    name="it-carlo",
    packages=("asterisk-core-sounds-it-wav", "asterisk-core-sounds-it"),
    tarball="asterisk-core-sounds-it-wav-1.6.1.tar.gz",
    digest="560cbcd0da40d5a6f3f552a9f8ee6c779b97039f8754bf2dee221927d9db561d",
    credit="Copyright 2012 Carlo Flora (http://www.carloflora.com; new voices: "
    "http://www.segreterietelefoniche.it), translated by Silvia Petrin.",
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


@dataclass(frozen=True)
class Ivr(Corpus):
    """One split of the telephone prompts, which are fetched the first time one is read."""

    split: Split
    """`pool`: the first Italian speaker's share to learn from, untranscribed, with all that is
    too short or too long to be held out. `second_speaker`: another Italian speaker, untranscribed,
    without the prompts that have the name of one in the next three splits. `texts`: sentences
    without their audio. `development`, `test`: transcribed sentences of the first Italian speaker.
    `retention`: all English sentences, transcribed."""

    def utterances(self) -> Iterator[Utterance]:
        """Yield the split in the order of names.

        Raises ConfigError where the prompts are not in the cache and cannot be fetched.
        """
        chosen = list(self._chosen())
        words = sum(len(key(each.text or "").split()) for each in chosen)
        minutes = sum(each.duration for each in chosen) / 60
        log.info(
            "ivr %s: %d utterances, %.1f minutes, %s",
            self.split, len(chosen), minutes, f"{words} words" if words else "no texts",
        )  # fmt: skip
        yield from chosen

    def _chosen(self) -> Iterator[Utterance]:
        if self.split == "retention":
            return _transcribed(_sentences(_read(ENGLISH)), "en", "en-1")
        first = _read(ITALIAN)
        share = {each.name: drawn(each.text, SHARES) for each in _sentences(first)}
        if self.split == "pool":
            return _untranscribed(_free(first, share), "it-1")
        if self.split == "second_speaker":
            silent = {each.name for each in first if each.doubt == "not speech"}
            taken = {name for name in share if share[name] != "pool"} | silent
            second = _read(MENARDI)
            return _untranscribed([e for e in second if e.name not in taken], "it-menardi")
        mine = [each for each in first if share.get(each.name) == self.split]
        return _texts(mine) if self.split == "texts" else _transcribed(mine, "it", "it-1")


def _read(voice: Voice) -> list[Recording]:
    found = recordings(fetch(voice))
    doubts = Counter(each.doubt for each in found if each.doubt)
    said = ", ".join(f"{count} {doubt}" for doubt, count in sorted(doubts.items()))
    log.info("%s: %d prompts; never held out: %s", voice.name, len(found), said or "none")
    return found


def _sentences(found: Sequence[Recording]) -> list[Recording]:
    """What can be held out: transcribed without a doubt, no single word, not too long."""
    return [
        each
        for each in found
        if not each.doubt and len(key(each.text)) > LONGEST_WORD and each.duration <= LONGEST
    ]


def _free(found: Sequence[Recording], share: Mapping[str, str]) -> list[Recording]:
    """All speech that is in no other share, neither itself nor by a text that equals one there."""
    taken = {key(each.text) for each in found if share.get(each.name, "pool") != "pool"}
    return [each for each in found if each.doubt != "not speech" and key(each.text) not in taken]


def _untranscribed(found: Sequence[Recording], speaker: str) -> Iterator[Utterance]:
    for each in found:
        yield Utterance(
            id=f"{speaker}/{each.name}",
            audio_filepath=each.audio,
            duration=each.duration,
            lang="it",
            speaker=speaker,
        )


def _transcribed(found: Sequence[Recording], lang: str, speaker: str) -> Iterator[Utterance]:
    for each in found:
        yield Utterance(
            id=f"{speaker}/{each.name}",
            audio_filepath=each.audio,
            duration=each.duration,
            text=each.text,
            lang=lang,
            speaker=speaker,
        )


def _texts(found: Sequence[Recording]) -> Iterator[Utterance]:
    """Every text once, without its audio."""
    distinct = {key(each.text): each for each in reversed(found)}
    for each in reversed(distinct.values()):
        yield Utterance(id=f"it/{each.name}", text=each.text, lang="it", origin="synthetic")
