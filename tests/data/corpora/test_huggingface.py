"""Data sets of the library `datasets`, from a folder: the real library on real files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.miniatures import record, samples
from twister_loop.audio import io as audio
from twister_loop.core.errors import ConfigError
from twister_loop.core.types import Utterance
from twister_loop.data.corpora._base import Corpus

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TWISTER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    return tmp_path / "cache"


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    """A folder as on the hub: the audio is inside the table, as bytes."""
    paths = [record(tmp_path / f"wav/{n}.wav", n) for n in range(3)]
    table = {
        "audio": [{"bytes": path.read_bytes(), "path": path.name} for path in paths],
        "sentence": ["하나", "둘", None],
        "who": [1, 2, 3],
    }
    (tmp_path / "set/data").mkdir(parents=True)
    made = datasets.Dataset.from_dict(table).cast_column("audio", datasets.Audio(decode=False))
    made.to_parquet(tmp_path / "set/data/train-00000-of-00001.parquet")
    return tmp_path / "set"


def read(folder: Path, **options: Any) -> list[Utterance]:
    return list(Corpus.build({"use": "huggingface", "folder": str(folder), **options}).utterances())


@pytest.mark.parametrize("streaming", [True, False])
def test_audio_inside_a_table_becomes_files_that_are_written_once(
    parquet: Path, cache: Path, streaming: bool
) -> None:
    options = {"text": "sentence", "speaker": "who", "lang": "ko", "streaming": streaming}
    found = read(parquet, **options)
    assert [(each.text, each.speaker, each.lang) for each in found[:2]] == [
        ("하나", "1", "ko"),
        ("둘", "2", "ko"),
    ]
    assert found[2].rejected_by == "no_text"
    np.testing.assert_allclose(audio.load_utterance(found[1]), samples(1), atol=1e-4)
    files = {path: path.stat().st_mtime_ns for path in cache.rglob("*.wav")}
    assert len(files) == 3
    assert read(parquet, **options) == found
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.wav")} == files


def test_a_column_that_is_not_there_is_named_with_the_nearest(parquet: Path) -> None:
    with pytest.raises(ConfigError, match="no column 'sentense'; did you mean 'sentence'"):
        read(parquet, text="sentense")


def test_without_texts_it_is_a_pool_and_may_be_a_part(parquet: Path) -> None:
    pool = read(parquet, text=None, at_most=2)
    assert [(each.text, each.rejected_by) for each in pool] == [(None, None)] * 2


def test_what_was_saved_to_disk_is_read_too(parquet: Path, tmp_path: Path) -> None:
    table = datasets.load_dataset(str(parquet), split="train")
    datasets.DatasetDict(train=table).save_to_disk(str(tmp_path / "saved"))
    assert [each.text for each in read(tmp_path / "saved", text="sentence")][:2] == ["하나", "둘"]


def test_a_set_that_cannot_be_had_is_refused_with_the_remedies(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the data set .*HF_ENDPOINT"):
        read(tmp_path / "nothing")
    with pytest.raises(ConfigError, match="give one of the two"):
        Corpus.build({"use": "huggingface"})
