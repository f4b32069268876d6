"""What is noted of every utterance of the pool, and who reads it."""

import pickle
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twister_loop import ConfigError, Plan, Utterance, load
from twister_loop.audio import io as audio
from twister_loop.audio import toy_language
from twister_loop.core.artifacts import read_json
from twister_loop.core.manifest import WINDOW, Manifest
from twister_loop.core.types import Tally
from twister_loop.data.filters._base import Filter
from twister_loop.data.scanning import SpeakerClustering
from twister_loop.pipeline.execution.shards import Shard
from twister_loop.pipeline.loop import next_round
from twister_loop.pipeline.run_folder import RunFolder
from twister_loop.pipeline.stages.annotation import (
    SpeakerCounts,
    _estimate,
    cluster_speakers,
    estimate_columns,
    count_speakers,
)
from twister_loop.reporting.dashboard.console import format_speakers
from twister_loop.reporting.summary import summarize

RATE = audio.SAMPLE_RATE


def hiss(until: float, seconds: float = 2.0) -> audio.Samples:
    """Sound as the ear has it of speech: 9 dB less an octave above 500 Hz, nothing above `until`.

    With pauses, a hum and an offset, as recordings have them.
    """
    rng = np.random.default_rng(1)
    time = np.arange(round(seconds * RATE)) / RATE
    spectrum = np.fft.rfft(rng.normal(size=len(time)))
    hertz = np.fft.rfftfreq(len(time), 1 / RATE)
    spectrum *= (np.maximum(hertz, 500) / 500) ** -1.5 * (hertz < until)
    sound = np.fft.irfft(spectrum, len(time)) * np.clip(3 * np.sin(4 * np.pi * time), 0, 1)
    spoken = 0.1 * sound / np.abs(sound).max() + 0.01 * np.sin(2 * np.pi * 50 * time) + 0.02
    return np.asarray(spoken, np.float32)


@pytest.mark.parametrize("until", [2_000, 3_400, 4_000, 6_000, 8_000])
def test_the_bandwidth_of_speech_is_where_its_sound_ends(until: int) -> None:
    assert audio.estimate_bandwidth(hiss(until)) == pytest.approx(until, abs=100)
    assert audio.estimate_bandwidth(0.001 * hiss(until)) == pytest.approx(until, abs=100)


def test_a_recording_at_a_low_rate_stays_narrow_however_it_is_kept(tmp_path: Path) -> None:
    slow = audio.resample(hiss(8_000), RATE, 8_000)
    audio.write(slow, tmp_path / "slow.wav", 8_000)
    audio.write(audio.resample(slow, 8_000, 44_100), tmp_path / "fast.wav", 44_100)
    for name in ("slow.wav", "fast.wav"):
        assert audio.estimate_bandwidth(audio.read(tmp_path / name)) == pytest.approx(
            3_900, abs=100
        )


def test_silence_and_a_click_have_a_bandwidth_too() -> None:
    assert audio.estimate_bandwidth(np.zeros(RATE, np.float32)) == 0.0
    assert audio.estimate_bandwidth(np.eye(1, 100, 50, dtype=np.float32)[0]) > 7_000


def spoken(folder: Path, count: int, **fields: Any) -> Manifest:
    made = []
    for number in range(count):
        path = folder / f"{number}.wav"
        length = audio.write(
            toy_language.synthesize("a i"[: 1 + number % 3], toy_language.standard_codebook()), path
        )
        made.append(Utterance(id=str(number), audio_filepath=path, duration=length, **fields))
    return Manifest.write(made, folder)


def test_every_line_gets_its_columns_and_what_cannot_be_read_stays(tmp_path: Path) -> None:
    speech = spoken(tmp_path, WINDOW + 5)
    (tmp_path / "3.wav").write_text("no sound")
    found = list(estimate_columns(["bandwidth"], speech, out=tmp_path / "annotated"))
    assert [replace(each, bandwidth=None) for each in found] == list(speech)
    assert found[3].bandwidth is None and found[3].error is None
    assert all(each.bandwidth for each in found if each.id != "3")
    shard = Shard(partial(_estimate, ["bandwidth"]), speech, WINDOW, WINDOW + 5, tmp_path / "home")
    shard.shards_folder.mkdir()
    pickle.loads(pickle.dumps(shard)).run()
    assert list(Manifest(shard.folder)) == found[WINDOW:]


@pytest.mark.parametrize(
    ("name", "column", "low", "high", "reason"),
    [
        ("bandwidth", "bandwidth", 3_399.0, 3_400.0, "up to 3399 Hz < 3400"),
        pytest.param("dnsmos", "dnsmos", 2.94, 2.95, "DNSMOS 2.94 < 2.95", marks=pytest.mark.model),
    ],
)
def test_a_filter_reads_the_column_and_not_the_sound(
    name: str, column: str, low: float, high: float, reason: str
) -> None:
    filter_ = Filter.build({"use": name, "at_least": high})
    gone = Utterance(id="1", audio_filepath=Path("gone.wav"), duration=1.0)
    assert filter_.objection(replace(gone, **{column: high})) is None  # type: ignore[arg-type]
    assert filter_.objection(replace(gone, **{column: low})) == reason  # type: ignore[arg-type]
    assert "gone.wav" in (filter_.objection(gone) or "")


def test_the_filter_of_bandwidth_listens_where_nothing_was_estimated(tmp_path: Path) -> None:
    length = audio.write(hiss(3_400), tmp_path / "a.wav")
    call = Utterance(id="1", audio_filepath=tmp_path / "a.wav", duration=length)
    assert Filter.build({"use": "bandwidth"}).objection(call) is None
    said = Filter.build({"use": "bandwidth", "at_least": 7_000}).objection(call) or ""
    assert said.endswith("Hz < 7000")


def test_a_round_estimates_what_its_plan_asks_and_a_later_one_takes_it_over(
    world: Path, tmp_path: Path
) -> None:
    plan = replace(load(world, {"scan": {"estimate": ["bandwidth"]}}), rounds=2)
    first = next_round(plan, tmp_path / "run")
    assert all(each.bandwidth for each in Manifest(first.folder / "pseudo_labels"))
    assert not (first.folder / "speakers").exists()
    second = next_round(replace(plan, gates=()), tmp_path / "run")
    assert read_json(second.folder / "annotated" / "timing.json") == {"seconds": 0.0}
    assert all(each.bandwidth for each in Manifest(second.folder / "pseudo_labels"))


def test_labels_that_are_carried_over_have_what_is_known_of_their_speech_now(
    world: Path, tmp_path: Path
) -> None:
    first = next_round(replace(load(world), rounds=2), tmp_path / "run")
    asked = {"labeler": {"relabel": "new"}, "scan": {"estimate": ["bandwidth"]}}
    second = next_round(replace(load(world, asked), rounds=2), tmp_path / "run")
    assert all(each.bandwidth is None for each in Manifest(first.folder / "pseudo_labels"))
    carried = [each for each in Manifest(second.folder / "pseudo_labels") if each.labeled_in]
    assert carried and all(each.bandwidth for each in carried)


@pytest.mark.parametrize(
    ("scan", "message"),
    [
        ({"estimate": ["loudness"]}, "scan.estimate.0: input should be 'bandwidth' or 'dnsmos'"),
        ({"speakers": {"distance": 1.5}}, "scan.speakers: distance, of_means: between 0 and 1"),
        ({"duplicates": True}, "scan.duplicates: input should be 'keep' or 'drop'"),
    ],
)
def test_what_cannot_be_meant_is_refused(world: Path, scan: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        load(world, {"scan": scan})
    assert message in str(wrong.value)


@pytest.mark.model
def test_missing_weights_end_a_round_before_it_begins(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embeddings = pytest.importorskip("twister_loop.audio.speaker_embedding", reason="an extra")
    monkeypatch.setattr(embeddings, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install --no-deps Resemblyzer==0\.1\.4"):
        next_round(load(world, {"scan": {"speakers": {}}}), tmp_path / "run")
    assert not RunFolder(tmp_path / "run").round_folders


speaking = pytest.mark.skipif(find_spec("resemblyzer") is None, reason="needs its weights")


def voices(home: Path, whose: Sequence[str], **more: Any) -> Manifest:
    """Lines with embeddings as far apart as those of other people, in recordings of their own."""
    from twister_loop.audio import speaker_embedding as embeddings

    made = []
    for number, who in enumerate(whose):
        rng = np.random.default_rng(ord(who[0]))
        voice = rng.uniform(0, 1, 256) ** 4 + 0.02 * np.random.default_rng(number).uniform(size=256)
        made.append(
            Utterance(
                id=str(number),
                audio_filepath=home / f"{number}.wav",
                duration=2.0 + number,
                embedding=embeddings.encode_embedding(
                    (voice / np.linalg.norm(voice)).astype(np.float32)
                ),
                corpus="calls",
                **more,
            )
        )
    return Manifest.write(made, home)


@pytest.mark.model
def test_speakers_are_named_after_the_corpus_they_were_first_heard_in(tmp_path: Path) -> None:
    speech = voices(tmp_path, "abacb")
    found = list(cluster_speakers(SpeakerClustering(), speech, out=tmp_path / "speakers"))
    names = [each.speaker for each in found]
    assert names == ["calls-1", "calls-2", "calls-1", "calls-3", "calls-2"]
    assert [replace(each, speaker=None) for each in found] == [
        replace(each, embedding=None) for each in speech
    ]
    tally = SpeakerCounts.load(tmp_path / "speakers")
    assert tally == count_speakers(Manifest(tmp_path / "speakers"))
    assert next(iter(tally.most.items())) == ("calls-2", Tally(2, 9.0)) and tally.count == 3


@pytest.mark.model
def test_who_is_named_already_keeps_the_name_and_nobody_else_gets_it(tmp_path: Path) -> None:
    lines = list(voices(tmp_path, "aba"))
    lines.append(Utterance(id="x", audio_filepath=tmp_path / "x.wav", speaker="calls-1"))
    lines.append(Utterance(id="short", audio_filepath=tmp_path / "y.wav"))
    speech = Manifest.write(lines, tmp_path / "all")
    found = list(cluster_speakers(SpeakerClustering(), speech, out=tmp_path / "speakers"))
    names = [each.speaker for each in found]
    assert names == ["calls-2", "calls-3", "calls-2", "calls-1", None]


@pytest.mark.model
def test_a_name_stays_with_its_speaker_when_others_come_and_go(tmp_path: Path) -> None:
    lines = list(voices(tmp_path, "ccabab"))  # "c" is new, and comes first
    before = list(
        cluster_speakers(
            SpeakerClustering(), Manifest.write(lines[2:], tmp_path / "old"), out=tmp_path / "1"
        )
    )
    assert [each.speaker for each in before] == ["calls-1", "calls-2", "calls-1", "calls-2"]
    left = Manifest.write(lines[:4] + lines[5:], tmp_path / "new")
    found = list(
        cluster_speakers(
            SpeakerClustering(), left, Manifest.load(tmp_path / "1"), out=tmp_path / "2"
        )
    )
    names = [each.speaker for each in found]
    assert names == ["calls-3", "calls-3", "calls-1", "calls-2", "calls-2"]


@pytest.mark.model
def test_of_two_that_were_one_before_the_one_who_said_more_keeps_the_name(tmp_path: Path) -> None:
    lines = list(voices(tmp_path, "aab"))  # of 2, 3 and 4 s
    one = [replace(each, speaker="calls-1", embedding=None) for each in lines]
    before = Manifest.write(one, tmp_path / "old")
    found = cluster_speakers(
        SpeakerClustering(), Manifest.write(lines, tmp_path / "new"), before, out=tmp_path / "2"
    )
    assert [each.speaker for each in found] == ["calls-1", "calls-1", "calls-2"]
    merged = [replace(each, speaker=f"calls-{n}") for n, each in enumerate(one, 4)]
    before = Manifest.write(merged, tmp_path / "apart")
    found = cluster_speakers(
        SpeakerClustering(), Manifest.write(lines, tmp_path / "new"), before, out=tmp_path / "3"
    )
    assert [each.speaker for each in found] == ["calls-5", "calls-5", "calls-6"]


def test_the_tables_name_those_who_speak_most_and_how_much_is_nobodys() -> None:
    most = {f"calls-{n}": Tally(9, 60.0 * (6 - n)) for n in range(1, 5)}
    said, unknown = format_speakers(SpeakerCounts(9, most, Tally(3, 30.0)))
    assert said == "9: calls-1 5.0 min, calls-2 4.0 min, calls-3 3.0 min, ..."
    assert unknown == "3 utterances, 0.5 min of no known speaker"
    assert format_speakers(SpeakerCounts(1, {"a": Tally(1, 6.0)}, Tally())) == ("1: a 0.1 min", "")


@pytest.mark.model
@speaking
def test_a_round_tells_speakers_apart_and_says_so(world: Path, tmp_path: Path) -> None:
    plan: Plan = load(world, {"scan": {"speakers": {"at_least": 0.1}}})
    done = next_round(plan, tmp_path / "run")
    assert all(each.embedding for each in Manifest(done.folder / "annotated"))
    assert all(
        each.speaker and not each.embedding for each in Manifest(done.folder / "pseudo_labels")
    )
    [summed] = summarize(tmp_path / "run").rounds
    assert summed.speakers == SpeakerCounts.load(done.folder / "speakers")
    assert {"annotated", "speakers"} <= summed.stages.keys()
    again = next_round(
        load(world, {"scan": {"speakers": {"at_least": 0.1}}, "seed": 2}), tmp_path / "run"
    )
    asked = [read_json(each / "speakers" / "made.json") for each in (done.folder, again.folder)]
    assert [each["from"]["before"] is None for each in asked] == [True, False]
