"""`twister forget`: asks before it removes, and says what goes, what stays, and what to do."""

import io
import shlex
import shutil
from pathlib import Path

import pytest

from tests import world as toy
from twister_loop import load, next_round
from twister_loop.cli.main import main
from twister_loop.core.artifacts import write_json
from twister_loop.core.forgotten import UNFINISHED
from twister_loop.core.manifest import Manifest
from twister_loop.core.schema import to_json_data
from twister_loop.pipeline.forgetting import open_run, plan_removal


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a plan, data, and a run of one round."""
    folder = tmp_path_factory.mktemp("forget")
    next_round(load(toy.build(folder)), folder / "run")
    return folder


@pytest.fixture
def recording(finished: Path) -> str:
    return str(finished / "data/pool/0.wav")


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished / "run", tmp_path / "my run"))


class Terminal(io.StringIO):
    """Standard input at which somebody answers."""

    def isatty(self) -> bool:
        return True


def is_listed(run: Path) -> bool:
    return len(Manifest(run / "round-01/inputs/pool")) == len(toy.POOL)


def test_a_dry_run_shows_everything_and_removes_nothing(
    run: Path, recording: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["forget", str(run), "--recording", recording, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "  round-01: 1 utterance, 1 packed clip with all they hold\n" in printed
    assert "  round-01/candidate (round 1, accepted, the champion): trained on 1 utt" in printed
    assert "No champion is without it" in printed and f"\n  {recording}\n" in printed
    assert printed.endswith("Nothing was removed (--dry-run).\n")
    assert is_listed(run) and not (run / "forgotten.jsonl").exists()


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("YES\n", 0), ("\n", 1), ("no\n", 1)])
def test_a_terminal_is_asked(
    run: Path,
    recording: str,
    answer: str,
    code: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert main(["forget", str(run), "--recording", recording]) == code
    assert "This cannot be undone. Remove it? [y/N]" in capsys.readouterr().out
    assert is_listed(run) == (code == 1)


def test_without_a_terminal_it_is_refused_with_the_command_that_does_it(
    run: Path, recording: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert main(["forget", str(run), "--recording", recording]) == 2
    command = capsys.readouterr().err.splitlines()[-1].strip()
    assert is_listed(run) and command.startswith("twister forget '")
    assert main(shlex.split(command)[1:]) == 0
    printed = capsys.readouterr().out
    assert not is_listed(run) and f"\n  {recording}\n" in printed
    assert (run / "index.html").is_file() and "Page: " in printed
    # Once more there is nothing to do, and nothing to ask.
    assert main(["forget", str(run), "--recording", recording]) == 0
    printed = capsys.readouterr().out
    assert "this was removed already, and nothing of it is left" in printed
    assert "round-01/candidate (round 1, accepted, the champion): trained on 1 utt" in printed


def test_an_interrupted_removal_is_finished_without_naming_it_again(
    run: Path, recording: str, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    removal = plan_removal(open_run(run), [recording], [])
    write_json(to_json_data(removal), run / UNFINISHED)
    assert main(["round", str(finished / "toy.yaml"), str(run), "--no-prefect"]) == 2
    assert f"finish it with `twister forget '{run}'`" in capsys.readouterr().err
    assert main(["forget", str(run)]) == 0
    assert "finished the removal that was interrupted" in capsys.readouterr().out
    assert not is_listed(run) and not (run / UNFINISHED).exists()


def test_mistakes_are_answered_in_one_sentence(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, answer in (
        ([str(run)], "nothing to do; name what to remove with --recording or --speaker"),
        ([str(run), "--speaker", "Ada"], "no recording of this run has a speaker's name"),
        ([str(run), "--recording", "x.wav"], "no round has listed a recording x.wav"),
        ([str(run.parent), "--recording", "x"], "a folder of several runs; name one after another"),
        ([str(run / "no"), "--recording", "x"], "no run here"),
    ):
        assert main(["forget", *arguments]) == 2
        assert answer in capsys.readouterr().err
    assert is_listed(run)
