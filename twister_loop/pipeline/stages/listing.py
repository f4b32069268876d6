"""Stages that list corpora and read the pool: every recording is counted, kept or rejected."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from ...core.annotated import AnnotatedSpeech
from ...core.artifacts import stage
from ...core.errors import ConfigError
from ...core.file_hashes import FileHashCache, VerifiedManifest
from ...core.forgotten import DIGEST_LENGTH, ForgottenSpeech, reject_forgotten
from ...core.manifest import Manifest, iter_windows
from ...core.progress import show_progress
from ...core.tallies import Funnel, Tally
from ...core.types import TEXT_ONLY, Language, Seconds, Utterance
from ...data.corpora._base import Corpus
from ...data.deduplication import drop_duplicates, find_near_duplicates
from ...data.scanning import ScanOptions, scan_recording
from .filtering import write_kept_and_rejected

log = logging.getLogger(__name__)

LONG_RECORDINGS = "long"
"""Folder in that of a held-out set with its long recordings, if it has short ones too."""


PlanKey = Literal["pool", "texts", "human", "replay"]
"""Key of a plan that names corpora; it decides whether they must have audio and texts."""


@stage(version=3)
def gather(
    corpora: Sequence[Corpus], lang: Language | None, key: PlanKey | None = None, *, out: Path
) -> Manifest:
    """List the utterances of corpora, each once.

    Args:
        corpora: What to list, in this order.
        lang: Language of utterances whose corpus names none.
        key: Key of the plan that names them; None takes utterances with or without audio and text.
        out: Folder of the manifest; `rejected/` in it holds what cannot be used.

    Raises:
        ConfigError: The key needs texts, and one of the corpora has none.
    """
    # Only the pool is without transcripts. The record lies beside its list, and the round has it
    # from its beginning: what is annotated later belongs to the next round.
    annotated = AnnotatedSpeech.beside(out.parent) if key == "pool" else AnnotatedSpeech()
    with FileHashCache(out) as hashes:
        utterances = list_corpora(corpora, lang, hashes, key, annotated)
        manifest = write_kept_and_rejected(show_progress(utterances, "listing"), out)
    if annotated:
        # A part of the list, so that the scan is made again if other parts were transcribed.
        annotated.save(out)
    return manifest


@stage(version=2)
def gather_held_out(
    corpus: Corpus, lang: Language | None, longest_clip: Seconds, *, out: Path
) -> Manifest:
    """List the utterances of a held-out set; long ones apart if it has short ones too.

    Args:
        corpus: What to list.
        lang: Language of utterances whose corpus names none.
        longest_clip: Duration above which an utterance is long.
        out: Folder of the manifest; `long/` in it holds the long utterances.
    """
    with FileHashCache(out) as hashes:
        utterances = list(show_progress(list_corpora((corpus,), lang, hashes), "listing"))
    long = [
        utterance
        for utterance in utterances
        if utterance.duration > longest_clip and not utterance.rejected_by
    ]
    usable = sum(1 for utterance in utterances if not utterance.rejected_by)
    if not long or len(long) == usable:
        return write_kept_and_rejected(utterances, out)
    Manifest.write(long, out / LONG_RECORDINGS)
    long_ids = {utterance.id for utterance in long}
    short = (
        utterance
        for utterance in utterances
        if utterance.rejected_by or utterance.id not in long_ids
    )
    return write_kept_and_rejected(short, out)


@stage(version=1)
def take_long_recordings(listing: Manifest, *, out: Path) -> Manifest:
    """List the long recordings that `gather_held_out` set apart, as a set of their own."""
    return Manifest.write(Manifest.load(listing.folder / LONG_RECORDINGS), out)


@stage(version=5)
def scan(options: ScanOptions, listing: Manifest, *, out: Path) -> Manifest:
    """Read every file of the pool once: cut long recordings, set aside what is not speech.

    Resumes after the last whole window of files. Each window is a small manifest in `windows/`
    until all are there.
    """
    window_folders = []
    duplicates = (
        find_near_duplicates(listing, out / "prints") if options.duplicates == "drop" else {}
    )
    verified, forgotten = VerifiedManifest(listing.folder), ForgottenSpeech.of_run(out)
    annotated = AnnotatedSpeech.beside(listing.folder)
    files = show_progress(drop_duplicates(verified, duplicates), "scanning", len(listing))
    for number, window in enumerate(iter_windows(files)):
        window_folders.append(folder := out / "windows" / f"{number:06d}")
        # The file and not the folder: a kill may fall between the two deletions at the end.
        if not Manifest(folder).path.is_file():
            # A window appears under its name when it is whole, so a kill costs one window at most.
            scratch = folder.with_name(f".{folder.name}")
            cuts = (
                reject_forgotten(cut) if forgotten.covers_part(cut) else annotated.reject(cut)
                for file in window
                for cut in scan_recording(options, file)
            )
            Manifest.write(cuts, scratch)
            scratch.rename(folder)
    cuts = (cut for folder in window_folders for cut in Manifest(folder))
    manifest = write_kept_and_rejected(cuts, out)
    for scratch_name in ("windows", "prints"):
        shutil.rmtree(out / scratch_name, ignore_errors=True)
    if options.speakers:
        rejected = Funnel.load(out).rejected
        log.info(
            "%d cuts at pauses and speaker changes, %.1f min; outside of them: music %.1f min, "
            "no speech %.1f min",
            len(manifest), manifest.duration / 60,
            *(rejected.get(reason, Tally()).duration / 60 for reason in ("music", "no_speech")),
        )  # fmt: skip
    return manifest


def list_corpora(
    corpora: Sequence[Corpus],
    lang: Language | None,
    hashes: FileHashCache,
    key: PlanKey | None = None,
    annotated: AnnotatedSpeech | None = None,
) -> Iterator[Utterance]:
    """Yield the utterances of corpora under ids that come from their content.

    An utterance whose content was listed before is marked as rejected. Ids come from the content
    and not from the name, so a renamed file is the same and a replaced file is another. Speech
    whose removal was requested (`twister forget`) is rejected without its name and text, and
    recordings of which a held-out set was annotated are rejected with the name of that set.
    """
    listed_ids, forgotten = set[str](), ForgottenSpeech.of_run(hashes.run)
    forgotten_paths: dict[str, Path] = {}
    for corpus in corpora:
        utterances = corpus.utterances()
        for utterance in _check_content(corpus, utterances, key) if key else utterances:
            content_id = _content_id(utterance, hashes)
            listed = replace(
                utterance,
                id=content_id,
                lang=utterance.lang or lang,
                corpus=utterance.corpus or corpus.title,
            )
            if forgotten and _is_forgotten(listed, forgotten):
                forgotten_paths[content_id] = utterance.audio_filepath
                yield reject_forgotten(listed)
                continue
            if annotated:
                listed = annotated.reject_recording(listed)
            if listed.rejected_by is None:  # else the corpus itself found it unusable
                if content_id in listed_ids:
                    reason = f"{utterance.id} again"
                    listed = replace(listed, rejected_by="duplicate", objection=reason)
                listed_ids.add(content_id)
            yield listed
    if forgotten_paths:
        # A file that also holds other speech stays, so that a change of it is noticed.
        listed_digests = {name[:DIGEST_LENGTH] for name in listed_ids}
        hashes.forget({name[:DIGEST_LENGTH] for name in forgotten_paths} - listed_digests)
        log.warning(
            "%d listed recordings or utterances are rejected, because their removal was requested; "
            "delete their files, or cut the speech out of them: %s ...",
            len(forgotten_paths),
            next(iter(forgotten_paths.values())),
        )


def _check_content(
    corpus: Corpus, utterances: Iterable[Utterance], key: PlanKey
) -> Iterator[Utterance]:
    """Yield the utterances of a corpus, rejected where they lack audio or text that a key needs.

    Texts of the pool are left out: its labels are the champion's.

    Raises:
        ConfigError: The key needs texts, and no utterance has one.
    """
    with_text, without_text = 0, list[str]()
    for utterance in utterances:
        if utterance.rejected_by:
            yield utterance
            continue
        if key != "texts" and utterance.audio_filepath == TEXT_ONLY:
            objection = f"{utterance.id}: {key} needs speech, and this is a text without audio"
            yield replace(utterance, rejected_by="no_audio", objection=objection)
            continue
        if (utterance.text or "").strip():
            with_text += 1
            # Else a recording that is cut would keep the whole text for every part.
            yield replace(utterance, text=None) if key == "pool" else utterance
            continue
        if utterance.speechless:
            # In a pool, where both the champion and voice activity detection have to agree.
            yield replace(utterance, text=None, speechless=False) if key == "pool" else utterance
            continue
        without_text.append(utterance.id)
        if key == "pool" or utterance.error:
            yield utterance
        else:
            yield replace(utterance, rejected_by="no_text", objection="there is no transcript")
    if key == "pool":
        if with_text:
            log.warning(
                "pool: %d transcripts of %s are not used, since the pool is pseudo-labeled; to "
                "train on them, name it under `human`",
                with_text, corpus.title,
            )  # fmt: skip
    elif without_text and not with_text:
        raise ConfigError(
            f"{key}: none of {len(without_text)} recordings has a transcript; "
            f"{corpus.explain_missing_text()}"
        )
    elif without_text:
        log.warning(
            "%s: %d of %d recordings of %s have no transcript and are rejected: %s",
            key, len(without_text), len(without_text) + with_text, corpus.title,
            ", ".join(without_text[:3]),
        )  # fmt: skip


def _is_forgotten(listed: Utterance, forgotten: ForgottenSpeech) -> bool:
    # A recording without a text is cut by the scan, which drops the forgotten part alone.
    has_text = listed.text is not None
    return forgotten.covers(listed) or (has_text and forgotten.covers_part(listed))


def _content_id(utterance: Utterance, hashes: FileHashCache) -> str:
    """Return the first 16 hexadecimal digits of the content's sha256, with the offset if any."""
    if utterance.audio_filepath == TEXT_ONLY:
        text = f"{utterance.lang} {utterance.text}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]
    try:
        # Not of what was rejected: a pipe has no end, a folder many files, an archive many bytes.
        digest = None if utterance.rejected_by else hashes.digest(utterance.audio_filepath)
    except OSError:  # an unreadable file still needs an id; it is rejected when it is read
        digest = None
    # The bytes of the name, which may be no text.
    digest = digest or hashlib.sha256(os.fsencode(utterance.audio_filepath)).hexdigest()[:16]
    return f"{digest}-{utterance.offset:g}" if utterance.offset else digest
