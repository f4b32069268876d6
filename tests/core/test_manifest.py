"""Manifests are read back as they were written, resumed by windows, and paged."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twister_loop import Utterance
from twister_loop.core.artifacts import RUN_MARKER
from twister_loop.core.manifest import WINDOW, Manifest
from twister_loop.core.types import TEXT_ONLY
from twister_loop.errors import ManifestError
from twister_loop.types import Word

times = st.floats(0, 30).map(lambda number: round(number, 3))
texts = st.none() | st.text(max_size=40)
words = st.builds(
    Word, word=st.text(min_size=1, max_size=9), start=times, end=times, logprob=st.floats(-9, 0)
)
utterances = st.builds(
    Utterance,
    id=st.text(min_size=1, max_size=9),
    audio_filepath=st.sampled_from([TEXT_ONLY, Path("/data/a.wav"), Path("/è/한국 어.flac")]),
    offset=times,
    duration=times,
    text=texts,
    pred_text=texts,
    confidence=st.none() | st.floats(-9, 0),
    hit_limit=st.booleans(),
    words=st.lists(words, max_size=3).map(tuple),
    error=texts,
)


@settings(max_examples=60, deadline=None)
@given(written=st.lists(utterances, max_size=5))
def test_a_manifest_is_read_back_as_it_was_written(
    written: list[Utterance], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("manifest")
    Manifest.write(written, folder)
    assert list(Manifest.load(folder)) == written


def test_an_invalid_line_is_reported_with_path_and_number(tmp_path: Path) -> None:
    Manifest.write([Utterance(id="a")], tmp_path)
    with (tmp_path / "manifest.jsonl").open("a") as lines:
        lines.write('{"id": 3}\n')
    with pytest.raises(ManifestError, match=r"manifest\.jsonl:2: id: .* not 3"):
        list(Manifest.load(tmp_path))


def test_an_utterance_to_skip_is_never_stored(tmp_path: Path) -> None:
    assert "skip" not in Manifest.write([Utterance(id="a")], tmp_path / "a").path.read_text()
    with pytest.raises(AssertionError, match="never stored"):
        Manifest.write([Utterance(id="a", skip=True)], tmp_path / "b")


def test_engines_skip_what_is_marked_or_has_failed() -> None:
    utterance = Utterance(id="a")
    assert not utterance.should_skip
    assert replace(utterance, skip=True).should_skip
    assert replace(utterance, error="unreadable").should_skip


def test_an_incomplete_window_is_cut_off_and_repeated(tmp_path: Path) -> None:
    source = [Utterance(id=str(number)) for number in range(WINDOW + 9)]
    complete = Manifest.resume(iter, source, tmp_path / "complete").path.read_bytes()
    broken = tmp_path / "broken" / "manifest.jsonl"
    broken.parent.mkdir()
    processed: list[str] = []

    def process(window: Iterable[Utterance]) -> Iterator[Utterance]:
        for utterance in window:
            processed.append(utterance.id)
            yield utterance

    for size in (len(complete) - 5, len(complete) // 2, 0):
        broken.write_bytes(complete[:size])
        processed.clear()
        assert Manifest.resume(process, source, broken.parent).path.read_bytes() == complete
        assert len(processed) == (9 if size == len(complete) - 5 else WINDOW + 9)


def test_pages_are_read_and_searched_without_reading_the_whole_file(tmp_path: Path) -> None:
    written = [Utterance(id=str(number), text=f"Zeile {number} 회의") for number in range(500)]
    manifest = Manifest.write(written, tmp_path)
    first_page, next_start = manifest.read_page(0, 200)
    assert next_start is not None
    second_page, end = manifest.read_page(next_start, 400)
    assert [*first_page, *second_page] == written and end is None
    assert manifest.read_page(0, 9, query="ZEILE 77 회")[0] == [written[77]]
    short_page, next_start = manifest.read_page(0, 400, max_bytes=1000)
    assert 0 < len(short_page) < 50 and next_start is not None
    with manifest.path.open("a") as file:
        file.write('{"id": "half a li')
    assert manifest.read_page(0, 999) == (written, None)


def test_lines_are_read_by_number_and_by_byte(tmp_path: Path) -> None:
    written = [Utterance(id=str(number)) for number in range(9)]
    manifest = Manifest.write(written, tmp_path)
    assert list(manifest.iter_lines(2, 5)) == written[2:5]
    offsets = [offset for offset, _ in manifest.iter_with_offsets()]
    with manifest.random_access() as read_at:
        assert [read_at(offsets[number]) for number in (7, 0, 3)] == [
            written[number] for number in (7, 0, 3)
        ]


def test_a_draw_covers_the_whole_file_and_is_repeatable(tmp_path: Path) -> None:
    written = [Utterance(id=str(number), text="a" * (number % 7)) for number in range(1000)]
    manifest = Manifest.write(written, tmp_path)
    drawn = manifest.draw(50, seed=1)
    assert drawn == manifest.draw(50, seed=1) != manifest.draw(50, seed=2)
    numbers = [int(utterance.id) for utterance in drawn]
    assert len(set(numbers)) == 50 and drawn == [written[number] for number in numbers]
    assert min(numbers) < 150 and max(numbers) > 850
    assert len(Manifest.write(written[:2], tmp_path / "few").draw(50, seed=1)) == 2


def test_paths_inside_a_run_are_stored_relative_and_others_absolute(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "round-01").mkdir(parents=True)
    (run / RUN_MARKER).write_text("{}")
    inside, outside = run / "round-01" / "spoken" / "a.wav", tmp_path / "pool" / "b.wav"
    manifest = Manifest.write(
        [Utterance(id="a", audio_filepath=inside), Utterance(id="b", audio_filepath=outside)],
        run / "round-01" / "mixture",
    )
    assert '"../spoken/a.wav"' in manifest.path.read_text()
    assert [utterance.audio_filepath for utterance in manifest] == [inside, outside]
