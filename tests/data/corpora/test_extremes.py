"""Every corpus with every option at its ends, on folders that are empty, broken or another's."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests import world as toy
from tests.options import inside, list_part_options
from twister_loop.core.errors import TwisterError
from twister_loop.core.types import Utterance
from twister_loop.data.corpora._base import Corpus

CORPORA = [
    pytest.param(name, marks=pytest.mark.model if name == "huggingface" else ())
    for name in Corpus.list_names()
]
BROKEN_FILES = (
    "metadata.csv metadata.jsonl wav.scp text segments utt2spk train.tsv validated.tsv dev.tsv "
    "train.csv test.csv validation_metadata.csv train_metadata.csv train.trn dev.trn "
    "eval_clean.trn scripts.txt dataset_info.json AUDIO_INFO"
).split()
"""Names of lists that some corpus reads."""
TEXTS = ("", "x", "it", "日本", "a\nb", "../..")
"""Values of options that may be any text."""


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Folders and files that hold no corpus of the kind, or a broken one."""
    root = tmp_path_factory.mktemp("places")
    world = toy.build(root / "toy")
    (root / "empty").mkdir()
    broken = root / "broken"
    for folder in (broken, broken / "data" / "train", broken / "train-clean-100" / "1" / "2"):
        folder.mkdir(parents=True)
        for name in BROKEN_FILES:
            (folder / name).write_bytes(b"\x00\xff,\t;{\n\n\x85a b\tc\n")
        (folder / "0.wav").write_bytes(b"RIFF")
        (folder / "0.txt").write_bytes(b"\xff\xfe\x00")
    return [
        root / "empty", broken, world.parent / "data", world.parent / "data" / "human",
        world.parent / "data" / "texts.txt", world, broken / "0.wav", root / "missing",
    ]  # fmt: skip


def list_specs(name: str, place: Path) -> Iterator[dict[str, Any]]:
    """Yield specs of a corpus at a place: its defaults, and each option at its ends."""
    options = {
        option.place.rpartition(".")[2]: option.annotation
        for option in list_part_options(Corpus)
        if option.owner == f"corpus {name}"
    }
    where = {key: str(place) for key in ("folder", "file") if key in options}
    yield {"use": name, **where}
    for key, annotation in options.items():
        if key in where or key == "dataset":  # names on the hub need a network
            continue
        # An option that is a number or a choice has ends; else it may be any text.
        for value in list(inside(annotation)) or TEXTS:
            yield {"use": name, **where, key: value}


@pytest.mark.parametrize("name", CORPORA)
def test_a_corpus_lists_utterances_or_refuses_with_a_sentence(
    name: str, places: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "huggingface":
        pytest.importorskip("datasets")
    outcomes = set[str]()
    # Corpora in packages lie in no folder: their options are the same in every place.
    specs = {repr(spec): spec for place in places for spec in list_specs(name, place)}
    for spec in specs.values():
        try:
            corpus = Corpus.build(spec)
            listed = list(islice(corpus.utterances(), 3))
        except TwisterError as error:
            assert str(error) and "Traceback" not in str(error)
            outcomes.add("refused")
        else:
            assert all(isinstance(utterance, Utterance) for utterance in listed)
            outcomes.add("listed")
    assert outcomes
