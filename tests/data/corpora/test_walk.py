"""Walks over folders that somebody filled: order, counts, and files that change meanwhile."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from pathlib import Path

import pytest

from tests import world as toy
from tests.kinds import speak
from tests.kinds._write import wav_bytes
from tests.kinds.folders import NAMES
from twister_loop import next_round, retrain
from twister_loop.audio import signatures
from twister_loop.cli.main import main
from twister_loop.core.errors import ConfigError
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import Utterance
from twister_loop.data.corpora._walk import FolderWalk
from twister_loop.data.corpora.audiofolder import AudioFolder
from twister_loop.pipeline.plan_reader import load
from twister_loop.types import Plan

WAV = wav_bytes(speak(0.5))


def fill(folder: Path, *names: str, content: bytes = WAV) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def odd_path(folder: Path, name: bytes) -> Path:
    return Path(os.fsdecode(os.fsencode(folder) + b"/" + name))


def test_recordings_are_sorted_by_path_whatever_lies_between_them(tmp_path: Path) -> None:
    fill(tmp_path, "b.wav", "a/z.wav", "a/B.WAV", "a.wav", "c", "a-b/x.flac")
    fill(tmp_path, "a.txt", "list.scp", content=b"text\n")
    names = [file.path.relative_to(tmp_path).as_posix() for file in FolderWalk(tmp_path)]
    assert names == ["a/B.WAV", "a/z.wav", "a-b/x.flac", "a.wav", "b.wav", "c"]


def test_every_file_is_kept_rejected_or_counted(tmp_path: Path) -> None:
    fill(tmp_path, "a.wav", "deep/er/b.mp3", "call", ".hidden.wav")
    fill(tmp_path, "x.xyz", "y.xyz", "z", content=bytes(range(256)))
    fill(tmp_path, "a.txt", "b.csv", "LICENSE", ".DS_Store", "._a.wav", content=b"text\n")
    (tmp_path / "gone.wav").symlink_to("nowhere")
    (tmp_path / "again.wav").symlink_to("a.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    walk = FolderWalk(tmp_path)
    files = list(walk)
    recordings = [file for file in files if not file.rejected_by]
    names = [path for path in tmp_path.rglob("*") if not path.is_dir()]
    assert len(recordings) == walk.recordings == 3
    assert len(files) + walk.no_speech.total + walk.hidden.total == len(names)
    assert walk.rejected.total + walk.unknown.total == len(files) - len(recordings)
    assert str(walk.unknown) == "2 .xyz (x.xyz, y.xyz), 1 without an ending (z)"


def test_what_was_not_read_is_one_line_a_kind(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "twister_loop")
    fill(tmp_path, *(f"{number}.txt" for number in range(50)), content=b"text\n")
    utterances = list(AudioFolder(tmp_path).utterances())
    # Lines about texts would hide those about speech.
    assert utterances == []
    assert [record.getMessage().removeprefix(f"{tmp_path}: ") for record in caplog.records] == [
        "files without sound were passed over: 50 .txt (0.txt, 1.txt, 10.txt, ...)",
        "no recordings in it",
    ]


def test_a_million_odd_endings_need_no_memory(tmp_path: Path) -> None:
    fill(tmp_path, *(f"a.{number:03}" for number in range(50)), content=b"\0\1")
    walk = FolderWalk(tmp_path)
    assert len(list(walk)) == 50 == walk.unknown.total
    assert len(walk.unknown.counts) < 25 and "30 with other endings" in str(walk.unknown)


def test_a_folder_may_be_a_link_and_must_be_a_folder(tmp_path: Path) -> None:
    fill(tmp_path / "real", "a.wav")
    (tmp_path / "link").symlink_to("real")
    [utterance] = AudioFolder(tmp_path / "link").utterances()
    assert utterance.id == "a.wav" and utterance.duration == pytest.approx(0.5)
    with pytest.raises(ConfigError, match=r"a\.wav: no folder; name the one that holds the audio"):
        list(AudioFolder(tmp_path / "real" / "a.wav").utterances())
    with pytest.raises(ConfigError, match="gone: no such folder of audio"):
        list(AudioFolder(tmp_path / "gone").utterances())


def test_transcripts_may_be_a_link_to_a_table_of_another_name(tmp_path: Path) -> None:
    fill(tmp_path, "a/b.wav")
    (tmp_path / "texts.csv").write_text("file_name,text\nb.wav,hello\n")
    (tmp_path / "a" / "metadata.csv").symlink_to("../texts.csv")
    [utterance] = AudioFolder(tmp_path).utterances()
    assert utterance.text == "hello"


def test_folders_that_cannot_be_listed_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "a/locked/x.wav", "b.wav")
    scandir = os.scandir

    def refuse(path: Path) -> object:
        # Tests may run as root, whom no permission keeps out.
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    [locked, recording] = AudioFolder(tmp_path).utterances()
    assert locked.rejected_by == "unreadable_folder"
    assert locked.objection == (
        f"{tmp_path}/a/locked: this folder cannot be listed (Permission denied)"
    )
    assert recording.id == "b.wav" and not recording.rejected_by
    with pytest.raises(ConfigError, match=r"cannot be listed .Permission denied.; change its"):
        FolderWalk(tmp_path / "a" / "locked")


def test_files_that_vanish_during_the_walk_are_counted(tmp_path: Path) -> None:
    fill(tmp_path, "a.wav", "b.wav", "c/d.wav", "e")
    walk = iter(FolderWalk(tmp_path))
    assert next(walk).path.name == "a.wav"
    for name in ("b.wav", "c/d.wav", "e"):
        (tmp_path / name).unlink()
    (tmp_path / "c").rmdir()
    reasons = {file.path.name: file.rejected_by for file in walk}
    assert reasons == {"b.wav": "unreadable", "c": "unreadable", "e": "unreadable"}


def test_folders_may_be_nested_deeper_than_python_calls(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(1_100):
        deep = deep / "d"
        deep.mkdir()
    fill(deep, "a.wav")
    try:
        assert len(list(AudioFolder(tmp_path).utterances())) == 1
    finally:
        # Python's own removal of folders calls itself for each of them.
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)


@pytest.mark.parametrize("suffix", [".jpg", ".pdf", ".docx", ".npy", ".parquet", ".PNG"])
def test_pictures_and_arrays_are_no_lost_speech(tmp_path: Path, suffix: str) -> None:
    fill(tmp_path, f"a{suffix}", content=bytes(range(256)))
    walk = FolderWalk(tmp_path)
    assert list(walk) == [] and walk.no_speech.total == 1


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "한국어 전사\n".encode("cp949"),
        "日本語の書き起こし\n".encode("shift-jis"),
        "dé".encode("latin-1"),
        "UTF-16 with a mark".encode("utf-16"),
        '{"a": 1}',
        "FORM of address",
    ],
)
def test_text_is_known_by_its_first_bytes(text: str | bytes) -> None:
    content = text.encode() if isinstance(text, str) else text
    assert signatures.looks_like_text(content) and not signatures.looks_like_sound(content)


@pytest.mark.parametrize("silence", [b"\xff", b"\x7f\xff", b"\xd5", b"\x80", b"\0\0"])
def test_silence_without_a_header_is_no_text(tmp_path: Path, silence: bytes) -> None:
    fill(tmp_path, "call", "call.ulaw", content=silence * 4000)
    reasons = [utterance.rejected_by for utterance in AudioFolder(tmp_path).utterances()]
    assert reasons == ["unknown_format", "unknown_format"]


def test_a_recording_that_is_still_written_waits(tmp_path: Path) -> None:
    fill(tmp_path, "a.wav", "b.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    patient = AudioFolder(tmp_path).excluding_recent_files(3600)
    assert list(patient.files()) == []
    assert [utterance.rejected_by for utterance in patient.utterances()] == ["special_file"]
    assert len(list(AudioFolder(tmp_path).files())) == 2


def test_the_rounds_of_a_run_in_the_pool_are_not_listened_to(world: Path) -> None:
    pool = world.parent / "data" / "pool"
    plan = load(world)
    first = next_round(plan, pool / "run")
    second = next_round(plan, pool / "run")
    count = len(Manifest(first.folder / "inputs/pool"))
    assert len(Manifest(second.folder / "inputs/pool")) == count == len(toy.POOL)


def test_names_in_any_encoding_go_through_a_whole_run(world: Path, tmp_path: Path) -> None:
    """Recordings of every set have names that are no UTF-8, and so do files that are rejected."""
    data = world.parent / "data"
    for number, name in enumerate(NAMES.values()):
        toy.speak(
            [toy.POOL[number % 3] + " " + "aeiou"[number % 5] * number], data / "new", labeled=False
        )
        (data / "new" / "0.wav").rename(odd_path(data / "pool", name))
    for folder in ("pool", "human", "development"):
        odd_path(data / folder, b"bad\xff.wav").write_bytes(b"no audio")
        odd_path(data / folder, b"odd\xfe.xyz").write_bytes(bytes(99))
    # A held-out recording that cannot be read is refused, since its words would be deletions.
    odd_path(data / "development", b"bad\xff.wav").unlink()
    for folder in ("human", "development"):
        inner = odd_path(data / folder, "말".encode("cp949"))
        inner.mkdir()
        for path in [*(data / folder).glob("*.wav"), data / folder / "metadata.jsonl"]:
            if "bad" not in path.name:
                path.rename(inner / path.name)
    arguments = [str(world), str(tmp_path / "run"), "--no-prefect", "--set", f"human={data}/human"]
    assert main(["run", *arguments]) == 0
    assert main(["report", str(tmp_path / "run")]) == 0
    [*_, last] = sorted((tmp_path / "run").glob("round-*"))
    listed = list(Manifest(last / "inputs/pool"))
    names = {os.fsencode(utterance.audio_filepath.name) for utterance in listed}
    assert names >= set(NAMES.values())
    scanned = {os.fsencode(utterance.audio_filepath.name) for utterance in Manifest(last / "pool")}
    assert scanned >= set(NAMES.values())
    [unknown] = Manifest(last / "inputs/pool/rejected")
    assert unknown.rejected_by == "unknown_format"
    assert os.fsencode(unknown.audio_filepath.name) == b"odd\xfe.xyz"
    for path in (tmp_path / "run").rglob("*.json*"):
        path.read_text(encoding="utf-8")


def test_a_summary_counts_what_the_listing_rejected(plan: Plan, tmp_path: Path) -> None:
    from twister_loop.reporting.summary import round_summary

    pool = tmp_path / "data" / "pool"
    fill(pool, "noise.xyz", content=bytes(99))
    (pool / "gone.wav").symlink_to("nowhere")
    done = next_round(plan, tmp_path / "run")
    rejected = round_summary(done.folder).funnels["pool"].rejected
    assert {reason: tally.utterances for reason, tally in rejected.items()} == {
        "broken_link": 1,
        "unknown_format": 1,
    }


def test_a_pool_in_which_nothing_can_be_read_is_refused(plan: Plan, tmp_path: Path) -> None:
    for path in (tmp_path / "data" / "pool").iterdir():
        path.write_text(f"no audio, {path.name}\n")
    with pytest.raises(
        ConfigError, match=r"pool: none of 3 recordings can be read.*0\.wav: cannot"
    ):
        next_round(plan, tmp_path / "run")
    assert not (tmp_path / "run" / "round-01").exists()


def test_retraining_passes_over_what_cannot_be_read(plan: Plan, tmp_path: Path) -> None:
    pool = tmp_path / "data" / "pool"
    os.mkfifo(pool / "pipe.wav")
    fill(pool, "noise.xyz", content=bytes(99))
    eager = load(tmp_path / "toy.yaml", {"new_audio": {"minutes": 0, "settled": 0}})
    assert retrain(eager, tmp_path / "run").number == 1


def test_manifests_hold_names_that_are_no_text(tmp_path: Path) -> None:
    path = odd_path(tmp_path, b"caf\xe9 %41.wav")
    speech = Utterance(id="a", audio_filepath=path, objection=f"{path}: odd")
    manifest = Manifest.write([speech], tmp_path / "manifest")
    line = json.loads(manifest.path.read_text())
    assert line["audio_filepath"] == f"file://{tmp_path}/caf%E9%20%2541.wav"
    [read] = manifest
    assert read.audio_filepath == path and str(read.objection).endswith("caf\\udce9 %41.wav: odd")
