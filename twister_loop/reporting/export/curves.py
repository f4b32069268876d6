"""Training curves and error rates for TensorBoard: the only door to its event files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary as Scalars
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from ...pipeline.run_folder import RunFolder
from ..summary import Summary
from .metrics import rows

LOG = "training.jsonl"


def write(run: Path, summary: Summary, folder: Path) -> str:
    """A TensorBoard run for every training, and one for every model's error rates by round."""
    trainings = 0
    for at in RunFolder.read(run).round_folders:
        for log in sorted([*at.glob(f"candidate/{LOG}"), *at.glob(f"voices/*/voice/{LOG}")]):
            name = log.parent.relative_to(at).as_posix().removesuffix("/voice")
            with _events(folder / at.name / name) as events:
                for line in log.read_text(encoding="utf-8").splitlines():
                    noted = json.loads(line)
                    step = noted.pop("step")
                    for key in ("loss", "learning_rate"):
                        if key in noted:
                            events.add_event(_scalar(f"training/{key}", noted[key], step))
            trainings += 1
    lines = list(rows(summary))
    for who in sorted({each["model"] for each in lines}):
        with _events(folder / "rounds" / who) as events:
            for each in lines:
                if each["model"] == who:
                    tag = f"{each['measure']}/{each['set']}"
                    events.add_event(_scalar(tag, each["rate"], each["round"]))
    return f"tensorboard: {trainings} trainings and the rates of all rounds in {folder}"


@contextmanager
def _events(folder: Path) -> Iterator[EventFileWriter]:
    writer = EventFileWriter(str(folder))
    try:
        yield writer
    finally:
        writer.close()


def _scalar(tag: str, value: float, step: int) -> Event:
    # Times are left at 0: a log holds none, so that it repeats itself exactly.
    return Event(step=step, summary=Scalars(value=[Scalars.Value(tag=tag, simple_value=value)]))
