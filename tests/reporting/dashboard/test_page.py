"""The page of a run, its cache and its clips, and the progress of a round."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from twister_loop import Manifest, Utterance, load, next_round
from twister_loop.audio import io as audio
from twister_loop.core import schema
from twister_loop.core.artifacts import RUN_MARKER, read_json, write_json
from twister_loop.pipeline.loop import run_in_process
from twister_loop.pipeline.run_folder import FORMAT
from twister_loop.reporting import dashboard
from twister_loop.reporting.current_stage import find_current_stage
from twister_loop.reporting.dashboard import page
from twister_loop.reporting.details import EarlyStoppingCurve, details
from twister_loop.reporting.record_cache import CACHE_FOLDER, clear_memory
from twister_loop.reporting.summary import round_summary, summarize
from twister_loop.types import Approval, Plan


@pytest.fixture
def run(plan: Plan, tmp_path: Path) -> Path:
    """A finished round."""
    next_round(plan, tmp_path / "run")
    return tmp_path / "run"


def test_the_page_is_written_again_and_again_during_a_round(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, written_at = tmp_path / "run", list[int]()
    monkeypatch.setattr(page, "MIN_SECONDS_BETWEEN_WRITES", 0.0)

    def run_and_look(stage: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            if (run / "index.html").is_file():
                written_at.append((run / "index.html").stat().st_mtime_ns)
            return stage(*args, **kwargs)

        return step

    next_round(plan, run, dashboard.redraw_after_stages(run, run_and_look))
    assert len(set(written_at)) > 8


def test_a_page_that_cannot_be_written_never_ends_a_run(
    plan: Plan, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = tmp_path / "run"
    (run / "index.html").mkdir(parents=True)
    write_json({"format": FORMAT}, run / RUN_MARKER)
    finished = next_round(plan, run, dashboard.redraw_after_stages(run, run_in_process))
    assert finished.verdict.accepted and "could not be written" in caplog.text


@pytest.mark.parametrize("error", [AssertionError(), ZeroDivisionError("a"), OSError(5, "b")])
def test_any_error_of_the_page_is_logged_in_one_line_and_it_is_drawn_after_the_next_stage(
    plan: Plan,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    run, attempts = tmp_path / "run", list[int]()

    def fail_at_first(round_folder: Path) -> Any:
        attempts.append(1)
        if len(attempts) < 3:
            raise error
        return round_summary(round_folder)

    monkeypatch.setattr(page, "round_summary", fail_at_first)
    next_round(plan, run, dashboard.redraw_after_stages(run, run_in_process))
    lines = [record.getMessage() for record in caplog.records if "the page could" in record.message]
    assert len(lines) == 2 and (run / "index.html").is_file()
    assert f"{type(error).__name__}" in lines[0] and "in test_page.py, line" in lines[0]
    assert "Traceback" not in caplog.text


def test_a_clip_that_cannot_be_encoded_is_left_out(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> float:
        raise AssertionError

    next_round(plan, tmp_path / "run", run_in_process)
    monkeypatch.setattr("twister_loop.reporting.dashboard.clips.audio.read", refuse)
    assert dashboard.write_page(tmp_path / "run").is_file()
    assert not list((tmp_path / "run").glob("clips/*.flac"))


def test_a_finished_round_is_read_from_the_cache(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = summarize(run), details(run)
    clear_memory()
    monkeypatch.setattr("twister_loop.reporting.summary.build_scoreboard", None)
    monkeypatch.setattr("twister_loop.reporting.details.listening_samples", None)
    assert (summarize(run), details(run)) == before


def test_a_damaged_or_outdated_cache_is_computed_again(run: Path) -> None:
    summarize(run)
    cached_file = run / CACHE_FOLDER / "round-01-summary.json"
    cached = read_json(cached_file)
    for damaged in ("{", '{"key": "another", "record": {}}', cached_file.read_text()[:200]):
        cached_file.write_text(damaged)
        clear_memory()
        assert schema.to_json_data(summarize(run).rounds[0]) == cached["record"]
    Approval(approved=True, by="Ada", when="2026-11-24T20:00:00+00:00").save(
        run / "round-01/approval"
    )
    clear_memory()
    summarize(run)
    assert read_json(cached_file)["key"] != cached["key"]


def test_a_run_without_a_writable_cache_is_summarized_all_the_same(run: Path) -> None:
    shutil.rmtree(run / CACHE_FOLDER, ignore_errors=True)
    (run / CACHE_FOLDER).write_text("in the way")
    clear_memory()
    assert summarize(run).rounds[0].accepted


def test_clips_are_copies_that_outlive_the_recordings(run: Path, tmp_path: Path) -> None:
    dashboard.write_page(run)
    clips = (run / "clips").glob("*.flac")
    durations = {path.stem: audio.read_duration(path) for path in clips}
    summary = summarize(run).rounds[0]
    for name in ("dev", "test", "vowels"):
        for diff in (*summary.worst[name], *summary.improved[name]):
            assert diff.id in durations
    for sample in details(run)[0].samples:
        assert durations[sample.id] == pytest.approx(sample.duration, abs=0.01)
    shutil.rmtree(tmp_path / "data")
    dashboard.write_page(run)
    assert len(list((run / "clips").glob("*.flac"))) == len(durations)


def test_an_id_that_is_a_path_writes_nothing_outside_the_clips(run: Path) -> None:
    labels = Manifest(run / "round-01" / "filtered_labels")
    evil = [replace(label, id=f"../../{n}") for n, label in enumerate(labels)]
    Manifest.write(evil, labels.folder)
    shutil.rmtree(run / "clips", ignore_errors=True)
    dashboard.write_page(run)
    assert not list(run.parent.glob("*.flac")) and not list(run.glob("*.flac"))


def test_changes_between_rounds_are_named_by_their_field(run: Path, world: Path) -> None:
    changed = {"mix": {"human": 2}, "gates": ["significant", "retention"]}
    next_round(load(world, changed), run)
    first, second = details(run)
    assert not first.changes and first.plan != second.plan
    changes = {change.field: (change.before, change.now) for change in second.changes}
    assert changes["plan.mix.human"] == ("1.0", "2.0")
    assert changes["plan.gates.no_regression"][1] == "none" and "plan.gates.retention" in changes
    assert [gate.gate for gate in second.gates] == ["significant", "retention"]


def test_the_progress_of_a_stage_is_read_from_the_disk(run: Path) -> None:
    assert find_current_stage(run) is None
    round_folder = run / "round-01"
    shutil.rmtree(round_folder / "verdict")
    assert find_current_stage(run) is None
    report = round_folder / "report"
    hidden = report.rename(round_folder / ".report")
    manifest = hidden / "retention" / "vowels" / "manifest.jsonl"
    manifest.write_text(manifest.read_text().splitlines(keepends=True)[0])
    stage = find_current_stage(run)
    assert stage and (stage.round, stage.stage, stage.set_name) == (1, "report", "vowels")
    assert (stage.done, stage.total, stage.unit) == (1, 2, "utterances")
    hidden.rename(report)
    candidate = (round_folder / "candidate").rename(round_folder / ".candidate")
    (candidate / "training.jsonl").write_text('{"step": 6, "loss": 2.0}\n{"step": 7, "loss"')
    stage = find_current_stage(run)
    assert stage and (stage.stage, stage.done, stage.total) == ("candidate", 6, None)
    assert (stage.unit, stage.loss) == ("steps", 2.0)


def test_every_stage_with_a_manifest_has_a_progress(run: Path) -> None:
    round_folder = run / "round-01"
    shutil.rmtree(round_folder / "verdict")
    shutil.copytree(round_folder / "pseudo_labels", round_folder / "rescored")
    shutil.copytree(round_folder / "untouched", round_folder / "references" / "tiny")
    pool = len(Manifest(round_folder / "pool"))
    stages = {
        "pseudo_labels": pool,
        "rescored": pool,
        "references/tiny": 2,
        "voices/toy/spoken": len(Manifest(round_folder / "voices" / "toy" / "spoken")),
        "voices/toy/verified": len(Manifest(round_folder / "voices" / "toy" / "verified")),
    }
    for folder, total in stages.items():
        finished = round_folder / folder
        hidden = finished.rename(finished.with_name(f".{finished.name}"))
        stage = find_current_stage(run)
        assert stage and (stage.stage, stage.done, stage.total) == (folder, total, total)
        hidden.rename(finished)


def test_a_round_in_progress_has_a_page(run: Path) -> None:
    for name in ("verdict", "report", "candidate", "packed", "mixture"):
        shutil.rmtree(run / "round-01" / name)
    assert dashboard.write_page(run).stat().st_size > 1000
    assert summarize(run).rounds[0].verdict is None


def test_a_curve_of_many_steps_is_averaged_and_ends_at_its_last(run: Path) -> None:
    log = run / "round-01" / "candidate" / "training.jsonl"
    log.write_text("".join(f'{{"step": {n}, "loss": {n % 2}}}\n' for n in range(1, 2001)))
    shutil.rmtree(run / CACHE_FOLDER, ignore_errors=True)
    clear_memory()
    [curve] = details(run)[0].curves
    assert curve.name == "candidate" and len(curve.step) <= 300 and curve.step[-1] == 2000
    assert sum(curve.loss) / len(curve.loss) == pytest.approx(0.5, abs=0.02)


def test_early_stopping_is_shown_with_the_name_of_its_set(run: Path) -> None:
    round_folder = run / "round-01"
    evaluations = [(5, 20), (10, 12), (15, 14)]
    lines = (
        f'{{"step": {step}, "epoch": 1, "errors": {errors}, "of": 100}}\n'
        for step, errors in evaluations
    )
    (round_folder / "candidate" / "stopping.jsonl").write_text("".join(lines))
    plan = read_json(round_folder / "plan.json")
    plan["plan"]["asr"]["stop"] = {"set": "ivr-dev", "patience": 1}
    write_json(plan, round_folder / "plan.json")
    shutil.rmtree(run / CACHE_FOLDER, ignore_errors=True)
    clear_memory()
    assert details(run)[0].early_stopping == EarlyStoppingCurve(
        "ivr-dev", "candidate", (5, 10, 15), (0.2, 0.12, 0.14)
    )


def test_a_sample_without_text_and_transcript_is_shown_too(run: Path) -> None:
    rejected = [Utterance(id="x", rejected_by="silent", objection="-80 dB")]
    Manifest.write(rejected, run / "round-01" / "filtered_labels" / "rejected")
    shutil.rmtree(run / CACHE_FOLDER, ignore_errors=True)
    clear_memory()
    assert any(sample.objection == "silent: -80 dB" for sample in details(run)[0].samples)


def test_no_link_in_a_run_is_written_through(run: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "precious").write_text("kept")
    (run / "clips").symlink_to(tmp_path / "elsewhere")
    (run / ".index.html").symlink_to(tmp_path / "precious")
    assert dashboard.write_page(run).is_file()
    assert (tmp_path / "precious").read_text() == "kept"
    assert not list((tmp_path / "elsewhere").iterdir())
