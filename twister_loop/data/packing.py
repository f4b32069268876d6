"""Packing: joining utterances to at most 30 s. Pure arithmetic; no audio is read here.

Every utterance is in exactly one group, whole and with its text. Phrases for switches inside a
sentence are copied into a second group, and stay in their own. Neighboring cuts of a recording stay
together with the pauses between them, and a group has the text that was said before it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from ..core import schema
from ..core.ranges import Fraction, Range
from ..core.segments import MAX_WINDOW, cut_words, find_single_speaker, trim_silence
from ..core.types import Seconds, Share, Utterance
from .neighbors import is_recorded_pause, recorded_pause
from .packed_group import PackedGroup

MAX_PHRASE_WORDS = 4
"""Most words that are put into a sentence of another language."""
SENTENCE_MARKS = ".,;:!?…。，、！？ "
"""Marks at the end of a sentence or clause, which are removed around such a phrase."""
SAMPLE_RATE = 16_000
"""Samples a second, in which lengths are compared: sums of seconds have rounding errors."""
FULL_LABEL: Share = 1 + 1e-6
"""Longest label, with the rounding errors of a sum; one token is more than 0.001 of it."""
MAX_SWITCHING_GROUPS = 64
"""Most groups that wait for speech of a second language. Each holds an utterance in memory."""


@dataclass(frozen=True)
class PackOptions:
    """Options of `pack:`, joining utterances for training."""

    limit: Annotated[Seconds, Range(above=0, high=MAX_WINDOW)] = MAX_WINDOW
    """Longest group in seconds, 30 at most."""
    gap: Annotated[Seconds, Range(0, MAX_WINDOW)] = 0.5
    """Room tone between utterances in seconds. Neighboring cuts of a recording keep the pause that
    was recorded, if it is at most 2 s; a switch inside a sentence has none."""
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
        stretch = PackedGroup()
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
            single = self._single(utterance)
            if not self._continues_stretch(stretch, single):
                yield from self._place(stretch)
                stretch = PackedGroup()
            borrower = self._insert_phrase(utterance)
            is_placed, full_groups = self._join_switching_group(single, borrower)
            yield from full_groups
            if not is_placed:
                self._extend(stretch, single)
        yield from self._place(stretch)
        # Also groups that never got their phrase or second language: nothing may be lost.
        yield from self.open_groups.values()
        yield from self.switching_groups

    def _continues_stretch(self, stretch: PackedGroup, single: PackedGroup) -> bool:
        """Return True if neighboring cuts, with their pauses, still fit into one group."""
        return not stretch.placed or (
            is_recorded_pause(stretch.last, single.last)
            and self._group_key(stretch.last) == self._group_key(single.last)
            and self._fits(stretch, single)
        )

    def _join_switching_group(
        self, single: PackedGroup, borrower: PackedGroup | None
    ) -> tuple[bool, list[PackedGroup]]:
        """Add an utterance to a group that awaits its language.

        Args:
            single: The utterance, as a group by itself.
            borrower: The group that has a phrase of it already, and may not get all of it too.

        Returns:
            True if the utterance was added, and the groups that have no room for it.
        """
        full_groups = list[PackedGroup]()
        candidates = [
            group for group in self.switching_groups if _continues_switching(group, single.last)
        ]
        for group in candidates:
            # A group that awaits its phrase must stay one sentence, which the phrase is put into.
            if group is borrower or group.awaits_phrase or not self._may_join(group, single.last):
                continue
            if self._fits(group, single):
                self._extend(group, single)
                return True, full_groups
            self.switching_groups.remove(group)
            full_groups.append(group)
        return False, full_groups

    def _place(self, stretch: PackedGroup) -> Iterator[PackedGroup]:
        """Add neighboring cuts to the open group, or to a new one; yield the fuller of both."""
        if not stretch.placed:
            return
        key = self._group_key(stretch.last)
        if key is None:  # an unknown speaker, with whom nobody may be joined
            self.group_count += len(stretch.placed)
            yield from map(self._single, stretch.utterances)
            return
        open_group = self.open_groups.get(key)
        if open_group and self._fits(open_group, stretch):
            self._extend(open_group, stretch)
            return
        first, *others = stretch.utterances
        if self._begins_switching(first):
            for utterance in others:
                yield from self._place(self._single(utterance))
        elif open_group and open_group.end <= stretch.end:
            # The one with more room left waits for what comes next.
            yield stretch
        else:
            self.open_groups[key] = stretch
            if open_group:
                yield open_group

    def _begins_switching(self, utterance: Utterance) -> bool:
        """Count a new group; begin one that switches languages, if there are too few of them."""
        self.group_count += 1
        # Counted and not drawn, so that a short stream has its share of switches too.
        too_few = self.switching_count < self.options.switched * self.group_count
        if not (too_few and utterance.lang and len(self.switching_groups) < MAX_SWITCHING_GROUPS):
            return False
        self.switching_count += 1
        group = self._single(utterance)
        group.switches_language = True
        # Drawn before the number of words is looked at: word times must not change the draws.
        switches_inside = self.rng.random() < self.options.inside
        group.awaits_phrase = switches_inside and len(utterance.words) > 1
        self.switching_groups.append(group)
        return True

    def _insert_phrase(self, utterance: Utterance) -> PackedGroup | None:
        """Put a phrase of this utterance into a sentence that waits for one; return its group."""
        for group in self.switching_groups:
            if not (group.awaits_phrase and utterance.words):
                continue
            if not _continues_switching(group, utterance) or not self._may_join(group, utterance):
                continue
            mixed = self._mix_sentence(group.last, utterance)
            if self._has_room(mixed.end, mixed.label_ratio):
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
        # Parts of sentences are no neighbors, whatever their sentences follow.
        sentence, donor = replace(sentence, follows=None), replace(donor, follows=None)
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

    def _single(self, utterance: Utterance) -> PackedGroup:
        return PackedGroup([(0.0, utterance)], self.label_length_ratio(utterance))

    def _extend(self, group: PackedGroup, addition: PackedGroup) -> None:
        """Append a group to another, after a pause or a gap, whether there is room or not."""
        start = self._next_start(group, addition)
        group.placed += [(start + offset, utterance) for offset, utterance in addition.placed]
        group.label_ratio += addition.label_ratio

    def _fits(self, group: PackedGroup, addition: PackedGroup) -> bool:
        """Return True if a group has room for another in time and label."""
        end = self._next_start(group, addition) + addition.end
        return self._has_room(end, group.label_ratio + addition.label_ratio)

    def _next_start(self, group: PackedGroup, addition: PackedGroup) -> Seconds:
        """Return where an addition to a group would begin."""
        if not group.placed:
            return 0.0
        first = addition.placed[0][1]
        if is_recorded_pause(group.last, first):
            return group.end + recorded_pause(group.last, first)
        return group.end + self.options.gap

    def _has_room(self, end: Seconds, label_ratio: Share) -> bool:
        """Return True if a group may end there and have such a label."""
        is_short = round(end * SAMPLE_RATE) <= round(self.options.limit * SAMPLE_RATE)
        return is_short and label_ratio <= FULL_LABEL

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


def _continues_switching(group: PackedGroup, utterance: Utterance) -> bool:
    """Return True if the utterance continues the group in the other of its two languages."""
    # Two languages and no more, as `switched` says.
    languages = group.languages | {utterance.lang}
    return bool(utterance.lang) and utterance.lang != group.last.lang and len(languages) == 2
