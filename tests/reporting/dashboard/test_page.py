"""The page of a run, what it keeps beside it, and what is seen while a round goes on."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from twister_loop import Approval, Manifest, Plan, Utterance, load, next_round
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
from twister_loop.reporting.summary import summarize


@pytest.fixture
def run(plan: Plan, tmp_path: Path) -> Path:
    """A finished round."""
    next_round(plan, tmp_path / "run")
    return tmp_path / "run"


def test_the_page_is_drawn_while_the_round_goes_on(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, seen = tmp_path / "run", list[int]()
    monkeypatch.setattr(page, "MIN_SECONDS_BETWEEN_WRITES", 0.0)

    def looking(stage: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            if (run / "index.html").is_file():
                seen.append((run / "index.html").stat().st_mtime_ns)
            return stage(*args, **kwargs)

        return step

    next_round(plan, run, dashboard.redraw_after_stages(run, looking))
    assert len(set(seen)) > 8


def test_a_page_that_cannot_be_drawn_never_ends_a_run(
    plan: Plan, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = tmp_path / "run"
    (run / "index.html").mkdir(parents=True)
    write_json({"format": FORMAT}, run / RUN_MARKER)
    done = next_round(plan, run, dashboard.redraw_after_stages(run, run_in_process))
    assert done.verdict.accepted and "could not be written" in caplog.text


def test_a_finished_round_is_read_once_and_kept(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = summarize(run), details(run)
    clear_memory()
    monkeypatch.setattr("twister_loop.reporting.summary.build_scoreboard", None)
    monkeypatch.setattr("twister_loop.reporting.details.listening_samples", None)
    assert (summarize(run), details(run)) == before


def test_what_was_kept_of_a_round_gives_way_to_what_its_folders_say(run: Path) -> None:
    summarize(run)
    note = run / CACHE_FOLDER / "round-01-summary.json"
    kept = read_json(note)
    for spoilt in ("{", '{"key": "another", "record": {}}', note.read_text()[:200]):
        note.write_text(spoilt)
        clear_memory()
        assert schema.to_json_data(summarize(run).rounds[0]) == kept["record"]
    Approval(approved=True, by="Ada", when="2026-11-24T20:00:00+00:00").save(
        run / "round-01/approval"
    )
    clear_memory()
    summarize(run)
    assert read_json(note)["key"] != kept["key"]


def test_a_run_that_can_only_be_read_is_summed_up_all_the_same(run: Path) -> None:
    shutil.rmtree(run / CACHE_FOLDER, ignore_errors=True)
    (run / CACHE_FOLDER).write_text("in the way")
    clear_memory()
    assert summarize(run).rounds[0].accepted


def test_clips_are_copies_that_outlive_the_recordings(run: Path, tmp_path: Path) -> None:
    dashboard.write_page(run)
    found = {path.stem: audio.read_duration(path) for path in (run / "clips").glob("*.flac")}
    summary = summarize(run).rounds[0]
    for name in ("dev", "test", "vowels"):
        for each in (*summary.worst[name], *summary.improved[name]):
            assert each.id in found
    for sample in details(run)[0].samples:
        assert found[sample.id] == pytest.approx(sample.duration, abs=0.01)
    shutil.rmtree(tmp_path / "data")
    dashboard.write_page(run)
    assert len(list((run / "clips").glob("*.flac"))) == len(found)


def test_an_id_that_is_a_path_copies_nothing_out_of_the_run(run: Path) -> None:
    spoken = Manifest(run / "round-01" / "filtered_labels")
    evil = [replace(each, id=f"../../{n}") for n, each in enumerate(spoken)]
    Manifest.write(evil, spoken.folder)
    shutil.rmtree(run / "clips", ignore_errors=True)
    dashboard.write_page(run)
    assert not list(run.parent.glob("*.flac")) and not list(run.glob("*.flac"))


def test_what_changed_between_rounds_is_named_by_its_place(run: Path, world: Path) -> None:
    changed = {"mix": {"human": 2}, "gates": ["significant", "retention"]}
    next_round(load(world, changed), run)
    first, second = details(run)
    assert not first.changes and first.plan != second.plan
    said = {each.field: (each.before, each.now) for each in second.changes}
    assert said["plan.mix.human"] == ("1.0", "2.0")
    assert said["plan.gates.no_regression"][1] == "none" and "plan.gates.retention" in said
    assert [each.gate for each in second.gates] == ["significant", "retention"]


def test_how_far_a_stage_is_can_be_read_off_the_disk(run: Path) -> None:
    assert find_current_stage(run) is None
    at = run / "round-01"
    shutil.rmtree(at / "verdict")
    assert find_current_stage(run) is None
    report = at / "report"
    work = report.rename(at / ".report")
    manifest = work / "retention" / "vowels" / "manifest.jsonl"
    manifest.write_text(manifest.read_text().splitlines(keepends=True)[0])
    now = find_current_stage(run)
    assert now and (now.round, now.stage, now.set_name) == (1, "report", "vowels")
    assert (now.done, now.total, now.unit) == (1, 2, "utterances")
    work.rename(report)
    candidate = (at / "candidate").rename(at / ".candidate")
    (candidate / "training.jsonl").write_text('{"step": 6, "loss": 2.0}\n{"step": 7, "loss"')
    now = find_current_stage(run)
    assert now and (now.stage, now.done, now.total, now.loss) == ("candidate", 6, None, 2.0)


def test_a_round_in_progress_has_a_page_of_what_is_there(run: Path) -> None:
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


def test_the_looks_that_ended_a_training_are_there_with_the_name_of_their_set(run: Path) -> None:
    at = run / "round-01"
    looks = [(5, 20), (10, 12), (15, 14)]
    lines = (f'{{"step": {n}, "epoch": 1, "errors": {wrong}, "of": 100}}\n' for n, wrong in looks)
    (at / "candidate" / "stopping.jsonl").write_text("".join(lines))
    plan = read_json(at / "plan.json")
    plan["plan"]["asr"]["stop"] = {"set": "ivr-dev", "patience": 1}
    write_json(plan, at / "plan.json")
    shutil.rmtree(run / CACHE_FOLDER, ignore_errors=True)
    clear_memory()
    assert details(run)[0].early_stopping == EarlyStoppingCurve(
        "ivr-dev", (5, 10, 15), (0.2, 0.12, 0.14)
    )


def test_a_sample_with_nothing_heard_or_said_is_shown_too(run: Path) -> None:
    at = run / "round-01" / "filtered_labels" / "rejected"
    Manifest.write([Utterance(id="x", rejected_by="silent", objection="-80 dB")], at)
    shutil.rmtree(run / CACHE_FOLDER, ignore_errors=True)
    clear_memory()
    assert any(each.objection == "silent: -80 dB" for each in details(run)[0].samples)
