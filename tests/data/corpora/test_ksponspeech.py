"""KsponSpeech, on a miniature with the irregularities of the real files."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.miniatures import KSPON, make_tone, write_headerless, write_ksponspeech
from twister_loop.audio import io as audio
from twister_loop.core.errors import ConfigError
from twister_loop.core.types import Utterance
from twister_loop.data.corpora._base import Corpus
from twister_loop.data.corpora._etri import choose_reading, find_unknown_marks, remove_marks
from twister_loop.pipeline.stages.listing import gather


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ksponspeech(tmp_path_factory.mktemp("kspon"))


def read(copy: Path, **options: Any) -> list[Utterance]:
    corpus = Corpus.build({"use": "ksponspeech", "folder": str(copy), **options})
    return list(corpus.utterances())


def number(utterance: Utterance) -> int:
    return int(utterance.id.rpartition("_")[2])


@pytest.mark.parametrize(
    ("raw", "spelling", "phonetic"),
    [
        (KSPON[1], "아 몬 소리야, 그건 또.", "아 몬 소리야, 그건 또."),
        (KSPON[2], "아 모 몬 소리야 70% 확률이라니", "아 모 몬 소리야 칠 십 퍼센트 확률이라니"),
        (KSPON[3], "100% 맞아.", "백 프로 맞아."),
        (KSPON[4], "그 갔는데? ARS", "그 갔는데? 에이 알 에스"),
        (KSPON[5], "3시에 봐요", "세 시에 봐요"),
        ("20% 정도", "20% 정도", "20퍼센트 정도"),
        ("(#)/(샾) 누르고 #", "# 누르고 #", "샾 누르고 샾"),
        ("그러니까 @ [웃음]; 응", "그러니까 웃음 응", "그러니까 웃음 응"),
        ("\u1112\u1161\u11ab글 b/", "한글", "한글"),
        ("(내가)/(내) 짖지 마/", "내가 짖지 마", "내 짖지 마"),
        ("b/ n/ l/ o/ u/", "", ""),
        # Slashes of the spelling are no marks.
        ("(3/4)/(사분의 삼) 정도", "3/4 정도", "사분의 삼 정도"),
        ("( 1/2 ) / ( 이분의 일 )/", "1/2", "이분의 일"),
        ("(100km/h)/(시속 백 킬로미터)로 b/", "100km/h로", "시속 백 킬로미터로"),
        ("(A/S)/(에이에스) 센터/", "A/S 센터", "에이에스 센터"),
        ("(n/a)/(엔에이) 그/ 그", "n/a 그 그", "엔에이 그 그"),
        ("n/(3/4)/(사분의 삼)b/", "3/4", "사분의 삼"),
    ],
)
def test_a_transcript_is_read_as_spelling_or_pronunciation(
    raw: str, spelling: str, phonetic: str
) -> None:
    assert remove_marks(choose_reading(raw, "spelling"), "spelling") == spelling
    assert remove_marks(choose_reading(raw, "phonetic"), "phonetic") == phonetic


@pytest.mark.parametrize(
    ("raw", "marks"),
    [
        (KSPON[1], ""),
        (KSPON[6], "{ }"),
        (KSPON[7], "x/"),
        ("(한 쪽만) 있다", "( )"),
        ("아/ 네+ 그* n/ 3.5%", ""),
        ("USB/ 라고", ""),
        ("(3/4)/(사분의 삼)", ""),
        ("(a/s)/(에이에스) 센터", ""),
    ],
)
def test_marks_that_no_rule_explains_are_found(raw: str, marks: str) -> None:
    assert find_unknown_marks(choose_reading(raw, "spelling")) == marks


def test_an_official_list_is_read_in_order_with_all_of_its_lines(copy: Path) -> None:
    train = read(copy, split="train")
    assert [utterance.rejected_by for utterance in train] == [
        *[None] * 5,
        "unknown_mark",
        "unknown_mark",
        "no_audio",
        "bad_line",
    ]
    assert train[1].text == "아 모 몬 소리야 70% 확률이라니"
    assert "{ }" in str(train[5].objection)
    assert {utterance.lang for utterance in train[:8]} == {"ko"}


def test_evaluation_sets_are_read_from_their_own_folder(copy: Path) -> None:
    for split in ("eval_clean", "eval_other"):
        [only] = read(copy, split=split)
        assert (only.text, only.rejected_by) == ("응 그래.", None)
        assert only.audio_filepath.parent.name == split


def test_split_all_reads_the_texts_beside_the_audio(copy: Path, tmp_path: Path) -> None:
    bare = shutil.copytree(copy, tmp_path / "bare")
    shutil.rmtree(bare / "KsponSpeech_scripts")
    utterances = {number(utterance): utterance for utterance in read(bare, split="all")}
    assert utterances[1].text == "아 몬 소리야, 그건 또."
    assert utterances[300].text == "똠방각하"
    reasons = Counter(
        utterance.rejected_by for utterance in utterances.values() if utterance.rejected_by
    )
    assert reasons == {"unknown_mark": 2, "not_cp949": 1, "no_text": 1, "no_audio": 1}
    with pytest.raises(ConfigError, match=r"no list train.trn .* \{split: all\}"):
        read(bare, split="train")


def test_a_percent_sign_is_written_out_as_it_was_spoken(copy: Path) -> None:
    utterances = {
        number(utterance): utterance.text
        for utterance in read(copy, split="all", reading="phonetic")
    }
    assert utterances[87_797] == "20퍼센트 정도"
    assert utterances[501_006] == "20프로 정도"


def test_folders_may_lie_deeper_than_in_the_lists(copy: Path, tmp_path: Path) -> None:
    deep = tmp_path / "aihub"
    shutil.copytree(copy, deep / "data")
    assert len(read(deep, split="train")) == len(read(copy, split="train"))
    assert not read(deep, split="train")[0].rejected_by


def test_an_unlabeled_corpus_has_no_texts_and_rejects_none_for_it(copy: Path) -> None:
    pool = read(copy, split="all", labeled=False)
    assert {utterance.text for utterance in pool} == {None}
    assert Counter(utterance.rejected_by for utterance in pool)["no_text"] == 0
    assert Counter(utterance.rejected_by for utterance in pool)["unknown_mark"] == 0


def test_headerless_audio_is_read_sample_by_sample(copy: Path, tmp_path: Path) -> None:
    first, second = read(copy, split="train")[:2]
    expected = (make_tone(1) * 32767).astype("<i2") / 32768
    np.testing.assert_array_equal(audio.load_utterance(first), expected.astype(np.float32))
    assert first.duration == pytest.approx(0.1)
    assert audio.ends_in_half_sample(second.audio_filepath) and not audio.ends_in_half_sample(
        first.audio_filepath
    )
    np.testing.assert_array_equal(len(audio.load_utterance(second)), 1600)
    empty = write_headerless(tmp_path / "empty.pcm", 1)
    empty.write_bytes(b"\x00")
    with pytest.raises(audio.AudioError, match="empty"):
        audio.read(empty)


def test_rejected_utterances_are_logged_with_their_reasons(
    copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    read(copy, split="train")
    assert "ksponspeech train: 5 utterances" in caplog.text
    assert "rejected 4 utterances: 1 bad_line, 1 no_audio, 2 unknown_mark" in caplog.text
    assert "1 files end in half a sample" in caplog.text


def test_reasons_of_rejection_are_in_the_funnel_of_a_run(copy: Path, tmp_path: Path) -> None:
    corpus = Corpus.build({"use": "ksponspeech", "folder": str(copy), "split": "train"})
    listed = gather((corpus,), "ko", out=tmp_path / "human")
    assert len(listed) == 5
    funnel = json.loads((tmp_path / "human/funnel.json").read_text())
    counts = {reason: tally["utterances"] for reason, tally in funnel["rejected"].items()}
    assert counts == {"unknown_mark": 2, "no_audio": 1, "bad_line": 1}
