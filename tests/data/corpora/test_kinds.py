"""Every kind of file that people have is read whole, or rejected with its reason and counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kinds import RATE, Kind, all_kinds, speak
from tests.kinds.reading import read
from tests.kinds.verdicts import REJECTED, WHOLE, judge

SPEECH = speak()


@pytest.mark.parametrize("kind", all_kinds(), ids=lambda kind: kind.name)
def test_a_kind_is_read_whole_or_rejected_with_its_reason(kind: Kind, tmp_path: Path) -> None:
    folder = tmp_path / "pool"
    folder.mkdir()
    seconds = kind.write(folder, SPEECH)
    right = WHOLE
    truth: float | None
    if kind.share is None:
        right, truth = REJECTED, None
    else:
        truth = seconds if isinstance(seconds, float) else kind.share * len(SPEECH) / RATE
    outcome = read(folder)
    assert judge(kind, truth, SPEECH, outcome) == right, outcome


def test_there_are_many_kinds() -> None:
    assert len(all_kinds()) >= 200
