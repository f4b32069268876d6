"""Runs with parts of one's own: signed by their code, repeated, and read without it."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests import world as toy
from tests.core.test_own_parts import forget_modules
from tests.own_parts import write_parts
from twister_loop import load, next_round
from twister_loop.cli.main import main
from twister_loop.core.artifacts import cache_key, find_differences, read_json
from twister_loop.core.part_origins import VARIABLE
from twister_loop.errors import ConfigError, StaleError
from twister_loop.evaluation.report_normalizer import COMPARED
from twister_loop.parts import Evidence, Filter, Gate
from twister_loop.pipeline.experiments.reproduce import reproduce
from twister_loop.pipeline.forgetting import open_run, plan_removal, remove
from twister_loop.reporting.details import GateConfig, details
from twister_loop.reporting.summary import summarize

CHANGES = {
    "asr": {"use": "parrot", "letters": "aeiou "},
    "filters": {"pseudo": [{"use": "wordy", "at_most": 9}], "synthetic": ["duration"]},
    "gates": ["no_regression", "lenient"],
    "normalizer": "skeleton",
    "terms": ["jugs"],
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a plan, data, parts and a run of one round."""
    folder = tmp_path_factory.mktemp("own")
    write_parts(folder / "parts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder / "parts"))
        forget_modules()
        next_round(load(toy.build(folder), CHANGES), folder / "run")
    return folder


@pytest.fixture
def parts(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy of the folder of parts, which is in use."""
    folder = Path(shutil.copytree(finished / "parts", tmp_path / "parts"))
    monkeypatch.setenv(VARIABLE, str(folder))
    forget_modules()
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished / "run", tmp_path / "run"))


@pytest.fixture
def without_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(VARIABLE, raising=False)
    forget_modules()
    yield
    forget_modules()


def test_an_edited_part_makes_the_round_in_progress_stale_in_a_sentence(
    finished: Path, run: Path, parts: Path
) -> None:
    shutil.rmtree(run / "round-01" / "verdict")
    file = parts / "gates" / "lenient.py"
    file.write_text(file.read_text() + "# edited\n")
    with pytest.raises(StaleError) as stale:
        next_round(load(finished / "toy.yaml", CHANGES), run)
    assert "  the code of gates.lenient was edited (digest " in str(stale.value)
    assert "To finish it as it was begun, with the code as it was:" in str(stale.value)


@pytest.mark.usefixtures("parts")
def test_the_stages_of_a_run_are_read_back_while_the_code_is_the_same(
    finished: Path, run: Path
) -> None:
    shutil.rmtree(run / "round-01" / "verdict")
    before = (run / "round-01" / "filtered_labels" / "made.json").stat().st_mtime_ns
    assert next_round(load(finished / "toy.yaml", CHANGES), run).number == 1
    assert (run / "round-01" / "filtered_labels" / "made.json").stat().st_mtime_ns == before


def test_a_run_is_repeated_with_the_same_code_only(run: Path, parts: Path, tmp_path: Path) -> None:
    [repetition] = reproduce(run, tmp_path / "again")
    assert repetition.is_identical and repetition.file_count > 10
    (parts / "filters" / "_limits.py").write_text("LIMIT = 8\n")
    forget_modules()
    with pytest.raises(ConfigError, match=r"the code of pseudo_filters\.wordy was edited"):
        list(reproduce(run, tmp_path / "edited"))


@pytest.mark.usefixtures("without_parts")
def test_a_run_is_read_without_the_code(
    finished: Path, run: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(run / ".summaries", ignore_errors=True)
    [summary] = summarize(run).rounds
    assert summary.scores["dev"]["candidate"].normalizer == "skeleton"
    assert summary.improved["dev"] and summary.intervals["dev"].keys() == {
        "untouched",
        "champion",
        "candidate",
    }
    assert details(run)[0].gates[-1] == GateConfig("lenient", {"from": "a parts folder"})
    # Terms have to be normalized, too, which only the code can do.
    assert summary.term_scores == ()
    assert "key terms are left out: unknown normalizer 'skeleton'" in caplog.text
    for arguments in (["status"], ["report"], ["export", str(run.parent / "exported")]):
        assert main([arguments[0], str(run), *arguments[1:]]) == 0
    assert main(["rollback", str(run), "0", "--note", "a test"]) == 0
    with pytest.raises(ConfigError, match=r"round-01 used 'wordy', which came from a parts folder"):
        load(run / "round-01" / "plan.yaml")
    with pytest.raises(ConfigError, match=r"round-01 used 'lenient', which came from a parts fold"):
        load(finished / "toy.yaml", CHANGES, run=run)


@pytest.mark.usefixtures("without_parts")
def test_what_a_normalizer_made_of_a_removed_recording_goes_with_it(
    finished: Path, run: Path
) -> None:
    written = [path for path in run.rglob("manifest.jsonl") if path.parent.name == COMPARED]
    removed = toy.DEVELOPMENT[0].replace("q", "")
    assert sum(removed in path.read_text() for path in written) == 3
    run_folder = open_run(run)
    with run_folder.locked():
        recording = str(finished / "data/development/0.wav")
        remove(run_folder, plan_removal(run_folder, (recording,), ()))
    assert not any(removed in path.read_text() for path in written)
    assert summarize(run).rounds[0].scores["dev"]["candidate"].utterances


def test_a_class_of_a_script_is_refused_and_the_run_can_be_read(world: Path) -> None:
    plan = load(world)

    def accept(self: Gate, evidence: Evidence) -> None:
        return None

    inline = type("Inline", (Gate,), {"__module__": "__main__", "objection": accept})
    with pytest.raises(ConfigError, match=r"the gate Inline is defined in __main__, where no oth"):
        next_round(replace(plan, gates=(dataclass(frozen=True)(inline)(),)), world.parent / "new")
    assert [path.name for path in (world.parent / "new").glob("*round*")] == []
    assert summarize(world.parent / "new").rounds == ()
    next_round(plan, world.parent / "new")


def test_a_recognizer_that_an_option_names_is_part_of_the_key(parts: Path) -> None:
    key = cache_key(Filter.build({"use": "second_model", "asr": "parrot"}))
    file = parts / "asr" / "parrot.py"
    file.write_text(file.read_text() + "# edited\n")
    forget_modules()
    edited = cache_key(Filter.build({"use": "second_model", "asr": "parrot"}))
    [(place, _, _)] = find_differences(key, edited)
    assert place == "points_to.own_code.digest"


@pytest.mark.usefixtures("parts")
def test_an_error_of_a_part_is_told_with_its_line(
    world: Path, parts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = parts / "filters" / "wordy.py"
    file.write_text(file.read_text().replace("count = len(", "count = 1 // 0 or len("))
    changes = ["--set=filters={pseudo: [wordy]}"]
    assert main(["run", str(world), str(world.parent / "run"), "--no-prefect", *changes]) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith(f"twister: {file}, line ") and "ZeroDivisionError" in message
    assert "wordy" in str(read_json(world.parent / "run" / "round-01" / "plan.json"))
