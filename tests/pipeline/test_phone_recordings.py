"""A whole run on what telephones record: AMR, M4A, Opus, 3GP, and what else lies beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests import world as toy
from tests.kinds._write import encode, encode_video
from twister_loop.audio import io as audio
from twister_loop.audio import toy_language
from twister_loop.cli.main import main
from twister_loop.core.manifest import Manifest
from twister_loop.core.tallies import Funnel
from twister_loop.reporting.summary import summarize

FORMATS = {
    "call.amr": ("libopencore_amrnb", "amr", 8_000),
    "memo.m4a": ("aac", "ipod", 44_100),
    "PTT-20260101-WA0001.opus": ("libopus", "ogg", 48_000),
    "AUDIO.3GP": ("libopencore_amrnb", "3gp", 8_000),
    "note.aac": ("aac", "adts", 44_100),
    "voice.ogg": ("libopus", "ogg", 16_000),
    "old.mp3": ("libmp3lame", "mp3", 16_000),
    "from-browser.webm": ("libopus", "webm", 48_000),
}
"""Name of a recording: its encoder, container and sample rate."""
SPOKEN = {
    name: f"{toy.POOL[number % 3]} {'aeiou'[number % 5]}" for number, name in enumerate(FORMATS)
} | {"clip.mp4": "uo ai"}
BIT_RATES = {"libopencore_amrnb": 12_200}


def record(text: str, folder: Path, name: str) -> Path:
    """Record a text of the toy language as a telephone does."""
    folder.mkdir(parents=True, exist_ok=True)
    codec, container, rate = FORMATS[name]
    speech = toy_language.synthesize(text, toy_language.standard_codebook())
    return encode(folder / name, speech, codec, container, rate, bit_rate=BIT_RATES.get(codec))


@pytest.fixture
def phone(world: Path) -> Path:
    """The toy world, recorded by telephones, with more than recordings in its pool."""
    data = world.parent / "data"
    for folder in ("pool", "human", "development"):
        for path in (data / folder).iterdir():
            path.unlink()
    for name in FORMATS:
        record(SPOKEN[name], data / "pool", name)
    for folder, lines, suffix in (
        ("human", toy.HUMAN, "memo.m4a"),
        ("development", toy.DEVELOPMENT, "call.amr"),
    ):
        rows = ["file_name,text"]
        for number, text in enumerate(lines):
            path = record(text, data / folder, suffix)
            path.rename(path.with_name(f"{number}{path.suffix}"))
            rows.append(f"{number}{path.suffix},{text}")
        (data / folder / "metadata.csv").write_text("\n".join(rows) + "\n")
    speech = toy_language.synthesize(SPOKEN["clip.mp4"], toy_language.standard_codebook())
    encode_video(data / "pool" / "clip.mp4", speech, "mp4", "aac")
    encode_video(data / "pool" / "film without sound.mp4", None, "mp4", None)
    whole = encode(data / "pool" / "broken.m4a", speech, "aac", "ipod", 44_100)
    os.truncate(whole, whole.stat().st_size // 2)
    (data / "pool" / "IMG_0001.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(99))
    (data / "pool" / "contacts.vcf").write_text("BEGIN:VCARD\n")
    (data / "pool" / "message.silk").write_bytes(b"\x93\x01\x02" + bytes(99))
    return world


def test_a_folder_of_phone_recordings_is_a_whole_run(phone: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    human = f"human={phone.parent / 'data' / 'human'}"
    assert main(["run", str(phone), str(run), "--no-prefect", "--set", human]) == 0
    summary = summarize(run)
    first = summary.rounds[0]
    assert first.accepted
    pool = first.funnels["pool"]
    # Every file of the pool: 9 recordings, 2 without sound that can be read, 1 of unknown format;
    # the picture and the contacts are no speech, and a line of the log.
    assert pool.kept.utterances == len(FORMATS) + 1
    assert {reason: tally.utterances for reason, tally in pool.rejected.items()} == {
        "unknown_format": 1,
        "unreadable": 2,
    }
    folder = run / first.folder
    listed, rejected = Manifest(folder / "inputs/pool"), Manifest(folder / "inputs/pool/rejected")
    assert len(listed) + len(rejected) == len(list((phone.parent / "data/pool").iterdir())) - 2
    labels = {
        line.audio_filepath.name: line.pred_text for line in Manifest(folder / "pseudo_labels")
    }
    assert labels["call.amr"] == SPOKEN["call.amr"] and labels["AUDIO.3GP"] == SPOKEN["AUDIO.3GP"]
    for line in Manifest(folder / "pool"):
        letters = len(SPOKEN[line.audio_filepath.name])
        seconds = letters * toy_language.SAMPLES_PER_LETTER / audio.SAMPLE_RATE
        assert line.duration == pytest.approx(seconds, abs=0.1), line.audio_filepath.name
    mixture = [json.loads(line) for line in (folder / "mixture/manifest.jsonl").open()]
    assert {"human", "pseudo", "synthetic"} == {line.get("origin", "human") for line in mixture}
    filtered = Funnel.load(folder / "filtered_labels")
    # The filters see the pool's labels and the human speech.
    rejections = sum(tally.utterances for tally in filtered.rejected.values())
    assert filtered.kept.utterances + rejections == pool.kept.utterances + len(toy.HUMAN)
