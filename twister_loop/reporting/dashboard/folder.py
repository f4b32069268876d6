"""A folder of runs, as the server may look into it: nothing outside, nothing hidden."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ...core import schema
from ...core.artifacts import RUN_MARKER
from ...core.errors import ConfigError, ManifestError, TwisterError
from ...core.manifest import Manifest
from ...pipeline.run_folder import RunFolder
from ..round_diff import compare_rounds
from ..summary import RoundSummary, round_summary
from . import clips, page
from .console import folder_outcome

AUDIO = frozenset(".flac .wav .ogg .opus .mp3".split())
"""What may be listened to; no other file is handed out as it is."""
AT_ONCE = 50
"""Lines of a manifest that are shown together."""


class MissingError(ConfigError):
    """There is no such thing in the folder, or it must not be read."""


@dataclass(frozen=True)
class Runs:
    """The runs in a folder and in its folders, or one run alone."""

    root: Path
    only: str = ""
    """The name of the one run, where the folder itself is one."""

    @classmethod
    def of(cls, folder: Path) -> Runs:
        """Raises ConfigError where there is no such folder."""
        if not folder.is_dir():
            raise ConfigError(f"{folder}: no such folder; name one that holds runs")
        whole = folder.resolve()
        return cls(whole.parent, whole.name) if (whole / RUN_MARKER).is_file() else cls(whole)

    def names(self) -> list[str]:
        found = (self.root / self.only).glob(RUN_MARKER) if self.only else self._anywhere()
        return sorted(note.parent.relative_to(self.root).as_posix() for note in found)

    def run(self, name: str) -> Path:
        """The folder of a run. Raises MissingError."""
        at = self.inside(name)
        if not (at / RUN_MARKER).is_file():
            raise MissingError(f"{name}: no run here")
        return at

    def inside(self, path: str) -> Path:
        """A path below the folder, links followed. Raises MissingError where it leads elsewhere."""
        try:
            whole = (self.root / path).resolve()
            relative = whole.relative_to((self.root / self.only).resolve())
        except (OSError, ValueError) as cause:
            raise MissingError(f"{path}: not among the runs") from cause
        if any(part.startswith(".") for part in (*relative.parts, *Path(path).parts)):
            raise MissingError(f"{path}: not among the runs")
        return whole

    def sound(self, path: str) -> Path:
        """A file to listen to. Raises MissingError."""
        at = self.inside(path)
        if at.suffix not in AUDIO or not at.is_file():
            raise MissingError(f"{path}: no sound here")
        return at

    def _anywhere(self) -> Iterator[Path]:
        for pattern in (f"*/{RUN_MARKER}", f"*/*/{RUN_MARKER}"):
            for note in self.root.glob(pattern):
                name = note.parent.relative_to(self.root)
                ours = note.resolve().is_relative_to(self.root)
                if ours and not any(part.startswith(".") for part in name.parts):
                    yield note


def stamp(run: Path) -> str:
    """Changes whenever a stage is finished, or a clip is there."""
    watched = [run / clips.FOLDER, *run.glob("round-*"), *run.glob("round-*/voices/*")]
    times = [f"{each.name} {each.stat().st_mtime_ns}" for each in watched if each.is_dir()]
    return sha256("\n".join(times).encode()).hexdigest()[:16]


def listed(run: Path, name: str) -> dict[str, Any]:
    """One line of the list of runs."""
    try:
        ledger = RunFolder.read(run)
        accepted = ledger.champion_folder
        measured = [each for each in ledger.round_folders if (each / "untouched").is_dir()]
        of = accepted or (measured[-1] if measured else None)
        return {
            "name": name,
            "champion": f"{accepted.name}/candidate" if accepted else "untouched",
            "outcomes": [folder_outcome(each) for each in ledger.round_folders],
            "sets": _heads(round_summary(of), accepted is not None) if of else [],
            "changed": max((each.stat().st_mtime for each in ledger.round_folders), default=0),
        }
    except TwisterError as cause:
        return {"name": name, "trouble": str(cause)}


def _heads(last: RoundSummary, accepted: bool) -> list[dict[str, Any]]:
    """The first set of every kind, or all of a kind together: untouched, and in use now."""
    chosen: dict[str, str] = {}
    for name, row in last.scores.items():
        kind = next(iter(row.values())).kind
        if kind not in chosen or name.startswith("all "):
            chosen[kind] = name
    return [
        {
            "set": name,
            "kind": kind,
            "untouched": schema.to_json_data(last.scores[name]["untouched"].words),
            "now": schema.to_json_data(last.scores[name]["candidate" if accepted else "untouched"].words),
            "change": schema.to_json_data(last.changes[name]["words"]) if accepted else None,
        }
        for kind, name in chosen.items()
    ]


def whole_run(run: Path, name: str) -> str:
    """The data of the page of a run, as JSON, with what only the server has."""
    return page.data(
        run,
        page.WITH_UTTERANCES,
        home="/",
        name=name,
        stamp=stamp(run),
        utterances=f"/api/utterances/{name}",
        clip_source=f"/audio/{name}/{clips.FOLDER}/",
        manifests={each.name: _manifests(each) for each in RunFolder.read(run).round_folders},
    )


def utterances(run: Path, folder: str) -> str:
    """What is left out of `whole_run` for older rounds, as JSON. Raises MissingError."""
    found = [each for each in RunFolder.read(run).round_folders if each.name == folder]
    if not found:
        raise MissingError(f"{folder}: no round here")
    return page.utterances(found[0])


def compared(runs: Runs, first: str, second: str) -> str:
    """Two rounds, named `RUN/round-NN`, as JSON. Raises MissingError and ConfigError."""
    places = []
    for name in (first, second):
        run, _, folder = name.rpartition("/")
        at = runs.run(run) / folder
        if at not in RunFolder.read(at.parent).round_folders:
            raise MissingError(f"{name}: no round here")
        places.append(at)
    found = schema.to_json_data(compare_rounds(*places))
    found |= {"first": first, "second": second}
    found["clip_source"] = f"/audio/{second.rpartition('/')[0]}/{clips.FOLDER}/"
    found["clips"] = [path.stem for path in places[1].parent.glob(f"{clips.FOLDER}/*.flac")]
    return json.dumps(found, ensure_ascii=False)


def lines(runs: Runs, name: str, folder: str, begin: int, query: str) -> str:
    """Some lines of a manifest as JSON, and where to go on."""
    at = runs.inside(f"{name}/{folder}")
    runs.run(name)
    if not (at / "manifest.jsonl").is_file():
        raise MissingError(f"{folder}: no manifest here")
    try:
        found, after = Manifest(at).page(max(0, begin), AT_ONCE, query)
    except ManifestError as cause:
        raise MissingError(f"{folder}: no line begins at byte {begin}") from cause
    rows = []
    for each in found:
        row = schema.to_json_data(each)
        del row["audio_filepath"], row["words"], row["pieces"]
        path = each.audio_filepath
        if path.suffix in AUDIO and path.is_relative_to(runs.root):
            row["sound"] = f"/audio/{path.relative_to(runs.root).as_posix()}"
        rows.append(row)
    size = (at / "manifest.jsonl").stat().st_size
    return json.dumps({"lines": rows, "after": after, "of": size}, ensure_ascii=False)


def _manifests(at: Path) -> list[str]:
    """Folders of a round that hold a manifest; never a walk through its audio."""
    found = [
        note.parent.relative_to(at).as_posix()
        for depth in range(1, 5)
        for note in at.glob("/".join(["[!.]*"] * depth + ["manifest.jsonl"]))
    ]
    return sorted(each for each in found if "/." not in f"/{each}")
