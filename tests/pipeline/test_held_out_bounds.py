"""Which held-out sets can be counted on: references, numbers of utterances, long recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from twister_loop import Utterance
from twister_loop.audio import io as audio
from twister_loop.audio import toy_language
from twister_loop.core.manifest import Manifest
from twister_loop.errors import ConfigError
from twister_loop.evaluation.outcomes import HeldOutSet
from twister_loop.pipeline.held_out_check import check_held_out_sets
from twister_loop.text.normalizers.basic import Basic
from twister_loop.types import Plan


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("audio") / "clip.wav"
    audio.write(toy_language.synthesize("a", toy_language.standard_codebook()), path)
    return path


def make_set(folder: Path, clip: Path, texts: Sequence[str | None], **fields: Any) -> HeldOutSet:
    folder.mkdir()
    lines = []
    for number, text in enumerate(texts):
        path = folder / f"{number}.wav"
        path.write_bytes(clip.read_bytes())
        options = {"text": text, "duration": 0.1, "lang": "en", **fields}
        lines.append(Utterance(id=f"{number}", audio_filepath=path, **options))
    return HeldOutSet("test", Manifest.write(lines, folder))


def refused(plan: Plan, sets: dict[str, HeldOutSet]) -> str:
    with pytest.raises(ConfigError) as error:
        check_held_out_sets(plan, sets)
    return str(error.value)


def test_a_set_needs_the_minimum_of_utterances_and_no_more(
    plan: Plan, tmp_path: Path, clip: Path
) -> None:
    plan = replace(plan, minimum_utterances=3)
    check_held_out_sets(plan, {"a": make_set(tmp_path / "three", clip, ["a"] * 3)})
    two = make_set(tmp_path / "two", clip, ["a"] * 2)
    assert refused(plan, {"a": two}).startswith("test.a: 2 utterances are fewer than minimum_utt")
    # Its long recordings are listed as a set of their own, and count for it; others do not.
    one = make_set(tmp_path / "one", clip, ["a"])
    check_held_out_sets(plan, {"a": two, "a-long": one})
    check_held_out_sets(plan, {"a": one, "a-long": two})
    assert refused(plan, {"a": two, "b-long": one}).startswith("test.a: 2")
    assert refused(plan, {"a-long": one, "b": two}).startswith("test.a-long: 1")


def test_an_empty_set_and_missing_references_are_told(
    plan: Plan, tmp_path: Path, clip: Path
) -> None:
    plan = replace(plan, minimum_utterances=1)
    assert refused(plan, {"a": make_set(tmp_path / "none", clip, [])}).startswith(
        "test.a: no speech found"
    )
    some = make_set(tmp_path / "some", clip, ["a", None, "", "b"])
    message = refused(plan, {"a": some})
    assert message.startswith("test.a: 2 of 4 utterances have no reference")
    assert message.endswith("add those of 1.wav, 2.wav")
    three = make_set(tmp_path / "three", clip, [None, None, None, "b"])
    assert refused(plan, {"a": three}).endswith("add those of 0.wav, 1.wav, 2.wav")
    four = make_set(tmp_path / "four", clip, [None, None, None, None, "b"])
    assert refused(plan, {"a": four}).endswith("add those of 0.wav, 1.wav, 2.wav, ...")
    # A clip in which nobody speaks needs no reference.
    silent = make_set(tmp_path / "silent", clip, [None, ""], speechless=True)
    spoken = make_set(tmp_path / "spoken", clip, ["a"])
    lines = [*silent.speech, *spoken.speech]
    check_held_out_sets(plan, {"a": HeldOutSet("test", Manifest.write(lines, tmp_path / "both"))})


def test_a_set_of_the_plan_without_any_reference_is_told_how_references_are_given(
    plan: Plan, tmp_path: Path, clip: Path
) -> None:
    plan, [name, *_] = replace(plan, minimum_utterances=1), list(plan.sets)
    explained = plan.sets[name][1].explain_missing_text()
    all_missing = make_set(tmp_path / "all", clip, [None, None])
    assert refused(plan, {name: all_missing}).endswith(explained)
    assert refused(plan, {f"{name}-long": all_missing}).endswith(explained)
    assert refused(plan, {"new": all_missing}).endswith("add those of 0.wav, 1.wav")
    some = make_set(tmp_path / "some", clip, [None, "a"])
    assert refused(plan, {name: some}).endswith("add those of 0.wav")


def test_references_of_which_nothing_is_left_cannot_be_counted(
    plan: Plan, tmp_path: Path, clip: Path
) -> None:
    plan = replace(plan, minimum_utterances=1, normalizer=Basic())
    check_held_out_sets(plan, {"a": make_set(tmp_path / "one", clip, ["...", "a", "!"])})
    marks = make_set(tmp_path / "marks", clip, ["...", "!"])
    assert "the normalizer basic leaves nothing of any reference" in refused(plan, {"a": marks})


def test_every_set_is_checked_and_unreadable_audio_is_named(
    plan: Plan, tmp_path: Path, clip: Path
) -> None:
    plan = replace(plan, minimum_utterances=1)
    fine = make_set(tmp_path / "fine", clip, ["a"])
    broken = make_set(tmp_path / "broken", clip, ["a", "e"])
    (tmp_path / "broken" / "1.wav").write_text("no audio")
    message = refused(plan, {"fine": fine, "b": broken})
    assert message.startswith("test.b: ") and "1.wav cannot be transcribed" in message
    assert refused(plan, {"b": make_set(tmp_path / "no", clip, []), "fine": fine}).startswith(
        "test.b: no speech"
    )
