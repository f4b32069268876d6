"""Data-parallel training in several processes, one per GPU, started by PyTorch's `torchrun`.

Every process computes its share of the batches of a step. Gradients are summed over all processes
before the weights change, so that a step is the one of a single process that accumulates the same
batches; only the order of the sums differs.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import torch
from torch import distributed

from ...core.errors import EngineError
from ...core.processes import child_environment, exit_when_stdin_closes

T = TypeVar("T")


def is_distributed() -> bool:
    """Return whether this process is one of several that train together."""
    return bool(distributed.is_available() and distributed.is_initialized())


def is_main_process() -> bool:
    """Return whether this is the only process that writes files and logs."""
    return not is_distributed() or distributed.get_rank() == 0


def shard(elements: Sequence[T]) -> Sequence[T]:
    """Return this process's share: every n-th element for n processes, or all of them."""
    if not is_distributed():
        return elements
    return elements[distributed.get_rank() :: distributed.get_world_size()]


def all_reduce_sum(number: float, device: torch.device) -> float:
    """Return the sum of a number over all processes."""
    if not is_distributed():
        return number
    total = torch.tensor(number, dtype=torch.float64, device=device)
    distributed.all_reduce(total)
    return float(total)


def all_reduce_gradients(parameters: Sequence[torch.nn.Parameter]) -> None:
    """Replace the gradients in every process by their sum over all processes."""
    if not is_distributed():
        return
    used = torch.tensor([weight.grad is not None for weight in parameters], dtype=torch.int32)
    used = used.to(parameters[0].device)
    distributed.all_reduce(used, distributed.ReduceOp.MAX)
    for weight, is_used in zip(parameters, used.tolist(), strict=True):
        # A weight that no process used keeps no gradient, as in one process: a gradient of zeros
        # would let AdamW's momentum and weight decay change it. A process without a batch in this
        # step has to take part in the sum all the same, or the others would wait for it.
        if is_used:
            weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
            distributed.all_reduce(weight.grad)


def launch(
    train: Callable[..., Any], arguments: Sequence[Any], *, processes: int, out: Path
) -> None:
    """Call `train(*arguments)` in several processes at once, and wait for them.

    The processes end when this one ends. `train` must be a function of a module, since it is
    passed on by its name.

    Raises:
        EngineError: one of the processes failed.
    """
    # A folder of this user alone (mode 0700), not in the run folder: reading a pickle runs code,
    # and others may be able to write to a run folder. Standard input, which carries the order of a
    # shard, would reach one of the processes only.
    with TemporaryDirectory(prefix="twister-") as private:
        call = Path(private) / "call.pickle"
        call.write_bytes(pickle.dumps((train, tuple(arguments))))
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command += [f"--nproc-per-node={processes}", "-m", __name__, str(call)]
        # torchrun and its children get a session, and so a process group, of their own: ending the
        # group reaches all of them. Each child watches stdin, which closes even if we are killed.
        launcher = subprocess.Popen(
            command, stdin=subprocess.PIPE, start_new_session=True, env=child_environment()
        )
        assert launcher.stdin
        try:
            code = launcher.wait()
        finally:
            launcher.stdin.close()
            with suppress(ProcessLookupError):
                os.killpg(launcher.pid, signal.SIGTERM)
            launcher.wait()
    if code:
        raise EngineError(
            f"{out}: training in {processes} processes failed (exit code {code}); "
            "see their messages above"
        )


def main(call: str) -> None:
    """Train as one of several processes."""
    exit_when_stdin_closes()
    train, arguments = pickle.loads(Path(call).read_bytes())
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    # Every process logs the same sentences; errors are shown from all.
    level = logging.INFO if is_main_process() else logging.ERROR
    logging.basicConfig(level=level, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        train(*arguments)
    finally:
        distributed.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
