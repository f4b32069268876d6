"""Training curves and error rates for TensorBoard: the only module that imports tensorboard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary as ScalarSummary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from ...pipeline.run_folder import RunFolder
from ...pipeline.stage_table import CANDIDATE, TRAINING, VOICE
from ..round_folders import TRAINING_LOG
from ..summary import Summary
from .metrics import rate_rows


def export_curves(run: Path, summary: Summary, folder: Path) -> str:
    """Write a TensorBoard run for each training, and one for each model's rates by round.

    Returns:
        A line that says what was written.
    """
    trainings = 0
    for round_folder in RunFolder.read(run).round_folders:
        trainings_of_round = TRAINING.folder.format(training="*")
        stages = (CANDIDATE.folder, trainings_of_round, VOICE.folder.format(voice="*"))
        logs = (log for stage in stages for log in round_folder.glob(f"{stage}/{TRAINING_LOG}"))
        for log in sorted(logs):
            stage = log.parent.relative_to(round_folder).as_posix()
            # `voices/NAME` is shorter than `voices/NAME/voice` in TensorBoard's list of runs.
            name = stage.removesuffix("/voice")
            _write_training(log, folder / round_folder.name / name)
            trainings += 1
    # One TensorBoard run for each model, so that the models of a set share one chart.
    rates = list(rate_rows(summary))
    for model in sorted({rate["model"] for rate in rates}):
        with _event_file(folder / "rounds" / model) as events:
            for rate in rates:
                if rate["model"] == model:
                    # Charts with the same first part of their tag stand in one group.
                    windows = " in 30 s windows" if rate["decoding"] == "standard" else ""
                    tag = f"{rate['measure']}{windows}/{rate['set']}"
                    events.add_event(_scalar(tag, rate["rate"], rate["round"]))
    return f"tensorboard: {trainings} trainings and the rates of all rounds in {folder}"


def _write_training(log: Path, folder: Path) -> None:
    with _event_file(folder) as events:
        for line in log.read_text(encoding="utf-8").splitlines():
            update = json.loads(line)
            # Voices log no learning rate.
            for name in ("loss", "learning_rate"):
                if name in update:
                    events.add_event(_scalar(f"training/{name}", update[name], update["step"]))


@contextmanager
def _event_file(folder: Path) -> Iterator[EventFileWriter]:
    writer = EventFileWriter(str(folder))
    try:
        yield writer
    finally:
        writer.close()


def _scalar(tag: str, scalar: float, step: int) -> Event:
    # The wall time stays 0, because a training log has none: it must be the same each time.
    point = ScalarSummary.Value(tag=tag, simple_value=scalar)
    return Event(step=step, summary=ScalarSummary(value=[point]))
