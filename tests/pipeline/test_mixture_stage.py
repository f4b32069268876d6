"""The mixture: weights are multiples of the hours of a source, and cuts stay in their order."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twister_loop import Utterance
from twister_loop.audio import io as audio
from twister_loop.core.manifest import Manifest
from twister_loop.core.tallies import MixtureContents, Tally
from twister_loop.core.types import Origin
from twister_loop.data.mixture import MixOptions
from twister_loop.errors import ConfigError
from twister_loop.pipeline.stages.mixture import mix


def speech(folder: Path, origin: Origin, lengths: list[float]) -> Manifest:
    def generate_utterances() -> Iterator[Utterance]:
        for number, length in enumerate(lengths):
            noise = np.random.default_rng(number).normal(0, 0.1, round(length * 16_000))
            path = folder / f"{number}.wav"
            duration = audio.write(noise.astype(np.float32), path)
            yield Utterance(
                id=f"{origin}{number}",
                audio_filepath=path,
                duration=duration,
                text=f"text {number}",
                origin=origin,
            )

    return Manifest.write(generate_utterances(), folder)


@pytest.mark.parametrize(
    ("weight", "hours"), [(1.0, 1.0), (2.0, 2.0), (0.5, 0.5), (0.0, 0.0), (2.5, 2.5)]
)
def test_a_weight_multiplies_the_hours_of_an_origin(
    tmp_path: Path, weight: float, hours: float
) -> None:
    pseudo = speech(tmp_path / "pseudo_labels", "pseudo", [0.4] * 20)
    human = speech(tmp_path / "human", "human", [0.4] * 5)
    mixed = mix(MixOptions(pseudo=weight), [pseudo, human], 1, out=tmp_path / "mixture")
    counts = Counter(utterance.origin for utterance in mixed)
    assert counts["human"] == 5
    assert counts["pseudo"] == pytest.approx(20 * hours, abs=1)


def test_the_seed_determines_the_order(tmp_path: Path) -> None:
    source = speech(tmp_path / "pseudo_labels", "pseudo", [0.3] * 12)
    orders = [
        [utterance.id for utterance in mix(MixOptions(), [source], seed, out=tmp_path / str(place))]
        for place, seed in enumerate((1, 1, 2))
    ]
    assert orders[0] == orders[1] != orders[2]


def recording(name: str, count: int, **fields: Any) -> list[Utterance]:
    """Return neighboring cuts of 4 s with pauses of 1 s."""
    return [
        Utterance(
            id=f"{name}-{number:04d}", audio_filepath=Path(f"/calls/{name}.wav"),
            offset=5.0 * number, duration=4.0, text=f"{name}{number}", lang="it", origin="pseudo",
            **fields,
        )
        for number in range(count)
    ]  # fmt: skip


def mixed(
    tmp_path: Path,
    cuts: list[Utterance],
    left_out: Sequence[Utterance] = (),
    **options: Any,
) -> list[Utterance]:
    rejected = [replace(cut, rejected_by="confidence", pred_text="?") for cut in left_out]
    return list(
        mix(
            MixOptions(**options),
            [Manifest.write(cuts, tmp_path / "labels")],
            1,
            left_out=[Manifest.write(rejected, tmp_path / "rejected")],
            out=tmp_path / "mixture",
        )
    )


def test_cuts_have_the_text_that_was_said_before_them(tmp_path: Path) -> None:
    long, other = recording("a", 10), recording("b", 3)
    mixture = mixed(tmp_path, [*long, *other])
    by_id = {cut.id: cut for cut in mixture}
    assert by_id.keys() == {cut.id for cut in (*long, *other)}
    assert by_id["a-0000"].previous_text is None and by_id["a-0000"].follows is None
    assert by_id["b-0002"].previous_text == "b0 b1" and by_id["b-0002"].follows == "b-0001"
    # 30 s back, which is the window of Whisper: six cuts and their pauses.
    assert by_id["a-0009"].previous_text == "a3 a4 a5 a6 a7 a8"
    # Stretches of at most 30 s, in their order: 29 s, and what is left.
    places = {cut.id: place for place, cut in enumerate(mixture)}
    for stretch in (long[:6], long[6:], other):
        first = places[stretch[0].id]
        assert [places[cut.id] for cut in stretch] == list(range(first, first + len(stretch)))


def test_a_long_cut_before_is_told_whole(tmp_path: Path) -> None:
    first, second = recording("a", 2)
    second = replace(second, offset=30.0)
    third = replace(second, id="a-0002", offset=36.0, text="c")
    mixture = mixed(tmp_path, [replace(first, duration=29.5), second, third])
    assert [cut.previous_text for cut in sorted(mixture, key=lambda cut: cut.id)] == [
        None, "a0", "a1",
    ]  # fmt: skip


def test_what_was_rejected_was_said_too(tmp_path: Path) -> None:
    cuts = recording("a", 4)
    mixture = {cut.id: cut for cut in mixed(tmp_path, [*cuts[:1], *cuts[2:]], [cuts[1]])}
    assert mixture["a-0002"].previous_text is None and mixture["a-0002"].follows is None
    assert mixture["a-0003"].previous_text == "a2"


def test_a_cut_that_is_not_drawn_was_said_before_all_the_same(tmp_path: Path) -> None:
    cuts = recording("a", 9)
    mixture = mixed(tmp_path, cuts, hours={"it": 22 / 3600})
    assert len(mixture) == 5  # 20 s: one more would be 24 s
    for cut in mixture:
        number = int(cut.text[1:])  # type: ignore[index]
        assert cut.previous_text == (
            " ".join(f"a{n}" for n in range(max(number - 6, 0), number)) or None
        )


def test_what_is_asked_and_taken_is_counted_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cuts = [*recording("a", 30, corpus="talks"), *recording("b", 30, corpus="calls")]
    with caplog.at_level("INFO"):
        mixture = mixed(tmp_path, cuts, pseudo=0.5, hours={"talks": 20 / 3600})
    calls, talks = MixtureContents.load(tmp_path / "mixture").sources
    assert (calls.asked, calls.taken) == (60.0, Tally(15, 60.0))
    assert (talks.asked, talks.taken, talks.available) == (60.0, Tally(5, 20.0), Tally(30, 120.0))
    assert len(mixture) == 20
    assert "mix: pseudo it calls: 0.017 h asked, 0.017 h taken of 0.033 h" in caplog.text
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning == (
        "mix: pseudo it talks: 0.017 h asked, 0.006 h taken of 0.033 h, because of hours.talks "
        "(0.00555556 h)"
    )


def test_a_source_of_which_no_clip_fits_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cuts = [*recording("a", 1, corpus="talks"), *recording("b", 3, corpus="calls")]
    mixture = mixed(tmp_path, cuts, hours={"talks": 3.9 / 3600})
    assert {cut.corpus for cut in mixture} == {"calls"}
    assert "mix: pseudo it talks: nothing is taken, since its 3.9 s are shorter" in caplog.text


def test_a_mixture_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="leave nothing of what there is"):
        mixed(tmp_path, recording("a", 1), hours={"it": 1 / 3600})
    with pytest.raises(ConfigError, match="at_most"):
        mixed(tmp_path, recording("a", 1), at_most={"pseudo": 0.5})


def test_groups_keep_to_themselves(tmp_path: Path) -> None:
    """A switch of the language in a recording ends a stretch, and not what was said before."""
    cuts = [
        replace(cut, lang=lang)
        for cut, lang in zip(recording("a", 4), ("it", "it", "en", "en"), strict=True)
    ]
    mixture = mixed(tmp_path, cuts)
    assert {cut.id: cut.previous_text for cut in mixture} == {
        "a-0000": None, "a-0001": "a0", "a-0002": "a0 a1", "a-0003": "a0 a1 a2",
    }  # fmt: skip
    order = [cut.lang for cut in mixture]
    assert order in (["it", "it", "en", "en"], ["en", "en", "it", "it"])
