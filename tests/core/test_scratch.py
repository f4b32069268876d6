"""Hidden folders, full disks, and digests of files and folders."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from twister_loop.core.digests import digest_path, folder_size
from twister_loop.core.scratch import (
    copy_folder,
    delete_hidden,
    discard,
    full_disk_as_space_error,
    is_hidden,
    scratch_folder,
)
from twister_loop.errors import SpaceError


def test_scratch_and_copy_have_names_of_their_own_beside_the_result(tmp_path: Path) -> None:
    out = tmp_path / "round-01" / "pool"
    assert scratch_folder(out) == tmp_path / "round-01" / ".pool"
    assert copy_folder(out) == tmp_path / "round-01" / ".pool~"


def test_what_is_discarded_is_not_resumed_even_if_the_deletion_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ".pool"
    discard(folder, first="made.json")  # there need be none
    folder.mkdir()
    for name in ("made.json", "work"):
        (folder / name).touch()

    def kill(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr("shutil.rmtree", kill)
        discard(folder, first="made.json")
    assert [path.name for path in folder.iterdir()] == ["work"]
    discard(folder, first="made.json")
    assert not folder.exists()


def test_hidden_files_are_deleted_at_any_depth_and_links_are_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "elsewhere"
    kept.mkdir()
    (kept / "file").touch()
    folder = tmp_path / "out"
    (folder / "audio" / ".half" / ".deeper").mkdir(parents=True)
    for name in ("audio/.half/.deeper/x", "audio/1.wav", ".hidden", "a.b"):
        (folder / name).touch()
    (folder / ".link").symlink_to(kept)
    delete_hidden(folder)
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*")) == [
        "a.b",
        "audio",
        "audio/1.wav",
    ]
    assert (kept / "file").exists()


def test_only_what_is_below_the_root_is_hidden(tmp_path: Path) -> None:
    root = tmp_path / ".cache" / "run"
    assert not is_hidden(root / "round-01" / "pool", root) and not is_hidden(root, root)
    assert is_hidden(root / ".round-01" / "pool", root) and is_hidden(root / "a" / ".pool", root)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_with_its_place(tmp_path: Path, number: int) -> None:
    with (
        pytest.raises(SpaceError, match="out: the disk is full"),
        full_disk_as_space_error(tmp_path / "out"),
    ):
        raise OSError(number, "no space")


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), full_disk_as_space_error(tmp_path):
        raise PermissionError(errno.EACCES, "no")
    with full_disk_as_space_error(tmp_path):
        pass


def test_a_digest_is_of_the_content_and_in_folders_of_the_names_too(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"abc")
    assert digest_path(file) == hashlib.sha256(b"abc").hexdigest()[:16]
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "x").write_bytes(b"1")
        (folder / "y").write_bytes(b"2")
    one, two = folders
    assert digest_path(one) == digest_path(two) and len(digest_path(one)) == 16
    (two / "empty").mkdir()
    assert digest_path(one) == digest_path(two), "only files count"
    (two / "y").rename(two / "z")
    assert digest_path(one) != digest_path(two), "the name may be the id of a recording"
    (two / "z").rename(two / "y")
    (two / "y").write_bytes(b"3")
    os.utime(two / "y", (1, 1))
    assert digest_path(one) != digest_path(two)


def test_the_size_of_a_folder_is_that_of_all_its_files(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x").write_bytes(b"12345")
    (tmp_path / "y").write_bytes(b"123")
    assert folder_size(tmp_path) == 8 and folder_size(tmp_path / "none") == 0
