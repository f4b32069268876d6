"""Data sets of the library `datasets`, from a folder: the real library on real files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.miniatures import make_tone, write_tone
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
    """A folder with a table as on the hub, which holds the audio as bytes."""
    paths = [write_tone(tmp_path / f"wav/{n}.wav", n) for n in range(3)]
    table = {
        "audio": [{"bytes": path.read_bytes(), "path": path.name} for path in paths],
        "sentence": ["하나", "둘", None],
        "who": [1, 2, 3],
    }
    (tmp_path / "set/data").mkdir(parents=True)
    dataset = datasets.Dataset.from_dict(table).cast_column("audio", datasets.Audio(decode=False))
    dataset.to_parquet(tmp_path / "set/data/train-00000-of-00001.parquet")
    return tmp_path / "set"


def read(folder: Path, **options: Any) -> list[Utterance]:
    return list(Corpus.build({"use": "huggingface", "folder": str(folder), **options}).utterances())


@pytest.mark.parametrize("streaming", [True, False])
def test_audio_inside_a_table_is_written_to_the_cache_once(
    parquet: Path, cache: Path, streaming: bool
) -> None:
    options = {"text": "sentence", "speaker": "who", "lang": "ko", "streaming": streaming}
    utterances = read(parquet, **options)
    assert [
        (utterance.text, utterance.speaker, utterance.lang) for utterance in utterances[:2]
    ] == [
        ("하나", "1", "ko"),
        ("둘", "2", "ko"),
    ]
    assert utterances[2].rejected_by == "no_text"
    np.testing.assert_allclose(audio.load_utterance(utterances[1]), make_tone(1), atol=1e-4)
    files = {path: path.stat().st_mtime_ns for path in cache.rglob("*.wav")}
    assert len(files) == 3
    assert read(parquet, **options) == utterances
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.wav")} == files


def test_a_missing_column_is_refused_with_the_nearest_name(parquet: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"no column 'sentense'; .*: audio, .*did you mean 'sentence'"
    ):
        read(parquet, text="sentense")


def test_a_data_set_without_texts_and_a_part_of_one_are_read(parquet: Path) -> None:
    pool = read(parquet, text=None, at_most=2)
    assert [(utterance.text, utterance.rejected_by) for utterance in pool] == [(None, None)] * 2


def test_a_data_set_saved_to_disk_is_read(parquet: Path, tmp_path: Path) -> None:
    table = datasets.load_dataset(str(parquet), split="train")
    datasets.DatasetDict(train=table).save_to_disk(str(tmp_path / "saved"))
    assert [utterance.text for utterance in read(tmp_path / "saved", text="sentence")][:2] == [
        "하나",
        "둘",
    ]


@pytest.fixture
def audio_folder(tmp_path: Path) -> Path:
    """A folder of files with a table, as `twister export --data` writes it."""
    home = tmp_path / "folder" / "train"
    for number in range(3):
        write_tone(home / f"audio/{number}.flac", number)
    rows = [
        {"file_name": f"audio/{number}.flac", "text": text, "speaker": speaker, "lang": "it"}
        for number, (text, speaker) in enumerate([("uno", "a"), (None, None), ("tre", "b")])
    ]
    lines = (json.dumps(row) + "\n" for row in rows)
    (home / "metadata.jsonl").write_text("".join(lines), encoding="utf-8")
    return home.parent


@pytest.mark.parametrize("streaming", [True, False])
def test_a_folder_of_audio_is_read_without_torchcodec(
    audio_folder: Path, streaming: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("torchcodec.encoders", "torchcodec.decoders"):
        monkeypatch.setitem(sys.modules, module, None)  # an import of it fails
    utterances = read(audio_folder, speaker="speaker", lang_column="lang", streaming=streaming)
    assert [
        (utterance.text, utterance.speaker, utterance.lang, utterance.rejected_by)
        for utterance in utterances
    ] == [("uno", "a", "it", None), ("", None, "it", "no_text"), ("tre", "b", "it", None)]
    for number, utterance in enumerate(utterances):
        samples = audio.read(utterance.audio_filepath)
        np.testing.assert_allclose(samples, make_tone(number), atol=1e-4)


def test_classes_are_read_by_name_and_tables_in_cells_are_rejected(tmp_path: Path) -> None:
    paths = [write_tone(tmp_path / f"wav/{n}.wav", n) for n in range(2)]
    features = datasets.Features(
        audio=datasets.Audio(decode=False),
        word=datasets.ClassLabel(names=["down", "up"]),
        parts=datasets.List(datasets.Value("string")),
    )
    table = {
        "audio": [str(path) for path in paths], "word": [1, -1], "parts": [["a"], ["b"]],
    }  # fmt: skip
    datasets.Dataset.from_dict(table, features=features).save_to_disk(str(tmp_path / "saved"))
    utterances = read(tmp_path / "saved", text="word")
    assert [(utterance.text, utterance.rejected_by) for utterance in utterances] == [
        ("up", None),
        ("", "no_text"),
    ]
    assert {utterance.rejected_by for utterance in read(tmp_path / "saved", text="parts")} == {
        "bad_row"
    }


def test_a_table_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.parquet").write_bytes(b"PAR1 and nothing more")
    for streaming in (True, False):
        with pytest.raises(ConfigError, match="cannot read") as raised:
            read(tmp_path / "set", streaming=streaming)
        assert "\n" not in str(raised.value)


def test_an_unreadable_data_set_is_refused_with_the_remedies(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the data set .*HF_ENDPOINT"):
        read(tmp_path / "nothing")
    with pytest.raises(ConfigError, match="give one of the two"):
        Corpus.build({"use": "huggingface"})
