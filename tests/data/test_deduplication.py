"""Near-duplicates: a recording that is in the pool again in another form is dropped."""

from pathlib import Path

import pytest

from tests.audio.test_fingerprint import babble, clip
from twister_loop import Utterance
from twister_loop.audio import io as audio
from twister_loop.core.manifest import Manifest
from twister_loop.core.tallies import Funnel
from twister_loop.data import deduplication as duplicates
from twister_loop.data.deduplication import find_near_duplicates
from twister_loop.data.scanning import ScanOptions
from twister_loop.pipeline.stages.listing import scan


def pool(folder: Path, others: int = 6) -> list[Utterance]:
    """Write several recordings, three of them twice."""
    folder.mkdir()
    recordings = [clip(babble(seed), folder / f"{seed}.wav") for seed in range(1, others + 1)]
    recordings.append(clip(0.2 * babble(2), folder / "2.ogg", codec="VORBIS"))
    recordings.append(clip(babble(4), folder / "4-phone.wav", 8_000, "ULAW"))
    recordings.append(clip(babble(2), folder / "2.flac", 44_100))
    return recordings


def test_later_copies_are_found_with_their_first_copy(tmp_path: Path) -> None:
    listing = Manifest.write(pool(tmp_path / "pool"), tmp_path)
    assert find_near_duplicates(listing, tmp_path / "prints") == {6: 1, 7: 3, 8: 1}


def test_finding_duplicates_resumes_after_the_last_whole_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (duplicates, duplicates.iter_windows.__globals__):
        if isinstance(module, dict):
            monkeypatch.setitem(module, "WINDOW", 2)
        else:
            monkeypatch.setattr(module, "WINDOW", 2)
    listing = Manifest.write(pool(tmp_path / "pool"), tmp_path)
    whole = find_near_duplicates(listing, tmp_path / "prints")
    (tmp_path / "prints" / "000003.npz").unlink()
    (tmp_path / "prints" / ".unfinished.npz").write_bytes(b"half a fi")
    read = list[Path]()

    def record_path(utterance: Utterance) -> duplicates.Hashes:
        read.append(utterance.audio_filepath)
        return hashes(utterance)

    hashes = duplicates._compute_hashes
    monkeypatch.setattr(duplicates, "_compute_hashes", record_path)
    assert find_near_duplicates(listing, tmp_path / "prints") == whole == {6: 1, 7: 3, 8: 1}
    assert [path.name for path in read] == ["2.ogg", "4-phone.wav"]


def test_a_recording_without_another_of_its_length_is_not_read(tmp_path: Path) -> None:
    missing = [
        Utterance(id=str(n), audio_filepath=tmp_path / "gone.wav", duration=n) for n in range(1, 9)
    ]
    listing = Manifest.write(missing, tmp_path)
    assert find_near_duplicates(listing, tmp_path / "prints") == {}
    hashes, _ = duplicates._load_window(tmp_path / "prints" / "000000.npz")
    assert not len(hashes)


def test_short_recordings_must_be_nearly_equal_to_be_duplicates(tmp_path: Path) -> None:
    short = babble(1)[: audio.SAMPLE_RATE]
    recordings = [
        clip(short, tmp_path / "a.wav"),
        clip(0.3 * short, tmp_path / "b.flac"),
        clip(babble(1)[: audio.SAMPLE_RATE // 3], tmp_path / "c.wav"),
        clip(babble(1)[: audio.SAMPLE_RATE // 3], tmp_path / "d.wav"),  # too short to tell
    ]
    listing = Manifest.write(recordings, tmp_path)
    assert find_near_duplicates(listing, tmp_path / "prints") == {1: 0}


def test_a_scan_drops_duplicates_if_asked_and_names_the_first_copy(tmp_path: Path) -> None:
    listing = Manifest.write(pool(tmp_path / "pool"), tmp_path / "listing")
    all_kept = scan(ScanOptions(), listing, out=tmp_path / "kept")
    assert len(all_kept) == len(listing)
    without_duplicates = scan(ScanOptions(duplicates="drop"), listing, out=tmp_path / "once")
    assert [utterance.id for utterance in without_duplicates] == ["1", "2", "3", "4", "5", "6"]
    rejected = list(Manifest(without_duplicates.folder / "rejected"))
    assert {utterance.rejected_by for utterance in rejected} == {"near_duplicate"}
    assert rejected[0].objection == f"the same recording as {tmp_path / 'pool' / '2.wav'}"
    assert Funnel.load(without_duplicates.folder).rejected["near_duplicate"].utterances == 3
    assert not (without_duplicates.folder / "prints").exists()


def test_an_empty_listing_and_one_of_unreadable_files_have_no_duplicates(tmp_path: Path) -> None:
    assert find_near_duplicates(Manifest.write([], tmp_path / "none"), tmp_path / "a") == {}
    bad = [Utterance(id=n, audio_filepath=tmp_path / "x.wav", duration=2.0) for n in "ab"]
    assert find_near_duplicates(Manifest.write(bad, tmp_path / "bad"), tmp_path / "b") == {}
