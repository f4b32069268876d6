"""Ray cluster: workers on this machine, or those of a running Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, TypeVar

# Ray reads this when it is imported, and would send usage statistics.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
from ray.job_config import JobConfig

from ....core.errors import ConfigError, EngineError
from ....core.processes import child_environment
from ._cluster import WorkerCluster

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Ray(WorkerCluster):
    """Shards on Ray workers."""

    start_command: ClassVar[str] = "ray start --head"

    def map(self, work: Callable[[T], R], tasks: Sequence[T]) -> Iterator[R]:
        with self._initialized():
            remote_call = ray.remote(num_cpus=1, num_gpus=int(self.gpu))(_call)
            pending = [remote_call.remote(work, task) for task in tasks]
            while pending:
                [finished], pending = ray.wait(pending)
                try:
                    yield ray.get(finished)
                except ray.exceptions.RayTaskError as failed:
                    # Ray wraps what the work raised; callers expect the exception itself.
                    raise failed.cause from failed
                except ray.exceptions.RayError as cause:
                    raise EngineError(
                        "ray: several workers died at the same shard, perhaps for lack of memory "
                        f"({cause})"
                    ) from cause

    @contextmanager
    def _initialized(self) -> Iterator[None]:
        # As a driver, Ray would put the working directory first on the module path of its workers,
        # and a folder `twister_loop` there would be imported instead of this package. Jobs of Ray's
        # client are exempt.
        job = JobConfig(_client_job=True)
        if self.address:
            self.check()
            ray.init(self.address, log_to_driver=False, job_config=job)
        else:
            with _environment_of_workers():
                ray.init(
                    num_cpus=self.count or os.cpu_count(),
                    num_gpus=self.count if self.gpu else None,
                    include_dashboard=False,
                    log_to_driver=False,
                    job_config=job,
                )
        try:
            self._check_gpus()
            yield
        finally:
            ray.shutdown()

    def _check_gpus(self) -> None:
        if self.gpu and not ray.cluster_resources().get("GPU"):
            raise ConfigError(
                "cluster: the Ray cluster has no GPU; remove `gpu`, or add a node with one"
            )


# Ray accepts plain functions only, and `work` is a partial.
def _call(work: Callable[[T], R], task: T) -> R:
    return work(task)


@contextmanager
def _environment_of_workers() -> Iterator[None]:
    """Give workers that are started the module path of this process, and its priority."""
    before = dict(os.environ)
    os.environ.update(child_environment())
    # Ray gives its workers a niceness of 15, with which they hardly run beside other work, although
    # the round waits for nothing else.
    os.environ.setdefault("RAY_worker_niceness", "0")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
