"""LibriSpeech, Zeroth, Common Voice and ASCEND, in the layout in which they are published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.miniatures import write_tone
from twister_loop.audio import io as audio
from twister_loop.core.errors import ConfigError
from twister_loop.core.types import Utterance
from twister_loop.data.corpora._base import Corpus


def read(use: str, folder: Path, **options: Any) -> list[Utterance]:
    return list(Corpus.build({"use": use, "folder": str(folder), **options}).utterances())


def chapter(folder: Path, name: str, lines: dict[str, str], silent: str, unwritten: str) -> None:
    for number, id_ in enumerate([*lines, unwritten]):
        if id_ != silent:
            write_tone(folder / f"{id_}.flac", number)
    text = "".join(f"{id_} {transcript}\n" for id_, transcript in lines.items())
    (folder / f"{name}.trans.txt").write_text(text, encoding="utf-8")


def test_librispeech_is_read_from_the_lists_of_its_chapters(tmp_path: Path) -> None:
    lines = {f"1688-142285-{n:04d}": f"THERE'S IRON THEY SAY {n}" for n in range(3)}
    home = tmp_path / "LibriSpeech/test-other/1688/142285"
    chapter(home, "1688-142285", lines, "1688-142285-0001", "1688-142285-0009")
    utterances = read("librispeech", tmp_path, split="test-other")
    assert [utterance.rejected_by for utterance in utterances] == [
        None,
        "no_audio",
        None,
        "no_text",
    ]
    assert utterances[0].text == "there's iron they say 0"
    assert (utterances[0].speaker, utterances[0].lang) == ("librispeech-1688", "en")
    assert read("librispeech", tmp_path / "LibriSpeech", split="test-other") == utterances
    with pytest.raises(ConfigError, match=r"unpack dev-clean.tar.gz"):
        read("librispeech", tmp_path, split="dev-clean")


def test_zeroth_is_read_with_its_speakers(tmp_path: Path) -> None:
    lines = {f"104_003_{n:04d}": f"그녀는 이렇게 말했다 {n}" for n in range(2)}
    chapter(tmp_path / "test_data_01/003/104", "104_003", lines, "", "104_003_0007")
    (tmp_path / "AUDIO_INFO").write_text("SPEAKERID|NAME|SEX|SCRIPTID|DATASET\n")
    utterances = read("zeroth", tmp_path, split="test")
    assert [
        (utterance.text, utterance.speaker, utterance.lang) for utterance in utterances[:2]
    ] == [
        ("그녀는 이렇게 말했다 0", "zeroth-104", "ko"),
        ("그녀는 이렇게 말했다 1", "zeroth-104", "ko"),
    ]
    assert utterances[2].rejected_by == "no_text"
    assert read("zeroth", tmp_path, split="test", labeled=False)[2].rejected_by is None


NEW = "client_id\tpath\tsentence_id\tsentence\tsentence_domain\tup_votes\tdown_votes\tage\tgender"
NEW += "\taccents\tvariant\tlocale\tsegment"
OLD = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccent"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Rows as in release 17: quotation marks are not quoted, and a sentence may be missing."""
    for number, name in enumerate(("common_voice_ko_1", "common_voice_ko_2", "old")):
        write_tone(tmp_path / f"clips/{name}.mp3", number, seconds=0.5, rate=48_000)
    rows = [
        NEW,
        'abc\tcommon_voice_ko_1.mp3\t9f\t"그래?" 하고 물었다\t\t2\t0\t\t\t\t\tko\t',
        "abc\tcommon_voice_ko_2.mp3\t9e\t\t\t2\t0\t\t\t\t\tko\t",
        "def\tcommon_voice_ko_3.mp3\t9d\t어디 갔지\t\t2\t0\t\t\t\t\tko\t",
    ]
    (tmp_path / "train.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (tmp_path / "old.tsv").write_text(f"{OLD}\nxyz\told\tDas ist's\t2\t0\t\t\t\n")
    durations = "clip\tduration[ms]\ncommon_voice_ko_1.mp3\t504\n"
    (tmp_path / "clip_durations.tsv").write_text(durations)
    return tmp_path


def test_common_voice_is_read_from_its_lists(release: Path) -> None:
    utterances = read("common_voice", release)
    assert [utterance.rejected_by for utterance in utterances] == [None, "no_text", "no_audio"]
    assert utterances[0].text == '"그래?" 하고 물었다'
    assert (utterances[0].speaker, utterances[0].lang, utterances[0].duration) == (
        "abc",
        "ko",
        0.504,
    )
    assert len(audio.load_utterance(utterances[0])) > 0


def test_an_older_release_with_other_columns_is_read(release: Path) -> None:
    [old] = read("common_voice", release, split="old", lang="de")
    assert (old.text, old.lang, old.rejected_by) == ("Das ist's", "de", None)
    with pytest.raises(ConfigError, match="there are: clip_durations, old, train"):
        read("common_voice", release, split="test")
    with pytest.raises(ConfigError, match=r"no column with the path .*the columns are: clip, dur"):
        read("common_voice", release, split="clip_durations")


def test_ascend_is_read_with_the_language_of_each_utterance(tmp_path: Path) -> None:
    header = "file_name,transcription,duration,language,original_speaker_id,session_id,topic\n"
    names = [f"ses2_spk3_L{n}_189.900_5.490.wav" for n in range(3)]
    rows = [
        f'waves/{names[0]},"因为 在 internet, 上面",0.1,mixed,3,2,technology',
        f"waves/{names[1]},对呀,0.1,zh,3,2,technology",
        f"waves/{names[2]},okay,0.1,en,3,2,technology",
    ]
    (tmp_path / "test_metadata.csv").write_text(header + "\n".join(rows) + "\n", encoding="utf-8")
    for number, name in enumerate(names):
        write_tone(tmp_path / "waves" / name, number)
    utterances = read("ascend", tmp_path, split="test", mixed_lang="zh")
    assert [(utterance.lang, utterance.rejected_by) for utterance in utterances] == [
        ("zh", None),
        ("zh", None),
        ("en", None),
    ]
    assert utterances[0].text == "因为 在 internet, 上面"
    assert utterances[0].speaker == "ascend-3"
    [mixed] = read("ascend", tmp_path, split="test", language="mixed")
    assert mixed.lang is None
    with pytest.raises(ConfigError, match="use: huggingface"):
        read("ascend", tmp_path, split="train")
