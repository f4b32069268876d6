"""Groups of utterances that are joined to one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from ..core.segments import find_single_speaker, join_texts
from ..core.types import Language, Origin, Piece, Seconds, Share, Utterance


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

    @property
    def previous_text(self) -> str | None:
        """Return what was said before the group in its recording, if that is known."""
        # Of the first utterance alone: what follows it is in the label.
        return self.placed[0][1].previous_text

    @property
    def end(self) -> Seconds:
        return self.placed[-1][0] + self.last.duration if self.placed else 0.0

    @property
    def last(self) -> Utterance:
        return self.placed[-1][1]

    @property
    def utterances(self) -> list[Utterance]:
        return [utterance for _, utterance in self.placed]

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
        # By time and not by number: a borrowed phrase is short.
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
                # To milliseconds, as manifests hold times.
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
