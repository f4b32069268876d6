"""Dask workers (dask.distributed): some on this machine, or those of a scheduler elsewhere."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from distributed import Client, KilledWorker, LocalCluster, as_completed, get_worker

from ....core.errors import ConfigError, EngineError
from ....core.types import Seconds
from ._cluster import WorkerCluster

T = TypeVar("T")
R = TypeVar("R")

logging.getLogger("distributed").setLevel(logging.WARNING)  # it tells of every connection

WORKER_TIMEOUT: Seconds = 60.0
"""With a scheduler that has no workers yet."""


@dataclass(frozen=True)
class Dask(WorkerCluster):
    def map(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        gpu = {"GPU": 1} if self.gpu else None
        if self.gpu and not self.address:
            work = partial(_with_own_gpu, work)
        with self._client() as client:
            try:
                for done in as_completed(client.map(work, items, pure=False, resources=gpu)):
                    yield done.result()
            except KilledWorker as cause:
                raise EngineError(
                    "dask: one worker after another died at the same shard; has it memory enough? "
                    f"({cause})"
                ) from cause

    @contextmanager
    def _client(self) -> Iterator[Client]:
        if self.address is None:
            with (
                _unpoisoned(),
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
        self._knock("dask scheduler")
        with Client(self.address) as client:
            self._check(client)
            yield client

    def _check(self, client: Client) -> None:
        try:
            client.wait_for_workers(1, timeout=WORKER_TIMEOUT)
        except TimeoutError as cause:
            raise ConfigError(
                f"cluster: the scheduler at {self.address} has no workers; `dask worker "
                f"{self.address} --nthreads 1` begins one"
            ) from cause
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        if self.gpu and not any(each["resources"].get("GPU") for each in workers):
            raise ConfigError(
                f"cluster: no worker of {self.address} has a GPU; begin one for every GPU with "
                f"`CUDA_VISIBLE_DEVICES=N dask worker {self.address} --nthreads 1 "
                "--resources GPU=1`"
            )


@contextmanager
def _unpoisoned() -> Iterator[None]:
    """Dask sets one thread for its workers in this process too, for all that it begins later."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


def _with_own_gpu(work: Callable[[T], R], item: T) -> R:
    """Show this worker, and the process it begins, the GPU with its own number."""
    os.environ["CUDA_VISIBLE_DEVICES"] = str(get_worker().name)
    return work(item)
