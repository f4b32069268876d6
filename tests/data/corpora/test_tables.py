"""Tables and texts in every encoding and spelling: read, counted or refused, never a traceback."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.miniatures import write_tone
from tests.table_kinds import ALL_KINDS, TableKind
from tests.table_kinds._kind import read_outcome
from twister_loop.core.errors import ConfigError, ManifestError
from twister_loop.core.manifest import Manifest
from twister_loop.data.corpora._base import Corpus
from twister_loop.data.corpora._lines import join_spaces, read_lines

NAMES = ["a.wav", "sub/è.wav", "sub/ㄱ 각.wav"]


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.name)
def test_every_kind_of_table_is_read_counted_or_refused_in_one_sentence(
    kind: TableKind, tmp_path: Path
) -> None:
    outcome = read_outcome(Corpus.build(kind.write(tmp_path)))
    assert kind.judge(outcome) == "", outcome


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three recordings whose names are decomposed on the disk, as on a Mac."""
    folder = tmp_path_factory.mktemp("recordings")
    for number, name in enumerate(NAMES):
        write_tone(folder / unicodedata.normalize("NFD", name), number)
    return folder


def texts_of(folder: Path, name: str, content: bytes) -> dict[str, str | None]:
    for earlier in folder.glob("metadata.*"):
        earlier.unlink()
    (folder / name).write_bytes(content)
    corpus = Corpus.build({"use": "audiofolder", "folder": str(folder)})
    utterances = list(corpus.utterances())
    assert not [utterance for utterance in utterances if utterance.rejected_by]
    return {unicodedata.normalize("NFC", utterance.id): utterance.text for utterance in utterances}


@settings(max_examples=150)
@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=3, max_size=3),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"]),
    separator=st.sampled_from(",;\t|"),
    newline=st.sampled_from(["\n", "\r\n", "\n\n", "\r\n\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    form=st.sampled_from(["NFC", "NFD"]),
    slash=st.sampled_from("/\\"),
    header=st.sampled_from([("file_name", "text"), (" Path", "Sentence "), ("WAV", "transcript")]),
)
def test_any_text_comes_back_from_any_form_of_a_table(
    recordings: Path,
    texts: list[str],
    encoding: str,
    separator: str,
    newline: str,
    quoting: Any,
    form: Any,
    slash: str,
    header: tuple[str, str],
) -> None:
    names = [unicodedata.normalize(form, name).replace("/", slash) for name in NAMES]
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, delimiter=separator, quoting=quoting, lineterminator=newline)
    writer.writerows([header, *zip(names, texts, strict=True)])
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    content = (mark + lines.getvalue()).encode(encoding)
    expected = [join_spaces(text.replace("\ufeff", "")) or None for text in texts]
    assert texts_of(recordings, "metadata.csv", content) == dict(zip(NAMES, expected, strict=True))


@settings(max_examples=60)
@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=3, max_size=3),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    newline=st.sampled_from(["\n", "\r\n", "\n \n"]),
    escaped=st.booleans(),
)
def test_any_text_comes_back_from_json_lines(
    recordings: Path, texts: list[str], encoding: str, newline: str, escaped: bool
) -> None:
    rows = [{"file_name": name, "text": text} for name, text in zip(NAMES, texts, strict=True)]
    lines = "".join(json.dumps(row, ensure_ascii=escaped) + newline for row in rows)
    # Marks are dropped wherever they stand in a file, but not where they are spelled out.
    plain = [text if escaped else text.replace("\ufeff", "") for text in texts]
    expected = [join_spaces(text) or None for text in plain]
    read = texts_of(recordings, "metadata.jsonl", lines.encode(encoding))
    assert read == dict(zip(NAMES, expected, strict=True))


@settings(max_examples=200)
@given(content=st.binary(max_size=60))
def test_any_bytes_are_lines_or_one_sentence(tmp_path_factory: Any, content: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "bytes"
    for kind in ("textfile", "manifest"):
        outcome = read_outcome(
            Corpus.build(TableKind("any", {"t": content}, {}, use=kind).write(folder))
        )
        assert outcome.get("plain", True), outcome
    folder = folder / "folder"
    for name in ("metadata.csv", "metadata.jsonl"):
        outcome = read_outcome(Corpus.build(TableKind("any", {name: content}, {}).write(folder)))
        assert outcome.get("plain", True), outcome
        (folder / name).unlink()


@settings(max_examples=200)
@given(
    kind=st.sampled_from(ALL_KINDS),
    place=st.integers(0, 300),
    deleted=st.integers(0, 5),
    inserted=st.one_of(
        st.binary(max_size=3), st.sampled_from([b"1e999", b"null", b"[", b"\\ud800"])
    ),
)
def test_a_table_with_a_few_other_bytes_is_never_a_traceback(
    tmp_path_factory: Any, kind: TableKind, place: int, deleted: int, inserted: bytes
) -> None:
    folder = tmp_path_factory.mktemp("changed")
    spec = kind.write(folder)
    for name, content in kind.files.items():
        if content is not None:
            changed = content[:place] + inserted + content[place + deleted :]
            (folder / name).write_bytes(changed)
    assert read_outcome(Corpus.build(spec)).get("plain", True)
    with suppress(ConfigError, ManifestError):  # refused in one sentence
        Manifest.write(Corpus.build(spec).utterances(), folder / "manifest")


def test_a_log_names_files_without_a_row_and_rows_without_a_file(
    recordings: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for earlier in recordings.glob("metadata.*"):
        earlier.unlink()
    (recordings / "metadata.csv").write_text("file_name,text\na.wav,uno\nlost.wav,due\n")
    [lost] = [
        utterance
        for utterance in Corpus.build(
            {"use": "audiofolder", "folder": str(recordings)}
        ).utterances()
        if utterance.rejected_by
    ]
    assert lost.text == "due" and f"{recordings / 'metadata.csv'}:3: no file" in str(lost.objection)
    assert "metadata.csv: 2 audio files have no row" in caplog.text
    assert "rejected 1 rows as no_audio" in caplog.text


def test_lines_keep_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_bytes("è\r\n\n".encode() + b"\xff\nfine")
    lines = list(read_lines(tmp_path / "t.txt"))
    assert [(line.number, line.text, bool(line.problem)) for line in lines] == [
        (1, "è", False), (2, "", False), (3, "", True), (4, "fine", False),
    ]  # fmt: skip
