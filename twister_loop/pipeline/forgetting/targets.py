"""Everything that has to go: the selected speech, and synthetic speech that was made from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from ...core.forgotten import REJECTED_BY
from ...tts.concatenative import split_words
from ..run_folder import RunFolder
from ..stage_table import VOICE
from .manifests import Line, find_manifests, read_lines
from .selection import Selection, split_speakers

VOICES = PurePosixPath(VOICE.folder).parts[0]
"""Folder of a round that holds a folder for each voice."""


@dataclass(frozen=True)
class SyntheticSpeech:
    """Synthetic speech of one voice of a round that has to go."""

    folder: str
    """Folder of the voice, relative to the run, as `round-01/voices/splice`."""
    ids: frozenset[str]
    is_likeness: bool = False
    """True if the weights of the voice speak as a person whose speech is removed."""


@dataclass(frozen=True)
class Targets:
    """Lines of manifests to remove, by what they hold."""

    selection: Selection
    synthetic: tuple[SyntheticSpeech, ...] = ()

    def covers(self, fields: Line, folder: str) -> bool:
        """Return True if a line has to go.

        Args:
            fields: Line of a manifest.
            folder: Folder of the manifest, relative to the run.
        """
        if fields.get("rejected_by") == REJECTED_BY:  # it only counts what was removed before
            return False
        return self.selection.covers(fields) or self.covers_synthetic(fields, folder)

    def covers_synthetic(self, fields: Line, folder: str) -> bool:
        """Return True if a line is, or was joined from, synthetic speech that has to go."""
        if not self.synthetic:
            return False
        path = fields.get("audio_filepath") or ""
        # In a mixture only the path tells the voices apart, which speak texts under equal ids.
        from_voice = VOICES in path.split("/")
        place = f"{folder.partition('/')[0]}/{path.lstrip('./')}" if from_voice else folder
        ids = self.synthetic_ids(place)
        pieces = (piece.get("id") for piece in fields.get("pieces", ()))
        return fields["id"].partition("~")[0] in ids or any(piece in ids for piece in pieces)

    def synthetic_ids(self, place: str) -> Collection[str]:
        """Return the ids of synthetic speech to remove from a place in the run.

        Args:
            place: File or folder, relative to the run. In the folder of a voice these are its own
                ids, elsewhere in a round those of all its voices, and elsewhere all ids.
        """
        parts = place.split("/")
        if parts[1:2] == [VOICES]:
            return self._ids_by_folder["/".join(parts[:3])]
        # Pages and exports hold copies of what several rounds made.
        is_shared = not parts[0].lstrip(".").startswith(("round-", "evaluation-"))
        return self._ids_by_folder["" if is_shared else parts[0]]

    @cached_property
    def _ids_by_folder(self) -> defaultdict[str, set[str]]:
        """Ids by voice folder, by round folder, and under "" all of them."""
        ids = defaultdict[str, set[str]](set)
        for speech in self.synthetic:
            for folder in (speech.folder, speech.folder.partition("/")[0], ""):
                ids[folder] |= speech.ids
        return ids


def find_targets(run_folder: RunFolder, selection: Selection) -> Targets:
    """Find the synthetic speech of all rounds that holds selected speech, or sounds like it."""
    run = run_folder.path
    speech = [
        voice_speech
        for folder in sorted(run.glob(f"*/{VOICES}/[!.]*"))
        if folder.is_dir() and (voice_speech := _find_in_voice(folder, run, selection))
    ]
    return Targets(selection, tuple(speech))


def _find_in_voice(folder: Path, run: Path, selection: Selection) -> SyntheticSpeech | None:
    """Return the speech of a voice that has to go, or None.

    A concatenative voice lists its words, and a clip that has a word of which some recording was
    selected may play it. An imitating voice lists its reference clips; which of them a text was
    spoken with shows in the name of the speaker only.
    """
    words, references = defaultdict[str, set[str | None]](set), set[str | None]()
    has_references = False
    for manifest in find_manifests(folder):
        # A voice that is still being trained, or whose copy was interrupted, is hidden.
        if (stage := manifest.relative_to(folder).parts[0].strip(".~")) != "voice":
            continue
        for fields in read_lines(manifest):
            is_selected = selection.covers(fields)
            if manifest.parent.name == "words" and is_selected:
                words[fields.get("text") or ""].add(fields.get("lang"))
            elif manifest.parent.name.strip(".~") == stage:
                has_references = True
                references |= {fields.get("speaker")} if is_selected else set()
    ids, is_likeness = set[str](), False
    for manifest in find_manifests(folder):
        for fields in read_lines(manifest):
            if not (made_by := fields.get("made_by")):
                continue
            # The name may be followed by those of effects.
            is_spliced = made_by.startswith("concatenative")
            sounds_alike = bool(selection.speakers & set(split_speakers(fields.get("speaker"))))
            # Spliced and imitating voices lose the words and clips, and have learned nothing else.
            is_likeness |= sounds_alike and not is_spliced and not has_references
            if (
                sounds_alike
                or (is_spliced and _may_play(fields, words))
                or (references and fields.get("speaker") in references)
            ):
                ids.add(fields["id"])
    if not ids and not words and not references:
        return None
    name = folder.relative_to(run).as_posix()
    return SyntheticSpeech(name, frozenset(ids), is_likeness)


def _may_play(fields: Line, words: dict[str, set[str | None]]) -> bool:
    """Return True if a spliced clip has a word, in its language, that may be the selected one."""
    lang = fields.get("lang")
    return any(
        word in words and (lang is None or words[word] & {lang, None})
        for word in split_words(fields.get("text"), lang)
    )


def iter_targets(targets: Targets, run: Path) -> Iterator[tuple[Path, Line]]:
    """Yield every line that has to go, with its manifest."""
    for manifest in find_manifests(run):
        folder = manifest.parent.relative_to(run).as_posix()
        for fields in read_lines(manifest):
            if targets.covers(fields, folder):
                yield manifest, fields
