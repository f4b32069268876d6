"""A person's work on a set: which clip is next, what was decided, and how far it is."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...audio import io as audio
from ...core.errors import ConfigError
from ...core.forgotten import DIGEST_LENGTH
from ...core.types import Language, Utterance
from ...text.normalizers._base import Normalizer
from .agreement import Agreement, measure_agreement
from .decisions import ClipHistory, Decision, DecisionLog
from .drawing import order_by_hash
from .set_folder import clip_path, cut_clip, prepare_clip, write_set
from .sources import AnnotatedSet
from .suggestions import Suggester
from .views import ClipView, Overview, Submission

PEAKS = 160
"""Bars of the picture of a clip's loudness."""
SECOND_SHARE = 1 / 3
"""Share of the clips that a second person transcribes, if no number is asked for."""


@dataclass(frozen=True)
class Session:
    """Work of one person on one set.

    Attributes:
        target: The set.
        clips: Clips in the order of the draw; none for a second person, who gets those of the set.
        wanted: Number of usable clips to get; None takes a share, for a second person.
        by: Name of the person.
        second: Whether the person transcribes again what others have.
        normalizer: The plan's.
        lang: Language of clips that name none.
        suggester: Makes suggestions; None for none.
        learned: Recordings that each round of the run learned from.
    """

    target: AnnotatedSet
    clips: Sequence[Utterance]
    wanted: int | None
    by: str
    normalizer: Normalizer
    lang: Language | None = None
    second: bool = False
    suggester: Suggester | None = None
    learned: Mapping[int, set[str]] = field(default_factory=dict)

    @property
    def log(self) -> DecisionLog:
        """Return the record of the set."""
        return _open_log(self.target.folder)

    def begin(self) -> None:
        """Make the folder, and finish what a kill interrupted.

        Raises:
            ConfigError: The record cannot be read, or a second person has nothing to transcribe.
        """
        self.target.folder.mkdir(parents=True, exist_ok=True)
        with self.log.locked():
            # Its record makes the folder ours, before anything else is in it.
            self.log.path.touch()
            write_set(self.target.folder, self.log.histories())
        if self.second and not self._clips_of_others():
            raise ConfigError(
                f"{self.target.folder}: there are no clips that somebody other than {self.by} has "
                "transcribed; let the first person begin, without `--second`"
            )

    def overview(self) -> Overview:
        """Return how far the work is."""
        histories = self.log.histories()
        own = [last for history in histories.values() if (last := self._last_decision(history))]
        # A second person gets no other clip for one that is unusable: the two differ there.
        outcomes = ("accepted", "settled", *(["unusable"] if self.second else []))
        done = [line for line in own if line.outcome in outcomes]
        agreement = self.agreement()
        return Overview(
            done=len(done),
            wanted=max(self._wanted_count(), len(done)),
            seconds=round(sum(line.duration for line in done), 3),
            unusable=sum(1 for line in own if line.outcome == "unusable"),
            later=sum(1 for line in own if line.outcome == "later"),
            can_undo=self._last_own() is not None,
            disagreements=agreement.open if agreement else 0,
        )

    def open_clips(self) -> list[Utterance]:
        """Return the clips to transcribe now, in order.

        As many are open as usable clips are wanted still. One that was put off keeps its place in
        that number and comes last: if another one were drawn for it, the set would hold what is
        easy to transcribe. Only what is unusable is replaced.
        """
        histories = self.log.histories()
        last = {clip_id: self._last_decision(history) for clip_id, history in histories.items()}
        if self.second:
            batch = self._clips_of_others()[: self._wanted_count()]
        else:
            done = sum(1 for history in histories.values() if history.reference)
            undecided = [
                clip
                for clip in self.clips
                if (decision := last.get(clip.id)) is None or decision.outcome == "later"
            ]
            batch = undecided[: max(0, self._wanted_count() - done)]
            # Two people who begin at the same time should not meet at the same clip.
            batch = order_by_hash(batch, self.by)
        put_off = {clip_id for clip_id, line in last.items() if line and line.outcome == "later"}
        turns = {clip_id: turn for turn, clip_id in enumerate(self._in_order_of_decision())}
        fresh = [clip for clip in batch if not last.get(clip.id)]
        waiting = [clip for clip in batch if clip.id in put_off]
        return fresh + sorted(waiting, key=lambda clip: turns[clip.id])

    def next_clip(self) -> ClipView | None:
        """Return the clip to transcribe next; None if all is done. Raises AudioError."""
        open_clips = self.open_clips()
        return self.view(open_clips[0].id) if open_clips else None

    def previous_clip(self, clip_id: str | None) -> ClipView | None:
        """Return the clip that the person decided before another one, or last of all."""
        decided = [
            name
            for name in self._in_order_of_decision()
            if self._last_decision(self._history(name))
        ]
        if clip_id in decided:
            decided = decided[: decided.index(clip_id)]
        return self.view(decided[-1]) if decided else None

    def view(self, clip_id: str) -> ClipView:
        """Return a clip with what the person wrote. Raises AudioError or ConfigError."""
        clip, history = self._find(clip_id), self._history(clip_id)
        own = self._last_decision(history)
        rounds = [
            number for number, used in self.learned.items() if clip_id[:DIGEST_LENGTH] in used
        ]
        return ClipView(
            id=clip_id,
            revision=history.revision(self.by, second=self.second),
            duration=clip.duration,
            peaks=_measure_peaks(clip),
            lang=clip.lang or self.lang,
            text=own.text if own else "",
            outcome=own.outcome if own else None,
            reason=own.reason if own else "",
            # Nothing that could tell a second person more than the first one had.
            source=clip.audio_filepath.name,
            rounds=tuple(sorted(rounds)),
        )

    def write_clip(self, clip_id: str, path: Path) -> None:
        """Write the audio of a clip to a file, for a browser. Raises AudioError or ConfigError."""
        own = clip_path(self.target.folder, clip_id)
        if own.is_file():
            audio.write(audio.read(own), path)
        else:
            cut_clip(self._find(clip_id), path)

    def suggest(self, clip_id: str) -> str | None:
        """Return the model's transcript of a clip; None if there are no suggestions."""
        if not self.suggester:
            return None
        ahead = [clip for clip in self.open_clips() if clip.id != clip_id]
        return self.suggester.suggest([self._find(clip_id), *ahead])

    def decide(self, submission: Submission) -> None:
        """Record a decision, and write the set.

        Raises:
            StaleDecision: The clip was decided meanwhile.
            ConfigError: There is no such clip, or an accepted one has no text.
            AudioError: The clip cannot be read.
        """
        clip, text = self._find(submission.id), clean_text(submission.text)
        # A clip of the set has lost its place in the recording, which earlier decisions tell.
        earlier = next(iter(self._history(clip.id).decisions), None)
        place = earlier or clip
        is_text = submission.outcome in ("accepted", "settled")
        if is_text and not self.normalizer.normalize(text, clip.lang or self.lang):
            raise ConfigError(
                "there is no text to compare with; write what is said, or mark the clip as unusable"
            )
        with self.log.locked():
            if is_text and not self.second:
                prepare_clip(clip, self.target.folder)
            decision = Decision(
                id=clip.id,
                outcome=submission.outcome,
                by=self.by,
                when=datetime.now().astimezone().isoformat(timespec="seconds"),
                text=text if is_text else "",
                reason=submission.reason if submission.outcome == "unusable" else "",
                # What two people settle is the set's, whoever of them does it.
                second=self.second and submission.outcome != "settled",
                suggestion=submission.suggestion,
                offset=place.offset,
                duration=round(place.duration, 3),
                channel=place.channel,
                lang=clip.lang,
                speaker=clip.speaker,
            )
            self.log.append(decision, submission.revision)
            write_set(self.target.folder, self.log.histories())

    def undo(self) -> ClipView | None:
        """Withdraw the person's last decision, and return its clip; None if there is none."""
        last = self._last_own()
        if last is None:
            return None
        revision = self._history(last.id).revision(self.by, second=self.second)
        self.decide(Submission(id=last.id, revision=revision, outcome="withdrawn"))
        try:
            return self.view(last.id)
        except ConfigError:  # drawn by an earlier command, from another pool
            return self.next_clip()

    def agreement(self) -> Agreement | None:
        """Return how far two people agree; None if nobody transcribed anything twice."""
        return measure_agreement(self.log.histories(), self.normalizer, self.lang)

    def settling_view(self, clip_id: str) -> ClipView:
        """Return a clip that two people transcribed, to be settled."""
        view, history = self.view(clip_id), self._history(clip_id)
        return replace(view, revision=history.revision(self.by, second=False))

    def preview(self, text: str, lang: Language | None) -> str:
        """Return a text as it is compared with transcripts."""
        return self.normalizer.normalize(clean_text(text), lang or self.lang)

    def _history(self, clip_id: str) -> ClipHistory:
        return self.log.histories().get(clip_id, ClipHistory())

    def _last_decision(self, history: ClipHistory) -> Decision | None:
        """Return the decision on a clip that counts for this person."""
        return history.transcript_by(self.by, second=True) if self.second else history.first

    def _last_own(self) -> Decision | None:
        """Return the last decision that the person can undo."""
        current = [
            decision
            for history in self.log.histories().values()
            if (decision := self._last_decision(history)) and decision.by == self.by
        ]
        order = {id(decision): turn for turn, decision in enumerate(self.log.read())}
        return max(current, key=lambda decision: order[id(decision)], default=None)

    def _in_order_of_decision(self) -> list[str]:
        """Return the clips that the person decided, in the order of the last decision on each."""
        own = [
            line.id for line in self.log.read() if line.by == self.by and line.second == self.second
        ]
        return list(dict.fromkeys(reversed(own)))[::-1]

    def _wanted_count(self) -> int:
        if self.wanted is not None:
            return self.wanted
        return math.ceil(SECOND_SHARE * len(self._clips_of_others()))

    def _clips_of_others(self) -> list[Utterance]:
        """Return the set's clips that somebody else transcribed, in an order of their own."""
        clips = [
            _from_set(self.target.folder, reference)
            for history in self.log.histories().values()
            if (reference := history.reference) and (history.first or reference).by != self.by
        ]
        return order_by_hash(clips, "second")

    def _find(self, clip_id: str) -> Utterance:
        """Return a clip by its id: from the set, or else from the draw."""
        reference = self._history(clip_id).reference
        if reference and clip_path(self.target.folder, clip_id).is_file():
            in_set = _from_set(self.target.folder, reference)
            drawn = next((clip for clip in self.clips if clip.id == clip_id), None)
            return drawn if drawn and drawn.audio_filepath.is_file() else in_set
        for clip in self.clips:
            if clip.id == clip_id:
                return clip
        raise ConfigError(f"there is no clip {clip_id[:80]!r} in this set")


def clean_text(text: str) -> str:
    r"""Return a text on one line, without control characters; marks and joiners stay.

    >>> clean_text(" two\nlines ")
    'two lines'
    """
    visible = (letter if unicodedata.category(letter) != "Cc" else " " for letter in text)
    return " ".join("".join(visible).split())


def _from_set(folder: Path, reference: Decision) -> Utterance:
    """Return a clip of the set as an utterance; its time within the recording stays known."""
    return Utterance(
        id=reference.id,
        audio_filepath=clip_path(folder, reference.id),
        duration=reference.duration,
        lang=reference.lang,
        speaker=reference.speaker,
    )


@lru_cache(maxsize=8)
def _open_log(folder: Path) -> DecisionLog:
    return DecisionLog(folder)


@lru_cache(maxsize=64)
def _measure_peaks(clip: Utterance) -> tuple[int, ...]:
    samples = np.abs(audio.load_utterance(clip))
    parts = np.array_split(samples, min(PEAKS, len(samples)))
    peaks = np.array([part.max() for part in parts])
    return tuple(round(100 * float(peak / max(peaks.max(), 1e-6))) for peak in peaks)
