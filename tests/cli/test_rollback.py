"""The command `twister rollback`: one sentence for a record, and one for every refusal."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.test_run_folder import ACCEPTED, REFUSED, finished_round
from twister_loop.cli.main import main
from twister_loop.pipeline.rollbacks import ROLLBACKS, read_rollbacks
from twister_loop.pipeline.run_folder import RunFolder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of rounds 1 (accepted), 2 (refused) and 3 (accepted), without any stage."""
    RunFolder.open(tmp_path / "run")
    for number, verdict in enumerate((ACCEPTED, REFUSED, ACCEPTED), 1):
        finished_round(tmp_path / "run", number, verdict)
    return tmp_path / "run"


def test_a_rollback_is_recorded_and_shown(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rollback", str(run), "1", "--note", "it lisps"]) == 0
    [record] = read_rollbacks(run)
    assert (record.to, record.after, record.note) == (1, 3, "it lisps")
    assert capsys.readouterr().out == f"{record}\n" and str(record).startswith(
        "rolled back to round 1 by "
    )
    assert main(["status", str(run)]) == 0
    printed = capsys.readouterr().out
    assert "champion: round-01/candidate" in printed
    assert "round 3: rolled back" in printed and "round 2: refused" in printed
    assert main(["rollback", str(run), "0"]) == 0
    assert "rolled back to the untouched model" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["2"], "round 2 was refused, and its candidate never was the champion"),
        (["3"], "the candidate of round 3 is the champion already"),
        (["9"], "round 9 does not exist; one can go back to 0, 1, 3"),
    ],
)
def test_a_mistake_is_one_sentence(
    run: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert main(["rollback", str(run), *arguments]) == 2
    printed = capsys.readouterr()
    assert sentence in printed.err and len(printed.err.splitlines()) == 1 and not printed.out


@pytest.mark.parametrize("number", ["-1", "one", "1.5", "", "round-01"])
def test_a_round_is_a_number(run: Path, capsys: pytest.CaptureFixture[str], number: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["rollback", str(run), number])
    assert ended.value.code == 2 and not (run / ROLLBACKS).exists()


def test_no_run_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rollback", str(tmp_path), "1"]) == 2
    assert "no run here" in capsys.readouterr().err


def test_a_round_in_progress_is_set_aside_on_request(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(finished_round(run, 4, ACCEPTED) / "verdict")
    assert main(["rollback", str(run), "1"]) == 2
    assert f"`twister rollback {run} 1 --set-aside`" in capsys.readouterr().err
    assert main(["rollback", str(run), "1", "--set-aside"]) == 0
    assert (run / "round-04.aside-1").is_dir()


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (errno.ENOSPC, "the disk is full; make room and run the same command again"),
        (errno.EROFS, "read-only file system; let this user write there"),
    ],
)
def test_a_disk_that_cannot_be_written_changes_nothing(
    run: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    sentence: str,
) -> None:
    assert main(["rollback", str(run), "1"]) == 0
    before = (run / ROLLBACKS).read_bytes()
    write = Path.write_text

    def fail(path: Path, text: str, *args: Any) -> int:
        if ROLLBACKS not in path.name:
            return write(path, text, *args)
        write(path, text[:9])  # as a disk that gets full while a file is written
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(Path, "write_text", fail)
    assert main(["rollback", str(run), "0"]) == 2
    assert sentence in capsys.readouterr().err
    assert (run / ROLLBACKS).read_bytes() == before
    assert RunFolder.read(run).champion_folder == run / "round-01"
