"""What is written is read back."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from twister_loop import ManifestError, Utterance, Word
from twister_loop.core.artifacts import RUN_MARKER, folder_size
from twister_loop.core.manifest import WINDOW, Manifest
from twister_loop.core.types import TEXT_ONLY

times = some.floats(0, 30).map(lambda number: round(number, 3))
texts = some.none() | some.text(max_size=40)
words = some.builds(
    Word, word=some.text(min_size=1, max_size=9), start=times, end=times, logprob=some.floats(-9, 0)
)
utterances = some.builds(
    Utterance,
    id=some.text(min_size=1, max_size=9),
    audio_filepath=some.sampled_from([TEXT_ONLY, Path("/data/a.wav"), Path("/è/한국 어.flac")]),
    offset=times,
    duration=times,
    text=texts,
    pred_text=texts,
    confidence=some.none() | some.floats(-9, 0),
    hit_limit=some.booleans(),
    words=some.lists(words, max_size=3).map(tuple),
    error=texts,
)


@settings(max_examples=60, deadline=None)
@given(written=some.lists(utterances, max_size=5))
def test_a_manifest_is_read_back_as_it_was_written(
    written: list[Utterance], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("manifest")
    Manifest.write(written, folder)
    assert list(Manifest.load(folder)) == written


def test_a_line_that_cannot_be_believed_is_named_by_path_and_number(tmp_path: Path) -> None:
    Manifest.write([Utterance(id="a")], tmp_path)
    with (tmp_path / "manifest.jsonl").open("a") as lines:
        lines.write('{"id": 3}\n')
    with pytest.raises(ManifestError, match=r"manifest\.jsonl:2: id: .* not 3"):
        list(Manifest.load(tmp_path))


def test_a_broken_window_is_cut_off_and_made_again(tmp_path: Path) -> None:
    source = [Utterance(id=str(number)) for number in range(WINDOW + 9)]
    whole = Manifest.resume(lambda items: iter(items), source, tmp_path / "whole").path.read_bytes()  # type: ignore[arg-type,return-value]
    broken = tmp_path / "broken" / "manifest.jsonl"
    broken.parent.mkdir()
    asked: list[str] = []

    def noting(items):  # type: ignore[no-untyped-def]
        for item in items:
            asked.append(item.id)
            yield item

    for cut in (len(whole) - 5, len(whole) // 2, 0):
        broken.write_bytes(whole[:cut])
        asked.clear()
        assert Manifest.resume(noting, source, broken.parent).path.read_bytes() == whole
        assert len(asked) == (9 if cut == len(whole) - 5 else WINDOW + 9)


def test_a_manifest_is_paged_and_searched_without_reading_it_whole(tmp_path: Path) -> None:
    lines = [Utterance(id=str(n), text=f"Zeile {n} 회의") for n in range(500)]
    manifest = Manifest.write(lines, tmp_path)
    first, after = manifest.read_page(0, 200)
    assert after is not None
    second, end = manifest.read_page(after, 400)
    assert [*first, *second] == lines and end is None
    assert manifest.read_page(0, 9, query="ZEILE 77 회")[0] == [lines[77]]
    some, there = manifest.read_page(0, 400, max_bytes=1000)
    assert 0 < len(some) < 50 and there is not None
    with manifest.path.open("a") as file:
        file.write('{"id": "half a li')
    assert manifest.read_page(0, 999) == (lines, None)


def test_a_sample_of_a_manifest_is_from_all_over_and_the_same_again(tmp_path: Path) -> None:
    lines = [Utterance(id=str(n), text="a" * (n % 7)) for n in range(1000)]
    manifest = Manifest.write(lines, tmp_path)
    some = manifest.draw(50, seed=1)
    assert some == manifest.draw(50, seed=1) != manifest.draw(50, seed=2)
    places = [int(each.id) for each in some]
    assert len(set(places)) == 50 and places == sorted(places)
    assert places[0] < 150 and places[-1] > 850
    assert len(Manifest.write(lines[:2], tmp_path / "few").draw(50, seed=1)) == 2


def test_paths_inside_a_run_are_noted_relative_and_others_absolute(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "round-01").mkdir(parents=True)
    (run / RUN_MARKER).write_text("{}")
    inside, outside = run / "round-01" / "spoken" / "a.wav", tmp_path / "pool" / "b.wav"
    manifest = Manifest.write(
        [Utterance(id="a", audio_filepath=inside), Utterance(id="b", audio_filepath=outside)],
        run / "round-01" / "mixture",
    )
    assert '"../spoken/a.wav"' in manifest.path.read_text()
    assert [each.audio_filepath for each in manifest] == [inside, outside]


def test_the_size_of_a_folder_counts_links_as_themselves(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("/proc/kcore")
    assert folder_size(tmp_path) < 100
