"""Reports are carried over only if the same decoder measured them; else all models are measured."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest

from twister_loop import load, next_round
from twister_loop.asr.ctranslate2.recognizer import CTranslate2Recognizer
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.asr.whisper.recognizer import WhisperRecognizer
from twister_loop.core import environment
from twister_loop.core.artifacts import read_json, write_json
from twister_loop.types import Plan


@pytest.fixture
def accepting(world: Path) -> Plan:
    """A plan that accepts every candidate."""
    world.write_text(world.read_text().replace("[no_regression, significant]", "[]"))
    return load(world)


def measured_sets(stages: list[str]) -> Any:
    """Return a runner that notes which reports are evaluated and not read back or copied."""

    def run_stage(stage: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            if stage.__name__ == "evaluate" and not kwargs["out"].exists():
                stages.append(kwargs["out"].name)
            return stage(*args, **kwargs)

        return run

    return run_stage


def test_the_same_decoder_measures_a_champion_once(accepting: Plan, tmp_path: Path) -> None:
    measured: list[str] = []
    for _ in range(2):
        next_round(accepting, tmp_path / "run", measured_sets(measured))
    # The first champion is the untouched model, and the second the first candidate.
    assert measured == ["untouched", "report", "report"]
    decoder = read_json(tmp_path / "run" / "round-02" / "champion" / "decoder.json")
    assert decoder == accepting.asr.decoder_identity()
    assert decoder["engine"] == "toy 1" and decoder["numpy"][0].isdigit()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("own decoder", "because engine toy 1 -> toy 2"),
        ("library", r"because numpy .* -> 99"),
        ("precision", "because decoding toy -> toy, bfloat16"),
        ("device", "because device cpu -> cuda"),
    ],
)
def test_another_decoder_measures_all_models_again_and_the_log_says_why(
    accepting: Plan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    change: str,
    reason: str,
) -> None:
    next_round(accepting, tmp_path / "run")
    patch(monkeypatch, change)
    measured: list[str] = []
    with caplog.at_level(logging.INFO):
        next_round(accepting, tmp_path / "run", measured_sets(measured))
    assert measured == ["untouched", "champion", "report"]
    messages = [record.getMessage() for record in caplog.records]
    again = [message for message in messages if "measured again" in message]
    names = [message.split(":")[0] for message in again]
    assert names == ["round-02/untouched", "round-02/champion"]
    assert all(re.search(reason, message) for message in again), again


def patch(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    installed = environment.installed_version
    replacements: dict[str, Any] = {
        "own decoder": (ToyRecognizer, "decoder_version", 2),
        "library": (
            environment,
            "installed_version",
            lambda name: "99" if name == "numpy" else installed(name),
        ),
        "precision": (ToyRecognizer, "decoding_description", lambda self: "toy, bfloat16"),
        "device": (ToyRecognizer, "find_device", lambda self: "cuda"),
    }
    monkeypatch.setattr(*replacements[change])


def test_a_round_that_is_resumed_after_an_update_measures_all_models_with_the_new_versions(
    accepting: Plan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = tmp_path / "run"

    def kill_at_training(stage: Any) -> Any:
        if stage.__name__ == "fine_tune":
            raise KeyboardInterrupt
        return stage

    with pytest.raises(KeyboardInterrupt):
        next_round(accepting, run, kill_at_training)
    patch(monkeypatch, "own decoder")
    with caplog.at_level(logging.INFO):
        next_round(accepting, run)
    folders = [run / "round-01" / name for name in ("untouched", "champion", "report")]
    assert {read_json(folder / "decoder.json")["engine"] for folder in folders} == {"toy 2"}
    assert "round-01/untouched: measured again, because engine toy 1 -> toy 2" in caplog.text


def test_a_report_of_an_earlier_version_is_measured_again(
    accepting: Plan, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = tmp_path / "run"
    next_round(accepting, run)
    for record in run.rglob("*/made.json"):
        content = read_json(record)
        content.get("from", {}).pop("decoder", None)
        write_json(content, record)
    with caplog.at_level(logging.INFO):
        next_round(accepting, run)
    assert "champion: measured again, because it is not recorded which versions" in caplog.text


def test_an_edited_report_is_not_carried_over(
    accepting: Plan, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = tmp_path / "run"
    next_round(accepting, run)
    report = run / "round-01" / "report" / "report.json"
    report.write_text(report.read_text().replace('"hits": ', '"hits": 1'))
    measured: list[str] = []
    next_round(accepting, run, measured_sets(measured))
    assert "champion" in measured and "report.json is not what its stage wrote" in caplog.text


def test_engines_name_the_versions_that_decide_their_transcripts() -> None:
    whisper = WhisperRecognizer().decoder_identity()
    fast = CTranslate2Recognizer().decoder_identity()
    assert {"torch", "transformers", "soxr", "decoding", "device"} <= set(whisper)
    assert {"torch", "transformers", "ctranslate2"} <= set(fast)
    assert whisper["device"] in {"cpu", "cuda"} and "missing" not in whisper.values()
    # `auto` is resolved, so that the same plan on another machine is another decoder.
    assert whisper["decoding"].endswith(("float32", "bfloat16"))
