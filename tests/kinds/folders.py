"""Kinds of folders: links, loops, pipes, hidden files, and names in any encoding."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

from . import Kind, Samples
from ._write import wav_bytes

NAMES: dict[str, bytes] = {
    "name in latin-1": "caf\xe9.wav".encode("latin-1"),
    "name in cp949": "통화 녹음.wav".encode("cp949"),
    "name in Shift-JIS": "電話ソ.wav".encode("shift-jis"),
    "name in UTF-8": "통화 녹음.wav".encode(),
    "name with a newline": b"two\nlines.wav",
    "name with a tab": b"a\tb.wav",
    "name with quotes": b"'a' \"b\" `c`.wav",
    "name with a dash": b"-rf.wav",
    "name with percent and braces": b"%s %d {0} {}.wav",
    "name with a backslash": b"C:\\calls\\a.wav",
    "name with an emoji": "\N{TELEPHONE RECEIVER}\N{VARIATION SELECTOR-16}.wav".encode(),
    "name from right to left": "\u202egnp.\u05e9\u05dc\u05d5\u05dd.wav".encode(),
    "name of 255 bytes": b"n" * 251 + b".wav",
    "name with spaces at its ends": b"  a.wav  ",
    "name with a dot behind": b"a.wav.",
    "name in NFD": "e\u0301te\u0301.wav".encode(),
    "name with markup": b"<script>alert(1)<script>.wav",
    "name with a bell": b"\x07\x1b[31m.wav",
}


def _named(title: str, name: bytes) -> Kind:
    def write(folder: Path, speech: Samples) -> None:
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(wav_bytes(speech))

    return Kind(title, write)


def _kind(title: str, **right: object) -> Callable[[Callable[[Path, Samples], object]], Kind]:
    """Decorate the writer of a kind."""
    return lambda write: Kind(title, write, **right)  # type: ignore[arg-type]


def _outside(folder: Path, speech: Samples, name: str = "a.wav") -> Path:
    """Write a recording beside the folder, and return its folder."""
    outside = folder.with_name(f"{folder.name} outside")
    outside.mkdir(exist_ok=True)
    (outside / name).write_bytes(wav_bytes(speech))
    return outside


@_kind("link to a file", reason="leads to")
def _file_link(folder: Path, speech: Samples) -> None:
    (folder / "a.wav").write_bytes(wav_bytes(speech))
    (folder / "b.wav").symlink_to("a.wav")


@_kind("link to a file outside")
def _outer_link(folder: Path, speech: Samples) -> None:
    (folder / "a.wav").symlink_to(_outside(folder, speech) / "a.wav")


@_kind("two links to a file", reason="leads to")
def _two_links(folder: Path, speech: Samples) -> None:
    for name in ("a.wav", "b.wav"):
        (folder / name).symlink_to(_outside(folder, speech) / "a.wav")


@_kind("link to a folder")
def _folder_link(folder: Path, speech: Samples) -> None:
    (folder / "more").symlink_to(_outside(folder, speech))


@_kind("loop of folders", reason="leads to")
def _loop(folder: Path, speech: Samples) -> None:
    (folder / "a.wav").write_bytes(wav_bytes(speech))
    (folder / "below").mkdir()
    (folder / "below" / "up").symlink_to(folder)


@_kind("loop through the outside", reason="leads to")
def _outer_loop(folder: Path, speech: Samples) -> None:
    outside = _outside(folder, speech)
    (outside / "back").symlink_to(folder)
    (folder / "more").symlink_to(outside)


@_kind("files as of git-annex")
def _annex(folder: Path, speech: Samples) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "SHA256E-1").write_bytes(wav_bytes(speech))
    (folder / "a.wav").symlink_to(".git/SHA256E-1")


@_kind("broken link", share=None, reason="leads nowhere")
def _broken(folder: Path, speech: Samples) -> None:
    (folder / "a.wav").symlink_to("gone.wav")


@_kind("link to itself", share=None, reason="leads nowhere")
def _self_link(folder: Path, speech: Samples) -> None:
    (folder / "a.wav").symlink_to("a.wav")


@_kind("pipe", share=None, reason="named pipe")
def _pipe(folder: Path, speech: Samples) -> None:
    os.mkfifo(folder / "a.wav")


@_kind("pipe without an ending", share=None, reason="named pipe")
def _bare_pipe(folder: Path, speech: Samples) -> None:
    os.mkfifo(folder / "a")


@_kind("socket", share=None, reason="socket")
def _socket(folder: Path, speech: Samples) -> None:
    # A socket's whole path has 107 bytes at most, so it is bound from within.
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(folder)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("a.wav")
    finally:
        os.fchdir(before)
        os.close(before)


@_kind("endless device", share=None, reason="device")
def _device(folder: Path, speech: Samples) -> None:
    (folder / "a.wav").symlink_to("/dev/zero")


@_kind("hidden recording", share=None, reason="hidden")
def _hidden(folder: Path, speech: Samples) -> None:
    (folder / ".a.wav").write_bytes(wav_bytes(speech))


@_kind("litter of macOS and Windows", share=None, reason="hidden")
def _litter(folder: Path, speech: Samples) -> None:
    (folder / "._a.wav").write_bytes(b"\x00\x05\x16\x07" + bytes(4092))
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1" + bytes(100))
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(100))
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "b.wav").write_bytes(wav_bytes(speech))


@_kind("folder named like a file")
def _named_folder(folder: Path, speech: Samples) -> None:
    (folder / "call.wav").mkdir()
    (folder / "call.wav" / "a.wav").write_bytes(wav_bytes(speech))


@_kind("deep folders")
def _deep(folder: Path, speech: Samples) -> None:
    deep = folder.joinpath(*["d"] * 300)
    deep.mkdir(parents=True)
    (deep / "a.wav").write_bytes(wav_bytes(speech))


@_kind("folder in cp949")
def _odd_folder(folder: Path, speech: Samples) -> None:
    inner = Path(os.fsdecode(os.fsencode(folder) + b"/" + "녹음".encode("cp949")))
    inner.mkdir()
    (inner / "a.wav").write_bytes(wav_bytes(speech))


@_kind("run folder", share=None, reason="runs of this program")
def _run(folder: Path, speech: Samples) -> None:
    (folder / "mine").mkdir()
    (folder / "mine" / "run.json").write_text("{}")
    (folder / "mine" / "synthetic.wav").write_bytes(wav_bytes(speech))


@_kind("nothing at all", share=None, reason="no recordings")
def _nothing(folder: Path, speech: Samples) -> None:
    (folder / "empty").mkdir()


KINDS = [
    *(_named(title, name) for title, name in NAMES.items()),
    *(kind for kind in list(globals().values()) if isinstance(kind, Kind)),
]
