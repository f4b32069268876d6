"""Recorded telephone prompts: Italian or French to learn, English to retain, divided by text.

The recordings are those of the Asterisk project (Carlo Flora in Italian, June Wallack in French,
Allison Smith in English), of Marco Menardi and Paola Dal Zot (Italian, never transcribed), all
CC-BY-SA 3.0, and of Armelle Desjardins (French, never transcribed; a licence of the BSD kind);
`ATTRIBUTION` lies beside them in the cache. A hash of its text decides the split of
a sentence, so no text is in two splits. Speech of a pool has no text. Its texts, as far as they
are known, are a split of their own (`pool_references`), for comparisons only.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from ...core.digests import digest_path
from ...core.ranges import Range
from ...core.types import Language, Seconds, Share, Utterance
from ._asterisk import PromptSet, fetch
from ._base import Corpus
from ._prompts import (
    PromptRecording,
    assign_share,
    comparison_key,
    hash_position,
    read_recordings,
)

log = logging.getLogger(__name__)

Split = Literal[
    "pool", "pool_references", "second_speaker", "texts", "development", "test", "retention"
]
PromptLanguage = Literal["it", "fr", "en"]

SHARES: Mapping[str, Share] = {"pool": 0.40, "texts": 0.10, "development": 0.20, "test": 0.30}
"""Shares of the first speaker's distinct sentences, approximate since a hash decides. Half of a
development set this large leaves the gates thirty utterances, on which a quarter fewer errors may
be chance."""
MAX_WORD_CHARACTERS = 12
"""Characters up to which a prompt counts as a word, a letter or a number, not as a sentence."""
MAX_HELD_OUT_SECONDS: Seconds = 30.0
"""Longest sentence that is held out, in seconds. A pool has longer ones too, which the scan cuts at
pauses."""
SPLICED: Mapping[PromptLanguage, frozenset[str]] = {
    "it": frozenset({"dir-intro-fn"}),
    "fr": frozenset({"confbridge-mute-out"}),
}
"""Prompts in no split: a second or more of their audio is also in a prompt of the test split, from
which they were cut and joined ("Benvenuto nell'elenco"). The search of `audio.recording_search`
found them among all prompts."""

ITALIAN = PromptSet(
    name="it-carlo",
    packages=("asterisk-core-sounds-it-wav", "asterisk-core-sounds-it"),
    tarball="asterisk-core-sounds-it-wav-1.6.1.tar.gz",
    sha256="560cbcd0da40d5a6f3f552a9f8ee6c779b97039f8754bf2dee221927d9db561d",
    megabytes=18,
    credit="Copyright 2012 Carlo Flora (http://www.carloflora.com; new voices: "
    "http://www.segreterietelefoniche.it), translated by Silvia Petrin.",
    # Recognizers, trained or not, agree on other words: "per piacere riprova ancora la tua
    # chiamata" where the list has "si prega di riprovare la chiamata".
    other_texts=frozenset(("conf-adminmenu-18", "conf-adminmenu-menu8", "please-try-call-later")),
)
FRENCH = PromptSet(
    name="fr-june",
    packages=("asterisk-core-sounds-fr-wav", "asterisk-core-sounds-fr"),
    tarball="asterisk-core-sounds-fr-wav-1.6.1.tar.gz",
    sha256="48d8182bb255d51f8bd3e44fd265eff8a80993a3a45037264af6750f3d7d437b",
    megabytes=19,
    credit="Copyright 2006-2008 June Wallack (http://www.junewallack.com), translated by Clod "
    "Patry, Kristopher Lalletti and June Wallack, with contributions by Digium, Unlimitel and "
    "BGM Informatique.",
)
MENARDI = PromptSet(
    name="it-menardi",
    packages=("asterisk-prompt-it-menardi-wav",),
    # The project publishes it nowhere; Debian packages it.
    tarball=None,
    sha256="db0fc978c1661cc80185c15a806edf19dced80997451e47dca8c025b77fa2a47",
    megabytes=19,
    credit="Copyright 2006-2011 Marco Menardi and his wife Paola Dal Zot, who made these sound "
    "files (http://www.voip.ammdomus.it, also for updates and new voices).",
)
ARMELLE = PromptSet(
    name="fr-armelle",
    packages=("asterisk-prompt-fr-armelle",),
    # Debian packages it; the project publishes it nowhere.
    tarball=None,
    sha256="aeaa2b8fe1705484df9c8756bacf73a8e3feea7be4f36a87dc570d288ae9db40",
    megabytes=2,
    credit="Copyright 2006 Michel Gutierrez; voice: Armelle Desjardins.",
    license="BSD with two clauses (source form and no endorsement)",
)
ENGLISH = PromptSet(
    name="en-allison",
    packages=("asterisk-core-sounds-en-wav", "asterisk-core-sounds-en"),
    tarball="asterisk-core-sounds-en-wav-1.6.1.tar.gz",
    sha256="d0d44c451bbaacd5b6d65dd8624ad2a79b2202e29bbcdb83310308eb578e1078",
    megabytes=18,
    credit="Copyright 2003-2010 Allison Smith (http://www.theivrvoice.com), with contributions "
    "by Digium, Inc. (http://www.digium.com).",
)
PROMPT_SETS: Mapping[PromptLanguage, PromptSet] = {"it": ITALIAN, "fr": FRENCH, "en": ENGLISH}
SECOND_SPEAKERS: Mapping[PromptLanguage, PromptSet] = {"it": MENARDI, "fr": ARMELLE}


@dataclass(frozen=True)
class Ivr(Corpus):
    """One split of the telephone prompts, which are fetched the first time one is read."""

    split: Split
    """`pool`: the first speaker's share for learning, without texts, with all prompts that are too
    short or too long to be held out. `pool_references`: the transcribed part of the pool, for
    comparisons. `second_speaker`: another Italian or French speaker, without texts, and without
    prompts that have the name of one in the next three splits. `texts`: sentences without their
    audio. `development`, `test`: transcribed sentences of the first speaker. `retention`: all
    English sentences, transcribed; a plan with English in its pool holds out a share of them by
    `lang` instead."""
    lang: PromptLanguage = "it"
    """Language of all splits but `retention`."""
    share: Annotated[float, Range(above=0, high=1)] = 1.0
    """Share of the split that is used, drawn by a hash of each text, or of the audio where there is
    no text. A smaller share is a part of a larger one."""

    def __post_init__(self) -> None:
        if self.split == "second_speaker" and self.lang not in SECOND_SPEAKERS:
            languages = " and ".join(SECOND_SPEAKERS)
            raise ValueError(f"split: only {languages} have a second_speaker, not {self.lang}")

    @property
    def prompt_sets(self) -> tuple[PromptSet, ...]:
        """The prompts that are read for this split, and fetched first if they are missing."""
        if self.split == "retention":
            return (ENGLISH,)
        # Names of the first speaker's prompts tell which of the second's are held out.
        second = (SECOND_SPEAKERS[self.lang],) if self.split == "second_speaker" else ()
        return (PROMPT_SETS[self.lang], *second)

    def utterances(self) -> Iterator[Utterance]:
        """Yield the split in the order of names.

        Raises:
            ConfigError: The prompts are not in the cache and cannot be fetched.
        """
        utterances = [
            utterance
            for utterance in self._select()
            if self.share == 1 or _position(utterance) < self.share
        ]
        words = sum(len(comparison_key(utterance.text or "").split()) for utterance in utterances)
        # Logged in full, so that every run shows how small the sets are.
        minutes = sum(utterance.duration for utterance in utterances) / 60
        log.info(
            "ivr %s: %d utterances, %.1f minutes, %s",
            self.split, len(utterances), minutes, f"{words} words" if words else "no texts",
        )  # fmt: skip
        yield from utterances

    def _select(self) -> Iterator[Utterance]:
        """Return the utterances of the split."""
        if self.split == "retention":
            english = select_sentences(load_recordings(ENGLISH))
            return _with_text(english, "en", "en-1")
        lang, speaker = self.lang, f"{self.lang}-1"
        recordings = [
            recording
            for recording in load_recordings(PROMPT_SETS[lang])
            if recording.name not in SPLICED.get(lang, ())
        ]
        # Sentences only: single words and numbers are never held out.
        share_of = {
            recording.name: assign_share(recording.listed_text, SHARES)
            for recording in select_sentences(recordings)
        }
        if self.split == "pool":
            return _without_text(_select_pool(recordings, share_of), lang, speaker)
        if self.split == "pool_references":
            # From the same recordings as the pool, so that ids and audio are equal.
            pool = _select_pool(recordings, share_of)
            return _with_text(
                [recording for recording in pool if not recording.problem], lang, speaker
            )
        if self.split == "second_speaker":
            # The second speaker's prompts have no texts, but they have the same names as the
            # first one's, and a prompt of the same name has the same text.
            not_speech = {
                recording.name for recording in recordings if recording.problem == "not speech"
            }
            excluded = {name for name in share_of if share_of[name] != "pool"} | not_speech
            second = [
                recording
                for recording in load_recordings(SECOND_SPEAKERS[lang])
                if recording.name not in excluded
            ]
            return _without_text(second, lang, SECOND_SPEAKERS[lang].name)
        selected = [
            recording for recording in recordings if share_of.get(recording.name) == self.split
        ]
        if self.split == "texts":
            return _only_texts(selected, lang)
        return _with_text(selected, lang, speaker)


def load_recordings(prompts: PromptSet) -> list[PromptRecording]:
    """Return all prompts of a set, sorted by name.

    Raises:
        ConfigError: They are not in the cache and cannot be fetched.
    """
    recordings = [
        replace(recording, problem="another text is spoken")
        if recording.name in prompts.other_texts
        else recording
        for recording in read_recordings(fetch(prompts))
    ]
    problems = Counter(recording.problem for recording in recordings if recording.problem)
    counts = ", ".join(f"{count} {problem}" for problem, count in sorted(problems.items()))
    log.info("%s: %d prompts; never held out: %s", prompts.name, len(recordings), counts or "none")
    return recordings


def select_sentences(recordings: Sequence[PromptRecording]) -> list[PromptRecording]:
    """Return the prompts that can be held out.

    They have a reference text that is longer than a single word, and last 30 s at most.
    """
    return [
        recording
        for recording in recordings
        if not recording.problem
        and len(comparison_key(recording.text)) > MAX_WORD_CHARACTERS
        and recording.duration <= MAX_HELD_OUT_SECONDS
    ]


def _select_pool(
    recordings: Sequence[PromptRecording], share_of: Mapping[str, str]
) -> list[PromptRecording]:
    """Return all speech that is in no other share, neither itself nor by an equal text."""
    # Texts with a problem belong to no share; a part of a held-out text must still not be learned.
    held_out_keys = {
        comparison_key(recording.text)
        for recording in recordings
        if share_of.get(recording.name, "pool") != "pool"
    }
    return [
        recording
        for recording in recordings
        if recording.problem != "not speech" and comparison_key(recording.text) not in held_out_keys
    ]


def _without_text(
    recordings: Sequence[PromptRecording], lang: Language, speaker: str
) -> Iterator[Utterance]:
    for utterance in _with_text(recordings, lang, speaker):
        yield replace(utterance, text=None)


def _with_text(
    recordings: Sequence[PromptRecording], lang: Language, speaker: str
) -> Iterator[Utterance]:
    for recording in recordings:
        yield Utterance(
            id=f"{speaker}/{recording.name}",
            audio_filepath=recording.audio,
            duration=recording.duration,
            text=recording.text,
            lang=lang,
            speaker=speaker,
        )


def _position(utterance: Utterance) -> float:
    """Return the place of an utterance in [0, 1), by which a share of its split is drawn."""
    content = comparison_key(utterance.text or "") or digest_path(utterance.audio_filepath)
    # Another hash than that of the splits: texts of one split are neighbors in that.
    return hash_position(f"share {content}")


def _only_texts(recordings: Sequence[PromptRecording], lang: Language) -> Iterator[Utterance]:
    """Yield every distinct text once, without audio."""
    # Reversed twice: the first of equal texts is kept, in the order of names.
    first_by_key = {comparison_key(recording.text): recording for recording in reversed(recordings)}
    for recording in reversed(first_by_key.values()):
        yield Utterance(
            id=f"{lang}/{recording.name}", text=recording.text, lang=lang, origin="synthetic"
        )
