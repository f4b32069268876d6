"""The dialogues of Fish Fillets, on a miniature in the form of the real packages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import soundfile

from twister_loop.core.cache import cache_folder
from twister_loop.core.errors import ConfigError
from twister_loop.core.types import TEXT_ONLY, Utterance
from twister_loop.data.corpora import fillets
from twister_loop.data.corpora._debian import FetchError
from twister_loop.data.corpora._prompts import assign_share
from twister_loop.data.corpora.fillets import SHARES, Fillets, Line, Split, parse_lines

LEVELS = [f"level{number}" for number in range(20)]
SCRIPT = """
dialogId("{level}-m-oko", "font_small", "An \\"eye\\"?")
dialogStr("Oko „{level}“?")

-- a comment
dialogId("{level}-v-dlouhe", "font_big", "Long.")
dialogStr(
"Dlouhé \\"{level}\\".")
dialogId("{level}-x-cislo", "font_small", "%1 steps")
dialogStr("%1 kroků")
dialogId("{level}-leb-nic", "font_skull", "Nobody says it.")
dialogStr("Nikdo to v {level} neříká.")
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds nothing, and packages in the place of Debian's."""
    monkeypatch.setenv("TWISTER_CACHE", str(tmp_path / "cache"))

    def unpack(packages: Sequence[str], scratch: Path, description: str) -> tuple[Path, str]:
        game = scratch / "root" / fillets.GAME
        noise = np.random.default_rng(1)
        for level in LEVELS:
            (game / "sound" / level / "cs").mkdir(parents=True)
            (game / "script" / level).mkdir(parents=True)
            script = SCRIPT.replace("{level}", level)
            (game / "script" / level / "dialogs_cs.lua").write_text(script, encoding="utf-8")
            (game / "script" / level / "dialogs_de.lua").write_text("dialogStr()")
            for name in ("m-oko", "v-dlouhe", "x-cislo", "x-splash"):
                path = game / "sound" / level / "cs" / f"{level}-{name}.ogg"
                soundfile.write(path, noise.normal(0, 0.1, 2205), 22050)
        doc = scratch / "root/usr/share/doc" / packages[0]
        doc.mkdir(parents=True)
        (doc / "copyright").write_text("GPL-2+")
        return scratch / "root", "fillets-ng-data-cs_9-1_all"

    monkeypatch.setattr(fillets, "download_and_unpack", unpack)
    return cache_folder()


def read(split: Split) -> list[Utterance]:
    return list(Fillets(split).utterances())


def level_of(utterance: Utterance) -> str:
    return utterance.id.partition("/")[0]


def test_no_level_is_in_two_splits() -> None:
    splits: list[Split] = ["pool", "development", "test"]
    levels = {split: {level_of(utterance) for utterance in read(split)} for split in splits}
    assert levels == {
        split: {level for level in LEVELS if assign_share(level, SHARES) == split}
        for split in splits
    }
    assert all(levels.values())


def test_a_pool_has_speech_and_its_references_are_a_split_of_their_own() -> None:
    pool, references = read("pool"), read("pool_references")
    assert {utterance.text for utterance in pool} == {None}
    assert [utterance.id for utterance in pool] == [utterance.id for utterance in references]
    level = level_of(pool[0])
    texts = {utterance.id: utterance.text for utterance in references}
    assert texts[f"{level}/{level}-m-oko"] == f"Oko „{level}“?"
    assert texts[f"{level}/{level}-v-dlouhe"] == f'Dlouhé "{level}".'
    # Neither a sound without a line, nor a line with a place for a number.
    assert not [utterance for utterance in pool if "-x-" in utterance.id]


def test_the_same_recording_in_several_levels_is_in_the_first_one_only() -> None:
    test, pool = read("test"), read("pool")
    held_out = test[0].audio_filepath
    # A level of the pool gets the held-out recording, as a level with the same parrot would.
    repeated = pool[0].audio_filepath
    repeated.write_bytes(held_out.read_bytes())
    first, second = sorted([held_out, repeated])
    remaining = [line.audio_filepath for line in [*read("pool"), *read("test")]]
    assert first in remaining and second not in remaining
    assert len(read("pool")) + len(read("test")) == len(pool) + len(test) - 1


def test_speakers_are_the_two_fish_and_others_of_a_level() -> None:
    assert {utterance.speaker for utterance in read("test")} == {"small-fish", "big-fish"}
    assert fillets.name_speaker("city", Line("a", "font_skull", "b")) == "city-font_skull"


def test_texts_are_lines_of_their_levels_and_lines_that_nobody_speaks() -> None:
    texts = read("texts")
    assert {utterance.audio_filepath for utterance in texts} == {TEXT_ONLY}
    share = {level: assign_share(level, SHARES) for level in LEVELS}
    lines = {level: [line for line in texts if level_of(line) == level] for level in LEVELS}
    assert {share[level]: len(lines[level]) for level in LEVELS} == {
        "texts": 3, "pool": 1, "development": 0, "test": 0
    }  # fmt: skip


def test_calls_and_quotes_are_read_across_lines() -> None:
    assert list(parse_lines(SCRIPT.replace("{level}", "a")))[1] == Line(
        "a-v-dlouhe", "font_big", 'Dlouhé "a".'
    )


def test_nothing_is_fetched_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    before = read("pool")
    monkeypatch.delattr(fillets, "download_and_unpack")
    assert read("pool") == before


def test_without_a_mirror_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise FetchError("apt-get: no network")

    monkeypatch.setattr(fillets, "download_and_unpack", fail)
    with pytest.raises(ConfigError, match=r"apt-get: no network.*copy .*fillets/cs from a machine"):
        read("pool")
    assert not list((cache_folder() / "fillets").glob(".cs"))


@pytest.mark.pretrained
def test_the_real_packages_hold_the_measured_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    if not (cache_folder() / "fillets" / "cs").is_dir():
        pytest.skip("the dialogues are not in the cache; a plan that names `fillets` fetches them")
    counts = {split: len(read(split)) for split in get_args(Split)}
    assert counts == {
        "pool": 764, "pool_references": 764, "texts": 229, "development": 342, "test": 414
    }  # fmt: skip
