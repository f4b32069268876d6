"""Parts of the training loop: averages, early stopping, batches."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from twister_loop.core.types import Measure, Utterance

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.model


@dataclass(frozen=True)
class Example:
    utterance: Utterance


def test_averages_are_the_mean_of_the_epochs_also_after_a_restart() -> None:
    from twister_loop.asr._training.averaging import ExactMean, RunningMean

    torch.manual_seed(0)
    epochs = [{"weight": torch.randn(100), "batches": torch.tensor(n)} for n in (4, 8, 9)]
    for kind in (ExactMean, RunningMean):
        average = kind()
        assert average.mean() == {}
        for weights in epochs:
            tensors = weights if kind is ExactMean else {"weight": weights["weight"]}
            average.update(tensors)
            restarted = kind()
            restarted.load_state_dict(average.state_dict())
            average = restarted
        expected = torch.stack([weights["weight"] for weights in epochs]).double().mean(0)
        torch.testing.assert_close(average.mean()["weight"].double(), expected, atol=1e-6, rtol=0)
        if kind is ExactMean:
            assert average.mean()["weight"].equal(expected.float())
            assert average.mean()["batches"].item() == 7


def test_a_frozen_weight_is_not_in_the_resume_state_and_a_tied_one_is_once() -> None:
    from twister_loop.asr._training.checkpointing import trainable_state

    first, second = torch.nn.Linear(2, 2, bias=False), torch.nn.Linear(2, 2)
    model = torch.nn.Sequential(first, torch.nn.BatchNorm1d(2), second)
    second.weight = first.weight
    second.bias.requires_grad_(False)
    assert set(trainable_state(model)) == {
        "0.weight", "1.weight", "1.bias", "1.running_mean", "1.running_var",
        "1.num_batches_tracked",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("every", "due"), [(None, [2, 4, 5]), (3, [3, 5])], ids=["epochs", "steps"]
)
def test_early_stopping_evaluates_after_epochs_or_steps_and_at_the_end(
    every: int | None, due: list[int]
) -> None:
    from twister_loop.asr._training.early_stopping import EarlyStopping

    stopping = EarlyStopping("dev", 2, every, total_steps=5, count_errors=lambda: (0, 1))
    steps = range(1, 6)
    assert [step for step in steps if stopping.is_due(step, ends_epoch=step % 2 == 0)] == due


def test_early_stopping_keeps_the_first_of_the_best_weights_and_ends_on_a_plateau(
    tmp_path: Path,
) -> None:
    from twister_loop.asr._training.early_stopping import EarlyStopping

    errors = iter([4, 2, 2, 3])
    stopping = EarlyStopping("dev", 2, None, total_steps=9, count_errors=lambda: (next(errors), 8))
    ended = []
    for step in range(1, 5):
        stopping.evaluate(step, 1, {"weight": torch.tensor(float(step))})
        ended.append(stopping.is_over)
    assert ended == [False, False, False, True]
    assert stopping.best_weights == {"weight": torch.tensor(2.0)}
    stopping.write_log(tmp_path)
    restarted = EarlyStopping("dev", 2, None, total_steps=9, count_errors=lambda: (0, 8))
    assert not restarted.is_over
    restarted.load_state_dict(stopping.state_dict())
    assert restarted.is_over
    assert len((tmp_path / "stopping.jsonl").read_text().splitlines()) == 4


@pytest.mark.parametrize("measure", ["words", "characters"])
def test_the_log_of_early_stopping_names_what_is_counted(
    measure: Measure, caplog: pytest.LogCaptureFixture
) -> None:
    from twister_loop.asr._training.early_stopping import EarlyStopping

    caplog.set_level("INFO")
    stopping = EarlyStopping("dev", 2, None, 9, count_errors=lambda: (2, 8), measure=measure)
    stopping.evaluate(1, 1, {})
    assert f"step 1: 2 errors in 8 {measure} of dev (25.00 %)" in caplog.text
    assert stopping.state_dict()["evaluations"][0]["measure"] == measure


def test_batches_hold_every_example_once_and_clips_of_similar_length() -> None:
    from twister_loop.asr._training.batching import make_length_batches

    durations = np.random.default_rng(0).uniform(1, 20, 101)
    examples = [
        Example(Utterance(id=str(number), duration=float(duration)))
        for number, duration in enumerate(durations)
    ]
    batches = make_length_batches(examples, 4, np.random.default_rng([1, 1]))
    assert Counter(len(batch) for batch in batches) == {4: 25, 1: 1}
    counts = Counter(example.utterance.id for batch in batches for example in batch)
    assert len(counts) == 101 and set(counts.values()) == {1}
    spread = [np.ptp([example.utterance.duration for example in batch]) for batch in batches]
    assert np.mean(spread) < 2
    again = make_length_batches(examples, 4, np.random.default_rng([1, 1]))
    assert batches == again != make_length_batches(examples, 4, np.random.default_rng([1, 2]))
