"""Walk over a folder that somebody filled: recordings, and everything else that lies there.

Nothing is lost silently. A file that may hold speech and is not read is yielded with the reason;
what holds no speech is counted. Pipes, sockets and devices are never opened. Links are followed
once: folders are told apart by device and inode, so that a loop ends.
"""

from __future__ import annotations

import logging
import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...audio import io as audio
from ...audio import signatures
from ...core.artifacts import RUN_MARKER
from ...core.errors import ConfigError

log = logging.getLogger(__name__)

ARCHIVES = frozenset(".zip .tar .gz .tgz .bz2 .xz .zst .7z .rar .iso .dmg .cab .lz4 .ark".split())
"""Endings of files that may have recordings inside."""
NO_SPEECH = frozenset(
    (
        ".jpg .jpeg .png .gif .bmp .tif .tiff .webp .heic .avif .ico .svg .psd .pdf .doc .docx "
        ".xls .xlsx .ppt .pptx .odt .ods .rtf .epub .npy .npz .pt .pth .ckpt .safetensors .onnx "
        ".h5 .hdf5 .pkl .pickle .parquet .arrow .feather .db .sqlite .mid .midi .ttf .woff .woff2 "
        ".exe .dll .so .o .pyc .class .jar .asd .pek .sfk .reapeaks"
    ).split()
)
"""Endings of binary files without sound; text is known by its first bytes."""
LITTER = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"))
"""Files, in lower case, that file managers leave behind."""
LITTER_FOLDERS = frozenset(
    ("__macosx", "@eadir", "lost+found", "$recycle.bin", "system volume information")
)
RAW = frozenset(".raw .ulaw .ul .alaw .al .sln .sln16 .g729 .g722 .g726 .vox .adpcm .ima".split())
"""Endings of samples without a header, as telephone switches write them."""
METADATA_NAMES = frozenset({"metadata.csv", "metadata.tsv", "metadata.jsonl"})
"""Names, in lower case, of tables with transcripts, which whoever reads them reports on."""
EXAMPLES = 3
MAX_KEYS = 20
"""Most endings that are counted apart, so that a million odd names need no memory."""
SPECIAL_FILES = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
Identity = tuple[int, int]


@dataclass
class NamedCounts:
    """Counts by kind, with the first few names of each.

    >>> counts = NamedCounts()
    >>> for name in ("a.xyz", "b.xyz", "c"):
    ...     counts.add(Path(name).suffix, name)
    >>> counts.total, str(counts)
    (3, '2 .xyz (a.xyz, b.xyz), 1 without an ending (c)')
    """

    counts: Counter[str] = field(default_factory=Counter)
    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, name: str) -> None:
        """Count a file; `kind` is its ending, or another word for it."""
        if kind not in self.counts and len(self.counts) >= MAX_KEYS:
            kind = "with other endings"
        self.counts[kind] += 1
        names = self.names.setdefault(kind, [])
        if len(names) < EXAMPLES:
            names.append(show_name(name))

    @property
    def total(self) -> int:
        return self.counts.total()

    def __str__(self) -> str:
        return ", ".join(
            f"{count} {show_name(kind) or 'without an ending'} ({', '.join(self.names[kind])}"
            f"{', ...' if count > len(self.names[kind]) else ''})"
            for kind, count in self.counts.most_common()
        )


@dataclass(frozen=True, slots=True)
class FoundFile:
    """File or folder of a walk: a recording, or something that is not read, with the reason."""

    path: Path
    """Below the folder of the walk, by the names through which it was reached."""
    rejected_by: str | None = None
    """`unknown_format`, `hidden`, `duplicate`, `broken_link`, `special_file`, `unreadable` or
    `unreadable_folder`; None for a recording."""
    objection: str | None = None


class FolderWalk:
    """Recordings of a folder and of the folders below it, sorted by path.

    Iterate once. Afterwards the counts hold what was met.
    """

    def __init__(self, folder: Path) -> None:
        """Prepare a walk.

        Raises:
            ConfigError: The folder is missing, is a file, or cannot be listed.
        """
        if not folder.is_dir():
            hint = "no folder; name the one that holds the audio" if folder.exists() else ""
            raise ConfigError(f"{folder}: {hint or 'no such folder of audio'}")
        try:
            # Now, because a pool that cannot be listed at all is a mistake of the plan.
            os.scandir(folder).close()
        except OSError as cause:
            raise ConfigError(
                f"{folder}: this folder cannot be listed ({cause.strerror}); change its permissions"
            ) from cause
        self.folder = folder
        self.recordings = 0
        self.rejected = NamedCounts()
        """What may hold speech and was not read, by reason."""
        self.unknown = NamedCounts()
        """Files that were rejected as `unknown_format`, by ending."""
        self.no_speech = NamedCounts()
        """Files without sound, such as text, by ending."""
        self.hidden = NamedCounts()
        """Hidden files and folders, and what file managers leave behind."""
        self.runs = NamedCounts()
        """Folders of runs: their speech is synthetic, or was in a pool already."""
        self._root = Path(os.path.realpath(folder))
        self._visited = set(filter(None, [_identity(folder.stat())]))  # folders
        self._linked = set[Identity]()  # files that were reached through a link
        self._tables: list[Path] = []
        self._finds_tables_only = False

    def __iter__(self) -> Iterator[FoundFile]:
        # A list of iterators and not recursion: folders may be nested deeper than Python calls.
        open_folders = [self._list(self.folder)]
        while open_folders:
            file = next(open_folders[-1], None)
            if file is None:
                open_folders.pop()
            elif isinstance(file, Path):
                open_folders.append(self._list(file))
            else:
                if not file.rejected_by:
                    self.recordings += 1
                elif file.rejected_by != "unknown_format":  # which is counted by ending
                    self.rejected.add(file.rejected_by, file.path.name)
                yield file

    def find_tables(self) -> list[Path]:
        """Walk, and return the tables with transcripts; no file is opened.

        They are needed before the first recording, and a million recordings fit into no list.
        """
        self._finds_tables_only = True
        for _ in self:
            pass
        return self._tables

    def log_counts(self) -> None:
        """Log what the walk met besides recordings, one line a kind."""
        if self.rejected.total:
            log.warning("%s: not read: %s", self.folder, self.rejected)
        if self.unknown.total:
            log.warning("%s: files of unknown kinds were not read: %s", self.folder, self.unknown)
        if self.no_speech.total:
            log.info("%s: files without sound were passed over: %s", self.folder, self.no_speech)
        if self.hidden.total:
            log.info("%s: hidden, and passed over: %s", self.folder, self.hidden)
        if self.runs.total:
            log.warning("%s: runs of this program are not read: %s", self.folder, self.runs)
        if not self.recordings:
            log.warning("%s: no recordings in it", self.folder)

    def _list(self, folder: Path) -> Iterator[FoundFile | Path]:
        """Yield what one folder holds, sorted by name; a folder to walk into is a Path."""
        try:
            with os.scandir(folder) as scan:
                # Sorted, because file systems list folders in different orders.
                entries = sorted((entry.name, entry.is_symlink()) for entry in scan)
        except OSError as cause:
            objection = f"{folder}: this folder cannot be listed ({cause.strerror})"
            yield FoundFile(folder, "unreadable_folder", objection)
            return
        # The folder of the plan itself may be a part of a run: somebody wants it.
        if folder != self.folder and (RUN_MARKER, False) in entries:
            self.runs.add("run folders", folder.name)
            return
        for name, is_link in entries:
            path = folder / name
            try:
                status = path.stat()
            except OSError as cause:
                # Editors mark open files by hidden links that lead nowhere.
                if name.startswith("."):
                    self.hidden.add("files", name)
                else:
                    yield _describe_missing(path, is_link, cause)
                continue
            if stat.S_ISDIR(status.st_mode):
                yield from self._judge_folder(path, is_link, status)
            else:
                yield from self._judge_file(path, is_link, status)

    def _judge_folder(
        self, path: Path, is_link: bool, status: os.stat_result
    ) -> Iterator[FoundFile | Path]:
        """Yield the folder if it is to be walked into."""
        # Of version control, trash, or previews: many files that nobody means.
        if path.name.startswith(".") or path.name.lower() in LITTER_FOLDERS:
            self.hidden.add("folders", path.name)
        # Under its own name, which its transcripts use, and not under that of the link.
        elif is_link and self._is_walked_anyway(target := Path(os.path.realpath(path))):
            yield _duplicate(path, target)
        elif (identity := _identity(status)) and identity in self._visited:
            yield _duplicate(path, Path(os.path.realpath(path)))
        else:
            if identity:
                self._visited.add(identity)
            yield path

    def _judge_file(self, path: Path, is_link: bool, status: os.stat_result) -> Iterator[FoundFile]:
        """Yield the file if it is a recording, or may be one; else count it."""
        # First of all: to open a pipe is to wait for whoever writes into it, perhaps for ever.
        for is_kind, words in SPECIAL_FILES:
            if is_kind(status.st_mode):
                objection = f"{path}: {words}, which has no end, and is not opened"
                yield FoundFile(path, "special_file", objection)
                return
        # Also if it is a link to a table of another name, which nobody would read.
        if path.name.lower() in METADATA_NAMES:
            self._tables.append(path)
            return
        if is_link and self._is_walked_anyway(target := Path(os.path.realpath(path))):
            yield _duplicate(path, target)
            return
        # A set of links only: identities of a million files would be too many to keep.
        if (is_link or self._linked) and (identity := _identity(status)):
            if identity in self._linked:
                yield _duplicate(path, Path(os.path.realpath(path)))
                return
            if is_link:
                self._linked.add(identity)
        if not self._finds_tables_only:
            yield from self._judge_content(path)

    def _judge_content(self, path: Path) -> Iterator[FoundFile]:
        """Yield a regular file if it is a recording, or may be one; else count it."""
        suffix = path.suffix.lower()
        is_hidden = path.name.startswith(".")
        # By name alone: the decoder looks into the file anyway, and may find that the name lies.
        if suffix in audio.SUFFIXES and not is_hidden:
            yield FoundFile(path)
            return
        try:
            with path.open("rb") as file:
                first_bytes = file.read(signatures.SNIFFED_BYTES)
        except OSError as cause:
            # Nobody knows whether it was a recording.
            yield FoundFile(path, "unreadable", f"{path}: cannot be read ({cause.strerror})")
            return
        if is_hidden or path.name.lower() in LITTER:
            if signatures.looks_like_sound(first_bytes):
                yield FoundFile(
                    path,
                    "hidden",
                    f"{path}: its name begins with a dot, as that of an unfinished copy; rename it "
                    "to have it read",
                )
            else:
                self.hidden.add("files", path.name)
        # Whatever its ending: people rename files, and mail programs do.
        elif signatures.looks_like_sound(first_bytes):
            yield FoundFile(path)
        elif suffix in NO_SPEECH or (suffix not in RAW and signatures.looks_like_text(first_bytes)):
            self.no_speech.add(suffix, path.name)
        else:
            self.unknown.add(suffix, path.name)
            yield FoundFile(path, "unknown_format", _describe_unknown(path, suffix, first_bytes))

    def _is_walked_anyway(self, target: Path) -> bool:
        """Return whether the target of a link is reached under its own name as well."""
        try:
            names = target.relative_to(self._root).parts
        except ValueError:
            # Outside, but perhaps in a folder that another link led to.
            parent = _identity_of(target.parent)
            return parent is not None and parent in self._visited
        return not any(
            name.startswith(".") or name.lower() in LITTER | LITTER_FOLDERS for name in names
        )


def show_name(name: str) -> str:
    r"""Return a file name as one line of printable text, whatever its bytes are.

    >>> show_name("a\n\udce9.wav"), show_name("통화 1.wav")
    ('a\\n\\udce9.wav', '통화 1.wav')
    """
    return "".join(
        character if character.isprintable() or character == "\u3000" else ascii(character)[1:-1]
        for character in name
    )


def _identity(status: os.stat_result) -> Identity | None:
    """Return what tells files apart; None on a file system that numbers none."""
    return (status.st_dev, status.st_ino) if status.st_ino else None


def _identity_of(path: Path) -> Identity | None:
    try:
        return _identity(path.stat())
    except OSError:
        return None


def _duplicate(path: Path, target: Path) -> FoundFile:
    return FoundFile(path, "duplicate", f"{path}: leads to {target}, which is read once")


def _describe_missing(path: Path, is_link: bool, cause: OSError) -> FoundFile:
    """Return a file that is there by name only: its link is broken, or somebody deleted it."""
    if is_link:
        objection = (
            f"{path}: a link to {_link_target(path)}, which leads nowhere ({cause.strerror})"
        )
        return FoundFile(path, "broken_link", objection)
    return FoundFile(path, "unreadable", f"{path}: cannot be read ({cause.strerror})")


def _link_target(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:  # deleted meanwhile
        return "nothing"


def _describe_unknown(path: Path, suffix: str, first_bytes: bytes) -> str:
    if not first_bytes:
        return f"{path}: empty"
    if suffix in RAW:
        return f"{path}: samples without a header, which would tell their rate; convert it to WAV"
    if suffix in ARCHIVES:
        return f"{path}: an archive; unpack it if it holds recordings"
    return f"{path}: neither its ending nor its first bytes are those of a known format of audio"
