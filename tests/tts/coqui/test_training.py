"""Tests of the batches, the learning rate and the loss of Coqui trainings."""

from itertools import chain
from pathlib import Path

import pytest

pytest.importorskip("TTS")

from twister_loop.core.errors import EngineError
from twister_loop.tts._coqui import training

pytestmark = pytest.mark.model


def test_the_learning_rate_is_constant_and_then_falls_to_zero() -> None:
    factors = [training.learning_rate_factor(step, 100) for step in range(100)]
    assert factors[:71] == [1.0] * 71
    assert factors[71:] == sorted(factors[71:], reverse=True)
    assert 0 < factors[99] < 0.04
    assert training.learning_rate_factor(0, 1) == 1.0


def test_every_clip_comes_once_in_an_epoch_and_epochs_differ() -> None:
    batches = training.iterate_batches(50, 8, seed=3)
    first, second = ([next(batches) for _ in range(6)] for _ in range(2))
    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(50))
    assert {frozenset(batch) for batch in first} != {frozenset(batch) for batch in second}
    assert max(max(batch) - min(batch) for batch in first) < 30  # like lengths go together


def test_a_loss_that_is_not_a_number_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"failed at step 3: the loss is inf; .* smaller"):
        training.LossMonitor(tmp_path / "training.jsonl", 10)(3, float("inf"))
