"""Removal of speech from the folder of a run: what the survey found, step by step.

Every step can be repeated, and none needs what an earlier one deletes, so a removal that was
killed is finished by running it again.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ...audio import io as audio
from ...core import schema
from ...core.artifacts import PROVENANCE, PRUNED, REDACTED, read_json, write_json
from ...core.cache import cache_folder
from ...core.digests import digest_path
from ...core.errors import ConfigError
from ...core.file_hashes import FileHashCache
from ...core.forgotten import DIGEST_LENGTH, RECORD, UNFINISHED, read_requests, write_requests
from ...core.manifest import Manifest
from ..run_folder import RunFolder
from ..stage_table import SPEAKERS
from ..stages.annotation import count_speakers
from .manifests import (
    Line,
    find_manifests,
    normalize_name,
    read_lines,
    rewrite,
    written_audio,
)
from .survey import Removal, artifact_of
from .targets import VOICES, Targets

PAGE, PAGE_CACHE = "index.html", ".summaries"
"""Page of a run and what it caches: both are written anew from what is left."""
REMOVED_MENTION = "it named speech that was removed on request"
"""Replaces an error or an objection that names a removed recording."""
WEIGHT_SUFFIXES = frozenset(".safetensors .bin .pth .pt .npz .ckpt".split())
"""Files that are not searched for names: nobody can read anything in them."""
MIN_NAME_LENGTH = 3
"""Shortest name of a speaker that files of free text are searched for."""


def remove(run_folder: RunFolder, removal: Removal) -> None:
    """Remove speech from a run; the caller holds the lock of the run."""
    run, targets = run_folder.path, removal.targets
    write_json(schema.to_json_data(removal), run / UNFINISHED)
    # First of all, so that nothing of it is listed again whatever happens next.
    requests = list(read_requests(run))
    if removal.request not in requests:
        write_requests([*requests, removal.request], run)
    for folder in removal.unfinished_stages:
        _delete_folder(run / folder)
    for speech in targets.synthetic:
        if speech.is_likeness:
            _delete_weights(run / speech.folder)
    for manifest in find_manifests(run):
        _remove_lines(manifest, run, targets)
    _delete_audio_by_id(run, targets)
    with FileHashCache(run) as hashes:
        hashes.forget(targets.selection.digests)
    shutil.rmtree(run / PAGE_CACHE, ignore_errors=True)
    # What a kill left of a file that was being written may name it too.
    for name in (PAGE, f".{PAGE}", ".hashes.json"):
        (run / name).unlink(missing_ok=True)
    _remove_from_logs(run, targets)
    for named in sorted(run.glob(f"*/{SPEAKERS.folder}/manifest.jsonl")):
        count_speakers(Manifest(named.parent)).save(named.parent)
    for record in sorted(run.rglob(PROVENANCE)):
        _update_record(record)
    _delete_from_caches(targets)
    (run / UNFINISHED).unlink(missing_ok=True)


def load_unfinished(run: Path) -> Removal | None:
    """Return the removal that was interrupted, if one was.

    Raises:
        ConfigError: Its file is damaged, or would delete something that is not of the run.
    """
    path = run / UNFINISHED
    if not path.is_file():
        return None
    try:
        removal = schema.parse_data(Removal, read_json(path))
    except ValueError as cause:
        raise ConfigError(
            f"{path}: cannot be read ({cause}); delete it, and name the speech again"
        ) from cause
    voices = (speech.folder for speech in removal.targets.synthetic)
    folders = [PurePosixPath(name) for name in (*removal.unfinished_stages, *voices)]
    # Somebody else may have made the run, and whole folders are deleted by this file.
    if any(folder.is_absolute() or ".." in folder.parts for folder in folders):
        raise ConfigError(f"{path}: names folders outside of the run; delete it")
    return removal


def find_mentions(run: Path, targets: Targets) -> list[str]:
    """Return the files of a run, relative to it, that still name a removed recording or speaker.

    Only a person can decide what to do about them, such as a plan with the name of a speaker.
    """
    pattern = _pattern(targets)
    return sorted(
        path.relative_to(run).as_posix()
        for path in run.rglob("*")
        if _is_free_text(path) and pattern.search(path.read_bytes())
    )


def _remove_lines(manifest: Path, run: Path, targets: Targets) -> None:
    """Remove the lines of a manifest that have to go, and the audio that stages wrote for them."""
    folder = manifest.parent.relative_to(run).as_posix()
    dropped = [fields for fields in read_lines(manifest) if targets.covers(fields, folder)]
    # Audio first: without the line nobody would know whose it is.
    for fields in dropped:
        if path := written_audio(fields, manifest, run):
            path.unlink(missing_ok=True)
    dropped_texts = {fields["text"] for fields in dropped if fields.get("text")}
    recordings = targets.selection.digests | targets.selection.spans.keys()
    names = {*targets.selection.digests, *targets.selection.paths}

    def change(fields: Line) -> Line | None:
        if targets.covers(fields, folder):
            return None
        changes: Line = {}
        # It repeats what was said before, maybe by another speaker of the same recording, whose own
        # line need not be in this manifest.
        if previous_text := fields.get("previous_text"):
            ids = [fields["id"], *(piece.get("id", "") for piece in fields.get("pieces", ()))]
            is_of_recording = any(name[:DIGEST_LENGTH] in recordings for name in ids)
            if is_of_recording or any(text in previous_text for text in dropped_texts):
                changes["previous_text"] = None
        for key in ("error", "objection"):
            message = normalize_name(fields.get(key) or "")
            if message and any(name in message for name in names):
                changes[key] = REMOVED_MENTION
        if not changes:
            return fields
        changed = {**fields, **changes}
        return {key: member for key, member in changed.items() if member is not None}

    is_changed = dropped or any(change(fields) is not fields for fields in read_lines(manifest))
    if is_changed:
        if artifact := artifact_of(manifest, run):
            _mark_redacted(artifact / PROVENANCE)
        rewrite(manifest, change)


def _mark_redacted(record: Path) -> None:
    """Note the digest of a record, by which later stages name the artifact, before it changes."""
    content = read_json(record)
    digests = content.get(REDACTED, [])
    _write_record({**content, REDACTED: [*digests, digest_path(record)]}, record)


def _update_record(record: Path) -> None:
    """Bring the digests of a redacted artifact's files up to date."""
    content = read_json(record)
    if not isinstance(content, dict) or REDACTED not in content:
        return
    listed = content.get("content", {})
    files = {name: record.parent / name for name in listed}
    digests = {name: digest_path(path) for name, path in files.items() if path.is_file()}
    if digests != listed:
        _write_record({**content, "content": digests}, record)


def _write_record(content: dict[str, object], record: Path) -> None:
    written = record.stat().st_mtime_ns
    write_json(content, record)
    # The order of these times is that in which stages ran; a later time tells readers of a change.
    os.utime(record, ns=(written + 1, written + 1))


def _delete_folder(folder: Path) -> None:
    # The record first, so that what a kill leaves is never taken for a result or resumed.
    (folder / PROVENANCE).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _delete_weights(voice_folder: Path) -> None:
    """Delete a trained voice, so that no later round speaks with it or starts from it."""
    for voice in voice_folder.glob("*voice"):
        # The mark first: a voice without weights must not be loaded.
        (voice / PRUNED).touch()
        for path in voice.rglob("*"):
            if path.is_file() and path.name not in {PROVENANCE, PRUNED, "timing.json"}:
                path.unlink()
        if (voice / PROVENANCE).is_file():
            _mark_redacted(voice / PROVENANCE)


def _delete_audio_by_id(run: Path, targets: Targets) -> None:
    """Delete audio that is named by an id, such as the clips of the page and of exports."""
    for path in list(run.rglob("*")):
        if path.suffix.lower() not in audio.SUFFIXES or not path.is_file():
            continue
        place, name = path.parent.relative_to(run).as_posix(), path.stem.lstrip(".")
        # Voices number their clips; a number is no id, and their lines were removed above.
        is_synthetic = VOICES not in Path(place).parts and name in targets.synthetic_ids(place)
        if is_synthetic or targets.selection.covers_id(name):
            path.unlink(missing_ok=True)


def _remove_from_logs(run: Path, targets: Targets) -> None:
    """Remove the lines of logs that name what is removed."""
    pattern = _pattern(targets)
    for path in run.rglob("*.log"):
        if path.is_symlink() or not path.is_file():
            continue
        lines = path.read_bytes().splitlines(keepends=True)
        others = [line for line in lines if not pattern.search(line)]
        if others != lines:
            path.write_bytes(b"".join(others))


def _delete_from_caches(targets: Targets) -> None:
    """Delete copies of the recordings in the user's cache."""
    for name in targets.selection.files:
        path = Path(name)
        audio.forget_decoded(path)
        if is_cached_copy(path) and normalize_name(name) in targets.selection.paths:
            path.unlink(missing_ok=True)


def is_cached_copy(path: Path) -> bool:
    """Return True for a copy in the user's cache of audio that a data set holds as bytes."""
    return path.is_relative_to(cache_folder() / "datasets")


def _is_free_text(path: Path) -> bool:
    """Return True for a file in which a name may stand anywhere, and in plain letters."""
    # Lines of manifests were removed; those of later rounds count by id what they rejected.
    is_record = path.name in {RECORD, "manifest.jsonl"}
    is_binary = path.suffix.lower() in {*audio.SUFFIXES, *WEIGHT_SUFFIXES}
    return path.is_file() and not path.is_symlink() and not is_binary and not is_record


def _pattern(targets: Targets) -> re.Pattern[bytes]:
    """Return a pattern of the ids, paths and names that are removed, as whole words."""
    selection = targets.selection
    names = {
        *selection.digests,
        *(path for path in selection.files if normalize_name(path) in selection.paths),
        *selection.paths,
        # A shorter name, such as a number, would be found in every file.
        *(name for name in selection.named_speakers if len(name) >= MIN_NAME_LENGTH),
    }
    spellings = sorted({re.escape(spelling) for name in names for spelling in _spellings(name)})
    # Without names, as of a speaker found by clustering, nothing must match: not the empty text.
    return re.compile(rb"(?<!\w)(?:%b)(?!\w)" % b"|".join(spellings) if spellings else rb"(?!)")


def _spellings(name: str) -> Iterator[bytes]:
    yield name.encode("utf-8", "backslashreplace")
    # As JSON with only ASCII in it, which some engines write.
    yield ascii(name)[1:-1].encode()
