"""Checks of this machine: packages by extra, versions, devices, disk, weights, Prefect server."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from ..asr._base import Recognizer
from ..core.cache import cache_folder
from ..core.environment import installed_version
from ..core.errors import TwisterError
from ..core.processes import child_environment
from .json_output import print_json

Status = Literal["ok", "optional", "PROBLEM"]

PROJECT = "twister-loop"
NOT_LISTED = {"all", "dev", "peers"}
"""Extras without a feature of their own: a collection, and tools of the repository."""
MIN_DISK = 5e9
"""Bytes of free disk space; less is reported as a problem."""


@dataclass(frozen=True)
class Finding:
    """Outcome of one check."""

    name: str
    detail: str
    status: Status = "ok"
    """`optional`: not installed and not needed by everybody. `PROBLEM`: must be fixed."""

    def __str__(self) -> str:
        return f"{self.status:<8} {self.name:<26} {self.detail}"


def diagnose(options: argparse.Namespace) -> int:
    """Show what this machine can run, and how to install what is missing.

    Exit code 1 if something is broken; extras that are not installed are no fault.
    """
    if options.fix:
        print(fix_torchaudio())
    findings = list(run_checks(server=options.server))
    for finding in findings:
        print(finding)
    problems = sum(finding.status == "PROBLEM" for finding in findings)
    if options.json:
        print_json({"problems": problems, "findings": findings})
    return 1 if problems else 0


def run_checks(server: bool = False) -> Iterator[Finding]:
    """Yield the outcome of every check; with `server`, also start a temporary Prefect server."""
    yield Finding("python", sys.version.split()[0])
    yield from check_packages()
    yield _check_torch()
    yield _check_torchaudio()
    yield _check_torchcodec()
    # Of the working directory, where run folders are usually created.
    free = shutil.disk_usage(Path.cwd()).free
    yield Finding("disk", f"{free / 1e9:.1f} GB free here", "ok" if free > MIN_DISK else "PROBLEM")
    yield Finding("cache", str(cache_folder()))
    yield _check_weights()
    if server:
        yield _check_server()


def check_packages() -> Iterator[Finding]:
    """Yield one finding for the core packages and one for every extra.

    Compares installed versions with the ranges in the metadata of this package, because some
    wrong versions fail silently: with SQLAlchemy 2.1 Prefect's schedules never fire.
    """
    try:
        lines = requires(PROJECT) or []
    except PackageNotFoundError:
        yield Finding(PROJECT, "not installed: pip install -e . in the clone", "PROBLEM")
        return
    yield Finding(PROJECT, installed_version(PROJECT) or "")
    requirements: dict[str, list[Requirement]] = {}
    for line in lines:
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        requirements.setdefault(extra[1] if extra else "", []).append(Requirement(line))
    for extra_name, group in sorted(requirements.items()):
        if extra_name not in NOT_LISTED:
            yield _check_extra(extra_name, group)


def fix_torchaudio() -> str:
    """Move torchaudio's compiled CUDA libraries aside if they cannot be loaded.

    Some registries have torchaudio for CUDA only. Beside a CPU build of torch its import then
    fails, and with it the imports of transformers and Coqui. The libraries contain forced
    alignment and the CTC decoder, which are not used here; the rest of torchaudio is plain
    PyTorch. Nothing is changed if torch has CUDA or if the import works.

    Returns:
        A sentence that says what was done.
    """
    if find_spec("torchaudio") is None or find_spec("torch") is None:
        return "torchaudio: not installed, nothing to fix"
    if importlib.import_module("torch").version.cuda is not None:
        return "torchaudio: torch has CUDA, nothing is changed"
    if _can_import("torchaudio"):
        return "torchaudio: can be imported, nothing to fix"
    spec = find_spec("torchaudio")
    package = Path(next(iter(spec.submodule_search_locations or ()))) if spec else Path()
    aside = package / "lib.cuda"
    aside.mkdir(exist_ok=True)
    # Renamed, not deleted, so that a later CUDA build of torch can get them back by hand.
    moved = [library.rename(aside / library.name) for library in (package / "lib").glob("*.so")]
    outcome = "it can be imported now" if _can_import("torchaudio") else "the import still fails"
    return f"torchaudio: moved {len(moved)} CUDA libraries to {aside}; {outcome}"


def _check_extra(extra: str, requirements: list[Requirement]) -> Finding:
    name = f"extra {extra}" if extra else "core packages"
    # Always by the extra, never `pip install PACKAGE`: the extra carries the version ranges.
    remedy = f"pip install '{PROJECT}[{extra}]'" if extra else f"pip install {PROJECT}"
    versions = {
        requirement.name: installed_version(requirement.name) for requirement in requirements
    }
    wrong = [
        f"{requirement.name} {version} does not match {requirement.specifier}"
        for requirement in requirements
        if (version := versions[requirement.name])
        # Builds such as 2.13.0+cpu match; so do release candidates of a version in range.
        and not requirement.specifier.contains(version, prereleases=True)
    ]
    if wrong:
        return Finding(name, f"{', '.join(wrong)}: {remedy}", "PROBLEM")
    missing = [package for package, version in versions.items() if version is None]
    if missing:
        status: Status = "optional" if extra else "PROBLEM"
        return Finding(name, f"not installed ({', '.join(missing)}): {remedy}", status)
    return Finding(name, ", ".join(f"{package} {version}" for package, version in versions.items()))


def _can_import(module: str) -> bool:
    # In a process of its own: a failed import of a compiled library can leave this one broken.
    # -P, so that a file `torchaudio.py` of the working directory is not taken for the package.
    command = [sys.executable, "-P", "-c", f"import {module}"]
    return subprocess.run(command, capture_output=True).returncode == 0


def _check_torch() -> Finding:
    if find_spec("torch") is None:
        return Finding("torch device", "torch is not installed", "optional")
    torch = importlib.import_module("torch")  # not at the top: it takes seconds, or is missing
    if torch.cuda.is_available():
        return Finding("torch device", f"CUDA: {torch.cuda.get_device_name()}")
    bfloat16 = "with bfloat16" if torch.cpu._is_avx512_bf16_supported() else "without bfloat16"
    return Finding("torch device", f"CPU, {os.cpu_count()} cores, {bfloat16}")


def _check_torchaudio() -> Finding:
    if find_spec("torchaudio") is None:
        return Finding(
            "torchaudio import",
            "not installed; the extras `coqui` and `scratch` need it",
            "optional",
        )
    if _can_import("torchaudio"):
        return Finding("torchaudio import", "works")
    return Finding("torchaudio import", "fails: run `twister doctor --fix`", "PROBLEM")


def _check_torchcodec() -> Finding:
    # Nothing here needs it: audio is decoded by libsndfile and PyAV.
    name, user = "torchcodec import", "`datasets.load_dataset` of audio in programs of your own"
    if find_spec("torchcodec") is None:
        return Finding(name, f"not installed; only {user} needs it", "optional")
    if _can_import("torchcodec.decoders"):
        return Finding(name, "works")
    remedy = "install the build of torchcodec that matches that of torch (CPU or CUDA)"
    return Finding(name, f"fails; only {user} needs it: {remedy}", "optional")


def _check_weights() -> Finding:
    if find_spec("transformers") is None:
        return Finding("whisper weights", "transformers is not installed", "optional")
    # Looked for and not fetched: without a network a download is tried for most of a minute, and
    # nobody asked for one.
    try:
        weights = Recognizer.build({"use": "whisper"}).find_weights()
    except TwisterError as error:
        return Finding("whisper weights", str(error), "PROBLEM")
    if weights.problem:
        return Finding("whisper weights", weights.problem, "PROBLEM")
    return Finding("whisper weights", f"{weights.model}: {weights.source}")


def _check_server() -> Finding:
    if find_spec("prefect") is None:
        return Finding("prefect server", "prefect is not installed", "optional")
    # A database of its own: the check must not change, or wait for, that of another server.
    code = "from twister_loop.flows.server import start_temporary_server\n"
    code += "start_temporary_server()()"
    with tempfile.TemporaryDirectory(prefix="twister-") as home:
        process = subprocess.run(
            [sys.executable, "-P", "-c", code],
            env=child_environment() | {"PREFECT_HOME": home},
            capture_output=True,
            text=True,
            check=False,
        )
    if process.returncode == 0:
        return Finding("prefect server", "starts")
    last_line = (process.stderr.strip().splitlines() or ["no message"])[-1]
    return Finding("prefect server", f"does not start: {last_line}", "PROBLEM")
