"""Arms of a comparison whose pool arrives in parts, a round each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import world as toy
from twister_loop import Utterance, load
from twister_loop.asr.toy import ToyRecognizer
from twister_loop.core.artifacts import read_json
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import TEXT_ONLY
from twister_loop.data.corpora._base import Corpus
from twister_loop.data.corpora._parts import ArrivedParts
from twister_loop.errors import ConfigError
from twister_loop.pipeline.experiments.arms import CompareOptions, build_arms
from twister_loop.pipeline.experiments.compare import compare
from twister_loop.pipeline.experiments.comparison import Comparison
from twister_loop.pipeline.experiments.growing_pool import plan_of_round
from twister_loop.reporting.comparison import write_comparison

GROWING = "growing pool, 2 parts"
OPTIONS = CompareOptions(seeds=2, rounds=2, arms=(GROWING,))


@dataclass(frozen=True)
class Calls(Corpus):
    """Recordings with two utterances each, one that is rejected, and one without audio."""

    folder: Path

    def utterances(self) -> Iterator[Utterance]:
        for path in sorted(self.folder.iterdir()):
            for offset in (0.0, 1.5):
                yield Utterance(id=f"{path.stem}-{offset}", audio_filepath=path, offset=offset)
        yield Utterance(id="empty", audio_filepath=self.folder / "none", rejected_by="silent")
        yield Utterance(id="text", audio_filepath=TEXT_ONLY, text="nobody said this")


@pytest.fixture
def calls(tmp_path: Path) -> Calls:
    folder = tmp_path / "calls"
    folder.mkdir()
    for number in range(7):
        (folder / f"{number}.wav").write_bytes(bytes([number]) * 9)
    return Calls(folder)


def ids(corpus: Corpus) -> list[str]:
    return [utterance.id for utterance in corpus.utterances()]


def test_parts_have_whole_recordings_in_equal_numbers_and_lose_nothing(calls: Calls) -> None:
    parts = [ids(ArrivedParts(calls, parts=3, arrived=number)) for number in (1, 2, 3)]
    assert parts[2] == ids(calls)
    assert set(parts[0]) < set(parts[1]) < set(parts[2])
    # What is no recording that can be used is listed from the first part on.
    recordings = [[name for name in part if name not in {"empty", "text"}] for part in parts]
    assert all({"empty", "text"} <= set(part) for part in parts)
    for part in recordings:
        firsts = {name[0] for name in part}
        assert sorted(part) == sorted(
            f"{first}-{offset}" for first in firsts for offset in (0.0, 1.5)
        )
    assert [len(part) for part in recordings] == [6, 10, 14]


def test_parts_follow_the_content_and_not_the_names(calls: Calls, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for number in range(7):
        (elsewhere / f"renamed-{9 - number}.wav").write_bytes(bytes([number]) * 9)

    def first_part(corpus: Corpus) -> set[bytes]:
        part = ArrivedParts(corpus, parts=2, arrived=1).utterances()
        return {line.audio_filepath.read_bytes() for line in part if line.audio_filepath.is_file()}

    assert first_part(calls) == first_part(Calls(elsewhere))


def test_the_last_round_of_a_growing_pool_has_the_pool_of_the_plan(world: Path) -> None:
    plan = load(world)
    arm = build_arms(plan, OPTIONS)[GROWING]
    assert plan_of_round(arm, 1).pool != plan.pool
    assert plan_of_round(arm, 2).pool == plan.pool
    assert plan_of_round(plan, 1) == plan


def test_rounds_from_the_champion_share_the_updates(world: Path) -> None:
    plan = load(world, {"asr": {"use": "deepspeech2"}, "start": "champion"})
    arms = build_arms(plan, CompareOptions(updates=60, rounds=3))
    assert getattr(arms["growing pool, 3 parts"].asr, "max_steps", None) == 20
    assert "full loop, 3 times the updates" not in arms
    with pytest.raises(ConfigError, match=r"61 updates cannot be shared .*'growing pool, 3 parts'"):
        build_arms(plan, CompareOptions(updates=61, rounds=3, arms=("growing pool, 3 parts",)))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plan with a comparison in `arms/` beside it that was interrupted in round 2 of an arm."""
    world = toy.build(tmp_path_factory.mktemp("growing"))
    toy.speak(["aia a", "eie e", "oio o"], world.parent / "data" / "pool", labeled=False)
    plan, folder = load(world, {"human": []}), world.parent / "arms"
    train, trained = ToyRecognizer.train, list[Path]()

    def train_or_stop(self: ToyRecognizer, *args: object, **kwargs: object) -> object:
        [out] = [argument for argument in args if isinstance(argument, Path)]
        trained.append(out)
        if out.parent.name == "round-02" and len(trained) == 2:
            raise MemoryError
        return train(self, *args, **kwargs)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ToyRecognizer, "train", train_or_stop)
        assert len(compare(plan, folder, OPTIONS).failures) == 1
        assert not compare(plan, folder, OPTIONS).failures
    return world


def test_every_round_has_the_parts_that_have_arrived(finished: Path) -> None:
    folder = finished.parent / "arms"
    first, second = (
        {
            line.id
            for line in Manifest.load(folder / f"growing-pool-2-parts-1/round-0{n}/inputs/pool")
        }
        for n in (1, 2)
    )
    assert first < second and len(first) == (len(second) + 1) // 2
    assert len(second) == len(list((finished.parent / "data/pool").glob("*.wav")))
    note = read_json(folder / "growing-pool-2-parts-1/round-02/plan.json")
    assert note["champion"] == 1, "the first candidate labels the second round"


def test_the_error_of_every_round_has_an_interval_and_a_change_from_the_first(
    finished: Path,
) -> None:
    folder = finished.parent / "arms"
    scores = [score for score in Comparison.load(folder).round_scores if score.set_name == "test"]
    assert [(score.arm, score.number) for score in scores] == [(GROWING, 1), (GROWING, 2)]
    for score in scores:
        assert score.change.low is not None and len(score.rate_by_seed) == 2
    first, last = scores
    assert first.change_from_first is None and last.change_from_first is not None
    assert last.change_from_first.rate == pytest.approx(last.rate - first.rate)
    assert last.change_from_first.low is not None
    tables = write_comparison(Comparison.load(folder), folder)
    assert "### Rounds of all seeds on test" in tables
    assert "change from the first round (95 %)" in tables
