"""Tables in a folder of audio, as spreadsheets, scripts and other people write them."""

from __future__ import annotations

import gzip
import json
import unicodedata
from typing import Any

from ._kind import AUDIO, REFUSED, TableKind

DECOMPOSED = unicodedata.normalize("NFD", "è.wav")
"""Name of a recording as a Mac writes it."""
TEXTS = {"a": "uno due", "b": "Perché no?", "c": "안녕하세요"}
ROWS = [("a.wav", "uno due"), ("b.wav", "Perché no?"), ("c.wav", "안녕하세요")]
DEEP = '{"file_name": "b.wav", "text": ' + "[" * 100_000 + "\n"


def table(
    separator: str = ",", newline: str = "\n", header: str = "file_name text", rows: Any = ROWS
) -> str:
    lines = [separator.join(header.split()), *(separator.join(row) for row in rows)]
    return "".join(f"{line}{newline}" for line in lines)


def json_lines(*rows: Any) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def named(*names: str) -> str:
    """Return a table whose rows name the three recordings in this way."""
    return table(rows=[(name, text) for name, (_, text) in zip(names, ROWS, strict=True)])


def kind(
    name: str,
    content: str | bytes,
    texts: Any = TEXTS,
    metadata: str = "metadata.csv",
    message: str = "",
    **rejected: int,
) -> TableKind:
    encoded = content.encode() if isinstance(content, str) else content
    files = {metadata: encoded, "a.wav": AUDIO, "b.wav": AUDIO, "c.wav": AUDIO}
    return TableKind(name, files, texts, rejected, message=message)


def accented(name: str, written: str, on_disk: str) -> TableKind:
    """Return a table that names a recording with an accent in another way than the disk."""
    files = {"metadata.csv": table(rows=[(written, "uno")]).encode(), on_disk: AUDIO}
    return TableKind(name, files, {"è": "uno"})


def with_text(text: str | None) -> dict[str, str | None]:
    return {**TEXTS, "a": text}


def first(field: str, newline: str = "\n") -> str:
    """Return a table of commas whose first text is written in this way."""
    return table(newline=newline, rows=[("a.wav", field), *ROWS[1:]])


ROW = {"file_name": "a.wav", "text": "uno due"}
OTHER_ROWS = [{"file_name": name, "text": text} for name, text in ROWS[1:]]
A_ONLY: dict[str, str | None] = {"a": "uno due", "b": None, "c": None}

READ = [
    kind("plain", table()),
    kind("byte order mark", "\ufeff" + table()),
    kind("CRLF and blank last lines", table(newline="\r\n") + "\r\n\r\n"),
    kind("blank lines between rows", table(newline="\n\n")),
    kind("semicolons", table(";")),
    kind("semicolons, CRLF, mark", "\ufeff" + table(";", "\r\n")),
    kind("tabs", table("\t"), metadata="metadata.tsv"),
    kind("tabs under the name csv", table("\t")),
    kind("commas under the name tsv", table(), metadata="metadata.tsv"),
    kind("bars", table("|")),
    kind("UTF-16 little endian", ("\ufeff" + table("\t", "\r\n")).encode("utf-16-le")),
    kind("UTF-16 big endian", ("\ufeff" + table("\t", "\r\n")).encode("utf-16-be")),
    kind("UTF-16 without a mark", table(";", "\r\n").encode("utf-16-le")),
    kind("UTF-32", table().encode("utf-32")),
    kind("lines of old Macs", table(newline="\r")),
    kind("last line without an end", table().rstrip("\n")),
    kind("columns File_Name, Text", table(header="File_Name Text")),
    kind("columns with spaces", " File Name , Transcript \n" + table().partition("\n")[2]),
    kind("columns filename, transcript", table(header="filename transcript")),
    kind("columns path, sentence", table(header="path sentence")),
    kind("columns audio_filepath, transcription", table(header="audio_filepath transcription")),
    kind("columns wav, normalized_text", table("|", header="wav normalized_text")),
    kind("columns audio, text", table(header="audio text")),
    kind("columns file, text, quoted", '"file","text"\n' + table().partition("\n")[2]),
    kind("unknown columns besides", "n,file_name,text\n1,a.wav,uno due\n2,b.wav,Perché no?\n"
         "3,c.wav,안녕하세요\n"),
    kind("index of pandas", ",file_name,text\n0,a.wav,uno due\n1,b.wav,Perché no?\n"
         "2,c.wav,안녕하세요\n"),
    kind("sep= of Excel", "sep=;\n" + table(";")),
    kind("separators after the last column", table(";").replace("\n", ";;\n")),
    kind("rows of separators only", table(";") + ";\n;\n"),
    kind("joined files, marks inside", "\ufeff" + table(rows=ROWS[:1]) + "\ufeff"
         + table(rows=ROWS[1:])),
    accented("names in NFC, files in NFD", "è.wav", DECOMPOSED),
    accented("names in NFD, files in NFC", DECOMPOSED, "è.wav"),
    accented("folders in NFC and NFD", f"è/{DECOMPOSED}", f"{DECOMPOSED[:-4]}/è.wav"),
    kind("names with ./", named("./a.wav", "./b.wav", "./c.wav")),
    kind("names with .\\", named(".\\a.wav", ".\\b.wav", ".\\c.wav")),
    kind("absolute names", named("{folder}/a.wav", "{folder}/b.wav", "{folder}/c.wav")),
    kind("names with spaces around", named(" a.wav", "b.wav ", "  c.wav")),
    kind("names in capitals", named("A.WAV", "b.Wav", "C.wav")),
    kind("names without an ending", named("a", "b", "c")),
    kind("name of the table in capitals", table(), metadata="METADATA.CSV"),
    kind("quoted text with a comma", first('"uno, due"'), with_text("uno, due")),
    kind("quoted text with a line end", first('"uno\ndue"')),
    kind("quoted text with CRLF", first('"uno\r\ndue"', "\r\n")),
    kind("doubled quotes", first('"""uno"" due"'), with_text('"uno" due')),
    kind("quotes escaped by backslash", first(r'"\"uno\" due"'), with_text('"uno" due')),
    kind("quote that nothing closes", first('"uno due'), with_text('"uno due')),
    kind("quoted word first", first('"uno" due'), with_text('"uno" due')),
    kind("inches", first('3" due'), with_text('3" due')),
    kind("U+2028 in a text", first("uno\u2028due")),
    kind("U+0085 in a text", first("uno\x85due")),
    kind("vertical tab and form feed in a text", first("uno\x0b\x0cdue")),
    kind("lone CR in a text", first("uno\rdue")),
    kind("NUL in a text", first("uno\0due")),
    kind("integers as text and speaker",
         json_lines({"file_name": "a.wav", "text": 2024, "speaker": 17}, *OTHER_ROWS),
         with_text("2024"), "metadata.jsonl"),
    kind("a number of 5,000 digits", json_lines(ROW, *OTHER_ROWS).replace(
        '"uno due"', "9" * 5_000), with_text("9" * 5_000), "metadata.jsonl"),
    kind("JSON lines with a mark and blank lines",
         "\ufeff" + json_lines(ROW, *OTHER_ROWS).replace("\n", "\r\n\r\n"), TEXTS,
         "metadata.jsonl"),
    kind("JSON lines in UTF-16", json_lines(ROW, *OTHER_ROWS).encode("utf-16"), TEXTS,
         "Metadata.JSONL"),
    kind("JSON lines with lists besides",
         json_lines({**ROW, "words": [{"a": [1]}], "audio": {"path": None}}, *OTHER_ROWS),
         TEXTS, "metadata.jsonl"),
    kind("null and NaN as text",
         '{"file_name": "a.wav", "text": null}\n{"file_name": "b.wav", "text": NaN}\n'
         + json_lines(OTHER_ROWS[1]), {"a": None, "b": None, "c": "안녕하세요"}, "metadata.jsonl"),
    kind("rows without a text", table(rows=[("a.wav", "uno due"), ("b.wav", " "), ("c.wav",)]),
         A_ONLY),
    kind("files without a row", table(rows=ROWS[:1]), A_ONLY),
    kind("header and no row", table(rows=[]), dict.fromkeys(TEXTS)),
    kind("empty table", "", dict.fromkeys(TEXTS)),
]  # fmt: skip

COUNTED = [
    kind("row without a file", table(rows=[*ROWS, ("lost.wav", "q")]), no_audio=1),
    kind("row of a file elsewhere", table(rows=[*ROWS, ("/etc/passwd", "q")]), no_audio=1),
    kind("row of a file that is no audio", table(rows=[*ROWS, ("metadata.csv", "q")]), no_audio=1),
    kind("row of a folder above", table(rows=[*ROWS, ("../../x.wav", "q")]), no_audio=1),
    kind("name with NUL", table(rows=[*ROWS, ("a\0.wav", "q")]), no_audio=1),
    kind("name of 5,000 letters", table(rows=[*ROWS, ("x" * 5_000, "q")]), no_audio=1),
    kind("two rows for one file", table(rows=[*ROWS, ("./a.wav", "tre")]), duplicate_row=1),
    kind("row with too many fields", table(rows=[*ROWS[1:], ("a.wav", "uno", "due")]),
         with_text(None), bad_row=1),
    kind("row without a name", table(rows=[*ROWS, ("", "tre")]), bad_row=1),
    kind("damaged bytes in a row",
         table().encode() + b"d.wav,\xff\xfe\xe9\n", bad_row=1),
    kind("UTF-16 cut off in a letter",
         table(newline="\r\n", rows=[*ROWS, ("d.wav", "tre")]).encode("utf-16")[:-5], bad_row=1),
    kind("line that is no JSON", json_lines(ROW, *OTHER_ROWS) + "d.wav tre\n", TEXTS,
         "metadata.jsonl", bad_row=1),
    kind("JSON cut off", json_lines(ROW, *OTHER_ROWS) + '{"file_name": "a.w', TEXTS,
         "metadata.jsonl", bad_row=1),
    kind("list as text", json_lines({**ROW, "text": ["uno"]}, *OTHER_ROWS), with_text(None),
         "metadata.jsonl", bad_row=1),
    kind("object as text", json_lines({**ROW, "text": {"uno": 1}}, *OTHER_ROWS), with_text(None),
         "metadata.jsonl", bad_row=1),
    kind("half a character", json_lines({**ROW, "text": "\ud800"}, *OTHER_ROWS), with_text(None),
         "metadata.jsonl", bad_row=1),
    kind("line without a file name", json_lines(ROW, *OTHER_ROWS, {"text": "tre"}), TEXTS,
         "metadata.jsonl", bad_row=1),
    kind("line that is a number", json_lines(ROW, *OTHER_ROWS, 5), TEXTS, "metadata.jsonl",
         bad_row=1),
    kind("line that is a list", json_lines(ROW, *OTHER_ROWS, [5]), TEXTS, "metadata.jsonl",
         bad_row=1),
    kind("nesting of 100,000", json_lines(ROW, *OTHER_ROWS) + DEEP, TEXTS, "metadata.jsonl",
         bad_row=1),
]  # fmt: skip

NO_TABLE = [
    kind("Latin-1", table(rows=ROWS[:2]).encode("latin-1"), REFUSED,
         message=":3: byte 12 of the line (0xE9)"),
    kind("cp949", table().encode("cp949", "replace"), REFUSED, message="iconv -f CP949"),
    kind("Shift JIS", table(rows=[("a.wav", "こんにちは")]).encode("shift_jis"), REFUSED,
         message="iconv -f SHIFT_JIS"),
    kind("GB 18030", table(rows=[("a.wav", "你好世界")]).encode("gb18030"), REFUSED,
         message="iconv -f GB18030"),
    kind("workbook of Excel", b"PK\x03\x04" + bytes(100), REFUSED, message="an Excel or ZIP file"),
    kind("gzip", gzip.compress(table().encode()), REFUSED, message="gzip"),
    kind("noise", bytes(range(256)) * 4, REFUSED),
    kind("no column of files", table(header="fil_name text"), REFUSED,
         message="Rename 'fil_name' to 'file_name'"),
    kind("unknown columns only", table(header="Datei Satz"), REFUSED,
         message="the columns are: Datei, Satz"),
    kind("no header (LJ Speech)", "a|uno due|uno due\nb|perché|perché\n", REFUSED,
         message="(the first line has to name the columns)"),
    kind("page of HTML", "<!DOCTYPE html>\n<html><body>404</body></html>\n", REFUSED,
         message="no column with"),
    kind("JSON lines under the name csv", json_lines(ROW), REFUSED, message="metadata.jsonl"),
    kind("commas under the name jsonl", table(), REFUSED, "metadata.jsonl", "not JSON"),
    kind("JSON list", json.dumps([ROW, *OTHER_ROWS]), REFUSED, "metadata.jsonl", "jq -c"),
    kind("JSON list over several lines", json.dumps([ROW], indent=1), REFUSED, "metadata.jsonl",
         "jq -c"),
    kind("JSON over several lines", json.dumps(ROW, indent=1), REFUSED, "metadata.jsonl",
         "not JSON"),
    kind("JSON lines without file names", json_lines({"text": "uno", "fil": "a.wav"}), REFUSED,
         "metadata.jsonl", "the columns are: text, fil"),
    kind("all rows with too many fields", table(rows=[("a.wav", "uno", "due")]), REFUSED,
         message=":2: 3 fields, and the header has 2"),
]  # fmt: skip

FOLDER_KINDS = (*READ, *COUNTED, *NO_TABLE)
