"""What ends a run because held-out speech is elsewhere, and what is counted as unprotected."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.audio.test_fingerprint import babble
from twister_loop import Utterance
from twister_loop.audio import io as audio
from twister_loop.core.digests import digest_path
from twister_loop.core.manifest import Manifest
from twister_loop.core.types import SetKind
from twister_loop.errors import LeakError
from twister_loop.evaluation.outcomes import HeldOutSet
from twister_loop.pipeline.leak_check import (
    HeldOutProtection,
    SetProtection,
    check_leaks,
    describe_unprotected,
)


class World:
    """Folder in which recordings and lists are made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lists = 0

    def record(self, name: str, samples: audio.Samples, text: str = "") -> Utterance:
        path = self.folder / f"{name}.wav"
        duration = audio.write(samples, path)
        return Utterance(id=digest_path(path), audio_filepath=path, duration=duration, text=text)

    def cut(self, utterance: Utterance, offset: float, duration: float, **fields: int) -> Utterance:
        return Utterance(
            id=f"{utterance.id}-{offset:g}",
            audio_filepath=utterance.audio_filepath,
            offset=offset,
            duration=duration,
            text=utterance.text,
            **fields,  # type: ignore[arg-type]
        )

    def list(self, *utterances: Utterance) -> Manifest:
        self.lists += 1
        return Manifest.write(utterances, self.folder / f"list-{self.lists}")

    def check(
        self, training: dict[str, list[Utterance]], **sets: tuple[SetKind, list[Utterance]]
    ) -> HeldOutProtection:
        return check_leaks(
            training={key: self.list(*speech) for key, speech in training.items()},
            sets={
                name: HeldOutSet(kind, self.list(*speech)) for name, (kind, speech) in sets.items()
            },
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_different_recordings_are_no_leak(world: World) -> None:
    pool, human, first, second = (world.record(str(seed), babble(seed)) for seed in range(1, 5))
    world.check(
        {"pool": [pool], "human": [human]}, dev=("development", [first]), test=("test", [second])
    )


@pytest.mark.parametrize("key", ["pool", "human", "replay"])
def test_the_same_file_is_refused_wherever_it_is_trained_on(world: World, key: str) -> None:
    recording = world.record("call", babble(1))
    with pytest.raises(
        LeakError, match=rf"test\.calls: 1 of its utterances .* {key}, .*call\.wav;"
    ):
        world.check({key: [recording]}, calls=("test", [recording]))


def test_a_stretch_of_a_file_that_the_pool_holds_whole_is_refused(world: World) -> None:
    call = world.record("call", babble(1, 8))
    stretch = world.cut(call, 4.0, 2.0)
    with pytest.raises(LeakError, match=r"call\.wav from 4\.0 s; remove them from one"):
        world.check({"pool": [call]}, calls=("development", [stretch]))


def test_stretches_of_a_file_that_only_touch_are_no_leak(world: World) -> None:
    call = world.record("call", babble(1, 8))
    first, second = world.cut(call, 0.0, 4.05), world.cut(call, 4.0, 4.0)
    world.check({"pool": [first]}, calls=("test", [second]))
    later = world.cut(call, 3.9, 4.0)
    with pytest.raises(LeakError, match="also in pool"):
        world.check({"pool": [first]}, calls=("test", [later]))


def test_two_channels_of_a_file_are_different_recordings(world: World) -> None:
    path = world.folder / "stereo.wav"

    both = np.stack([babble(1), babble(2)], axis=1)
    soundfile.write(path, both, audio.SAMPLE_RATE)
    call = Utterance(id=digest_path(path), audio_filepath=path, duration=3.0)
    left, right = (world.cut(call, 0.0, 3.0, channel=channel) for channel in (0, 1))
    world.check({"pool": [left]}, calls=("test", [right]))
    with pytest.raises(LeakError, match="also in pool"):
        world.check({"pool": [call]}, calls=("test", [right]))


@pytest.mark.parametrize("key", ["pool", "human", "replay"])
def test_a_part_within_a_longer_recording_is_refused_with_its_place(world: World, key: str) -> None:
    held_out = world.record("held-out", babble(1))
    longer = world.record("longer", np.concatenate([babble(2, 5), 0.3 * babble(1)[:32_000]]))
    with pytest.raises(LeakError, match=rf"{key}: 1 .*longer\.wav from [45]\.\d s and .*held-out"):
        world.check({key: [longer]}, calls=("test", [held_out]))


@pytest.mark.parametrize("kinds", [("development", "test"), ("retention", "development")])
def test_sets_with_the_same_recording_are_refused(
    world: World, kinds: tuple[SetKind, SetKind]
) -> None:
    loud, quiet = world.record("loud", babble(1)), world.record("quiet", 0.2 * babble(1))
    first, second = kinds
    with pytest.raises(LeakError, match=r"1 recordings are also held out in another set.*quiet"):
        world.check({}, one=(first, [loud]), two=(second, [quiet]))
    with pytest.raises(LeakError, match=rf"{second}\.two: 1 of its utterances .* {first}\.one"):
        world.check({}, one=(first, [loud]), two=(second, [loud]))


def test_the_same_recording_twice_in_one_set_is_no_leak(world: World) -> None:
    loud, quiet = world.record("loud", babble(1)), world.record("quiet", 0.2 * babble(1))
    world.check({}, one=("test", [loud, quiet]))


def test_what_is_too_short_to_be_protected_is_counted(world: World) -> None:
    speech = [
        world.record("a", babble(1)[: audio.SAMPLE_RATE // 2], "yes"),
        world.record("b", babble(2)[:12_000], "please hold the line for me"),
        world.record("c", babble(3), ""),
    ]
    protection = world.check({}, calls=("test", speech))
    assert protection.sets == {"calls": SetProtection(2, 1, 3, 1)}
    assert describe_unprotected("calls", protection.sets["calls"]) == (
        "calls: 1 of 2 references are too short to be protected, 1 of 3 recordings are too short "
        "to be found in parts"
    )
    assert describe_unprotected("calls", SetProtection(2, 0, 3, 0)) == ""
    protection.save(world.folder)
    assert HeldOutProtection.load(world.folder) == protection


def test_names_that_begin_alike_are_not_taken_for_digests(world: World) -> None:
    first, second = world.record("a", babble(1)), world.record("b", babble(2))
    names = "conference-number-one", "conference-number-two"
    first, second = replace(first, id=names[0]), replace(second, id=names[1])
    world.check({"pool": [first]}, calls=("test", [second]))
