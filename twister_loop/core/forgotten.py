"""Record of the speech that people asked to have removed from a run, so that it stays removed.

`forgotten.jsonl` in the folder of a run has one line for each request. It holds digests of
contents and of names, and no name, path, transcript or voice: with a file at hand one can tell
whether it is meant, and nobody can be found from the record alone.
"""

from __future__ import annotations

import hashlib
import shlex
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import schema
from .artifacts import find_run_root
from .errors import ConfigError
from .types import Seconds, Utterance

RECORD = "forgotten.jsonl"
"""Name of the record in the folder of a run."""
UNFINISHED = ".forgetting.json"
"""Name of the file that exists while speech is being removed, and after a kill in there."""
REJECTED_BY = "forgotten"
"""Reason of rejection of a recording that is listed again."""
DIGEST_LENGTH = 16
"""Hexadecimal digits of a content's digest, with which the id of every recording begins."""
MIN_OVERLAP: Seconds = 0.01
"""Seconds that two cuts of a recording may share without one being a part of the other."""


@dataclass(frozen=True, order=True)
class Span:
    """Part of a recording."""

    start: Seconds
    end: Seconds
    channel: int | None = None
    """Channel of the file; None stands for all of them."""

    def overlaps(self, other: Span) -> bool:
        """Return True if two parts of one recording have speech in common.

        >>> Span(0.0, 2.0).overlaps(Span(1.0, 3.0)), Span(0.0, 2.0).overlaps(Span(2.0, 3.0))
        (True, False)
        """
        same_channel = None in (self.channel, other.channel) or self.channel == other.channel
        shared = min(self.end, other.end) - max(self.start, other.start)
        return same_channel and shared > MIN_OVERLAP


@dataclass(frozen=True)
class AffectedModel:
    """Weights that were trained on speech which was removed since: they cannot unlearn it."""

    round: int
    folder: str
    """Relative to the run."""
    reasons: tuple[str, ...]
    accepted: bool = False
    """True if it became the champion of its round; a voice never does."""


@dataclass(frozen=True)
class ForgettingRequest:
    """Request to remove speech: a line of the record."""

    when: str
    """Time of the request: ISO 8601, with the offset from UTC."""
    by: str
    """Name of the person who ran the command."""
    recordings: tuple[str, ...] = ()
    """Digests of the contents of whole recordings."""
    spans: dict[str, tuple[Span, ...]] = field(default_factory=dict)
    """Removed parts of recordings that also hold other speakers, by the digest of the content."""
    speakers: tuple[str, ...] = ()
    """Digests of the names of speakers whom a corpus names; see `digest_name`."""
    clusters: tuple[str, ...] = ()
    """The same of speakers who were found by clustering. Nothing is rejected by such a name: it
    may be given to another person later."""
    utterances: int = 0
    """Utterances that were removed."""
    rounds: tuple[int, ...] = ()
    """Rounds that lost speech."""
    models: tuple[AffectedModel, ...] = ()


class ForgottenSpeech:
    """Speech of a run that must not be listed again."""

    def __init__(self, requests: Iterable[ForgettingRequest]) -> None:
        self._recordings, self._speakers = set[str](), set[str]()
        self._spans: Mapping[str, list[Span]] = defaultdict(list)
        for request in requests:
            self._recordings.update(request.recordings)
            self._speakers.update(request.speakers)
            for digest, spans in request.spans.items():
                self._spans[digest] += spans

    @classmethod
    def of_run(cls, folder: Path) -> ForgottenSpeech:
        """Read the record of the run that contains a folder."""
        return cls(read_requests(find_run_root(folder)))

    def __bool__(self) -> bool:
        return bool(self._recordings or self._speakers or self._spans)

    def covers(self, utterance: Utterance) -> bool:
        """Return True if all of a listed utterance, or of its speaker, was removed."""
        # Every id that a run gives to speech begins with the digest of the file. The file of an
        # annotated clip is another one, but its name is the id that the clip has in the run.
        names = (utterance.id, utterance.audio_filepath.stem)
        if any(is_cut_of(name, self._recordings) for name in names):
            return True
        return bool(utterance.speaker) and digest_name(utterance.speaker or "") in self._speakers

    def covers_part(self, utterance: Utterance) -> bool:
        """Return True if an utterance overlaps a part of its recording that was removed."""
        spans = self._spans.get(utterance.id[:DIGEST_LENGTH], ())
        place = Span(utterance.offset, utterance.offset + utterance.duration, utterance.channel)
        return any(span.overlaps(place) for span in spans)


def is_cut_of(utterance_id: str, recordings: Collection[str]) -> bool:
    """Return True if an id is that of one of some recordings, or of what was cut from one.

    A cut, a channel, a word and an augmented copy have the id of the whole with `-0001`, `-c0`,
    `:7` or `~1` behind it.

    Args:
        utterance_id: Id of an utterance.
        recordings: Digests of the contents of recordings.

    >>> is_cut_of("0123456789abcdef-0001", {"0123456789abcdef"})
    True
    """
    digest, rest = utterance_id[:DIGEST_LENGTH], utterance_id[DIGEST_LENGTH:]
    return digest in recordings and (not rest or rest[0] in "-:~")


def reject_forgotten(utterance: Utterance) -> Utterance:
    """Return an utterance that only counts speech that was removed: without name, path or text."""
    # Built anew and not with `replace`: a field that is added later must not slip through.
    return Utterance(
        id=utterance.id,
        duration=utterance.duration,
        rejected_by=REJECTED_BY,
        objection="its removal was requested; see forgotten.jsonl of the run",
    )


def read_requests(run: Path) -> tuple[ForgettingRequest, ...]:
    """Return all requests of a run.

    Raises:
        ConfigError: The record cannot be read, so that it is not known what must stay removed.
    """
    path = run / RECORD
    if not path.is_file():
        return ()
    try:
        lines = path.read_bytes().split(b"\n")
        return tuple(schema.parse_json(ForgettingRequest, line) for line in lines if line.strip())
    except (OSError, ValueError) as cause:
        raise ConfigError(
            f"{path}: cannot be read ({cause}); restore it from a backup: without it, speech that "
            "people asked to have removed would come back"
        ) from cause


def removal_dates(run: Path, round_number: int) -> tuple[str, ...]:
    """Return the dates on which speech was removed from a round."""
    requests = read_requests(run)
    return tuple(
        dict.fromkeys(request.when[:10] for request in requests if round_number in request.rounds)
    )


def write_requests(requests: Sequence[ForgettingRequest], run: Path) -> None:
    """Write the record atomically."""
    lines = "".join(f"{schema.to_json_line(request)}\n" for request in requests)
    # Renamed when whole: half a record would let speech come back.
    scratch = run / f".{RECORD}"
    scratch.write_text(lines, encoding="utf-8")
    scratch.replace(run / RECORD)


def check_nothing_half_removed(run: Path) -> None:
    """Check that no removal of speech was interrupted.

    Raises:
        ConfigError: One was, so that the run holds some of that speech still.
    """
    if (run / UNFINISHED).exists():
        raise ConfigError(
            f"{run}: removing speech from this run was interrupted; finish it with "
            f"`twister forget {shlex.quote(str(run))}`"
        )


def digest_name(name: str) -> str:
    r"""Return the digest of a speaker's name; names that differ in their encoding only are equal.

    >>> digest_name("Zoe\u0308") == digest_name("Zo\u00eb")
    True
    """
    # Names from file systems may be decomposed, and those of a table composed.
    composed = unicodedata.normalize("NFC", name)
    return hashlib.sha256(composed.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST_LENGTH]
