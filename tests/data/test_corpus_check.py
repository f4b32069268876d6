"""A copy of a corpus beside the published counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.miniatures import ksponspeech, record
from twister_loop.cli.main import main
from twister_loop.data.corpora.ksponspeech import KsponSpeech


def test_a_copy_that_is_not_whole_is_told_split_by_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = ksponspeech(tmp_path)
    assert main(["corpus", "check", "ksponspeech", str(copy)]) == 1
    said = capsys.readouterr().out
    assert "DIFFERS train              7 utterances of 620,000 published" in said
    assert "1 end in half a sample" in said
    assert "2 set aside: unknown_mark" in said and "{ } in '{이상한} 표시'" in said
    assert "MISSING dev" in said
    assert "DIFFERS all                12 utterances of 622,545 published" in said


def test_a_whole_copy_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KsponSpeech, "published", {"eval_clean": 1, "eval_other": 1})
    assert main(["corpus", "check", "ksponspeech", str(ksponspeech(tmp_path))]) == 0
    assert capsys.readouterr().out.count("ok      eval_") == 2


def test_one_split_is_read_where_one_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = ksponspeech(tmp_path)
    assert main(["corpus", "check", "{use: ksponspeech, split: eval_clean}", str(copy)]) == 1
    assert capsys.readouterr().out.count("published") == 1
    assert main(["corpus", "check", "{use: ksponspeech, split: dev}", str(copy)]) == 2


def test_a_corpus_without_published_counts_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path / "a.wav", 1)
    (tmp_path / "b.wav").write_text("no audio")
    assert main(["corpus", "check", "{use: audiofolder, lang: ko}", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "2 utterances, 0.00 hours kept" in said and "1 set aside: unreadable" in said


def test_what_is_no_copy_at_all_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["corpus", "check", "ksponspeech", str(tmp_path)]) == 2
    assert "unpack KsponSpeech_scripts.zip" in capsys.readouterr().err
    assert main(["corpus", "check", "textfile", str(tmp_path)]) == 2
    assert "does not lie in a folder" in capsys.readouterr().err
    assert main(["corpus", "check", "kspon", str(tmp_path)]) == 2
    assert "did you mean 'ksponspeech'" in capsys.readouterr().err
