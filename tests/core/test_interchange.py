"""Manifests come back from pandas, `datasets` and Lhotse as they were."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twister_loop import Manifest, Utterance
from twister_loop.audio import io as audio
from twister_loop.errors import AudioError, ConfigError, ManifestError
from twister_loop.types import Segment, Word

WORDS = (
    Word(word="buon", start=0.1, end=0.42, logprob=-0.25),
    Word(word="giorno", start=0.42, end=0.9, logprob=-1.5),
)


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    recording = tmp_path / "audio" / "caffè.wav"
    audio.write(np.zeros(32_000, np.float32), recording)
    whole = Utterance(id="a", audio_filepath=recording, duration=2.0)
    part = Utterance(
        id="b",
        audio_filepath=recording,
        offset=0.5,
        duration=1.25,
        text="buon giorno",
        pred_text="buongiorno",
        lang="it",
        speaker="Ada",
        confidence=-0.125,
        hit_limit=True,
        labeled_in=2,
        words=WORDS,
        segments=(Segment(start=0.0, end=1.0, text="buongiorno"),),
    )
    return Manifest.write([whole, part, replace(whole, id="c", text="")], tmp_path / "written")


def test_a_frame_of_pandas_holds_a_manifest(manifest: Manifest, tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    frame = manifest.to_pandas()
    assert len(frame) == 3 and frame["duration"].sum() == 5.25
    assert "dnsmos" not in frame.columns  # of no utterance
    read_back = Manifest.from_pandas(frame, str(tmp_path / "again"))
    assert list(read_back) == list(manifest)


def test_a_frame_read_from_a_file_holds_a_manifest(manifest: Manifest, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    manifest.to_pandas().to_parquet(tmp_path / "frame.parquet")
    frame = pandas.read_parquet(tmp_path / "frame.parquet")
    assert list(Manifest.from_pandas(frame, tmp_path / "again")) == list(manifest)


def test_a_data_set_holds_a_manifest(manifest: Manifest, tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    dataset = manifest.to_datasets()
    assert dataset.filter(lambda row: row["duration"] < 2)["id"][:] == ["b"]
    assert list(Manifest.from_datasets(dataset, tmp_path / "again")) == list(manifest)


def test_cuts_of_lhotse_hold_a_manifest(manifest: Manifest, tmp_path: Path) -> None:
    lhotse = pytest.importorskip("lhotse")
    cuts = manifest.to_lhotse()
    assert cuts["b"].load_audio().shape == (1, 20_000)
    assert cuts["b"].supervisions[0].alignment["word"][1].symbol == "giorno"
    cuts.to_file(tmp_path / "cuts.jsonl")
    cuts = lhotse.load_manifest(tmp_path / "cuts.jsonl")
    assert list(Manifest.from_lhotse(cuts, tmp_path / "again")) == list(manifest)


def test_a_channel_of_a_recording_is_a_cut_of_one_channel(tmp_path: Path) -> None:
    pytest.importorskip("lhotse")
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / "a.wav", np.zeros((16_000, 2)), 16_000)
    both = Utterance(id="a", audio_filepath=tmp_path / "a.wav", duration=1.0)
    speech = [both, replace(both, id="b", channel=1), replace(both, id="c", channel=0)]
    cuts = Manifest.write(speech, tmp_path / "written").to_lhotse()
    assert [cut.num_channels for cut in cuts] == [2, 1, 1]
    assert list(Manifest.from_lhotse(cuts, tmp_path / "again")) == speech


def test_cuts_that_are_no_stretch_of_a_file_are_refused(manifest: Manifest, tmp_path: Path) -> None:
    lhotse = pytest.importorskip("lhotse")
    cut = manifest.to_lhotse()["b"]
    twice = lhotse.CutSet.from_cuts([cut.append(cut)])
    with pytest.raises(ConfigError, match="save_audios"):
        Manifest.from_lhotse(twice, tmp_path / "again")
    with pytest.raises(ConfigError, match="save_audios"):
        Manifest.from_lhotse(lhotse.CutSet.from_cuts([cut.perturb_speed(1.1)]), tmp_path / "fast")


def test_what_has_no_audio_is_no_cut(tmp_path: Path) -> None:
    pytest.importorskip("lhotse")
    with pytest.raises(ConfigError, match="t: has no audio"):
        Manifest.write([Utterance(id="t", text="ciao")], tmp_path).to_lhotse()
    missing = Utterance(id="m", audio_filepath=tmp_path / "none.wav")
    with pytest.raises(AudioError, match=r"none\.wav: Lhotse cannot read"):
        Manifest.write([missing], tmp_path).to_lhotse()


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ({"id": ["a"], "sentence": ["x"]}, ConfigError, "does not have: sentence; rename or drop"),
        ({"text": ["x"]}, ConfigError, "no column `id`"),
        ({"id": ["a", "b"], "duration": [1.0, "long"]}, ManifestError, "row 1: duration"),
        ({"id": [7]}, ManifestError, "row 0: id"),
    ],
)
def test_a_table_that_is_no_manifest_is_named(
    tmp_path: Path, columns: dict[str, Any], error: type[Exception], message: str
) -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(error, match=message):
        Manifest.from_pandas(pandas.DataFrame(columns), tmp_path)


def test_names_that_are_not_utf_8_come_back(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    speech = [Utterance(id="a", audio_filepath=tmp_path / "caf\udce9.wav")]
    manifest = Manifest.write(speech, tmp_path / "written")
    assert list(Manifest.from_datasets(manifest.to_datasets(), tmp_path / "again")) == speech


def test_a_missing_package_is_named_with_its_extra(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigError, match=r"pip install 'twister-loop\[pandas\]'"):
        manifest.to_pandas()
