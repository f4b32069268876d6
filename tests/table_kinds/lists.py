"""Manifests, texts, and the lists of published corpora, with what happens to them."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

from ._kind import AUDIO, REFUSED, TableKind
from .folders import DECOMPOSED, json_lines

TEXTS = {"a": "uno", "b": "due"}
RECORDINGS: dict[str, bytes | None] = {"a.wav": AUDIO, "b.wav": AUDIO}


def line(name: str, text: Any, **fields: Any) -> dict[str, Any]:
    return {"audio_filepath": f"{name}.wav", "duration": 0.1, "text": text, **fields}


GOOD = [line("a", "uno"), line("b", "due")]


def manifest(
    name: str, content: str | bytes, texts: Any = TEXTS, message: str = "", **rejected: int
) -> TableKind:
    encoded = content.encode() if isinstance(content, str) else content
    files = {"m.json": encoded, **RECORDINGS, DECOMPOSED: AUDIO}
    return TableKind(f"manifest: {name}", files, texts, rejected, "manifest", {}, message)


def bad_manifest(name: str, row: Any) -> TableKind:
    """Return a manifest with one line that cannot be used."""
    return manifest(name, json_lines(*GOOD, row), bad_line=1)


MANIFESTS = [
    manifest("plain", json_lines(*GOOD)),
    manifest("byte order mark", "\ufeff" + json_lines(*GOOD)),
    manifest("blank lines, CRLF", json_lines(*GOOD).replace("\n", "\r\n\r\n")),
    manifest("UTF-16", json_lines(*GOOD).encode("utf-16")),
    manifest("integers", json_lines(line("a", 1, speaker=7), line("b", "due", id=3)),
             {"a": "1", "b": "due"}),
    manifest("nulls", json_lines(line("a", "uno", offset=None, lang=None), line("b", None)),
             {"a": "uno", "b": None}),
    manifest("no duration", json_lines({"audio_filepath": "a.wav", "text": "uno"}, GOOD[1])),
    manifest("duration NaN", json_lines(line("a", "uno", duration=float("nan")), GOOD[1])),
    manifest("duration in quotes", json_lines(line("a", "uno", duration="0.1"), GOOD[1])),
    manifest("backslashes", json_lines(line(".\\a", "uno"), line(".\\b", "due"))),
    manifest("name in NFC", json_lines(*GOOD, line("è", "tre")), {**TEXTS, "è": "tre"}),
    manifest("U+2028 and U+0085 in texts",
             "".join(f"{json.dumps(row, ensure_ascii=False)}\n"
                     for row in (line("a", "uno\u2028due"), line("b", "due\x85"))),
             {"a": "uno due", "b": "due"}),
    manifest("words of another form", json_lines(line("a", "uno", words=["uno"]), GOOD[1])),
    manifest("a field named skip", json_lines(line("a", "uno", skip=True), GOOD[1])),
    manifest("missing file", json_lines(*GOOD, line("lost", "tre")), no_audio=1),
    manifest("no JSON in one line", json_lines(*GOOD) + "tre\n", bad_line=1),
    manifest("cut off", json_lines(*GOOD) + '{"audio_file', bad_line=1),
    manifest("damaged bytes", json_lines(*GOOD).encode() + b'{"text": "\xe9\xff"}\n"\xc3\xa8"\n',
             bad_line=2),
    bad_manifest("duration in words", line("a", "tre", duration="long")),
    bad_manifest("negative duration", line("a", "tre", duration=-1)),
    manifest("endless duration", json_lines(*GOOD) + '{"audio_filepath": "a.wav", "text": "x", '
             '"duration": 1e999}\n', bad_line=1),
    bad_manifest("negative offset", line("a", "tre", offset=-1)),
    bad_manifest("offset after the end", {"audio_filepath": "a.wav", "text": "x", "offset": 9}),
    bad_manifest("list as text", line("a", ["tre"])),
    bad_manifest("object as speaker", line("a", "tre", speaker={"id": 1})),
    bad_manifest("half a character", line("a", "\ud800")),
    bad_manifest("neither audio nor text", {"duration": 1}),
    manifest("a list", json.dumps(GOOD), REFUSED, "jq -c"),
    manifest("no manifest", "uno\ndue\n", REFUSED, "no line of the file is a JSON object"),
    manifest("cp949", '{"audio_filepath": "a.wav", "text": "안녕"}\n'.encode("cp949"), REFUSED,
             "iconv -f CP949"),
]  # fmt: skip


def texts(
    name: str,
    content: str | bytes,
    wanted: Any,
    message: str = "",
    file: str = "t.txt",
    **rejected: int,
) -> TableKind:
    encoded = content.encode() if isinstance(content, str) else content
    return TableKind(f"texts: {name}", {file: encoded}, wanted, rejected, "textfile", {}, message)


TEXT_FILES = [
    texts("byte order mark", "\ufeffuno\ndue\n", {"1": "uno", "2": "due"}),
    texts("UTF-16", "uno\r\ndue\r\n".encode("utf-16"), {"1": "uno", "2": "due"}),
    texts("UTF-16 big endian", "\ufeffuno\ndue".encode("utf-16-be"), {"1": "uno", "2": "due"}),
    texts("CRLF, blank lines", "uno\r\n\r\ndue\r\n\r\n", {"1": "uno", "3": "due"}),
    texts("old Mac", "uno\rdue\r", {"1": "uno", "2": "due"}),
    texts("U+2028, U+2029, U+0085", "uno\u2028due\u2029tre\x85q\n", {"1": "uno due tre q"}),
    texts("form feeds", "uno\x0cdue\x0btre\x1cq\n", {"1": "uno due tre q"}),
    texts("NUL", "uno\0due\n", {"1": "uno due"}),
    texts("marks inside", "uno\n\ufeffdue\n", {"1": "uno", "2": "due"}),
    texts("one damaged line", "perché\nsì\n".encode() + b"\xff\xfe\n", {"1": "perché", "2": "sì"},
          bad_line=1),
    texts("Latin-1", "perché\n".encode("latin-1"), REFUSED, "byte 6 of the line (0xE9)"),
    texts("Windows-1251", "доброе утро\n".encode("cp1251"), REFUSED, "iconv -f WINDOWS-1251"),
    texts("table", "n;sentence;locale\n1;uno; it\n2;due;it-IT\n", {"2": "uno", "3": "due"},
          file="t.csv"),
    texts("table of JSON lines", json_lines({"text": "# uno"}, {"text": ["due"]}), {"1": "# uno"},
          file="t.jsonl", bad_line=1),
    texts("table without texts", "n,txet\n1,uno\n", REFUSED, "Rename 'txet' to 'text'",
          file="t.csv"),
    texts("workbook of Excel", b"PK\x03\x04" + bytes(50), REFUSED, "Excel"),
]  # fmt: skip


def kaldi(
    name: str, wanted: Any, message: str = "", lists: Any = None, **rejected: int
) -> TableKind:
    files = {"wav.scp": b"a a.wav\nb b.wav\n", "text": b"a uno\nb due\n", **RECORDINGS}
    files |= {
        list_name.replace("_", "."): content.encode() if isinstance(content, str) else content
        for list_name, content in (lists or {}).items()
    }
    return TableKind(f"kaldi: {name}", files, wanted, rejected, "kaldi", {}, message)


KALDI = [
    kaldi("U+2028 in a text", {"a": "uno due", "b": "due"},
          lists={"text": "a uno\u2028due\nb due\n"}),
    kaldi("U+0085 in a text", {"a": "uno due", "b": "due"},
          lists={"text": "a uno\x85due\nb due\n"}),
    kaldi("byte order marks", TEXTS, lists={"text": "\ufeffa uno\nb due\n",
                                            "wav_scp": "\ufeffa a.wav\nb b.wav\n"}),
    kaldi("CRLF, tabs, blank lines", TEXTS, lists={"text": "a\tuno\r\n\r\nb  due\r\n"}),
    kaldi("UTF-16", TEXTS, lists={"text": "a uno\nb due\n".encode("utf-16")}),
    kaldi("backslashes", TEXTS, lists={"wav_scp": "a .\\a.wav\nb .\\b.wav\n"}),
    kaldi("damaged line", {"a": "è"}, lists={"text": "a è\n".encode() + b"b \xff\n"},
          no_text=1, bad_line=1),
    kaldi("two lines of one id", TEXTS, lists={"text": "a uno\nb due\na tre\n"}, bad_line=1),
    kaldi("recording without a segment", {"a": "uno"}, lists={
        "segments": "s a 0 0.1\n", "text": "s uno\n"}, no_segment=1),
    *(kaldi(f"segment {times}", {"b": "due"}, lists={
        "segments": f"s a {times}\nt b 0 0.1\n", "text": "s uno\nt due\n"}, bad_segment=1)
      for times in ("0 nan", "0 inf", "0.05", "x y")),
    kaldi("no ids", REFUSED, "has no value", lists={"wav_scp": "a.wav\nb.wav\n"}),
    kaldi("Latin-1", REFUSED, "iconv -f", lists={"text": "a perché\n".encode("latin-1")}),
]  # fmt: skip

VOICES = "client_id\tpath\tsentence\tlocale\n"


def common_voice(
    name: str, content: str, wanted: Any, message: str = "", **options: Any
) -> TableKind:
    files = {"train.tsv": content.encode(), "clips/a.mp3": AUDIO, "clips/b.mp3": AUDIO}
    files |= options.pop("lists", {})
    return TableKind(f"Common Voice: {name}", files, wanted, options, "common_voice", {}, message)


ROWS = "x\ta.mp3\tuno\tit\nx\tb.mp3\tdue\tit\n"
PROGRAM = unicodedata.normalize("NFD", "방송")


def label(*parts: Any) -> bytes:
    return json.dumps({"utterance": list(parts)}).encode()


PART = {"form": "네", "start": 0, "end": 0.1, "speaker_id": 0}


def broadcast(
    name: str, content: bytes, wanted: Any, recording: str = "p.wav", **rejected: int
) -> TableKind:
    files = {
        "방송.json" if "방" in unicodedata.normalize("NFC", recording) else "p.json": content,
        recording: AUDIO,
    }
    return TableKind(
        f"AI-Hub: {name}", files, wanted, rejected, "aihub_broadcast", {"at_least": 0.0}
    )  # fmt: skip


def speech(
    name: str, use: str, files: Any, wanted: Any, options: Any, **rejected: int
) -> TableKind:
    return TableKind(name, files, wanted, rejected, use, options)


PUBLISHED = [
    common_voice("mark, CRLF", "\ufeff" + (VOICES + ROWS).replace("\n", "\r\n"), TEXTS),
    common_voice("quotation marks", VOICES + 'x\ta.mp3\t"uno\tit\nx\tb.mp3\tdue"\tit\n',
                 {"a": '"uno', "b": 'due"'}),
    common_voice("U+2028", VOICES + ROWS.replace("uno", "u\u2028no"), {"a": "u no", "b": "due"}),
    common_voice("tab in a sentence", VOICES + ROWS + "x\ta.mp3\tu\tno\tit\n", TEXTS, bad_row=1),
    common_voice("row cut off", VOICES + ROWS + "x", TEXTS, bad_row=1),
    common_voice("no length of a clip", VOICES + ROWS, TEXTS,
                 lists={"clip_durations.tsv": b"clip\tduration[ms]\na.mp3\t\nb.mp3\tlong\n"}),
    common_voice("no sentences", "client_id\tpath\tsentense\n" + "x\ta.mp3\tuno\n", REFUSED,
                 "Rename 'sentense' to 'sentence'"),
    speech("ASCEND: mark, CRLF", "ascend", {
        "train_metadata.csv": "\ufefffile_name,transcription,language\r\nwaves\\a.wav,uno,en\r\n"
        "waves/b.wav,due,zh\r\n\r\n".encode(), "waves/a.wav": AUDIO, "waves/b.wav": AUDIO,
    }, TEXTS, {"split": "train"}),
    speech("LibriSpeech: mark, CRLF, U+0085", "librispeech", {
        "dev-clean/1/2/1-2.trans.txt": "\ufeffa UNO\x85DUE\r\n\r\nb DUE\r\n".encode(),
        "dev-clean/1/2/a.flac": AUDIO, "dev-clean/1/2/b.flac": AUDIO,
    }, {"a": "uno due", "b": "due"}, {"split": "dev-clean"}),
    speech("LibriSpeech: damaged line", "librispeech", {
        "dev-clean/1/2/1-2.trans.txt": b"a UNO\nb \xff\n",
        "dev-clean/1/2/a.flac": AUDIO, "dev-clean/1/2/b.flac": AUDIO,
    }, {"a": "uno"}, {"split": "dev-clean"}, bad_line=1, no_text=1),
    *(speech(f"KsponSpeech: {name}", "ksponspeech", {
        "train.trn": content, "KsponSpeech_01/a.pcm": bytes(3_200),
    }, {"a": "응 그래"}, {"split": "train"}, **rejected) for name, content, rejected in (
        ("cp949", "KsponSpeech_01/a.pcm :: 응 그래\n".encode("cp949"), {}),
        ("mark, CRLF, blank lines", "\ufeffKsponSpeech_01/a.pcm :: 응 그래\r\n\r\n".encode(), {}),
        ("UTF-16", "KsponSpeech_01/a.pcm :: 응 그래\n".encode("utf-16"), {}),
        ("backslashes", "KsponSpeech_01\\a.pcm :: 응 그래\n".encode(), {}),
        ("absolute and odd paths",
         "/KsponSpeech_01/a.pcm :: 응 그래\n../[x]/b.pcm :: 응\n*/c.pcm :: 응\n".encode(),
         {"no_audio": 2}),
    )),
    broadcast("name in NFD", label(PART), {"방송": "네"}, f"{PROGRAM}.wav"),
    broadcast("ending in capitals", label(PART), {"p": "네"}, "p.WAV"),
    broadcast("UTF-16", json.dumps({"utterance": [PART]}).encode("utf-16"), {"p": "네"}),
    broadcast("endless time", label(PART, {**PART, "end": float("nan")}), {"p": "네"}, bad_label=1),
    broadcast("half a character", label(PART, {**PART, "form": "\ud800"}), {"p": "네"},
              bad_label=1),
    broadcast("no list", json.dumps({"utterance": "네"}).encode(), {}, bad_label=1),
    broadcast("nesting of 100,000", b"[" * 100_000, {}, bad_label=1),
    speech("AI-Hub: recording without a label", "aihub_broadcast", {
        "p.json": label(PART), "p.wav": AUDIO, "q.wav": AUDIO,
    }, {"p": "네"}, {"at_least": 0.0}, no_label=1),
]  # fmt: skip

LIST_KINDS = (*MANIFESTS, *TEXT_FILES, *KALDI, *PUBLISHED)
