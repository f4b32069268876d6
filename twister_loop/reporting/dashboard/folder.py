"""A folder of runs as the server may read it: nothing outside of it, nothing hidden."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from ...core import schema
from ...core.artifacts import RUN_MARKER
from ...core.errors import ConfigError, ManifestError, TwisterError, describe_fault
from ...core.manifest import Manifest
from ...core.types import Utterance
from ...pipeline.run_folder import RunFolder
from ...pipeline.stage_table import UNTOUCHED
from ..record_cache import CACHE_FOLDER
from ..round_diff import compare_rounds
from ..round_folders import MANIFEST, VOICES
from ..summary import RoundSummary, candidate_name, round_summary
from . import clips, page
from .console import folder_outcome

AUDIO_SUFFIXES = frozenset(".flac .wav .ogg .opus .mp3".split())
"""Formats that browsers play. No other file of a run is sent as it is."""
LINES_PER_PAGE = 50
"""Lines of a manifest that are sent at once."""
MANIFEST_DEPTH = 4
"""Folders between a round and its deepest manifest, e.g. voices/NAME/synthetic/rejected."""


class MissingError(ConfigError):
    """A run, round or file that does not exist in the folder, or that must not be read."""


@dataclass(frozen=True)
class Runs:
    """The runs in a folder and in its subfolders, or one run alone."""

    root: Path
    only: str = ""
    """Name of the only run, if the folder itself is a run; otherwise empty."""

    @classmethod
    def open(cls, folder: Path) -> Runs:
        """Return the runs of a folder.

        Args:
            folder: Holds runs, or is a run itself.

        Raises:
            ConfigError: There is no such folder.
        """
        if not folder.is_dir():
            raise ConfigError(f"{folder}: no such folder; name a folder that holds runs")
        resolved = folder.resolve()
        if (resolved / RUN_MARKER).is_file():
            return cls(resolved.parent, resolved.name)
        return cls(resolved)

    def names(self) -> list[str]:
        """Return the names of all runs: their paths relative to the folder."""
        markers = (self.root / self.only).glob(RUN_MARKER) if self.only else self._find_markers()
        return sorted(marker.parent.relative_to(self.root).as_posix() for marker in markers)

    def run_folder(self, name: str) -> Path:
        """Return the folder of a run.

        Raises:
            MissingError: There is no such run.
        """
        folder = self.resolve(name)
        if not self.resolve(f"{name}/{RUN_MARKER}").is_file():
            raise MissingError(f"{name}: no such run")
        return folder

    def checked_run(self, name: str) -> Path:
        """Return the folder of a run whose rounds hold no link out of the folder of runs.

        Raises:
            MissingError: There is no such run, or there is such a link; the message names it.
        """
        run = self.run_folder(name)
        if link := _find_link_out(self._top, run, run_stamp(run)):
            raise MissingError(f"{name}: {link} is a link that leads out of the folder of runs")
        return run

    @property
    def _top(self) -> Path:
        """Folder outside of which nothing is read."""
        return (self.root / self.only).resolve()

    def resolve(self, path: str) -> Path:
        """Return a path inside the folder of runs, with links followed.

        Raises:
            MissingError: The path leads out of the folder, or a part of it is hidden.
        """
        try:
            resolved = (self.root / path).resolve()
            relative = resolved.relative_to(self._top)
        except (OSError, ValueError) as error:  # ValueError: outside, or a null byte in the path
            raise MissingError(f"{path}: not among the runs") from error
        # Both before and after links are followed: a link may be hidden, or lead to what is.
        if any(part.startswith(".") for part in (*relative.parts, *Path(path).parts)):
            raise MissingError(f"{path}: not among the runs")
        return resolved

    def audio_file(self, path: str) -> Path:
        """Return the path of an audio file.

        Raises:
            MissingError: There is no such file, or it is no audio.
        """
        resolved = self.resolve(path)
        if resolved.suffix not in AUDIO_SUFFIXES or not resolved.is_file():
            raise MissingError(f"{path}: no such audio file")
        return resolved

    def _find_markers(self) -> Iterator[Path]:
        # Two levels, for folders such as EXPERIMENT/RUN. A search at any depth would walk through
        # the audio of every run.
        for pattern in (f"*/{RUN_MARKER}", f"*/*/{RUN_MARKER}"):
            for marker in self.root.glob(pattern):
                name = marker.parent.relative_to(self.root)
                # A run whose marker is a link out of the folder is listed, as broken.
                is_inside = marker.parent.resolve().is_relative_to(self.root)
                if is_inside and not any(part.startswith(".") for part in name.parts):
                    yield marker


# `stamp` is a part of the key, so that a run is searched again when a stage has finished.
@lru_cache(maxsize=512)
def _find_link_out(top: Path, run: Path, stamp: str) -> str | None:
    """Return the first link in the folders that pages are made of that leads out of `top`."""
    for start in (*run.glob("round-*"), run / clips.FOLDER, run / CACHE_FOLDER):
        for parent, folders, files in [("", [], [str(start)]), *os.walk(start)]:
            # There may be a million audio files, and `Runs.audio_file` resolves each by itself.
            folders[:] = [name for name in folders if name != "audio"]
            for path in (Path(parent, name) for name in (*folders, *files)):
                if path.is_symlink() and not path.resolve().is_relative_to(top):
                    return path.relative_to(run).as_posix()
    return None


def parse_offset(text: str) -> int:
    """Return a byte offset from an address. Raises ConfigError if it is none.

    >>> parse_offset("120")
    120
    """
    # `isdecimal` is also true of digits of other scripts, and no file has 10^18 bytes.
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise ConfigError("begin: a whole number of bytes is needed")
    return int(text)


def run_stamp(run: Path) -> str:
    """Return a text that changes whenever a stage is finished or a clip is written."""
    # A stage finishes by a rename into the folder of its round or voice, which changes the time of
    # that folder. Nothing inside of the stages has to be looked at.
    watched = [run / clips.FOLDER, *run.glob("round-*"), *run.glob(f"round-*/{VOICES}/*")]
    times = [f"{folder.name} {folder.stat().st_mtime_ns}" for folder in watched if folder.is_dir()]
    return sha256("\n".join(times).encode()).hexdigest()[:16]


def describe_run(runs: Runs, name: str) -> dict[str, Any]:
    """Return what the list of runs shows of one run; the reason if the run cannot be read."""
    try:
        run = runs.checked_run(name)
        run_folder = RunFolder.read(run)
        accepted = run_folder.champion_folder
        rounds = run_folder.round_folders
        evaluated = [folder for folder in rounds if UNTOUCHED.path(folder).is_dir()]
        # The scores of the champion; before there is one, those of the untouched model.
        shown = accepted or (evaluated[-1] if evaluated else None)
        return {
            "name": name,
            "champion": candidate_name(accepted),
            "outcomes": [folder_outcome(folder) for folder in rounds],
            "sets": _headline_scores(round_summary(shown), accepted is not None) if shown else [],
            "modified": max((folder.stat().st_mtime for folder in rounds), default=0),
        }
    # One broken run must not hide the others, whatever is wrong with its files.
    except Exception as error:
        reason = str(error) if isinstance(error, TwisterError) else describe_fault(error)
        return {"name": name, "error": reason}


def _headline_scores(summary: RoundSummary, accepted: bool) -> list[dict[str, Any]]:
    """Return the errors of the model in use on one set of each kind.

    The set is all of a kind together if there are several, else the only one.
    """
    chosen: dict[str, str] = {}
    for name, scores in summary.scores.items():
        kind = next(iter(scores.values())).kind
        # "all test sets" follows the single sets, and takes the place of the first.
        if kind not in chosen or name.startswith("all "):
            chosen[kind] = name
    return [_headline_score(summary, name, accepted) for name in chosen.values()]


def _headline_score(summary: RoundSummary, name: str, accepted: bool) -> dict[str, Any]:
    """Return the errors on one set by its own measure, also in 30 s windows if there are any."""
    champion = "candidate" if accepted else "untouched"
    score = summary.scores[name][champion]
    standard = summary.full_window.get(name, {}).get(champion)
    changes = (summary.changes, summary.full_window_changes if standard else {})
    change, full_window_change = (
        schema.to_json_data(by_set[name][score.measure]) if accepted and by_set else None
        for by_set in changes
    )
    return {
        "set": name,
        "champion": schema.to_json_data(score),
        "change": change,
        "full_window": schema.to_json_data(standard) if standard else None,
        "full_window_change": full_window_change,
    }


def served_run_data(run: Path, name: str) -> str:
    """Return the data of a run's page as JSON, with the addresses that only a server has."""
    return page.run_data(
        run,
        page.ROUNDS_WITH_UTTERANCES,
        home="/",
        name=name,
        stamp=run_stamp(run),
        utterances=f"/api/utterances/{name}",
        clip_source=f"/audio/{name}/{clips.FOLDER}/",
        manifests={folder.name: _manifests(folder) for folder in RunFolder.read(run).round_folders},
    )


def round_utterances(run: Path, folder: str) -> str:
    """Return a round's utterances as JSON, which `served_run_data` leaves out for older rounds.

    Raises:
        MissingError: There is no such round.
    """
    rounds = {path.name: path for path in RunFolder.read(run).round_folders}
    if folder not in rounds:
        raise MissingError(f"{folder}: no such round")
    return page.utterances_json(rounds[folder])


def compared_rounds(runs: Runs, first: str, second: str) -> str:
    """Return the comparison of two rounds as JSON.

    Args:
        runs: All runs.
        first: The round to compare with, as `RUN/round-NN`.
        second: The round to be compared.

    Raises:
        MissingError: There is no such round.
        ConfigError: One of the candidates is not evaluated yet.
    """
    first_folder, second_folder = _find_round(runs, first), _find_round(runs, second)
    comparison = schema.to_json_data(compare_rounds(first_folder, second_folder))
    clip_files = second_folder.parent.glob(f"{clips.FOLDER}/[!.]*.flac")
    comparison |= {
        "first": first,
        "second": second,
        "clip_source": f"/audio/{second.rpartition('/')[0]}/{clips.FOLDER}/",
        "clips": [path.stem for path in clip_files],
    }
    return json.dumps(comparison, ensure_ascii=False)


def _find_round(runs: Runs, name: str) -> Path:
    run, _, folder = name.rpartition("/")
    round_folder = runs.checked_run(run) / folder
    # Only folders in the list of rounds count, so that `RUN/..` leads nowhere.
    if round_folder not in RunFolder.read(round_folder.parent).round_folders:
        raise MissingError(f"{name}: no such round")
    return round_folder


def manifest_lines(runs: Runs, name: str, folder: str, begin: int, query: str) -> str:
    """Return some lines of a manifest as JSON, and the byte at which the next page begins.

    Args:
        runs: All runs.
        name: Name of the run.
        folder: Folder of the manifest, relative to the run.
        begin: Byte at which a line begins.
        query: Only lines that contain this text, in upper or lower case.

    Raises:
        MissingError: There is no such manifest, or no line begins at that byte.
    """
    manifest_folder = runs.resolve(f"{name}/{folder}")
    runs.run_folder(name)  # raises if `name` is no run but, say, a folder of data
    # Resolved once more, because the manifest itself may be a link.
    path = runs.resolve(f"{name}/{folder}/{MANIFEST}")
    if path != manifest_folder / MANIFEST or not path.is_file():
        raise MissingError(f"{folder}: no manifest here")
    try:
        utterances, next_begin = Manifest(manifest_folder).read_page(
            max(0, begin), LINES_PER_PAGE, query
        )
    # OverflowError: a number that no file can be as long as.
    except (ManifestError, OverflowError) as error:
        raise MissingError(f"{folder}: no line begins at byte {begin}") from error
    page_of_lines = {
        "lines": [_line(runs, utterance) for utterance in utterances],
        "next_begin": next_begin,
        "size": path.stat().st_size,
    }
    return json.dumps(page_of_lines, ensure_ascii=False)


def _line(runs: Runs, utterance: Utterance) -> dict[str, Any]:
    fields: dict[str, Any] = schema.to_json_data(utterance)
    # Paths on this machine are nobody else's business, and words and pieces are long.
    for name in ("audio_filepath", "words", "pieces"):
        del fields[name]
    path = utterance.audio_filepath
    if path.suffix in AUDIO_SUFFIXES and path.is_relative_to(runs.root):
        fields["audio"] = f"/audio/{path.relative_to(runs.root).as_posix()}"
    return fields


def _manifests(round_folder: Path) -> list[str]:
    """Return the folders of a round that hold a manifest.

    Each depth has its own pattern: `**` would walk through the audio, and into hidden folders.
    """
    folders = [
        path.parent.relative_to(round_folder).as_posix()
        for depth in range(1, MANIFEST_DEPTH + 1)
        for path in round_folder.glob("/".join(["[!.]*"] * depth + [MANIFEST]))
    ]
    return sorted(folder for folder in folders if "/." not in f"/{folder}")
