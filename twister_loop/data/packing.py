"""Joining utterances to at most 30 s: pure arithmetic, no audio is touched here.

The law of the room: every utterance is in exactly one group, whole and with its text. Only
phrases that are put into a sentence of another language are borrowed, and stay where they are.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from ..core import schema
from ..core.segments import MAX_WINDOW, cut_words, find_single_speaker, join_texts, trim_silence
from ..core.types import Language, Origin, Piece, Seconds, Share, Utterance

MAX_PHRASE_WORDS = 4
"""Words, at most, that are put into a sentence of another language."""
SENTENCE_MARKS = ".,;:!?…。，、！？ "
"""Which end a sentence or a part of one, and are left out around such words."""
MAX_SWITCHING_GROUPS = 64
"""Groups, at most, that wait for speech of a second language; each holds one utterance."""


@dataclass(frozen=True)
class PackOptions:
    """How utterances are joined for training."""

    limit: Seconds = MAX_WINDOW
    gap: Seconds = 0.5
    """Silence between neighbors; none where a sentence is switched inside."""
    speakers: Literal["any", "same"] = "any"
    """Whether only utterances of one known speaker are joined."""
    trim: Seconds | None = None
    """Leaves so much before the first word and after the last, whose times are then looked for."""
    switched: Share = 0.0
    """Part of the joined utterances that switch between two languages, as far as there is speech
    of a second one. All others are of one language."""
    inside: Share = 0.0
    """Part of those that switch inside a sentence too: words of one language in the middle of a
    sentence of the other."""
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS

    def __post_init__(self) -> None:
        if not 0 < self.limit <= MAX_WINDOW:
            raise ValueError(f"limit: more than 0 and at most {MAX_WINDOW:g} s, not {self.limit:g}")
        if self.gap < 0 or (self.trim or 0) < 0:
            raise ValueError("gap, trim: no silence is shorter than 0 s")
        if not (0 <= self.switched <= 1 and 0 <= self.inside <= 1):
            raise ValueError("switched, inside: parts of a whole, from 0 to 1")
        if self.inside and not self.switched:
            raise ValueError("inside: a part of `switched`, which is 0")

    @property
    def needs_word_times(self) -> bool:
        """Whether it has to know when each word is said."""
        return self.trim is not None or self.inside > 0


LabelLengthRatio = Callable[[Utterance], Share]
"""How much of the longest label the text of an utterance takes, its timestamps included."""


@dataclass
class PackedGroup:
    """Utterances with their places in time."""

    placed: list[tuple[Seconds, Utterance]] = field(default_factory=list)
    label_ratio: Share = 0.0
    """How full its label is."""
    switches: bool = False
    """Whether it takes the other language each time."""
    awaits_phrase: bool = False
    """Whether it still waits for a phrase to be put into its one sentence."""
    previous_text: str | None = None
    """What the same speaker says in the group before, if it is all of one speaker."""

    @property
    def end(self) -> Seconds:
        return self.placed[-1][0] + self.last.duration if self.placed else 0.0

    @property
    def last(self) -> Utterance:
        return self.placed[-1][1]

    @property
    def languages(self) -> set[Language | None]:
        return {each.lang for _, each in self.placed}

    @property
    def speaker(self) -> str | None:
        """The one who says all of it; None if these are several, or one who is not known."""
        [first, *others] = {find_single_speaker(each) for _, each in self.placed}
        return None if others else first

    @property
    def lang(self) -> Language | None:
        """The one it begins in; also that of a sentence with words of another in its middle."""
        return self.placed[0][1].lang

    @property
    def origin(self) -> Origin:
        """The one that takes most of the time, where languages of two origins are switched."""
        taken = defaultdict[Origin, Seconds](float)
        for _, each in self.placed:
            taken[each.origin] += each.duration
        return max(taken, key=lambda origin: taken[origin])

    @property
    def text(self) -> str:
        return join_texts((each.lang, each.text) for _, each in self.placed)

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """Where each utterance lies."""
        return tuple(
            Piece(
                id=each.id,
                origin=each.origin,
                lang=each.lang,
                text=each.text or "",
                start=round(start, 3),
                end=round(start + each.duration, 3),
            )
            for start, each in self.placed
        )

    def without(self, places: Collection[int]) -> PackedGroup:
        """The same closed up: some of its utterances taken out, and the time that they took."""
        placed, gone = list[tuple[Seconds, Utterance]](), 0.0
        for place, (start, each) in enumerate(self.placed):
            if place in places:
                following = self.placed[place + 1][0] if place + 1 < len(self.placed) else self.end
                gone += following - start
            else:
                placed.append((start - gone, each))
        return replace(self, placed=placed)


class Packer:
    """Groups on their way: one for every language, origin and, if asked, speaker, and no more."""

    def __init__(self, terms: PackOptions, fullness: LabelLengthRatio, seed: int) -> None:
        self.options, self.label_length_ratio, self.rng = terms, fullness, random.Random(seed)
        self.open_groups: dict[tuple[str | None, ...], PackedGroup] = {}
        self.switching_groups: list[PackedGroup] = []
        self.group_count = self.switching_count = 0
        """Groups, and those among them that switch between languages."""
        self.left_out = 0
        """Utterances that failed, or have no text."""
        self.last_texts: dict[tuple[str, Language | None], str] = {}
        """What each speaker said last, in each language."""

    def packed_groups(self, speech: Iterable[Utterance]) -> Iterator[PackedGroup]:
        """Cut a stream into groups that fit, none longer than the limit or its label too full.

        An utterance that is too long by itself is a group by itself, for training to refuse. One
        that failed or has no text is left out: in a group it would be speech that nobody labeled.
        """
        for utterance in speech:
            if utterance.error or not (utterance.text or "").strip():
                self.left_out += 1
                continue
            if self.options.trim is not None:
                utterance = trim_silence(utterance, self.options.trim)
            borrower = self._lend(utterance)
            yield from self._take(utterance, borrower)
        for group in [*self.open_groups.values(), *self.switching_groups]:
            yield self._finished(group)

    def _take(self, utterance: Utterance, borrower: PackedGroup | None) -> Iterator[PackedGroup]:
        """Put an utterance where it fits; what it no longer fits into is finished."""
        for group in [each for each in self.switching_groups if _switches(each, utterance)]:
            if group is borrower or group.awaits_phrase or not self._may_join(group, utterance):
                continue
            if self._add(group, utterance):
                return
            self.switching_groups.remove(group)
            yield self._finished(group)
        key = self._key(utterance)
        if key is None:
            self.group_count += 1
            alone = PackedGroup()
            self._add(alone, utterance)
            yield self._finished(alone)
            return
        if key in self.open_groups:
            if self._add(self.open_groups[key], utterance):
                return
            yield self._finished(self.open_groups.pop(key))
        self._begin(key, utterance)

    def _begin(self, key: tuple[str | None, ...], utterance: Utterance) -> None:
        self.group_count += 1
        group = PackedGroup()
        self._add(group, utterance)
        wanted = self.switching_count < self.options.switched * self.group_count
        if wanted and utterance.lang and len(self.switching_groups) < MAX_SWITCHING_GROUPS:
            self.switching_count += 1
            group.switches = True
            inside = self.rng.random() < self.options.inside
            group.awaits_phrase = inside and len(utterance.words) > 1
            self.switching_groups.append(group)
        else:
            self.open_groups[key] = group

    def _lend(self, utterance: Utterance) -> PackedGroup | None:
        """Put a phrase of this utterance into a sentence that waits for one; say into which."""
        for group in self.switching_groups:
            if group.awaits_phrase and utterance.words and _switches(group, utterance):
                if not self._may_join(group, utterance):
                    continue
                mixed = self._mixed(group.last, utterance)
                if mixed.end <= self.options.limit and mixed.label_ratio <= 1:
                    group.placed, group.label_ratio, group.awaits_phrase = (
                        mixed.placed,
                        mixed.label_ratio,
                        False,
                    )
                    return group
        return None

    def _mixed(self, sentence: Utterance, other: Utterance) -> PackedGroup:
        """The sentence with words of the other in its middle, and no silence between."""
        place = self.rng.randrange(1, len(sentence.words))
        count = self.rng.randint(1, min(MAX_PHRASE_WORDS, len(other.words)))
        first = self.rng.randrange(len(other.words) - count + 1)
        group, at = PackedGroup(switches=True), 0.0
        phrase = cut_words(other, first, first + count)
        text = (phrase.text or "").strip(SENTENCE_MARKS) or phrase.text
        for part in (
            cut_words(sentence, 0, place),
            replace(phrase, text=text),
            cut_words(sentence, place, len(sentence.words)),
        ):
            group.placed.append((at, part))
            group.label_ratio += self.label_length_ratio(part)
            at += part.duration
        return group

    def _add(self, group: PackedGroup, utterance: Utterance) -> bool:
        """Put it behind the others, if there is room."""
        at = group.end + self.options.gap if group.placed else 0.0
        label = group.label_ratio + self.label_length_ratio(utterance)
        fits = at + utterance.duration <= self.options.limit and label <= 1
        if fits or not group.placed:
            group.placed.append((at, utterance))
            group.label_ratio = label
            return True
        return False

    def _may_join(self, group: PackedGroup, utterance: Utterance) -> bool:
        if self.options.speakers == "any":
            return True
        speaker = find_single_speaker(utterance)
        return speaker is not None and speaker == group.speaker

    def _key(self, utterance: Utterance) -> tuple[str | None, ...] | None:
        """What all of one group share; None for one who is not known, and shares with nobody."""
        if self.options.speakers == "any":
            return (utterance.lang, utterance.origin)
        speaker = find_single_speaker(utterance)
        return (utterance.lang, utterance.origin, speaker) if speaker else None

    def _finished(self, group: PackedGroup) -> PackedGroup:
        """Remember what was said, for the next group of the same speaker."""
        if (speaker := group.speaker) and len(group.languages) == 1:
            group.previous_text = self.last_texts.get((speaker, group.lang))
            self.last_texts[speaker, group.lang] = group.text
        return group


def _switches(group: PackedGroup, utterance: Utterance) -> bool:
    """Whether the group would go on in its other language."""
    languages = group.languages | {utterance.lang}
    return bool(utterance.lang) and utterance.lang != group.last.lang and len(languages) == 2
