"""AI-Hub's broadcasts: programs, and labels of their utterances."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.miniatures import write_tone
from twister_loop.audio import io as audio
from twister_loop.core.errors import ConfigError
from twister_loop.core.types import Utterance
from twister_loop.data.corpora._base import Corpus

FORMS = [
    ("0.100", "1.300", "(이십)/(20)대 후반에 n/ 왔어요."),
    ("1.300", "2.100", "(@티브이)/(@TV) 보는데"),
    ("2.100", "2.900", "*** 씨가 그랬어요"),
    ("2.900", "3.000", "네"),
    ("3.000", "3.900", "(100)/(백) 명이+ 와"),
    ("3.900", "40.0", "너무 길다"),
    ("broken", "4.0", "시간이 없다"),
]


def label(path: Path, forms: list[tuple[str, str, str]]) -> None:
    utterances = [
        {
            "id": f"{path.stem}.1.{number}",
            "speaker_id": str(1 + number % 2),
            "form": form,
            "original_form": form,
            "start": start,
            "end": end,
            "hangeulToEnglish": [],
            "hangeulToNumber": [],
        }
        for number, (start, end, form) in enumerate(forms)
    ]
    document = {"metadata": {"title": "뉴스"}, "speaker": [{"id": "1"}], "utterance": utterances}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("463") / "01.데이터"
    label(root / "1.Training/라벨링데이터/TL_01/broadcast_0001.json", FORMS)
    write_tone(root / "1.Training/원천데이터/TS_01/broadcast_0001.wav", 1, seconds=5)
    label(root / "1.Training/라벨링데이터/TL_01/broadcast_0002.json", [("0", "1", "소리가 없다")])
    (root / "1.Training/라벨링데이터/TL_01/broadcast_0003.json").write_text("{}")
    label(root / "2.Validation/라벨링데이터/VL/broadcast_9001.json", [("0", "1.5", "안녕하세요")])
    write_tone(root / "2.Validation/원천데이터/VS/broadcast_9001.wav", 2, seconds=2)
    return root.parent


def read(copy: Path, **options: Any) -> list[Utterance]:
    corpus = Corpus.build({"use": "aihub_broadcast", "folder": str(copy), **options})
    return list(corpus.utterances())


def test_utterances_are_cut_from_programs_and_unusable_ones_rejected(copy: Path) -> None:
    train = read(copy, split="train", special="*")
    assert [utterance.rejected_by for utterance in train] == [
        None, None, "special_characters", "length", None, "length", "bad_label",
        "no_audio", "bad_label",
    ]  # fmt: skip
    assert [utterance.text for utterance in train[:2]] == ["20대 후반에 왔어요.", "TV 보는데"]
    assert (train[0].offset, train[0].duration) == (0.1, 1.2)
    assert len(audio.load_utterance(train[0])) == 1.2 * audio.SAMPLE_RATE
    assert train[0].speaker == "broadcast_0001-1"


def test_the_form_with_digits_or_latin_letters_is_the_spelling_in_any_order(copy: Path) -> None:
    phonetic = read(copy, split="train", special="", reading="phonetic")
    assert [phonetic[place].text for place in (0, 4)] == ["이십대 후반에 왔어요.", "백 명이 와"]
    spelled = read(copy, split="train", special="")
    assert spelled[4].text == "100 명이 와"


def test_splits_are_read_from_their_folders(copy: Path) -> None:
    assert [utterance.text for utterance in read(copy, split="validation")] == ["안녕하세요"]
    assert len(read(copy)) == len(read(copy, split="train")) + 1


def test_a_folder_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no label"):
        read(tmp_path)
