"""Kaldi data folders, and NeMo manifests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.miniatures import write_tone
from twister_loop.audio import io as audio
from twister_loop.core.errors import ManifestError
from twister_loop.core.types import Utterance
from twister_loop.data.corpora._base import Corpus


def write(folder: Path, **lists: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in lists.items():
        (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return folder


def read(folder: Path, **options: Any) -> list[Utterance]:
    return list(Corpus.build({"use": "kaldi", "folder": str(folder), **options}).utterances())


def test_recordings_are_utterances_if_there_are_no_segments(tmp_path: Path) -> None:
    write_tone(tmp_path / "wav/a.wav", 1)
    flac = write_tone(tmp_path / "wav/b.flac", 2)
    folder = write(
        tmp_path / "data",
        wav_scp=f"a wav/a.wav\nb /usr/bin/flac -c -d -s {flac} |\nc sph2pipe -f wav c.sph |\n"
        "d raw.ark:17\n",
        text="a hello  there\nb two\nlost nobody said this\n",
        utt2spk="a alice\nb bob\n",
    )
    utterances = {
        utterance.id: utterance for utterance in read(folder, root=str(tmp_path), lang="en")
    }
    assert (utterances["a"].text, utterances["a"].speaker, utterances["a"].lang) == (
        "hello there",
        "alice",
        "en",
    )
    assert utterances["b"].audio_filepath == flac and not utterances["b"].rejected_by
    assert [utterances[name].rejected_by for name in ("c", "d", "lost")] == [
        "command",
        "command",
        "no_audio",
    ]
    assert "sph2pipe" in str(utterances["c"].objection)


def test_segments_are_cut_from_recordings(tmp_path: Path) -> None:
    write_tone(tmp_path / "call.wav", 1, seconds=2)
    write(
        tmp_path,
        wav_scp="call call.wav\n",
        segments="s1 call 0.5 1.25\ns2 call 1.25 -1\ns3 call 1.5 1.0\ns4 other 0 1\n",
        text="s1 one\ns2 two\ns3 three\ns4 four\n",
    )
    utterances = read(tmp_path)
    assert [(utterance.offset, utterance.duration) for utterance in utterances[:2]] == [
        (0.5, 0.75),
        (1.25, 0.75),
    ]
    assert len(audio.load_utterance(utterances[0])) == 12_000
    assert [utterance.rejected_by for utterance in utterances] == [
        None,
        None,
        "bad_segment",
        "no_audio",
    ]


def test_a_line_without_content_is_refused_with_its_number(tmp_path: Path) -> None:
    write(tmp_path, wav_scp="a\n")
    with pytest.raises(ManifestError, match=r"wav.scp:1: 'a' has no value"):
        read(tmp_path)


def test_a_nemo_manifest_is_read_unchanged(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav", 1)
    lines = [
        {"audio_filepath": "a.wav", "duration": 0.1, "text": "uno", "speaker": 7, "offset": None},
        {
            "audio_filepath": "a.wav", "offset": 0.02, "duration": 0.05, "text": "due",
            "source_lang": "it", "target_lang": "en", "pnc": "yes", "taskname": "asr",
        },
    ]  # fmt: skip
    manifest = tmp_path / "train_manifest.json"
    manifest.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    utterances = list(Corpus.build({"use": "manifest", "file": str(manifest)}).utterances())
    assert [(utterance.text, utterance.lang, utterance.speaker) for utterance in utterances] == [
        ("uno", None, "7"),
        ("due", "it", None),
    ]
    assert len(audio.load_utterance(utterances[1])) == 800
