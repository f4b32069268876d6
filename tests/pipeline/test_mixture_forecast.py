"""What shares and caps leave is told before anything is synthesized."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.test_plan import changed
from twister_loop import load, next_round
from twister_loop.core.tallies import MixtureContents
from twister_loop.errors import ConfigError


def test_a_share_of_speech_that_is_not_there_ends_the_round_before_voices_are_trained(
    world: Path, tmp_path: Path
) -> None:
    plan = load(changed(world, mix={"shares": {"fr": 0.5}}))
    with pytest.raises(ConfigError, match=r"mix\.shares: fr cannot have a share of 0\.5: there is"):
        next_round(plan, tmp_path / "run")
    [folder] = (tmp_path / "run").glob("round-*")
    assert (folder / "filtered_labels").is_dir() and not (folder / "voices").exists()


def test_what_caps_leave_out_is_told_before_and_after(
    world: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plan = load(changed(world, mix={"hours": {"human": 1.5 / 3600}}))
    folder = next_round(plan, tmp_path / "run").folder
    [before] = [line for line in caplog.messages if "will be trained on" in line]
    assert before == (
        "mix: of human en human about 0.00 of 0.00 h will be trained on, because of hours.human "
        "(0.000416667 h)"
    )
    sources = MixtureContents.load(folder / "mixture").sources
    [human] = [source for source in sources if source.origin == "human"]
    assert 0 < human.taken.duration <= 1.5 < (human.asked or 0)
