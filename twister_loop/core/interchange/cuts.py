"""Utterances as cuts of Lhotse: a stretch of a recording, with a supervision for its text.

What Lhotse has no field for, such as `confidence`, is in the custom fields of the cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import AudioError, ConfigError
from ..types import TEXT_ONLY, Utterance
from .rows import COLUMNS, from_row, import_package, to_row

if TYPE_CHECKING:
    from lhotse import CutSet as CutSet
    from lhotse import Recording

OWN_FIELDS = frozenset("id audio_filepath offset duration text lang speaker words".split())
"""Fields of an utterance that a cut, its recording and its supervision have a place for."""


def to_cuts(utterances: Iterable[Utterance]) -> CutSet:
    """Return a cut for every utterance; the headers of the recordings are read.

    Raises:
        ConfigError: An utterance has no audio.
        AudioError: A recording cannot be read.
    """
    library = import_package("lhotse", "lhotse")
    recordings: dict[Path, Recording] = {}
    cuts = []
    for utterance in utterances:
        path = utterance.audio_filepath
        if path == TEXT_ONLY:
            raise ConfigError(f"{utterance.id}: has no audio, which a cut of Lhotse needs")
        if path not in recordings:
            recordings[path] = _read_recording(library, path)
        cuts.append(_to_cut(library, utterance, recordings[path]))
    cut_set: CutSet = library.CutSet.from_cuts(cuts)
    return cut_set


def _read_recording(library: Any, path: Path) -> Recording:
    try:
        # By its path, since two folders may hold files of the same name.
        recording: Recording = library.Recording.from_file(path, recording_id=str(path))
    except Exception as cause:  # each of its readers has exceptions of its own
        reason = str(cause).partition("\n")[0]  # then follow the attempts of all its readers
        raise AudioError(f"{path}: Lhotse cannot read the recording ({reason})") from cause
    return recording


def _to_cut(library: Any, utterance: Utterance, recording: Recording) -> Any:
    # A cut of one channel, or of all: None mixes them.
    is_mono = utterance.channel is not None or recording.num_channels == 1
    channel = (utterance.channel or 0) if is_mono else list(range(recording.num_channels))
    duration = utterance.duration or recording.duration - utterance.offset
    row = to_row(utterance)
    supervision = library.SupervisionSegment(
        id=utterance.id,
        recording_id=recording.id,
        start=0.0,
        duration=duration,
        channel=channel,
        text=utterance.text,
        language=utterance.lang,
        speaker=utterance.speaker,
    )
    if utterance.words:
        make_word = import_package("lhotse.supervision", "lhotse").AlignmentItem
        words = [
            make_word(word.word, word.start, word.end - word.start, word.logprob)
            for word in utterance.words
        ]
        supervision = supervision.with_alignment("word", words)
    cut_class = library.MonoCut if is_mono else library.MultiCut
    return cut_class(
        id=utterance.id,
        start=utterance.offset,
        duration=duration,
        channel=channel,
        recording=recording,
        supervisions=[supervision],
        custom={name: content for name, content in row.items() if name not in OWN_FIELDS},
    )


def from_cuts(cuts: Iterable[Any]) -> Iterator[Utterance]:
    """Yield the utterance of every cut.

    Custom fields that a manifest does not have are left out.

    Raises:
        ConfigError: A cut is no stretch of one file, or has several supervisions.
    """
    for number, cut in enumerate(cuts):
        yield from_row(_to_row(cut), number)


def _to_row(cut: Any) -> dict[str, Any]:
    recording: Any = getattr(cut, "recording", None)  # a cut that was mixed has none
    is_file = recording is not None and [source.type for source in recording.sources] == ["file"]
    # A recording with effects sounds differently from its file, which is all that a manifest names.
    if not is_file or recording.transforms:
        raise ConfigError(
            f"cut {cut.id}: not a stretch of one audio file as it is; write its audio first, with "
            "`cuts.save_audios(folder)`"
        )
    if len(cut.supervisions) > 1:
        raise ConfigError(
            f"cut {cut.id}: has {len(cut.supervisions)} supervisions; make a cut of each, with "
            "`cuts.trim_to_supervisions(keep_overlapping=False)`"
        )
    row: dict[str, Any] = {
        "id": cut.id,
        "audio_filepath": str(recording.sources[0].source),
        "offset": cut.start,
        "duration": cut.duration,
    }
    if isinstance(cut.channel, int) and recording.num_channels > 1:
        row["channel"] = cut.channel
    for supervision in cut.supervisions:
        row |= {
            "text": supervision.text,
            "lang": supervision.language,
            "speaker": supervision.speaker,
            "words": list(_word_rows(supervision.alignment or {})),
        }
    custom = cut.custom or {}
    return row | {name: custom[name] for name in COLUMNS if name in custom}


def _word_rows(alignment: Mapping[str, Iterable[Any]]) -> Iterator[dict[str, Any]]:
    for word in alignment.get("word", ()):
        # Aligners that give no score are taken at their word.
        logprob = 0.0 if word.score is None else word.score
        yield {"word": word.symbol, "start": word.start, "end": word.end, "logprob": logprob}
