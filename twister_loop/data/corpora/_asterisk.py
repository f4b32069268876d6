"""Recorded telephone prompts, fetched from Debian or from the Asterisk project.

Fetched prompts are kept in the user's cache, one folder a set, always in the same layout:
`sounds/NAME.wav` (or `.gsm`), `texts.txt` if there is a list, the licence, and `source.json`. A
folder under its final name is complete, and is never fetched again.

Debian's packages are the way in daily use. The project's tarballs have been tried only against a
local server with archives of the same layout.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import shutil
import tarfile
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...core.artifacts import write_json
from ...core.cache import cache_folder
from ...core.errors import ConfigError
from ...core.locks import exclusive_lock
from ._debian import FetchError, download_and_unpack, make_folder

log = logging.getLogger(__name__)

TARBALLS = "https://downloads.asterisk.org/pub/telephony/sounds/releases"
"""Address where the Asterisk project publishes its prompts."""
LICENSE = "CC-BY-SA 3.0 (https://creativecommons.org/licenses/by-sa/3.0/)"
FETCH_LOCK = ".lock"
"""Name of the file in the cache that is locked while a process fetches into it."""
AUDIO_PATTERNS = ("*.wav", "*.gsm")
"""Files of prompts: PCM of 8 kHz, or GSM 06.10 as telephones have it."""
TIMEOUT = 60.0
"""Seconds without an answer from a server."""


@dataclass(frozen=True)
class PromptSet:
    """One speaker's recorded prompts, and where they are published."""

    name: str
    """Name of the folder in the cache."""
    packages: tuple[str, ...]
    """Debian packages: the one with the audio, then the one with the list of texts, if any."""
    tarball: str | None
    """The same prompts as the project publishes them; None if only Debian has them."""
    sha256: str
    """Hash of the content (see `hash_content`) with which the loop was measured."""
    megabytes: int
    """Size of the download."""
    credit: str
    """The attribution that the licence asks for."""
    license: str = LICENSE
    other_texts: frozenset[str] = frozenset()
    """Names of prompts that speak another text than the list says. Such a text is no reference."""

    @property
    def has_texts(self) -> bool:
        return len(self.packages) > 1

    @property
    def folder(self) -> Path:
        """Folder in the cache, which exists if the prompts were fetched."""
        return _cache() / self.name


def fetch(prompts: PromptSet) -> Path:
    """Return the folder of a set of prompts in the cache, and fetch it first if it is missing.

    Raises:
        ConfigError: Neither Debian nor the project can be reached.
    """
    folder = prompts.folder
    if folder.is_dir():
        return folder
    with exclusive_lock(_cache() / FETCH_LOCK, wait=True):
        if not folder.is_dir():  # another process may have fetched it meanwhile
            _fetch(prompts, folder)
    return folder


def hash_content(folder: Path) -> str:
    """Return the SHA-256 over names and content of all audio and texts, in the order of names."""
    digest = hashlib.sha256()
    # Sorted, because file systems list folders in different orders.
    for path in sorted([*find_audio(folder), *folder.glob("texts.txt")]):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        # The form of `sha256sum`, so that a person can check it with that tool.
        digest.update(f"{content}  {path.relative_to(folder).as_posix()}\n".encode())
    return digest.hexdigest()


def find_audio(folder: Path) -> list[Path]:
    """Return the files of audio in a folder and its subfolders, sorted."""
    return sorted(path for pattern in AUDIO_PATTERNS for path in folder.rglob(pattern))


def _cache() -> Path:
    return cache_folder() / "asterisk"


def _fetch(prompts: PromptSet, folder: Path) -> None:
    """Try Debian, then the project's own tarballs; the folder appears complete or not at all."""
    failures = []
    # Beside the final folder, since a rename works only within one file system.
    scratch = folder.with_name(f".{folder.name}")
    for fetch_from_source in (_from_debian, _from_tarball):
        shutil.rmtree(scratch, ignore_errors=True)  # a killed process may have left it
        complete = make_folder(scratch / "whole")
        try:
            source = fetch_from_source(prompts, scratch, complete)
        except FetchError as failure:
            failures.append(str(failure))  # all are reported if no source works
        else:
            _write_source(prompts, source, complete)
            complete.rename(folder)  # atomic: others see all of it or nothing
        shutil.rmtree(scratch)
        if folder.is_dir():
            return
    raise ConfigError(
        f"the telephone prompts {prompts.name!r} are not in {folder.parent} and cannot be fetched: "
        + "; ".join(failures)
        + ". Run once with a network, on Debian or Ubuntu if the tarballs do not have it, or "
        f"copy {folder} from a machine that has it (TWISTER_CACHE names another cache folder)"
    )


def _write_source(prompts: PromptSet, source: str, folder: Path) -> None:
    """Compare the content with the measured version, and record source, licence and credit."""
    sha256 = hash_content(folder)
    if sha256 != prompts.sha256:
        # Not an error: splits depend on texts alone, so a new version is still usable.
        log.warning(
            "%s from %s differs from the measured version (sha256 %.12s, not %.12s): prompts with "
            "unchanged text stay in their split, but results may differ from published ones",
            prompts.name, source, sha256, prompts.sha256,
        )  # fmt: skip
    write_json({"source": source, "sha256": sha256}, folder / "source.json")
    # CC-BY-SA asks to name the authors wherever the recordings are passed on.
    (folder / "ATTRIBUTION").write_text(
        f"Telephone prompts {prompts.name}, from {source}.\n{prompts.credit}\n"
        f"Licence: {prompts.license}\n"
        "Unchanged recordings; what is made of them is to be shared under the same licence.\n",
        encoding="utf-8",
    )
    log.info("fetched %s. %s Licence: %s", prompts.name, prompts.credit, prompts.license)


def _from_debian(prompts: PromptSet, scratch: Path, complete: Path) -> str:
    """Fetch the Debian packages; return their names with their versions."""
    description = f"{prompts.megabytes} MB, {prompts.license}"
    root, source = download_and_unpack(prompts.packages, scratch, description)
    share = root / "usr/share"
    # Some packages also have links to it, for systems that look elsewhere.
    sound_folders = [path for path in share.glob("asterisk/sounds/*") if find_audio(path)]
    _arrange(prompts, sound_folders=sound_folders, unpacked=share, complete=complete)
    return source


def _from_tarball(prompts: PromptSet, scratch: Path, complete: Path) -> str:
    """Fetch an archive that has sounds, list and licence in one folder; return its address."""
    if prompts.tarball is None:
        raise FetchError("the Asterisk project publishes no tarball of it, only Debian has it")
    url = f"{TARBALLS}/{prompts.tarball}"
    log.info("downloading %s (about %d MB, %s)", url, prompts.megabytes, prompts.license)
    archive, unpacked = scratch / "archive.tar.gz", make_folder(scratch / "root")
    try:
        # Copied in parts, so that no archive sits in memory.
        with urllib.request.urlopen(url, timeout=TIMEOUT) as page, archive.open("wb") as file:
            shutil.copyfileobj(page, file)
        with tarfile.open(archive) as tar:
            # The filter refuses paths that lead out of the folder.
            tar.extractall(unpacked, filter="data")
    except (OSError, tarfile.TarError, EOFError) as cause:
        raise FetchError(f"{url}: {cause}") from cause
    _arrange(prompts, sound_folders=[unpacked], unpacked=unpacked, complete=complete)
    return url


def _arrange(
    prompts: PromptSet, *, sound_folders: Sequence[Path], unpacked: Path, complete: Path
) -> None:
    """Move unpacked audio, texts and licence into the layout of the cache."""
    if len(sound_folders) != 1:
        raise FetchError(f"expected one folder of sounds, found {len(sound_folders)}")
    for recording in find_audio(sound_folders[0]):
        target = complete / "sounds" / recording.relative_to(sound_folders[0])
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(recording, target)
    for texts in unpacked.rglob("core-sounds-*.txt*"):
        content = texts.read_bytes()
        if texts.suffix == ".gz":  # Debian compresses documentation
            content = gzip.decompress(content)
        (complete / "texts.txt").write_bytes(content)
    if prompts.has_texts and not (complete / "texts.txt").is_file():
        # Without the texts every held-out sentence would become a part of the pool.
        raise FetchError("the list of texts is missing in what was downloaded")
    # The licence asks that its text and the credits stay with the recordings.
    for notice in [
        *unpacked.rglob("copyright"), *unpacked.rglob("LICENSE*"), *unpacked.rglob("CREDITS*")
    ]:  # fmt: skip
        shutil.move(notice, complete / notice.name)
