"""Augmented copies: their names, files and draws; and mixtures far smaller than what is asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from twister_loop import Utterance
from twister_loop.audio import io as audio
from twister_loop.core.errors import AudioError
from twister_loop.core.manifest import Manifest
from twister_loop.data.mixture import MixOptions, MixtureGroup
from twister_loop.pipeline.stages.mixture import augment


@dataclass(frozen=True)
class Louder:
    """Augmentation that notes its seeds, leaves one utterance alone and cannot read another."""

    copies: int = 2
    seeds: list[tuple[str, int, int, int]] = field(default_factory=list, compare=False)

    def apply(
        self, utterance: Utterance, seed: int, copy: int, occurrence: int
    ) -> tuple[Utterance, audio.Samples]:
        self.seeds.append((utterance.id, seed, copy, occurrence))
        if utterance.id == "broken":
            raise AudioError("broken.wav: no audio")
        changed = utterance if utterance.id == "same" else replace(utterance, made_by="gain")
        return changed, np.full(1600, 0.1, np.float32)


def test_each_copy_has_a_name_a_file_and_draws_of_its_own(tmp_path: Path) -> None:
    lines = [
        Utterance(id=id_, duration=3.0, offset=1.0, channel=1, text="a", audio_filepath=Path("/x"))
        for id_ in ("a", "same", "broken", "a")
    ]
    lines.append(replace(lines[0], id="error", error="unreadable"))
    louder = Louder()
    source, out = Manifest.write(lines, tmp_path / "mixture"), tmp_path / "augmented"
    copies = list(augment(louder, source, 7, out=out))  # type: ignore[arg-type]
    ids = ["a", "same", "broken", "a", "error"]
    assert [copy.id for copy in copies] == [*ids, *(f"{id_}~1" for id_ in ids)]
    files = {copy.audio_filepath.name for copy in copies if copy.made_by}
    assert files == {"000000.wav", "000003.wav", "000000-1.wav", "000003-1.wav"}
    assert (copies[0].duration, copies[0].offset, copies[0].channel) == (0.1, 0.0, None)
    for place in (1, 2, 4):
        assert copies[place] == lines[place], "it keeps its own file"
    assert louder.seeds[:4] == [
        ("a", 7, 0, 1),
        ("same", 7, 0, 1),
        ("broken", 7, 0, 1),
        ("a", 7, 0, 2),
    ]
    assert louder.seeds[4] == ("a", 7, 1, 1) and len(louder.seeds) == 8


def test_a_mixture_that_is_thousands_of_times_smaller_is_exact_too() -> None:
    talks, calls = MixtureGroup("pseudo", "it", "talks"), MixtureGroup("human", "it", "calls")
    mix = MixOptions(hours={"talks": 1 / 3600}, shares={"pseudo": 0.5})
    mixture = mix.target_durations({talks: 3.6e6, calls: 3.6e6})
    assert abs(mixture[talks] - 1.0) < 1e-4 and abs(mixture[calls] - 1.0) < 1e-4
