"""Estimated columns and speaker clusters of the pool, and the filters and tables that read them."""

import pickle
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twister_loop import Utterance, load
from twister_loop.audio import embedding_weights, toy_language
from twister_loop.audio import io as audio
from twister_loop.core.artifacts import read_json
from twister_loop.core.manifest import WINDOW, Manifest
from twister_loop.core.tallies import Tally
from twister_loop.data.filters._base import Filter
from twister_loop.data.scanning import SpeakerClustering
from twister_loop.errors import ConfigError
from twister_loop.pipeline.execution.shards import Shard
from twister_loop.pipeline.loop import next_round
from twister_loop.pipeline.run_folder import RunFolder
from twister_loop.pipeline.stages.annotation import (
    SpeakerCounts,
    _estimate,
    cluster_speakers,
    count_speakers,
    estimate_columns,
)
from twister_loop.reporting.dashboard.data_rows import format_speakers
from twister_loop.reporting.summary import summarize
from twister_loop.types import Plan

RATE = audio.SAMPLE_RATE


def hiss(until: float, seconds: float = 2.0) -> audio.Samples:
    """Return noise with a spectrum as of speech: -9 dB an octave above 500 Hz, none above `until`.

    It has pauses, a hum of 50 Hz and an offset, like real recordings.
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
def test_bandwidth_is_the_highest_frequency_of_the_speech(until: int) -> None:
    assert audio.estimate_bandwidth(hiss(until)) == pytest.approx(until, abs=100)
    assert audio.estimate_bandwidth(0.001 * hiss(until)) == pytest.approx(until, abs=100)


def test_resampling_a_narrow_recording_does_not_raise_its_bandwidth(tmp_path: Path) -> None:
    slow = audio.resample(hiss(8_000), RATE, 8_000)
    audio.write(slow, tmp_path / "slow.wav", 8_000)
    audio.write(audio.resample(slow, 8_000, 44_100), tmp_path / "fast.wav", 44_100)
    for name in ("slow.wav", "fast.wav"):
        assert audio.estimate_bandwidth(audio.read(tmp_path / name)) == pytest.approx(
            3_900, abs=100
        )


def test_silence_and_a_click_have_a_bandwidth() -> None:
    assert audio.estimate_bandwidth(np.zeros(RATE, np.float32)) == 0.0
    assert audio.estimate_bandwidth(np.eye(1, 100, 50, dtype=np.float32)[0]) > 7_000


def spoken(folder: Path, count: int, **fields: Any) -> Manifest:
    utterances = []
    for number in range(count):
        path = folder / f"{number}.wav"
        length = audio.write(
            toy_language.synthesize("a i"[: 1 + number % 3], toy_language.standard_codebook()), path
        )
        utterances.append(Utterance(id=str(number), audio_filepath=path, duration=length, **fields))
    return Manifest.write(utterances, folder)


def test_every_utterance_gets_its_columns_and_unreadable_audio_stays(tmp_path: Path) -> None:
    speech = spoken(tmp_path, WINDOW + 5)
    (tmp_path / "3.wav").write_text("no sound")
    annotated = list(estimate_columns(["bandwidth"], speech, out=tmp_path / "annotated"))
    assert [replace(utterance, bandwidth=None) for utterance in annotated] == list(speech)
    assert annotated[3].bandwidth is None and annotated[3].error is None
    assert all(utterance.bandwidth for utterance in annotated if utterance.id != "3")
    shard = Shard(partial(_estimate, ["bandwidth"]), speech, WINDOW, WINDOW + 5, tmp_path / "home")
    shard.shards_folder.mkdir()
    pickle.loads(pickle.dumps(shard)).run()
    assert list(Manifest(shard.folder)) == annotated[WINDOW:]


@pytest.mark.parametrize(
    ("name", "column", "low", "high", "reason"),
    [
        ("bandwidth", "bandwidth", 3_399.0, 3_400.0, "up to 3399 Hz < 3400"),
        pytest.param("dnsmos", "dnsmos", 2.94, 2.95, "DNSMOS 2.94 < 2.95", marks=pytest.mark.model),
    ],
)
def test_a_filter_reads_the_estimated_column_instead_of_the_audio(
    name: str, column: str, low: float, high: float, reason: str
) -> None:
    filter_ = Filter.build({"use": name, "at_least": high})
    gone = Utterance(id="1", audio_filepath=Path("gone.wav"), duration=1.0)
    assert filter_.objection(replace(gone, **{column: high})) is None  # type: ignore[arg-type]
    assert filter_.objection(replace(gone, **{column: low})) == reason  # type: ignore[arg-type]
    assert "gone.wav" in (filter_.objection(gone) or "")


def test_the_bandwidth_filter_reads_the_audio_if_nothing_was_estimated(tmp_path: Path) -> None:
    length = audio.write(hiss(3_400), tmp_path / "a.wav")
    call = Utterance(id="1", audio_filepath=tmp_path / "a.wav", duration=length)
    assert Filter.build({"use": "bandwidth"}).objection(call) is None
    objection = Filter.build({"use": "bandwidth", "at_least": 7_000}).objection(call) or ""
    assert objection.endswith("Hz < 7000")


def test_a_round_estimates_the_columns_of_its_plan_and_a_later_round_reuses_them(
    world: Path, tmp_path: Path
) -> None:
    plan = replace(load(world, {"scan": {"estimate": ["bandwidth"]}}), rounds=2)
    first = next_round(plan, tmp_path / "run")
    assert all(label.bandwidth for label in Manifest(first.folder / "pseudo_labels"))
    assert not (first.folder / "speakers").exists()
    second = next_round(replace(plan, gates=()), tmp_path / "run")
    assert read_json(second.folder / "annotated" / "timing.json") == {"seconds": 0.0}
    assert all(label.bandwidth for label in Manifest(second.folder / "pseudo_labels"))


def test_labels_of_an_earlier_round_get_the_columns_estimated_now(
    world: Path, tmp_path: Path
) -> None:
    first = next_round(replace(load(world), rounds=2), tmp_path / "run")
    changes = {"labeler": {"relabel": "new"}, "scan": {"estimate": ["bandwidth"]}}
    second = next_round(replace(load(world, changes), rounds=2), tmp_path / "run")
    assert all(label.bandwidth is None for label in Manifest(first.folder / "pseudo_labels"))
    carried = [label for label in Manifest(second.folder / "pseudo_labels") if label.labeled_in]
    assert carried and all(label.bandwidth for label in carried)


@pytest.mark.parametrize(
    ("scan", "message"),
    [
        ({"estimate": ["loudness"]}, "scan.estimate.0: must be one of: 'bandwidth', 'dnsmos'"),
        ({"speakers": {"distance": 1.5}}, "scan.speakers.distance: must be a number above 0"),
        ({"duplicates": True}, "scan.duplicates: must be one of: 'keep', 'drop'"),
    ],
)
def test_invalid_scan_options_are_refused(world: Path, scan: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        load(world, {"scan": scan})
    assert message in str(refusal.value)


@pytest.mark.model
def test_missing_weights_are_reported_before_a_round_starts(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_weights, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install --no-deps Resemblyzer==0\.1\.4"):
        next_round(load(world, {"scan": {"speakers": {}}}), tmp_path / "run")
    assert not RunFolder(tmp_path / "run").round_folders


needs_embeddings = pytest.mark.skipif(find_spec("resemblyzer") is None, reason="needs its weights")


def voices(folder: Path, speakers: Sequence[str], **fields: Any) -> Manifest:
    """Return utterances with embeddings as far apart as those of real speakers, one a recording."""
    from twister_loop.audio import speaker_embedding as embeddings

    utterances = []
    for number, speaker in enumerate(speakers):
        rng = np.random.default_rng(ord(speaker[0]))
        voice = rng.uniform(0, 1, 256) ** 4 + 0.02 * np.random.default_rng(number).uniform(size=256)
        utterances.append(
            Utterance(
                id=str(number),
                audio_filepath=folder / f"{number}.wav",
                duration=2.0 + number,
                embedding=embeddings.encode_embedding(
                    (voice / np.linalg.norm(voice)).astype(np.float32)
                ),
                corpus="calls",
                **fields,
            )
        )
    return Manifest.write(utterances, folder)


@pytest.mark.model
def test_speakers_are_named_after_the_corpus_in_which_they_first_occur(tmp_path: Path) -> None:
    speech = voices(tmp_path, "abacb")
    clustered = list(cluster_speakers(SpeakerClustering(), speech, out=tmp_path / "speakers"))
    names = [utterance.speaker for utterance in clustered]
    assert names == ["calls-1", "calls-2", "calls-1", "calls-3", "calls-2"]
    assert [replace(utterance, speaker=None) for utterance in clustered] == [
        replace(utterance, embedding=None) for utterance in speech
    ]
    counts = SpeakerCounts.load(tmp_path / "speakers")
    assert counts == count_speakers(Manifest(tmp_path / "speakers"))
    assert next(iter(counts.most.items())) == ("calls-2", Tally(2, 9.0)) and counts.count == 3


@pytest.mark.model
def test_a_speaker_name_of_the_corpus_is_kept_and_given_to_no_cluster(tmp_path: Path) -> None:
    lines = list(voices(tmp_path, "aba"))
    lines.append(Utterance(id="x", audio_filepath=tmp_path / "x.wav", speaker="calls-1"))
    lines.append(Utterance(id="short", audio_filepath=tmp_path / "y.wav"))
    speech = Manifest.write(lines, tmp_path / "all")
    clustered = list(cluster_speakers(SpeakerClustering(), speech, out=tmp_path / "speakers"))
    names = [utterance.speaker for utterance in clustered]
    assert names == ["calls-2", "calls-3", "calls-2", "calls-1", None]


@pytest.mark.model
def test_a_speaker_keeps_the_name_when_other_speakers_are_added_or_removed(tmp_path: Path) -> None:
    lines = list(voices(tmp_path, "ccabab"))  # "c" is new, and comes first
    before = list(
        cluster_speakers(
            SpeakerClustering(), Manifest.write(lines[2:], tmp_path / "old"), out=tmp_path / "1"
        )
    )
    assert [utterance.speaker for utterance in before] == [
        "calls-1",
        "calls-2",
        "calls-1",
        "calls-2",
    ]
    present = Manifest.write(lines[:4] + lines[5:], tmp_path / "new")
    clustered = list(
        cluster_speakers(
            SpeakerClustering(), present, Manifest.load(tmp_path / "1"), out=tmp_path / "2"
        )
    )
    names = [utterance.speaker for utterance in clustered]
    assert names == ["calls-3", "calls-3", "calls-1", "calls-2", "calls-2"]


@pytest.mark.model
def test_after_a_split_or_merge_the_speaker_with_more_speech_keeps_the_name(tmp_path: Path) -> None:
    lines = list(voices(tmp_path, "aab"))  # of 2, 3 and 4 s
    one_speaker = [replace(utterance, speaker="calls-1", embedding=None) for utterance in lines]
    before = Manifest.write(one_speaker, tmp_path / "old")
    clustered = cluster_speakers(
        SpeakerClustering(), Manifest.write(lines, tmp_path / "new"), before, out=tmp_path / "2"
    )
    assert [utterance.speaker for utterance in clustered] == ["calls-1", "calls-1", "calls-2"]
    two_speakers = [
        replace(utterance, speaker=f"calls-{n}") for n, utterance in enumerate(one_speaker, 4)
    ]
    before = Manifest.write(two_speakers, tmp_path / "apart")
    clustered = cluster_speakers(
        SpeakerClustering(), Manifest.write(lines, tmp_path / "new"), before, out=tmp_path / "3"
    )
    assert [utterance.speaker for utterance in clustered] == ["calls-5", "calls-5", "calls-6"]


def test_the_table_names_the_speakers_with_most_speech_and_counts_speech_without_speaker() -> None:
    most = {f"calls-{n}": Tally(9, 60.0 * (6 - n)) for n in range(1, 5)}
    named, unknown = format_speakers(SpeakerCounts(9, most, Tally(3, 30.0)))
    assert named == "9: calls-1 5.0 min, calls-2 4.0 min, calls-3 3.0 min, ..."
    assert unknown == "3 utterances, 0.5 min of no known speaker"
    assert format_speakers(SpeakerCounts(1, {"a": Tally(1, 6.0)}, Tally())) == ("1: a 0.1 min", "")


def test_speech_in_cuts_of_several_voices_is_counted_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("sklearn", reason="an extra")
    utterances = [
        Utterance(id=str(voices), duration=6.0, speaker="a", voices=voices) for voices in (1, 2, 3)
    ]
    speech = Manifest.write([*utterances, Utterance(id="x", duration=2.0, speaker="b")], tmp_path)
    clustered = cluster_speakers(SpeakerClustering(), speech, out=tmp_path / "speakers")
    counts = SpeakerCounts.load(clustered.folder)
    assert counts.mixed == Tally(2, 12.0)
    assert "60.0 % of the speech, in 2 of 4 utterances, probably has several voices" in caplog.text
    _, notes = format_speakers(counts)
    assert notes == "60.0% of the speech probably in cuts of several voices"


@pytest.mark.model
@needs_embeddings
def test_a_round_clusters_speakers_and_reports_them(world: Path, tmp_path: Path) -> None:
    plan: Plan = load(world, {"scan": {"speakers": {"at_least": 0.1}}})
    first = next_round(plan, tmp_path / "run")
    assert all(utterance.embedding for utterance in Manifest(first.folder / "annotated"))
    assert all(
        utterance.speaker and not utterance.embedding
        for utterance in Manifest(first.folder / "pseudo_labels")
    )
    [summary] = summarize(tmp_path / "run").rounds
    assert summary.speakers == SpeakerCounts.load(first.folder / "speakers")
    assert {"annotated", "speakers"} <= summary.stages.keys()
    second = next_round(
        load(world, {"scan": {"speakers": {"at_least": 0.1}}, "seed": 2}), tmp_path / "run"
    )
    records = [read_json(done.folder / "speakers" / "made.json") for done in (first, second)]
    assert [record["from"]["earlier_speakers"] is None for record in records] == [True, False]
