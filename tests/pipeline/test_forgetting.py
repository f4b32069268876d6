"""Removal of a recording or speaker from a run: nothing is left, and it does not come back."""

import json
import os
import shutil
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests import world as toy
from twister_loop import RunFolder, load, next_round, refine
from twister_loop.audio import io as audio
from twister_loop.core import schema
from twister_loop.core.artifacts import read_json, write_json
from twister_loop.core.errors import BusyError
from twister_loop.core.forgotten import (
    UNFINISHED,
    ForgettingRequest,
    ForgottenSpeech,
    Span,
    read_requests,
    write_requests,
)
from twister_loop.core.manifest import Manifest
from twister_loop.core.tallies import Funnel
from twister_loop.core.types import Utterance
from twister_loop.data.corpora.audiofolder import AudioFolder
from twister_loop.errors import ConfigError
from twister_loop.pipeline.experiments.reproduce import reproduce
from twister_loop.pipeline.forgetting import Removal, finish_removal, open_run, plan_removal, remove
from twister_loop.pipeline.forgetting.removal import find_mentions
from twister_loop.pipeline.plan import Plan
from twister_loop.pipeline.stages import listing
from twister_loop.reporting import dashboard
from twister_loop.reporting.export import export
from twister_loop.reporting.summary import summarize

HUMAN = {"anna": "the quick brown fox", "bruno": "jumps over the lazy dog"}
# The first can be spliced from words of anna alone, the second from words of bruno alone.
SPLICED = {"anna": "quick brown", "bruno": "over lazy dog"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a plan, data, and a run of two rounds with a spliced voice and its page."""
    folder = tmp_path_factory.mktemp("forgetting")
    plan_path = toy.build(folder)
    rows = [
        json.dumps({"file_name": f"{number}.wav", "text": text, "speaker": speaker})
        for number, (speaker, text) in enumerate(HUMAN.items())
    ]
    (folder / "data/human/metadata.jsonl").write_text("\n".join(rows))
    (folder / "data/texts.txt").write_text("\n".join([*SPLICED.values(), *toy.TEXTS]))
    source = plan_path.read_text().replace(
        "  toy: toy", "  toy: toy\n  splice: {use: concatenative, confidence: -99}"
    )
    plan_path.write_text(source.replace("texts: 2", "texts: 4"))
    run = folder / "run"
    assert len(list(refine(load(plan_path), run))) == 2
    dashboard.write_page(run)
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished / "run", tmp_path / "run"))


def forget(run: Path, *recordings: str, speakers: tuple[str, ...] = ()) -> Removal:
    run_folder = open_run(run)
    with run_folder.locked():
        removal = plan_removal(run_folder, recordings, speakers)
        remove(run_folder, removal)
    dashboard.write_page(run)
    return removal


def files_with(run: Path, *needles: str) -> list[str]:
    """Return the files of a run that hold one of the texts, without the record of requests."""
    return sorted(
        path.relative_to(run).as_posix()
        for path in run.rglob("*")
        if path.is_file() and path.name != "forgotten.jsonl"
        if any(needle.encode() in path.read_bytes() or needle in str(path) for needle in needles)
    )


def files_that_play(run: Path, recording: Path) -> list[str]:
    """Return the audio files of a run in which a recording is heard, but for its faded edges."""
    samples = (audio.read(recording)[100:-100] * 32767).round().astype("<i2").tobytes()
    return sorted(
        path.relative_to(run).as_posix()
        for path in run.rglob("*")
        if path.suffix in {".wav", ".flac"}
        if samples in (audio.read(path) * 32767).round().astype("<i2").tobytes()
    )


def digest(run: Path, recording: Path) -> str:
    return str(read_json(run / "hashes.json")[str(recording)][-1])


def test_nothing_of_a_recording_is_left_and_the_models_that_used_it_are_named(
    finished: Path, run: Path
) -> None:
    recording = finished / "data/pool/0.wav"
    content = digest(run, recording)
    text = toy.POOL[0]
    assert len(files_with(run, content)) >= 20 and files_with(run, f'"{text}"')
    assert any("packed" in name for name in files_that_play(run, recording))
    removal = forget(run, str(recording))
    assert files_with(run, content, str(recording), f'"{text}"') == []
    assert files_that_play(run, recording) == [] and recording.exists()
    assert [(loss.folder, loss.utterances, loss.packed) for loss in removal.losses[-2:]] == [
        ("round-01", 1, 1),
        ("round-02", 1, 1),
    ]
    models = {model.folder: model for model in removal.request.models}
    assert models["round-01/candidate"].accepted
    assert models["round-01/candidate"].reasons[0] == "trained on 1 utterance of it"
    assert "trained on labels by the candidate of round 1" in models["round-02/candidate"].reasons
    assert "round-01/voices/toy/voice" in models and "round-01/voices/splice/voice" not in models
    [request] = read_requests(run)
    assert request == removal.request and request.rounds == (1, 2)
    assert find_mentions(run, removal.targets) == [] and not (run / UNFINISHED).exists()
    (run / "notes.txt").write_text(f"listened to {recording}")
    assert find_mentions(run, removal.targets) == ["notes.txt"]


def test_a_run_works_on_after_a_removal_and_rejects_the_recording_under_another_name(
    finished: Path, run: Path, tmp_path: Path
) -> None:
    content = digest(run, finished / "data/pool/0.wav")
    forget(run, content)
    pool = tmp_path / "pool"
    shutil.copytree(finished / "data/pool", pool)
    (pool / "0.wav").rename(pool / "another name.wav")
    plan = replace(load(finished / "toy.yaml"), pool=(AudioFolder(folder=pool),))
    assert len(summarize(run).rounds) == 2
    assert next_round(plan, run).number == 3
    rejected = Funnel.load(run / "round-03/inputs/pool").rejected
    assert rejected["forgotten"].utterances == 1
    [line] = Manifest(run / "round-03/inputs/pool/rejected")
    assert line.id == content and line.rejected_by == "forgotten" and not line.text
    assert files_with(run, "another name.wav") == []
    assert files_that_play(run, pool / "another name.wav") == []
    assert dashboard.write_page(run).is_file() and len(summarize(run).rounds) == 3
    # Asked again, it names what was removed, and the models that inherited it since.
    models = {
        model.folder: model for model in plan_removal(open_run(run), [content], []).request.models
    }
    assert models["round-01/candidate"].reasons[0] == "trained on 1 utterance of it"
    assert "trained on labels by the candidate of round 1" in models["round-03/candidate"].reasons
    assert models["round-03/voices/toy/voice"].reasons == (
        "trained further from the voice of round 2",
    )
    # The untouched model was not measured again: the held-out sets are the same.
    assert read_json(run / "round-03/untouched/timing.json")["seconds"] == 0
    list(export(run, tmp_path / "exported", with_data=True))
    assert files_with(tmp_path / "exported", content) == []


def test_a_speaker_goes_with_all_that_was_spliced_from_the_voice(finished: Path, run: Path) -> None:
    recording = finished / "data/human/0.wav"
    spoken = [line.text for line in Manifest(run / "round-01/voices/splice/spoken")]
    assert set(SPLICED.values()) <= set(spoken)
    removal = forget(run, speakers=("anna",))
    assert removal.targets.selection.files == (str(recording),)
    assert files_with(run, '"anna"', "anna+", str(recording), HUMAN["anna"]) == []
    assert files_that_play(run, recording) == []
    for round_folder in RunFolder.read(run).round_folders:
        voice = round_folder / "voices/splice"
        words = {line.text for line in Manifest(voice / "voice/words")}
        assert "quick" not in words and "dog" in words
        left = [line for line in Manifest(voice / "spoken") if not line.error]
        assert [line.text for line in left] == [SPLICED["bruno"]]
        assert [path.name for path in (voice / "spoken/audio").iterdir()] == [
            left[0].audio_filepath.name
        ]
        # The other voice speaks the same texts under the same ids, and keeps them.
        assert len(Manifest(round_folder / "voices/toy/spoken")) == 4
    assert removal.request.speakers and "anna" not in (run / "forgotten.jsonl").read_text()


def test_a_named_speaker_is_rejected_in_new_recordings_too(
    finished: Path, run: Path, tmp_path: Path
) -> None:
    forget(run, speakers=("anna",))
    human = toy.speak(["the lazy fox", "a quick dog"], tmp_path / "human")
    rows = [
        json.dumps({"file_name": f"{number}.wav", "text": "the lazy fox", "speaker": speaker})
        for number, speaker in enumerate(["anna", "carla"])
    ]
    (human / "metadata.jsonl").write_text("\n".join(rows))
    plan = replace(load(finished / "toy.yaml"), human=(AudioFolder(folder=human),))
    next_round(plan, run)
    assert [line.speaker for line in Manifest(run / "round-03/inputs/human")] == ["carla"]
    assert Funnel.load(run / "round-03/inputs/human").rejected["forgotten"].utterances == 1
    assert files_with(run, '"anna"') == []


def test_a_held_out_recording_leaves_its_set_and_the_next_round_measures_what_is_left(
    finished: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = finished / "data/development/0.wav"
    before = summarize(run).rounds[0].scores
    removal = forget(run, str(recording))
    assert removal.losses[-1].held_out_sets == ("development/dev",)
    assert removal.request.models == ()
    assert files_with(run, toy.DEVELOPMENT[0], digest_of(removal)) == []
    assert files_that_play(run, recording) == []
    after = summarize(run).rounds[0]
    assert after.scores == before and len(after.removals) == 1
    dashboard.print_summary(summarize(run))
    assert "its scores still count that speech" in " ".join(capsys.readouterr().out.split())
    third = next_round(load(finished / "toy.yaml"), run)
    assert third.report.score("dev").utterances == len(toy.DEVELOPMENT) - 1


def test_clips_of_the_recording_that_were_annotated_go_with_it(
    finished: Path, run: Path, tmp_path: Path
) -> None:
    content, recording = digest(run, finished / "data/pool/0.wav"), finished / "data/pool/0.wav"
    clip = tmp_path / f"{content}-0003.wav"
    held_out = finished / "data/development/0.wav"
    shutil.copy(held_out, clip)
    for manifest in run.rglob("manifest.jsonl"):
        manifest.write_text(manifest.read_text().replace(str(held_out), str(clip)))
    removal = forget(run, str(recording))
    assert removal.losses[-1].held_out_sets == ("development/dev",)
    assert {str(recording), str(clip)} <= set(removal.targets.selection.files)
    assert files_with(run, toy.DEVELOPMENT[0]) == []
    # A clip that was annotated since has the digest of another file, and is recognized by its name.
    later = Utterance(id="f" * 16, audio_filepath=clip.with_stem(f"{content}-0004"))
    other = replace(later, audio_filepath=clip.with_stem(f"{'0' * 16}-0004"))
    forgotten = ForgottenSpeech.of_run(run / "round-01")
    assert forgotten.covers(later) and not forgotten.covers(other)


def digest_of(removal: Removal) -> str:
    [content] = removal.request.recordings
    return content


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_recording_is_named_by_path_name_or_id_in_any_spelling(
    finished: Path, run: Path, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = digest(run, finished / "data/pool/1.wav")
    listed = unicodedata.normalize("NFC" if form == "NFD" else "NFD", f"{tmp_path}/Zoë.wav")
    for manifest in run.rglob("manifest.jsonl"):
        lines = manifest.read_text().replace(str(finished / "data/pool/1.wav"), listed)
        manifest.write_text(lines)
    monkeypatch.chdir(tmp_path)
    name = unicodedata.normalize(form, "Zoë.wav")
    for spelling in (name, f"./{name}", f"{tmp_path}/{name}", content, f"{content}-0001"):
        removal = plan_removal(open_run(run), [spelling], [])
        assert removal.request.recordings == (content,)
    shutil.copy(finished / "data/pool/1.wav", tmp_path / "moved.wav")
    assert plan_removal(open_run(run), ["moved.wav"], []).request.recordings == (content,)


def test_unknown_and_ambiguous_names_are_answered_with_the_nearest(
    finished: Path, run: Path
) -> None:
    run_folder = open_run(run)
    with pytest.raises(ConfigError, match=r"5 recordings are called 1\.wav; name one of them by"):
        plan_removal(run_folder, ["1.wav"], [])
    with pytest.raises(ConfigError, match=r"no round has listed a recording calls/0\.wva; did you"):
        plan_removal(run_folder, ["calls/0.wva"], [])
    with pytest.raises(ConfigError, match="no speaker 'ana'; did you mean 'anna'"):
        plan_removal(run_folder, [], ["ana"])
    with pytest.raises(ConfigError, match="a folder of several runs; name one after another: run"):
        open_run(run.parent)


def test_an_interrupted_removal_is_finished_by_the_next_call(
    finished: Path, run: Path, tmp_path: Path
) -> None:
    recording = finished / "data/human/1.wav"
    plan, complete = load(finished / "toy.yaml"), tmp_path / "complete"
    shutil.copytree(run, complete)
    forget(complete, str(recording))
    for fatal in (4, 30, 60):
        command = [sys.executable, "-m", "tests.pipeline.test_forgetting", str(run), str(recording)]
        killed = subprocess.run([*command, str(fatal)], capture_output=True, text=True)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        with pytest.raises(ConfigError, match="was interrupted; finish it with `twister forget"):
            next_round(plan, run)
    unfinished = finish_removal(open_run(run))
    assert unfinished and finish_removal(open_run(run)) is None
    assert files_with(run, str(recording), HUMAN["bruno"], '"bruno"') == []
    assert files_that_play(run, recording) == []
    assert len(read_requests(run)) == 1 and not (run / UNFINISHED).exists()
    manifests = [path.relative_to(run) for path in run.rglob("manifest.jsonl")]
    assert all((run / path).read_bytes() == (complete / path).read_bytes() for path in manifests)


def test_exports_logs_and_rounds_set_aside_inside_the_run_are_cleaned_too(
    finished: Path, run: Path
) -> None:
    recording = finished / "data/pool/0.wav"
    content = digest(run, recording)
    list(export(run, run / "exported", with_data=True))
    aside = Path(shutil.copytree(run / "round-02", run / "round-02.aside-1"))
    (aside / "candidate").rename(aside / ".candidate")
    shutil.copy(recording, aside / ".candidate" / "000001.wav")
    training_log = run / "round-01/voices/toy/voice/training.log"
    training_log.write_text(f"step 1\nskipping {recording}: too short\nstep 2\n")
    assert files_with(run / "exported", content) and files_that_play(run / "exported", recording)
    forget(run, content)
    assert files_with(run, content, str(recording), toy.POOL[0]) == []
    assert files_that_play(run, recording) == [] and not (aside / ".candidate").exists()
    assert training_log.read_text() == "step 1\nstep 2\n"


def test_a_round_in_progress_repeats_the_stages_that_read_the_recording(
    finished: Path, run: Path
) -> None:
    recording, plan = finished / "data/pool/0.wav", load(finished / "toy.yaml")
    last = run / "round-02"
    for stage in ("verdict", "report"):
        shutil.rmtree(last / stage)
    (last / "candidate").rename(last / ".candidate")
    shutil.copytree(last, run / ".round-03")
    removal = forget(run, str(recording))
    stages = set(removal.unfinished_stages)
    assert {".round-03", "round-02/pool", "round-02/.candidate", "round-02/mixture"} <= stages
    assert not stages & {"round-02/untouched", "round-02/texts", "round-02/champion"}
    assert [model.round for model in removal.request.models] == [1, 1]
    finished_round = next_round(plan, run)
    assert finished_round.number == 2
    assert files_with(run, digest_of(removal), str(recording)) == []
    assert len(Manifest(last / "pool")) == len(toy.POOL) - 1


def test_a_held_out_recording_of_a_round_in_progress(finished: Path, run: Path) -> None:
    shutil.rmtree(run / "round-02/verdict")
    removal = forget(run, str(finished / "data/development/1.wav"))
    stages = set(removal.unfinished_stages)
    # Texts near to its own were dropped, so that everything made from texts is made again.
    assert {"round-02/untouched", "round-02/texts", "round-02/candidate"} <= stages
    assert next_round(load(finished / "toy.yaml"), run).report.score("dev").utterances == 1


def test_a_run_that_another_process_works_on_is_left_alone(finished: Path, run: Path) -> None:
    with RunFolder.read(run).locked(), pytest.raises(BusyError):
        forget(run, str(finished / "data/pool/0.wav"))
    assert files_with(run, str(finished / "data/pool/0.wav"))


def test_an_interrupted_removal_deletes_nothing_outside_of_the_run(
    finished: Path, run: Path
) -> None:
    removal = plan_removal(open_run(run), [str(finished / "data/pool/0.wav")], [])
    outside = replace(removal, unfinished_stages=("../elsewhere",))
    write_json(schema.to_json_data(outside), run / UNFINISHED)
    with pytest.raises(ConfigError, match=r"\.forgetting\.json: names folders outside of the run"):
        finish_removal(open_run(run))


def test_copies_in_the_cache_of_the_user_are_deleted(
    finished: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWISTER_CACHE", str(tmp_path / "cache"))
    original, copy = finished / "data/pool/0.wav", tmp_path / "cache/datasets/ab/abcd.wav"
    copy.parent.mkdir(parents=True)
    shutil.copy(original, copy)
    for manifest in run.rglob("manifest.jsonl"):
        manifest.write_text(manifest.read_text().replace(str(original), str(copy)))
    decoded = list[Path]()
    monkeypatch.setattr(audio, "forget_decoded", decoded.append)
    forget(run, str(copy))
    assert copy in decoded and not copy.exists() and original.exists()


def test_a_round_that_lost_speech_is_not_reproduced(
    finished: Path, run: Path, tmp_path: Path
) -> None:
    forget(run, str(finished / "data/pool/0.wav"))
    with pytest.raises(ConfigError, match=r"round-01: speech was removed from this round on req"):
        list(reproduce(run, tmp_path / "again"))
    assert read_requests(tmp_path / "again") == read_requests(run)


def test_a_voice_that_speaks_as_a_person_is_deleted(run: Path) -> None:
    for folder in ("voices/toy/trial", "voices/toy/spoken"):
        manifest = Manifest(run / "round-01" / folder)
        Manifest.write([replace(line, speaker="bruno") for line in list(manifest)], manifest.folder)
    assert RunFolder.read(run).voice("toy") is not None
    removal = forget(run, speakers=("bruno",))
    [likeness] = [speech for speech in removal.targets.synthetic if speech.is_likeness]
    assert likeness.folder == "round-01/voices/toy" and len(likeness.ids) == 8
    assert not (run / "round-01/voices/toy/voice/codebook.json").exists()
    assert not list((run / "round-01/voices/toy/spoken/audio").iterdir())
    later = RunFolder.read(run).voice("toy")
    assert later is not None and later.location == run / "round-02/voices/toy/voice"


def test_a_voice_that_learns_nothing_is_no_model_of_the_speech(finished: Path, run: Path) -> None:
    recording = str(finished / "data/pool/0.wav")
    voice = "round-01/voices/toy/voice"

    def find_folders() -> set[str]:
        removal = plan_removal(open_run(run), (recording,), ())
        return {model.folder for model in removal.request.models}

    assert {voice, "round-01/candidate"} <= find_folders()
    # As `kokoro` and `espeak` leave it: nothing but the record of the stage.
    (run / voice / "codebook.json").unlink()
    assert voice not in find_folders() and "round-01/candidate" in find_folders()


def test_speech_of_an_imitating_voice_goes_with_its_reference_clip(
    finished: Path, run: Path
) -> None:
    voice = run / "round-01/voices/toy"
    human = list(Manifest(run / "round-01/inputs/human"))
    for number, clip in enumerate(human):
        path = voice / "voice/audio" / f"{number:03d}.wav"
        audio.write(audio.load_utterance(clip), path)
        human[number] = replace(clip, audio_filepath=path)
    Manifest.write(human, voice / "voice")
    for folder in ("spoken", "verified"):
        manifest = Manifest(voice / folder)
        speakers = ["anna", "bruno"] * 2
        lines = [replace(line, speaker=name) for line, name in zip(manifest, speakers, strict=True)]
        Manifest.write(lines, manifest.folder)
    forget(run, str(finished / "data/human/1.wav"))
    assert [line.speaker for line in Manifest(voice / "spoken")] == ["anna", "anna"]
    assert [path.name for path in (voice / "voice/audio").iterdir()] == ["000.wav"]
    assert (voice / "voice/codebook.json").exists()


@pytest.fixture
def clustered(run: Path) -> Path:
    """The run with a recording of two cuts by two people, as if speakers had been clustered."""
    [long, short, *_] = Manifest(run / "round-01/pool")
    cuts = [
        replace(long, id=f"{long.id}-0000", duration=0.2),
        replace(long, id=f"{long.id}-0001", offset=0.2, duration=0.25),
    ]
    speakers = run / "round-01/speakers"
    named = zip([*cuts, short], ["pool-1", "pool-2", "pool-2"], strict=True)
    Manifest.write([replace(line, speaker=name) for line, name in named], speakers)
    Manifest.write([*cuts, short], run / "round-01/pool")
    write_json({"stage": "cluster_speakers", "from": {}, "content": {}}, speakers / "made.json")
    return run


def test_a_clustered_speaker_goes_by_the_recordings_and_parts_of_recordings(
    clustered: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (digest(clustered, finished / f"data/pool/{name}.wav") for name in "01")
    removal = forget(clustered, speakers=("pool-2",))
    assert removal.request.recordings == (second,) and removal.request.speakers == ()
    assert removal.request.spans == {first: (Span(0.2, 0.45),)}
    assert [line.id for line in Manifest(clustered / "round-01/pool")] == [f"{first}-0000"]
    assert files_with(clustered, second, f"{first}-0001", '"pool-2"') == []
    assert "pool-2" not in (clustered / "round-01/speakers/speaker_counts.json").read_text()

    # The same name again is not taken for a misspelled one.
    assert plan_removal(open_run(clustered), [], ["pool-2"]).is_empty
    assert not ForgottenSpeech(read_requests(clustered)).covers(Utterance(id="a", speaker="pool-2"))

    def scan_into_halves(_: object, recording: Utterance) -> Iterator[Utterance]:
        half = round(recording.duration / 2, 3)
        yield replace(recording, id=f"{recording.id}-0000", duration=half)
        yield replace(recording, id=f"{recording.id}-0001", offset=half, duration=half)

    monkeypatch.setattr(listing, "scan_recording", scan_into_halves)
    next_round(load(finished / "toy.yaml"), clustered)
    # Cut otherwise than before: every cut that overlaps the part goes.
    kept = {line.id for line in Manifest(clustered / "round-03/pool")}
    assert not {name for name in kept if name.startswith((first, second))}
    assert Funnel.load(clustered / "round-03/pool").rejected["forgotten"].utterances == 2


def test_a_near_duplicate_in_another_codec_goes_too(finished: Path, run: Path) -> None:
    first, second = (str(finished / f"data/pool/{name}.wav") for name in "01")
    folder = run / "round-01/pool/rejected"
    [other] = [
        line for line in Manifest(run / "round-01/pool") if str(line.audio_filepath) == second
    ]
    objection = f"the same recording as {first}"
    Manifest.write([replace(other, rejected_by="duplicate", objection=objection)], folder)
    removal = plan_removal(open_run(run), [first], [])
    assert set(removal.targets.selection.files) == {first, second}


def test_what_one_recording_says_of_another_does_not_name_it(finished: Path, run: Path) -> None:
    path = str(finished / "data/pool/0.wav")
    manifest = Manifest(run / "round-01/pool")
    [_, other, *_] = lines = list(manifest)
    marked = replace(other, error=f"sounds like {path}")
    Manifest.write([lines[0], marked, *lines[2:]], manifest.folder)
    packed = Manifest(run / "round-01/packed")
    [before, after, *rest] = [replace(line) for line in packed]
    labels = [line for line in (before, after, *rest) if line.text == toy.POOL[0]]
    Manifest.write(
        [line if line in labels else replace(line, previous_text=toy.POOL[0]) for line in packed],
        packed.folder,
    )
    forget(run, path)
    assert files_with(run, path, f'"{toy.POOL[0]}"') == []
    assert next(line for line in manifest if line.id == other.id).error
    assert all(line.previous_text is None for line in packed)


def test_the_record_is_read_whole_or_not_at_all(tmp_path: Path, plan: Plan) -> None:
    write_json({"format": 3}, tmp_path / "run.json")
    requests = (
        ForgettingRequest("2026-01-01", "Ada", recordings=("0" * 16,)),
        ForgettingRequest("2026-01-02", "Ada", spans={"1" * 16: (Span(1.0, 2.0, 1),)}),
    )
    write_requests(requests, tmp_path)
    assert read_requests(tmp_path) == requests
    forgotten = ForgottenSpeech.of_run(tmp_path / "round-01")
    assert forgotten.covers(Utterance(id="0" * 16))
    part = Utterance(id=f"{'1' * 16}-c1-0003", offset=1.5, duration=3.0, channel=1)
    assert forgotten.covers_part(part) and not forgotten.covers(part)
    assert not forgotten.covers_part(replace(part, channel=0))
    (tmp_path / "forgotten.jsonl").write_text("{")
    with pytest.raises(ConfigError, match=r"forgotten\.jsonl: cannot be read"):
        read_requests(tmp_path)


def _kill_at(fatal: int) -> None:
    """Kill this process before the file operation of that number."""
    count = 0

    def counted(operation: str) -> None:
        original = getattr(Path, operation)

        def operate(*args: object, **kwargs: object) -> object:
            nonlocal count
            count += 1
            if count == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **kwargs)

        setattr(Path, operation, operate)

    for operation in ("replace", "unlink", "write_text"):
        counted(operation)


if __name__ == "__main__":
    path, name, fatal_operation = sys.argv[1:]
    _kill_at(int(fatal_operation))
    opened = open_run(Path(path))
    if finish_removal(opened) is None:
        remove(opened, plan_removal(opened, [name], []))
