"""`twister corpus check`: a copy of a corpus compared with the published counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.miniatures import write_ksponspeech, write_tone
from twister_loop.cli.main import main
from twister_loop.data.corpora.ksponspeech import KsponSpeech


def test_an_incomplete_copy_is_reported_split_by_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = write_ksponspeech(tmp_path)
    assert main(["corpus", "check", "ksponspeech", str(copy)]) == 1
    output = capsys.readouterr().out
    assert "DIFFERS train              7 utterances of 620,000 published" in output
    assert "1 files end in half a sample" in output
    assert "2 rejected: unknown_mark" in output and "{ } in '{이상한} 표시'" in output
    assert "MISSING dev" in output
    assert "DIFFERS all                12 utterances of 622,545 published" in output


def test_a_complete_copy_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KsponSpeech, "published", {"eval_clean": 1, "eval_other": 1})
    assert main(["corpus", "check", "ksponspeech", str(write_ksponspeech(tmp_path))]) == 0
    assert capsys.readouterr().out.count("ok      eval_") == 2


def test_only_the_named_split_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = write_ksponspeech(tmp_path)
    assert main(["corpus", "check", "{use: ksponspeech, split: eval_clean}", str(copy)]) == 1
    assert capsys.readouterr().out.count("published") == 1
    assert main(["corpus", "check", "{use: ksponspeech, split: dev}", str(copy)]) == 2


def test_a_corpus_without_published_counts_passes_if_it_has_utterances(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tone(tmp_path / "a.wav", 1)
    (tmp_path / "b.wav").write_text("no audio")
    assert main(["corpus", "check", "{use: audiofolder, lang: ko}", str(tmp_path)]) == 0
    output = capsys.readouterr().out
    assert "2 utterances, 0.00 hours usable" in output and "1 rejected: unreadable" in output


def test_a_folder_or_corpus_that_cannot_be_checked_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["corpus", "check", "ksponspeech", str(tmp_path)]) == 2
    assert "unpack KsponSpeech_scripts.zip" in capsys.readouterr().err
    assert main(["corpus", "check", "textfile", str(tmp_path)]) == 2
    assert "does not lie in a folder" in capsys.readouterr().err
    assert main(["corpus", "check", "kspon", str(tmp_path)]) == 2
    assert "did you mean 'ksponspeech'" in capsys.readouterr().err
