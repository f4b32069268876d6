"""Ray workers: some on this machine, or those of a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when it is imported

import ray
from ray.job_config import JobConfig

from ....core.errors import ConfigError, EngineError
from ....core.processes import child_environment
from ._cluster import WorkerCluster

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Ray(WorkerCluster):
    def map(self, work: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
        with self._running():
            do = ray.remote(num_cpus=1, num_gpus=int(self.gpu))(_done)
            left = [do.remote(work, item) for item in items]
            while left:
                [done], left = ray.wait(left)
                try:
                    yield ray.get(done)
                except ray.exceptions.RayTaskError as failed:
                    raise failed.cause from failed  # what the work raised
                except ray.exceptions.RayError as cause:
                    raise EngineError(
                        f"ray: one worker after another died at the same shard ({cause})"
                    ) from cause

    @contextmanager
    def _running(self) -> Iterator[None]:
        # As a driver, Ray would put the working directory first on the module path of its workers,
        # and a folder `twister_loop` there would be imported instead of this package. Jobs of Ray's
        # client are exempt.
        job = JobConfig(_client_job=True)
        if self.address:
            self._knock("ray start --head")
            ray.init(self.address, log_to_driver=False, job_config=job)
        else:
            with _module_path_in_environment():
                ray.init(
                    num_cpus=self.count or os.cpu_count(),
                    num_gpus=self.count if self.gpu else None,
                    include_dashboard=False,
                    log_to_driver=False,
                    job_config=job,
                )
        try:
            self._check()
            yield
        finally:
            ray.shutdown()

    def _check(self) -> None:
        if self.gpu and not ray.cluster_resources().get("GPU"):
            raise ConfigError("cluster: Ray knows no GPU; leave `gpu` out, or add a node with one")


def _done(work: Callable[[T], R], item: T) -> R:
    return work(item)  # Ray wants a function, and not one with arguments bound


@contextmanager
def _module_path_in_environment() -> Iterator[None]:
    """Make workers that are started inherit a module path equal to the one of this process."""
    before = dict(os.environ)
    os.environ.update(child_environment())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
