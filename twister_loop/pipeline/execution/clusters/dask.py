"""Dask cluster (dask.distributed): workers on this machine, or those of a running scheduler."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, TypeVar

from distributed import Client, KilledWorker, LocalCluster, as_completed, get_worker

from ....core.errors import ConfigError, EngineError
from ....core.types import Seconds
from ._cluster import WorkerCluster

T = TypeVar("T")
R = TypeVar("R")

# At INFO it logs every connection.
logging.getLogger("distributed").setLevel(logging.WARNING)

WORKER_TIMEOUT: Seconds = 60.0
"""Time to wait for the first worker of a scheduler."""


@dataclass(frozen=True)
class Dask(WorkerCluster):
    """Shards on Dask workers."""

    start_command: ClassVar[str] = "dask scheduler"

    def map(self, work: Callable[[T], R], tasks: Sequence[T]) -> Iterator[R]:
        gpu = {"GPU": 1} if self.gpu else None
        if self.gpu and not self.address:
            work = partial(_with_own_gpu, work)
        with self._client() as client:
            try:
                # Not pure: Dask must not take the result of an equal task for this one.
                futures = client.map(work, tasks, pure=False, resources=gpu)
                for future in as_completed(futures):
                    yield future.result()
            except KilledWorker as cause:
                raise EngineError(
                    "dask: several workers died at the same shard, perhaps for lack of memory "
                    f"({cause})"
                ) from cause

    @contextmanager
    def _client(self) -> Iterator[Client]:
        if self.address is None:
            with (
                _restored_environment(),
                LocalCluster(
                    n_workers=self.count or os.cpu_count(),
                    threads_per_worker=1,
                    memory_limit=None,  # Dask sees the worker, not the process with the model
                    dashboard_address=None,
                    silence_logs=logging.CRITICAL,
                    resources={"GPU": 1} if self.gpu else None,
                ) as cluster,
                Client(cluster) as client,
            ):
                yield client
            return
        self.check()
        with Client(self.address) as client:
            self._check_workers(client)
            yield client

    def _check_workers(self, client: Client) -> None:
        try:
            client.wait_for_workers(1, timeout=WORKER_TIMEOUT)
        except TimeoutError as cause:
            raise ConfigError(
                f"cluster: the scheduler at {self.address} has no workers; start one with "
                f"`dask worker {self.address} --nthreads 1`"
            ) from cause
        # All of them: by default it returns five.
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        if self.gpu and not any(worker["resources"].get("GPU") for worker in workers):
            raise ConfigError(
                f"cluster: no worker of {self.address} has a GPU; start one for every GPU with "
                f"`CUDA_VISIBLE_DEVICES=N dask worker {self.address} --nthreads 1 "
                "--resources GPU=1`"
            )


@contextmanager
def _restored_environment() -> Iterator[None]:
    """Restore the environment variables that Dask changes.

    For its workers Dask sets the number of threads to one, but in this process too, where it would
    slow down all training that follows.
    """
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def _with_own_gpu(work: Callable[[T], R], task: T) -> R:
    """Run a task with only the GPU visible that has the number of this worker."""
    # A local cluster names its workers 0, 1, 2, ...; the shard's process inherits the variable.
    os.environ["CUDA_VISIBLE_DEVICES"] = str(get_worker().name)
    return work(task)
