"""Packing: joining utterances to at most 30 s. Pure arithmetic; no audio is read here.

Every utterance is in exactly one group, whole and with its text. Phrases for switches inside a
sentence are copied into a second group, and stay in their own.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from ..core import schema
from ..core.ranges import Fraction, Range
from ..core.segments import MAX_WINDOW, cut_words, find_single_speaker, join_texts, trim_silence
from ..core.types import Language, Origin, Piece, Seconds, Share, Utterance

MAX_PHRASE_WORDS = 4
"""Most words that are put into a sentence of another language."""
SENTENCE_MARKS = ".,;:!?…。，、！？ "
"""Marks at the end of a sentence or clause, which are removed around such a phrase."""
MAX_SWITCHING_GROUPS = 64
"""Most groups that wait for speech of a second language. Each holds an utterance in memory."""


@dataclass(frozen=True)
class PackOptions:
    """Options of `pack:`, joining utterances for training."""

    limit: Annotated[Seconds, Range(above=0, high=MAX_WINDOW)] = MAX_WINDOW
    """Longest group in seconds, 30 at most."""
    gap: Annotated[Seconds, Range(0, MAX_WINDOW)] = 0.5
    """Silence between neighbors in seconds; there is none at a switch inside a sentence."""
    speakers: Literal["any", "same"] = "any"
    """`same` joins only utterances of one known speaker."""
    trim: Annotated[Seconds, Range(0, MAX_WINDOW)] | None = None
    """Silence in seconds to leave before the first word and after the last. Needs word times. None
    does not trim."""
    switched: Fraction = 0.0
    """Share of the groups, from 0 to 1, that switch between two languages, as far as there is
    speech of a second one. All others are of one language."""
    inside: Fraction = 0.0
    """Share of those, from 0 to 1, that switch inside a sentence too: with a phrase of one language
    in the middle of a sentence of the other. Needs word times."""
    __pydantic_config__ = schema.FORBID_UNKNOWN_FIELDS

    def __post_init__(self) -> None:
        if self.inside and not self.switched:
            raise ValueError("inside: a part of `switched`, which is 0")

    @property
    def needs_word_times(self) -> bool:
        """Return True if speech must be aligned before it is packed."""
        return self.trim is not None or self.inside > 0


LabelLengthRatio = Callable[[Utterance], Share]
"""Length of an utterance's text, timestamps included, as a share of the longest label."""


@dataclass
class PackedGroup:
    """Utterances that are joined, with their places in time."""

    placed: list[tuple[Seconds, Utterance]] = field(default_factory=list)
    """Each utterance with its start in the group, in seconds, in the order of starts."""
    label_ratio: Share = 0.0
    """Length of the joined label as a share of the longest label."""
    switches_language: bool = False
    """The group takes an utterance of the other language each time."""
    awaits_phrase: bool = False
    """The group waits for a phrase to be put into its one sentence."""
    previous_text: str | None = None
    """Text of the same speaker's group before, if this group is of one speaker."""

    @property
    def end(self) -> Seconds:
        return self.placed[-1][0] + self.last.duration if self.placed else 0.0

    @property
    def last(self) -> Utterance:
        return self.placed[-1][1]

    @property
    def languages(self) -> set[Language | None]:
        return {utterance.lang for _, utterance in self.placed}

    @property
    def speaker(self) -> str | None:
        """Return the only speaker; None if there are several, or an unknown one."""
        [first, *others] = {find_single_speaker(utterance) for _, utterance in self.placed}
        return None if others else first

    @property
    def lang(self) -> Language | None:
        """Return the language that the group begins in."""
        return self.placed[0][1].lang

    @property
    def origin(self) -> Origin:
        """Return the origin of most of the time; a group with a switch may have two."""
        durations = defaultdict[Origin, Seconds](float)
        for _, utterance in self.placed:
            durations[utterance.origin] += utterance.duration
        return max(durations, key=lambda origin: durations[origin])

    @property
    def speechless(self) -> bool:
        """Return True if nobody speaks in it: such a clip is a group by itself."""
        return self.last.speechless

    @property
    def text(self) -> str:
        return join_texts((utterance.lang, utterance.text) for _, utterance in self.placed)

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """Return the utterances with start and end in the group, for the manifest."""
        return tuple(
            Piece(
                id=utterance.id,
                origin=utterance.origin,
                lang=utterance.lang,
                text=utterance.text or "",
                start=round(start, 3),
                end=round(start + utterance.duration, 3),
            )
            for start, utterance in self.placed
        )

    def without(self, places: Collection[int]) -> PackedGroup:
        """Return the group without the utterances at these places, and without their time.

        Args:
            places: Indices into `placed`.
        """
        placed, removed_seconds = list[tuple[Seconds, Utterance]](), 0.0
        for place, (start, utterance) in enumerate(self.placed):
            if place in places:
                is_last = place + 1 == len(self.placed)
                next_start = self.end if is_last else self.placed[place + 1][0]
                removed_seconds += next_start - start  # with the silence behind it
            else:
                placed.append((start - removed_seconds, utterance))
        return replace(self, placed=placed)


GroupKey = tuple[str | None, ...]
"""Language, origin and, with `speakers: same`, speaker of all utterances in a group."""


class Packer:
    """Packer of one stream of utterances.

    It holds one open group for every language, origin and, with `speakers: same`, speaker, and the
    groups that wait for a second language; so memory does not grow with the stream.
    """

    def __init__(
        self, options: PackOptions, label_length_ratio: LabelLengthRatio, seed: int
    ) -> None:
        self.options, self.label_length_ratio = options, label_length_ratio
        self.rng = random.Random(seed)
        self.open_groups: dict[GroupKey, PackedGroup] = {}
        self.switching_groups: list[PackedGroup] = []
        self.group_count = self.switching_count = 0
        """Groups begun, and those among them that are to switch between languages."""
        self.left_out_count = 0
        """Utterances left out, since they have an error or no text."""
        self.last_texts: dict[tuple[str, Language | None], str] = {}
        """Text of the last group of each speaker and language."""

    def pack(self, utterances: Iterable[Utterance]) -> Iterator[PackedGroup]:
        """Yield groups that fit the limit and whose labels fit the recognizer.

        An utterance that is too long by itself becomes a group by itself, which training refuses.
        One with an error or without a text is left out: in a group it would be speech without
        words in the label. A clip without speech is a group by itself: among others it would only
        be a long pause, and the label would not be empty.

        Args:
            utterances: Any number of utterances, with word times if the options need them.

        Yields:
            Groups in the order in which they are complete; the open ones at the end.
        """
        for utterance in utterances:
            if utterance.speechless and not utterance.error:
                self.group_count += 1
                yield PackedGroup([(0.0, utterance)])
                continue
            if utterance.error or not (utterance.text or "").strip():
                self.left_out_count += 1
                continue
            if self.options.trim is not None:
                utterance = trim_silence(utterance, self.options.trim)
            borrower = self._insert_phrase(utterance)
            yield from self._place(utterance, borrower)
        # Also groups that never got their phrase or second language: nothing may be lost.
        for group in [*self.open_groups.values(), *self.switching_groups]:
            yield self._finish(group)

    def _place(self, utterance: Utterance, borrower: PackedGroup | None) -> Iterator[PackedGroup]:
        """Add an utterance to a group that it fits; yield the groups that it no longer fits.

        `borrower` has a phrase of this utterance already, and may not get all of it too.
        """
        candidates = [
            group for group in self.switching_groups if _continues_switching(group, utterance)
        ]
        for group in candidates:
            # A group that awaits its phrase must stay one sentence, which the phrase is put into.
            if group is borrower or group.awaits_phrase or not self._may_join(group, utterance):
                continue
            if self._append(group, utterance):
                return
            self.switching_groups.remove(group)
            yield self._finish(group)
        key = self._group_key(utterance)
        if key is None:  # an unknown speaker, with whom nobody may be joined
            self.group_count += 1
            single = PackedGroup()
            self._append(single, utterance)
            yield self._finish(single)
            return
        if key in self.open_groups:
            if self._append(self.open_groups[key], utterance):
                return
            yield self._finish(self.open_groups.pop(key))
        self._begin_group(key, utterance)

    def _begin_group(self, key: GroupKey, utterance: Utterance) -> None:
        """Begin a group with this utterance, one that switches languages if there are too few."""
        self.group_count += 1
        group = PackedGroup()
        self._append(group, utterance)
        # Counted and not drawn, so that a short stream has its share of switches too.
        too_few = self.switching_count < self.options.switched * self.group_count
        if too_few and utterance.lang and len(self.switching_groups) < MAX_SWITCHING_GROUPS:
            self.switching_count += 1
            group.switches_language = True
            # Drawn before the number of words is looked at: word times must not change the draws.
            switches_inside = self.rng.random() < self.options.inside
            group.awaits_phrase = switches_inside and len(utterance.words) > 1
            self.switching_groups.append(group)
        else:
            self.open_groups[key] = group

    def _insert_phrase(self, utterance: Utterance) -> PackedGroup | None:
        """Put a phrase of this utterance into a sentence that waits for one; return its group."""
        for group in self.switching_groups:
            if not (group.awaits_phrase and utterance.words):
                continue
            if not _continues_switching(group, utterance) or not self._may_join(group, utterance):
                continue
            mixed = self._mix_sentence(group.last, utterance)
            if mixed.end <= self.options.limit and mixed.label_ratio <= 1:
                group.placed, group.label_ratio = mixed.placed, mixed.label_ratio
                group.awaits_phrase = False
                return group
        return None

    def _mix_sentence(self, sentence: Utterance, donor: Utterance) -> PackedGroup:
        """Return the sentence with a random phrase of the donor in its middle, without silence."""
        # Three draws for every attempt, also one that turns out too long: the order of draws is
        # fixed.
        place = self.rng.randrange(1, len(sentence.words))
        word_count = self.rng.randint(1, min(MAX_PHRASE_WORDS, len(donor.words)))
        first_word = self.rng.randrange(len(donor.words) - word_count + 1)
        group, start = PackedGroup(switches_language=True), 0.0
        phrase = cut_words(donor, first_word, first_word + word_count)
        # A full stop of the phrase would end the sentence around it.
        text = (phrase.text or "").strip(SENTENCE_MARKS) or phrase.text
        for part in (
            cut_words(sentence, 0, place),
            replace(phrase, text=text),
            cut_words(sentence, place, len(sentence.words)),
        ):
            group.placed.append((start, part))
            group.label_ratio += self.label_length_ratio(part)
            start += part.duration
        return group

    def _append(self, group: PackedGroup, utterance: Utterance) -> bool:
        """Append the utterance if there is room in time and label; return True if it was added.

        An empty group takes any utterance.
        """
        start = group.end + self.options.gap if group.placed else 0.0
        label_ratio = group.label_ratio + self.label_length_ratio(utterance)
        fits = start + utterance.duration <= self.options.limit and label_ratio <= 1
        if fits or not group.placed:
            group.placed.append((start, utterance))
            group.label_ratio = label_ratio
            return True
        return False

    def _may_join(self, group: PackedGroup, utterance: Utterance) -> bool:
        """Return True if the speakers of group and utterance may be joined."""
        if self.options.speakers == "any":
            return True
        speaker = find_single_speaker(utterance)
        # Two unknown speakers may be two people.
        return speaker is not None and speaker == group.speaker

    def _group_key(self, utterance: Utterance) -> GroupKey | None:
        """Return the key of the open group to join; None if it needs a speaker who is unknown."""
        if self.options.speakers == "any":
            return (utterance.lang, utterance.origin)
        speaker = find_single_speaker(utterance)
        return (utterance.lang, utterance.origin, speaker) if speaker else None

    def _finish(self, group: PackedGroup) -> PackedGroup:
        """Return the group with `previous_text`, and keep its text for the speaker's next group."""
        # Only for groups of one speaker and language: as a prompt, the text of another speaker or
        # language would teach the model to continue what it cannot know.
        if (speaker := group.speaker) and len(group.languages) == 1:
            group.previous_text = self.last_texts.get((speaker, group.lang))
            self.last_texts[speaker, group.lang] = group.text
        return group


def _continues_switching(group: PackedGroup, utterance: Utterance) -> bool:
    """Return True if the utterance continues the group in the other of its two languages."""
    # Two languages and no more, as `switched` says.
    languages = group.languages | {utterance.lang}
    return bool(utterance.lang) and utterance.lang != group.last.lang and len(languages) == 2
