"""What this machine can run, what is missing, and what to type next."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..asr._base import Recognizer
from ..core.cache import cache_folder
from ..core.environment import PACKAGES, installed
from ..core.errors import TwisterError


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    says: str
    fine: bool = True

    def __str__(self) -> str:
        return f"{'ok     ' if self.fine else 'MISSING'} {self.what:<18} {self.says}"


def findings(server: bool = False) -> Iterator[Finding]:
    """Look at versions, engines, disk and weights; with `server`, start a Prefect server too."""
    yield Finding("python", sys.version.split()[0])
    for package in PACKAGES:
        found = installed(package)
        yield Finding(package, found or f"not installed: pip install {package}", found is not None)
    yield _torch()
    yield _torchaudio()
    free = shutil.disk_usage(Path.cwd()).free
    yield Finding("disk", f"{free / 1e9:.1f} GB free here", fine=free > 5e9)
    yield Finding("cache", str(cache_folder()))
    yield _weights()
    if server:
        yield _server()


def mend_torchaudio() -> str:
    """Move torchaudio's compiled CUDA libraries aside where they cannot be loaded.

    Some registries have torchaudio for CUDA only. Beside a CPU torch its import then fails,
    and with it transformers' and Coqui's. The libraries hold forced alignment and the CTC
    decoder, which are not used here; all the rest is plain PyTorch. Nothing is done where
    torch has CUDA, or where the import works.
    """
    if find_spec("torchaudio") is None or find_spec("torch") is None:
        return "torchaudio: not installed, nothing to mend"
    if importlib.import_module("torch").version.cuda is not None:
        return "torchaudio: torch has CUDA, nothing is touched"
    if _imports("torchaudio"):
        return "torchaudio: imports, nothing to mend"
    spec = find_spec("torchaudio")
    home = Path(next(iter(spec.submodule_search_locations or ()))) if spec else Path()
    aside = home / "lib.cuda"
    aside.mkdir(exist_ok=True)
    moved = [library.rename(aside / library.name) for library in (home / "lib").glob("*.so")]
    works = "it imports now" if _imports("torchaudio") else "it still does not import"
    return f"torchaudio: {len(moved)} CUDA libraries moved to {aside}; {works}"


def _imports(module: str) -> bool:
    code = f"import {module}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def _torch() -> Finding:
    if find_spec("torch") is None:
        return Finding("torch device", "torch is not installed", fine=False)
    torch = importlib.import_module("torch")
    if torch.cuda.is_available():
        return Finding("torch device", f"CUDA: {torch.cuda.get_device_name()}")
    cores = os.cpu_count()
    bfloat16 = "with bfloat16" if torch.cpu._is_avx512_bf16_supported() else "without bfloat16"
    return Finding("torch device", f"CPU, {cores} cores, {bfloat16}")


def _torchaudio() -> Finding:
    if find_spec("torchaudio") is None:
        return Finding(
            "torchaudio import",
            "not installed; coqui, deepspeech2 and conformer need it",
            fine=False,
        )
    if _imports("torchaudio"):
        return Finding("torchaudio import", "works")
    return Finding("torchaudio import", "fails: run `twister doctor --mend`", fine=False)


def _weights() -> Finding:
    if find_spec("transformers") is None:
        return Finding("whisper weights", "transformers is not installed", fine=False)
    try:
        base = Recognizer.build({"use": "whisper"}).base()
        return Finding("whisper weights", base.source or str(base.location))
    except TwisterError as trouble:
        return Finding("whisper weights", str(trouble), fine=False)


def _server() -> Finding:
    if find_spec("prefect") is None:
        return Finding("prefect server", "prefect is not installed", fine=False)
    code = (
        "from prefect.testing.utilities import prefect_test_harness\n"
        "with prefect_test_harness(server_startup_timeout=60): pass"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode == 0:
        return Finding("prefect server", "starts")
    last = (done.stderr.strip().splitlines() or ["no word"])[-1]
    return Finding("prefect server", f"does not start: {last}", fine=False)
