"""Fetching recorded telephone prompts, from Debian or from the Asterisk project itself.

What is fetched lies in the user's cache, one folder a voice, in one shape wherever it came
from: `sounds/NAME.wav`, `texts.txt` where there is a list, the licence, and `source.json`.
A folder that can be seen is whole, and is never fetched again.

The way through Debian's packages is the one in daily use. The way through the project's
tarballs has been run only against a local server with archives of the same form.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import os
import shutil
import subprocess
import tarfile
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...core.artifacts import write_json
from ...core.cache import cache_folder
from ...core.errors import ConfigError
from ...core.locks import exclusive_lock

log = logging.getLogger(__name__)

TARBALLS = "https://downloads.asterisk.org/pub/telephony/sounds/releases"
"""Where the Asterisk project publishes its prompts."""
LICENSE = "CC-BY-SA 3.0 (https://creativecommons.org/licenses/by-sa/3.0/)"
FETCH_LOCK = ".lock"
"""Name of the file in the cache that is locked while a process fetches into it."""
TIMEOUT = 60.0
"""Seconds without an answer from a server."""


@dataclass(frozen=True)
class Voice:
    """One speaker's recorded prompts, and where they are published."""

    name: str
    """Of the folder in the cache."""
    packages: tuple[str, ...]
    """Debian's: the one with the audio, then the one with the list of texts, if there is one."""
    tarball: str | None
    """The same as the project publishes it; None where Debian alone has it."""
    digest: str
    """sha256 of the content (see `digest_of`) as it was when the loop was measured."""
    credit: str
    """Whom the licence asks to name."""

    @property
    def transcribed(self) -> bool:
        return len(self.packages) > 1


class _FetchError(Exception):
    """One way to fetch did not work; another may."""


def fetch(voice: Voice) -> Path:
    """The voice's folder in the cache, fetched first if it is not there.

    Raises ConfigError where neither Debian nor the project can be reached.
    """
    home = cache_folder() / "asterisk"
    folder = home / voice.name
    if folder.is_dir():
        return folder
    with exclusive_lock(home / FETCH_LOCK, wait=True):
        if not folder.is_dir():  # another process may have fetched it meanwhile
            _fetch(voice, folder)
    return folder


def digest_of(folder: Path) -> str:
    """sha256 over names and content of all that is heard and read, in the order of names."""
    whole = hashlib.sha256()
    for path in sorted([*folder.rglob("*.wav"), *folder.glob("texts.txt")]):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        whole.update(f"{content}  {path.relative_to(folder).as_posix()}\n".encode())
    return whole.hexdigest()


def _fetch(voice: Voice, folder: Path) -> None:
    """Try Debian, then the project's own tarballs; the folder appears whole or not at all."""
    failures = []
    scratch = folder.with_name(f".{folder.name}")
    for way in (_from_debian, _from_tarball):
        shutil.rmtree(scratch, ignore_errors=True)
        whole = _made(scratch / "whole")
        try:
            source = way(voice, scratch, whole)
        except _FetchError as failure:
            failures.append(str(failure))
        else:
            _sign(voice, source, whole)
            whole.rename(folder)
        shutil.rmtree(scratch)
        if folder.is_dir():
            return
    raise ConfigError(
        f"the telephone prompts {voice.name!r} are not in {folder.parent} and cannot be fetched: "
        + "; ".join(failures)
        + ". Run once with a network, on Debian or Ubuntu if the tarballs do not have it, or "
        f"copy {folder} from a machine that has it (TWISTER_CACHE names another cache folder)"
    )


def _sign(voice: Voice, source: str, whole: Path) -> None:
    """Compare with what is known, and note source, licence and attribution."""
    found = digest_of(whole)
    if found != voice.digest:
        log.warning(
            "%s from %s is not the version known here (sha256 %.12s, not %.12s): a prompt whose "
            "text is unchanged stays in its split, but figures may differ from published ones",
            voice.name, source, found, voice.digest,
        )  # fmt: skip
    write_json({"source": source, "sha256": found}, whole / "source.json")
    (whole / "ATTRIBUTION").write_text(
        f"Telephone prompts {voice.name}, from {source}.\n{voice.credit}\nLicence: {LICENSE}\n"
        "Unchanged recordings; what is made of them is to be shared under the same licence.\n",
        encoding="utf-8",
    )
    log.info("fetched %s. %s Licence: %s", voice.name, voice.credit, LICENSE)


def _from_debian(voice: Voice, scratch: Path, whole: Path) -> str:
    """`apt-get download` and `dpkg -x`, as any user: with package lists and cache of our own."""
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise _FetchError(f"{tool} is not installed")
    log.info("downloading %s with apt-get (about 18 MB, %s)", " ".join(voice.packages), LICENSE)
    private = [
        option
        for key, folder in (("Dir::State::Lists", "lists"), ("Dir::Cache", "cache"))
        for option in ("-o", f"{key}={_made(scratch / folder / 'partial').parent}")
    ]
    try:
        _run(["apt-get", *private, "update"], scratch)
        _run(["apt-get", *private, "download", *voice.packages], scratch)
    except _FetchError as failure:
        log.info("with package lists of our own: %s; trying the system's", failure)
        _run(["apt-get", "download", *voice.packages], scratch)
    debs = sorted(scratch.glob("*.deb"))
    for deb in debs:
        _run(["dpkg", "-x", str(deb), str(_made(scratch / "root"))], scratch)
    share = scratch / "root/usr/share"
    _take(voice, list(share.glob("asterisk/sounds/*")), share, whole)
    return ", ".join(deb.stem for deb in debs)


def _from_tarball(voice: Voice, scratch: Path, whole: Path) -> str:
    """The archive holds sounds, list and licence side by side."""
    if voice.tarball is None:
        raise _FetchError("the Asterisk project publishes no tarball of it, only Debian has it")
    url = f"{TARBALLS}/{voice.tarball}"
    log.info("downloading %s (about 18 MB, %s)", url, LICENSE)
    archive, root = scratch / "archive.tar.gz", _made(scratch / "root")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as page, archive.open("wb") as file:
            shutil.copyfileobj(page, file)
        with tarfile.open(archive) as packed:
            packed.extractall(root, filter="data")
    except (OSError, tarfile.TarError, EOFError) as cause:
        raise _FetchError(f"{url}: {cause}") from cause
    _take(voice, [root], root, whole)
    return url


def _take(voice: Voice, sounds: Sequence[Path], root: Path, whole: Path) -> None:
    """Bring what was unpacked into the one shape."""
    if len(sounds) != 1:
        raise _FetchError(f"expected one folder of sounds, found {len(sounds)}")
    for wav in sounds[0].rglob("*.wav"):
        there = whole / "sounds" / wav.relative_to(sounds[0])
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(wav, there)
    for texts in root.rglob("core-sounds-*.txt*"):
        content = texts.read_bytes()
        (whole / "texts.txt").write_bytes(
            gzip.decompress(content) if texts.suffix == ".gz" else content
        )
    if voice.transcribed and not (whole / "texts.txt").is_file():
        # Without its texts every held-out sentence would pass for a part of the pool.
        raise _FetchError("the list of texts is missing in what was downloaded")
    for license in [*root.rglob("copyright"), *root.rglob("LICENSE*"), *root.rglob("CREDITS*")]:
        shutil.move(license, whole / license.name)


def _run(command: Sequence[str], folder: Path) -> None:
    """Run a tool quietly; what it complains of becomes the reason."""
    try:
        subprocess.run(
            command, cwd=folder, env={**os.environ, "LC_ALL": "C"}, check=True,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError) as cause:
        said = str(getattr(cause, "stderr", "") or cause).strip().splitlines()
        raise _FetchError(f"{command[0]}: {said[-1]}") from cause


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
