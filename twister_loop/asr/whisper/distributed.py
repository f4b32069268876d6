"""Training by several processes, one a GPU: each takes its share of the batches of a step.

What they learned from them is added up before the weights change, so a step is that of one
process which accumulates the same batches; only sums are taken in another order. Begun by
PyTorch's own `torchrun`.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import distributed

from ...core.errors import EngineError
from ...core.processes import child_environment, end_with_guard
from .dataset import Step
from .options import WhisperOptions

T = TypeVar("T")


def joined() -> bool:
    """Whether this is one of several."""
    return bool(distributed.is_available() and distributed.is_initialized())


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return not joined() or distributed.get_rank() == 0


def share(todo: Iterable[Step]) -> Iterator[Step]:
    """Every step, with the batches that are for this process."""
    own = slice(None)
    if joined():
        own = slice(distributed.get_rank(), None, distributed.get_world_size())
    for step in todo:
        yield replace(step, batches=step.batches[own], margins=step.margins[own])


def part(items: Sequence[T]) -> Sequence[T]:
    """What of them is for this process."""
    if not joined():
        return items
    return items[distributed.get_rank() :: distributed.get_world_size()]


def summed(value: float, device: torch.device) -> float:
    """A number added up over all processes."""
    if not joined():
        return value
    total = torch.tensor(value, dtype=torch.float64, device=device)
    distributed.all_reduce(total)
    return float(total)


def add_up(parameters: Sequence[torch.nn.Parameter]) -> None:
    """Give every process the sum of all gradients."""
    if not joined():
        return
    used = torch.tensor([each.grad is not None for each in parameters], dtype=torch.int32)
    used = used.to(parameters[0].device)
    distributed.all_reduce(used, distributed.ReduceOp.MAX)
    for each, somewhere in zip(parameters, used.tolist(), strict=True):
        if somewhere:  # what no process used has no gradient, as in one process
            each.grad = torch.zeros_like(each) if each.grad is None else each.grad
            distributed.all_reduce(each.grad)


def launch(options: WhisperOptions, out: Path, *arguments: Any) -> None:
    """Have `options.train(*arguments)` done by its processes, which end with this one.

    Raises EngineError where they fail.
    """
    orders = out / "resume" / "orders.pickle"
    orders.parent.mkdir(parents=True, exist_ok=True)
    orders.write_bytes(pickle.dumps((options, arguments)))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={options.processes}", "-m", __name__, str(orders)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, start_new_session=True, env=child_environment()
    )
    assert process.stdin
    try:
        code = process.wait()
    finally:
        process.stdin.close()  # which each process waits for
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()
    if code:
        raise EngineError(
            f"{out}: training in {options.processes} processes failed; what they said stands above"
        )


def main(orders: str) -> None:
    """Be one of several."""
    end_with_guard()
    options, arguments = pickle.loads(Path(orders).read_bytes())
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    level = logging.INFO if is_first() else logging.ERROR
    logging.basicConfig(level=level, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        options.train(*arguments)
    finally:
        distributed.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
