"""Counts of a folder that is surveyed, and sentences for folders that cannot be used."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from twister_loop.core.errors import ConfigError
from twister_loop.pipeline.initial_plan import recordings as survey_module
from twister_loop.pipeline.initial_plan.first_plan import survey_folder
from twister_loop.pipeline.initial_plan.names import find_language, find_role
from twister_loop.pipeline.initial_plan.recordings import survey_recordings

from .folders import names, record, sentence, transcribe, write_table


def test_recordings_are_counted_by_format_rate_channels_and_length(tmp_path: Path) -> None:
    record(tmp_path / "a", names(3), seconds=0.5, rate=8000)
    record(tmp_path / "b", ["long.flac"], seconds=2.0, channels=2)
    (tmp_path / "b" / "broken.wav").write_bytes(b"RIFF nothing")
    shutil.copy(tmp_path / "a" / "000.wav", tmp_path / "b" / "copy.wav")
    seen = survey_recordings(tmp_path).survey
    assert seen.files == 5 and seen.seconds == pytest.approx(4.0)
    assert seen.formats == {"wav": 4, "flac": 1}
    assert seen.rates == {8000: 4, 16000: 1} and seen.channels == {1: 4, 2: 1}
    assert (seen.shortest, seen.longest) == (0.5, 2.0)
    assert seen.duplicates == 1 and seen.unreadable_count == 1
    assert "broken.wav" in seen.unreadable


def test_a_folder_of_many_files_is_sampled_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path, names(30), seconds=0.1)
    monkeypatch.setattr(survey_module, "HEADER_SECONDS", -1.0)
    monkeypatch.setattr(survey_module, "LEAST_SAMPLE", 10)
    seen = survey_recordings(tmp_path).survey
    assert seen.headers_read == 10 and seen.is_sampled and seen.files == 30
    assert seen.seconds == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (None, b"", "the folder is empty"),
        ("a.txt", b"hello\nworld\n", "1 files without sound"),
        ("a.wav", b"RIFF....", "can be read as speech"),
        ("film.mp4", b"\0\0\0\x18ftypmp42" + bytes(60), "can be read as speech"),
    ],
)
def test_a_folder_without_speech_is_refused_with_what_it_holds(
    tmp_path: Path, name: str | None, content: bytes, message: str
) -> None:
    if name:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        survey_folder(tmp_path)


def test_archives_are_to_be_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "calls.zip", "w") as archive:
        archive.writestr("a.wav", "x")
    with pytest.raises(ConfigError, match=r"1 archives .*unpack them"):
        survey_folder(tmp_path)


@pytest.mark.parametrize("name", ["missing", "file.wav"])
def test_what_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.wav").write_bytes(b"x")
    with pytest.raises(ConfigError, match="folder"):
        survey_folder(tmp_path / name)


def test_tables_of_all_kinds_are_matched_with_recordings(tmp_path: Path) -> None:
    record(tmp_path / "meta", names(2))
    transcribe(tmp_path / "meta", names(2), speaker="ada")
    record(tmp_path / "cv" / "clips", names(3))
    rows = [(f"{number:03d}.wav", sentence(number)) for number in range(4)]
    write_table(tmp_path / "cv" / "train.tsv", rows, "path\tsentence")
    kaldi = tmp_path / "kaldi"
    [wav] = record(kaldi, ["k.wav"], seconds=1.0)
    (kaldi / "wav.scp").write_text(f"r {wav}\n")
    (kaldi / "segments").write_text("r-1 r 0.0 0.4\nr-2 r 0.5 0.9\n")
    (kaldi / "text").write_text("r-1 one\nr-2 two\n")
    record(tmp_path / "side", ["s.wav"])
    (tmp_path / "side" / "s.txt").write_text("what was said\n")
    survey = survey_folder(tmp_path)
    by_kind = {source.kind: source for source in survey.sources}
    assert {kind: len(source.transcripts) for kind, source in by_kind.items()} == {
        "metadata": 2, "table": 3, "kaldi": 2, "text files": 1,
    }  # fmt: skip
    assert by_kind["table"].rows == 4
    assert by_kind["kaldi"].transcripts[1].offset == 0.5
    # The transcript of a recording is no text corpus.
    assert survey.texts == () and survey.speakers == 1


def test_sentence_lists_are_told_from_notes_names_and_paragraphs(tmp_path: Path) -> None:
    record(tmp_path, names(1))
    (tmp_path / "sentences.txt").write_text("\n".join(map(sentence, range(30))))
    (tmp_path / "hindi.txt").write_text("\n".join(["मुझे हिंदी में बोलना है"] * 6))
    (tmp_path / "korean.csv").write_text("text\n" + "\n".join(["안녕하세요 여러분"] * 6))
    (tmp_path / "files.txt").write_text("\n".join(names(9)))
    (tmp_path / "book.txt").write_text("\n".join([sentence(1) * 20] * 9))
    (tmp_path / "words.txt").write_text("\n".join(["Rossi", "Bari", "voicemail"] * 3))
    (tmp_path / "numbers.txt").write_text("\n".join(["1234 5678"] * 9))
    (tmp_path / "README.txt").write_text("\n".join(map(sentence, range(30))))
    survey = survey_folder(tmp_path)
    seen = {file.path.name: (file.sentences, file.script, file.language) for file in survey.texts}
    assert seen == {
        "sentences.txt": (30, "LATIN", None),
        "hindi.txt": (6, "DEVANAGARI", None),
        "korean.csv": (6, "HANGUL", "ko"),
    }
    remarks = "\n".join(survey.remarks)
    for words in ("names of recordings", "one sentence a line", "no letters", "--terms"):
        assert words in remarks
    assert "README" not in remarks


def test_tables_that_cannot_be_read_are_remarks_and_end_nothing(tmp_path: Path) -> None:
    record(tmp_path, names(1))
    (tmp_path / "metadata.csv").write_bytes("file_name,text\na.wav,perché\n".encode("latin-1"))
    (tmp_path / "sheet.xlsx").write_bytes(b"PK\x03\x04")
    write_table(tmp_path / "other.csv", [("elsewhere.wav", "words")], "file_name,text")
    remarks = "\n".join(survey_folder(tmp_path).remarks)
    assert "iconv" in remarks and "sheet.xlsx: not read" in remarks
    assert "none of its 1 rows with a transcript names a recording" in remarks


def test_names_of_folders_mean_roles_and_languages() -> None:
    assert find_role(["clean", "cv-valid-dev"]) == ("development", "cv-valid-dev")
    assert find_role(["protest", "devices", "training"]) == ("human", "training")
    assert find_role(["TEST_other"]) == ("test", "TEST_other")
    assert find_language(["korean"]) == "ko" and find_language(["de"]) == "de"
    assert find_language(["no"]) is None and find_language(["xx"]) is None
