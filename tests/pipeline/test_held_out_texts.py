"""Held-out texts and control tokens are dropped from all that is trained on, and counted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests import world as toy
from twister_loop import load, next_round
from twister_loop.audio import io as audio
from twister_loop.audio import toy_language
from twister_loop.core.manifest import Manifest
from twister_loop.core.tallies import Funnel
from twister_loop.pipeline.experiments.arms import SUPERVISED, CompareOptions, build_arms
from twister_loop.pipeline.experiments.compare import compare
from twister_loop.pipeline.experiments.fine_tuning import run_study
from twister_loop.pipeline.loop import refine
from twister_loop.reporting.summary import round_summary
from twister_loop.types import Plan

HELD_OUT = toy.TEST[0].capitalize() + "!"
"""A reference of the test set as somebody else writes it."""
CONTROL = "quick <|endoftext|> foxes"


def add_speech(folder: Path, *texts: str) -> None:
    """Add recordings to an audiofolder; they say something else than their texts."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "metadata.jsonl").open("a") as lines:
        for number, text in enumerate(texts):
            samples = toy_language.synthesize(
                "ie uo " * (number + 2), toy_language.standard_codebook()
            )
            audio.write(samples, folder / f"more-{number}.wav")
            lines.write(json.dumps({"file_name": f"more-{number}.wav", "text": text}) + "\n")


def rejected(folder: Path) -> dict[str, str | None]:
    return {line.text or "": line.rejected_by for line in Manifest.load(folder / "rejected")}


@pytest.mark.parametrize("text", [toy.TEST[0], HELD_OUT, toy.DEVELOPMENT[1].replace("bad", "old")])
def test_held_out_texts_in_human_speech_are_dropped_and_counted(
    plan: Plan, tmp_path: Path, text: str
) -> None:
    add_speech(tmp_path / "data" / "human", text)
    done = next_round(plan, tmp_path / "run")
    assert rejected(done.folder / "filtered_labels")[text] == "held_out_text"
    kept = {line.text for line in Manifest.load(done.folder / "filtered_labels")}
    assert text not in kept and set(toy.HUMAN) <= kept
    assert Funnel.load(done.folder / "filtered_labels").rejected["held_out_text"].utterances == 1


def test_held_out_texts_in_replayed_speech_are_dropped_and_counted(
    world: Path, tmp_path: Path
) -> None:
    add_speech(tmp_path / "data" / "replay", HELD_OUT, CONTROL, "oi ua e io")
    plan = load(world, {"replay": "data/replay", "mix": {"replay": 0.5}})
    done = next_round(plan, tmp_path / "run")
    assert rejected(done.folder / "filtered_replay") == {
        HELD_OUT: "held_out_text",
        CONTROL: "control_token",
    }
    mixed = {line.text for line in Manifest.load(done.folder / "mixture")}
    assert "oi ua e io" in mixed and not {HELD_OUT, CONTROL} & mixed
    funnel = round_summary(done.folder).funnels["filtered_replay"]
    assert (funnel.kept.utterances, set(funnel.rejected)) == (1, {"held_out_text", "control_token"})


def test_a_round_without_replay_has_no_such_stage(plan: Plan, tmp_path: Path) -> None:
    done = next_round(plan, tmp_path / "run")
    assert not (done.folder / "filtered_replay").exists()


def test_the_supervised_arm_is_not_trained_on_held_out_texts(world: Path, tmp_path: Path) -> None:
    add_speech(tmp_path / "data" / "said", HELD_OUT, "io e oui")
    plan = load(world, {"pool_references": "data/said", "human": []})
    arm = replace(build_arms(plan, CompareOptions(updates=2, rounds=1))[SUPERVISED], rounds=1)
    [done] = refine(arm, tmp_path / "run")
    assert rejected(done.folder / "filtered_labels")[HELD_OUT] == "held_out_text"
    assert {line.text for line in Manifest.load(done.folder / "mixture")} == {"io e oui"}


def test_every_arm_of_a_comparison_drops_held_out_texts(world: Path, tmp_path: Path) -> None:
    add_speech(tmp_path / "data" / "human", HELD_OUT)
    add_speech(tmp_path / "data" / "said", "io e oui")
    plan = load(world, {"pool_references": "data/said"})
    compare(plan, tmp_path / "arms", CompareOptions(updates=2, rounds=1))
    mixtures = list((tmp_path / "arms").glob("*/round-01/mixture"))
    assert len(mixtures) == 5, "no kept clip has a reference, so there is no arm of them"
    for mixture in mixtures:
        assert HELD_OUT not in {line.text for line in Manifest.load(mixture)}
        assert rejected(mixture.parent / "filtered_labels")[HELD_OUT] == "held_out_text"


def test_a_study_drops_held_out_texts(world: Path, tmp_path: Path) -> None:
    add_speech(tmp_path / "data" / "human", HELD_OUT, CONTROL)
    run_study(load(world), tmp_path / "study", ())
    folder = tmp_path / "study" / "filtered_human"
    assert rejected(folder) == {HELD_OUT: "held_out_text", CONTROL: "control_token"}
    assert {line.text for line in Manifest.load(folder)} == set(toy.HUMAN)


@pytest.mark.parametrize(
    "token", ["<|endoftext|>", "<|0.00|>", "<|29.98|>", "<|ko|>", "<|startofprev|>", "<|my-own|>"]
)
def test_texts_and_transcripts_with_control_tokens_are_dropped_and_counted(
    plan: Plan, tmp_path: Path, token: str
) -> None:
    add_speech(tmp_path / "data" / "human", f"fox {token} dog")
    escaped = token.replace("<", "&lt;").replace(">", "&gt;")
    with (tmp_path / "data" / "texts.txt").open("a") as lines:
        lines.write(f"{token}\nhello{token}there\nhello {escaped} again\na < b | c > d\n")
    done = next_round(plan, tmp_path / "run")
    texts: Any = rejected(done.folder / "texts")
    assert texts == dict.fromkeys(
        [token, f"hello{token}there", f"hello {token} again"], "control_token"
    )
    assert Funnel.load(done.folder / "texts").rejected["control_token"].utterances == 3
    assert "a < b | c > d" in {line.text for line in Manifest.load(done.folder / "texts")}
    assert rejected(done.folder / "filtered_labels")[f"fox {token} dog"] == "control_token"


def spoil(path: Path) -> None:
    samples = np.full(16000, 0.1, np.float32)
    samples[77] = np.nan
    soundfile.write(path, samples, 16000, subtype="FLOAT")


def test_unreadable_human_and_replayed_speech_is_rejected_and_counted(
    world: Path, tmp_path: Path
) -> None:
    for name in ("human", "replay"):
        add_speech(tmp_path / "data" / name, f"io {name}")
        spoil(tmp_path / "data" / name / "more-0.wav")
    add_speech(tmp_path / "data" / "other", "ua e io")
    replay = ["data/replay", "data/other"]
    done = next_round(load(world, {"replay": replay, "mix": {"replay": 0.5}}), tmp_path / "run")
    for stage, text in (("filtered_labels", "io human"), ("filtered_replay", "io replay")):
        assert rejected(done.folder / stage)[text] == "error"
        assert Funnel.load(done.folder / stage).rejected["error"].utterances == 1
