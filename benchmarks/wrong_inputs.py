"""Wrong plans and commands: which are answered with a sentence, and which are not.

    python benchmarks/wrong_inputs.py [--write CASES.json | --read CASES.json]

Values outside of the range of every option, from the declarations, are put into the plan of a toy
world, which is loaded; wrong plans and commands, written by hand or by kind (`wrong_cases.py`), are
run there. An answer is a sentence if the exit code is 2 and the message is short, without a
traceback or words of libraries. `--write` keeps the cases, so that another version of the package
can be tried with the same ones (`--read`).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

# Last, so that another version of the package can be put before it by PYTHONPATH.
sys.path.append(str(Path(__file__).parents[1]))

import wrong_cases

from twister_loop import load
from twister_loop.cli.main import main
from twister_loop.cli.toy_demo import write_toy_world
from twister_loop.core.errors import TwisterError

VALUE = "value out of range"
JARGON = ("nput should", "pydantic", "type=", "validation error", "Traceback", "Errno")
MAX_LENGTH = 700
TIMEOUT_SECONDS = 60
PLANS: dict[str, str] = {
    "no keys": "",
    "a list": "- a\n- b\n",
    "a text": "plain words\n",
    "not YAML": "pool: [\n",
    "a tab": "pool:\n\t- a\n",
    "a key twice": "{plan}\nseed: 1\nseed: 2\n",
    "deep": "pool: " + "[" * 200 + "]" * 200 + "\n",
    "very deep": "[" * 100_000,
    "5,000 digits": "{plan}\nminimum_utterances: " + "9" * 5000 + "\n",
    "aliases": "a0: &a0 [x, x]\n"
    + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40)),
    "itself": "pool: &a [*a]\n",
    "a surrogate": '{plan}\nnormalizer: "\\ud800"\n',
    "a NUL": '{plan}\nnormalizer: "a\\0b"\n',
    "a control character": "{plan}\nnormalizer: a\x07b\n",
    "Python in YAML": "pool: !!python/object/apply:os.system [true]\n",
    "a date": "{plan}\nminimum_utterances: 2024-01-01\n",
    "sexagesimal": "{plan}\nminimum_utterances: 12:30\n",
    "a number as key": "{plan}\n7: 8\n",
    "a list as key": "{plan}\n? [a]\n: b\n",
}
CHANGES: list[dict[str, Any]] = [
    {"language": False},
    {"pool": "missing"},
    {"pool": []},
    {"pool": "x" * 5000},
    {"pool": "data\x00pool"},
    {"pool": {"use": "audiofolder"}},
    {"pool": {"use": "audiofoldr", "folder": "data"}},
    {"pool": {"folder": "data"}},
    {"pool": {"use": "audiofolder", "folder": "data", "langs": "en"}},
    {"pool": "toy.yaml"},
    {"texts": "missing.txt"},
    {"texts": "data"},
    {"texts": []},
    {"human": "missing"},
    {"replay": "missing"},
    {"development": {}},
    {"development": {"dev": "missing"}},
    {"development": {"../x": "data/dev"}},
    {"development": {"..": "data/dev"}},
    {"development": {"a/b": "data/dev"}},
    {"development": {"": "data/dev"}},
    {"development": {"dev": "data/pool"}},
    {"development": {"x" * 300: "data/dev"}},
    {"development": {"dev": "data/dev"}, "test": {"dev": "data/test"}},
    {"development": ["data/dev"]},
    {"development": "data/dev"},
    {"test": {"dev-full-window": "data/test"}},
    {"asr": "whisprr"},
    {"asr": {"use": "whisper", "model": "openai/whisper-bse"}},
    {"asr": {"use": "whisper", "model": "./missing"}},
    {"asr": {"use": "whisper", "model": "a b c"}},
    {"asr": {"use": "whisper", "beam": 5, "temperature": 0.5}},
    {"asr": {"use": "whisper", "nbest": 5}},
    {"asr": {"use": "whisper", "epochs": 2, "average": 5}},
    {"asr": {"use": "whisper", "stop": {"set": "missing"}}},
    {"asr": {"use": "whisper", "stop": {"set": "dev"}, "average": 2}},
    {"asr": {"use": "whisper", "accumulate": 3, "processes": 2}},
    {"asr": "ctranslate2"},
    {"asr": ["toy"]},
    {"asr": {}},
    {"labeler": {"use": "whisper", "model": "openai/whisper-large-v3"}},
    {"labeler": "missing"},
    {"references": {"large": {"use": "whisper", "model": "openai/whisper-bse"}}},
    {"references": {"../large": "toy"}},
    {"references": ["toy"]},
    {"voices": {"../../x": "toy"}},
    {"voices": {"a": "missing"}},
    {"voices": {"a": "toy"}, "texts": []},
    {"voices": {"a": {"use": "toy", "samples_per_text": 0}}},
    {"voices": {"a": {"use": "toy", "samples_per_text": True}}},
    {"voices": {"a": {"use": "toy", "filters": ["missing"]}}},
    {"voices": {"a": {"use": "speedy_speech", "start": "missing"}}},
    {"voices": {"a": {"use": "xtts"}}},
    {"gates": ["best_untouched"]},
    {"gates": ["parity"]},
    {"gates": ["significan"]},
    {"gates": [{"use": "no_regression", "sets": ["missing"]}]},
    {"gates": [{"use": "no_regression", "sets": ["test"]}]},
    {"gates": "significant"},
    {"gates": [{"use": "significant", "decoding": "standard"}], "full_window": False},
    {"filters": {"pseudo": ["default", "missing"]}},
    {"filters": {"pseudo": [{"use": "duration", "at_least": 9, "at_most": 3}]}},
    {"filters": {"pseudo": [{"use": "char_rate", "low": 9, "high": 3}]}},
    {"filters": {"pseudo": [{"use": "text_length", "at_least": 9, "at_most": 3}]}},
    {"filters": {"pseudo": [{"use": "second_model", "asr": "missing"}]}},
    {"filters": {"pseudo": [{"use": "hallucination", "also": "missing.txt"}]}},
    {"filters": {"pseudo": [{"use": "script", "also": ["LATN"]}]}},
    {"filters": {"texts": ["last_round"]}},
    {"filters": {"pseudo": 3}},
    {"filter": {}},
    {"mix": "twistr"},
    {"mix": {"pseudo": 0, "human": 0, "synthetic": 0}},
    {"mix": {"shares": {"pseudo": 0.6, "synthetic": 0.6}}},
    {"mix": {"shares": {"pseudo": 0.6}, "at_most": {"pseudo": 0.3}}},
    {"mix": {"at_most": {"pseudo": 0.2, "human": 0.2, "synthetic": 0.2}}},
    {"mix": {"temperature": {"lang": 2}}},
    {"scan": {"at_least": 9, "at_most": 3}},
    {"scan": {"chanels": "split"}},
    {"scan": {"estimate": ["loudness"]}},
    {"pack": {"inside": 0.5}},
    {"pack": {"switched": 0.5}},
    {"augment": {"effects": []}},
    {"augment": {"effects": ["nois"]}},
    {"augment": {"effects": [{"use": "noise", "recordings": "missing"}]}},
    {"augment": {"effects": [{"use": "noise", "probability": 2}]}},
    {"augment": {}},
    {"normalizer": "french"},
    {"normalizer": {"use": "basic", "number": True}},
    {"text_selection": {"rare": 1}},
    {"rescore": {}},
    {"cluster": "slurm"},
    {"cluster": {"use": "dask", "shard": 100}},
    {"cluster": {"use": "dask", "address": "tcp://127.0.0.1:1"}},
    {"start": "scratch"},
    {"minimum_utterances": 1000},
    {"rounds": 1.5},
    {"approval": "maybe"},
]
COMMANDS = [
    "",
    "rnu {plan} run",
    "run",
    "run {plan} --no-prefect",
    "run {plan} run --set",
    "run {plan} run --set rounds --no-prefect",
    "run {plan} run --set rounds=[1 --no-prefect",
    "run {plan} run --set rounds=0 --no-prefect",
    "run {plan} run --set ronds=2 --no-prefect",
    "run missing.yaml run --no-prefect",
    "run . run --no-prefect",
    "run {plan} {plan} --no-prefect",
    "run {plan} {folder} --no-prefect",
    "run {plan} data/pool/run --no-prefect",
    "run {plan} /proc/run --no-prefect",
    "run data/pool/0.wav run --no-prefect",
    "round missing.yaml run --no-prefect",
    "round {plan} {plan} --restart --no-prefect",
    "retrain missing.yaml run --no-prefect",
    "retrain {plan} --no-prefect",
    "up missing.yaml run",
    "up {plan}",
    "up {plan} run --port 0",
    "up {plan} run --port x",
    "up {plan} run --cron '* * *'",
    "up {plan} run --host 0.0.0.0",
    "up --watch",
    "deploy {plan} run",
    "watch {plan} run",
    "evaluate {plan} missing",
    "evaluate missing.yaml missing",
    "approve missing",
    "approve {plan}",
    "refuse missing --note x",
    "refuse missing",
    "status missing",
    "status {plan}",
    "status data",
    "report missing",
    "report data",
    "dashboard missing",
    "dashboard data --port -1",
    "compare missing.yaml out",
    "compare {plan} out --seeds 0",
    "compare {plan} out --seeds x",
    "study missing.yaml out",
    "study {plan} out --from-scratch conformr",
    "transcribe",
    "transcribe missing.wav",
    "transcribe {plan} --run missing",
    "export missing out",
    "export data out",
    "reproduce missing",
    "forget missing --speaker x",
    "corpus check missing data",
    "corpus check ksponspeech missing",
    "check",
    "check missing.yaml",
    "check data",
    "options missing",
    "demo",
    "demo --toy {plan}",
]


def collect_cases() -> list[dict[str, Any]]:
    """Return all cases: changes of the toy plan, whole plans, and commands."""
    from tests.options import list_plan_options, outside

    cases: list[dict[str, Any]] = [
        {"kind": VALUE, "changes": option.changes(value)}
        for option in list_plan_options()
        for value in outside(option.annotation)
    ]
    cases += [{"kind": "plan", "changes": c} for c in (*CHANGES, *wrong_cases.list_changes())]
    sources = [*PLANS.values(), *wrong_cases.SOURCES.values()]
    cases += [{"kind": "plan", "source": source} for source in sources]
    # By hand and by kind some are the same.
    commands = dict.fromkeys((*COMMANDS, *wrong_cases.list_commands()))
    cases += [{"kind": "command", "command": command} for command in commands]
    return cases


def try_case(case: dict[str, Any], world: Path) -> tuple[str, str]:
    """Return the outcome of a case, and what was printed to the standard error."""
    plan = world / "toy.yaml"
    if case["kind"] == VALUE:  # there are thousands, and loading shows it
        try:
            load(plan, case["changes"])
        except TwisterError as error:
            return judge(error.exit_code, str(error))
        except BaseException as error:
            return "traceback", repr(error)
        return "accepted", ""
    if command := case.get("command"):
        arguments = command.replace("{plan}", str(plan)).replace("{folder}", str(world)).split()
    elif "command" in case:
        arguments = []
    else:
        arguments = ["run", str(world / "case.yaml"), f"run-{time.monotonic_ns()}", "--no-prefect"]
        source = plan.read_text()
        if "source" in case:
            text = case["source"].replace("{plan_nolang}", source.replace("language: en", ""))
            text = text.replace("{plan}", source)
        else:
            import yaml

            text = yaml.safe_dump({**yaml.safe_load(source), **case["changes"]})
        (world / "case.yaml").write_text(text)
    # These replace the process by a server, or serve until they are stopped.
    if arguments[:1] in (["up"], ["deploy"], ["watch"], ["dashboard"]):
        command = [sys.executable, "-m", "twister_loop.cli.main", *arguments]
        try:
            process = subprocess.run(
                command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return "accepted", "it serves"
        return judge(process.returncode, process.stderr)
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            code: Any = main(arguments)
    except SystemExit as stopped:
        code = stopped.code
    except BaseException as error:
        return "traceback", repr(error)
    return judge(code, errors.getvalue())


def judge(code: Any, message: str) -> tuple[str, str]:
    """Return the outcome that an exit code and a message stand for, and the message."""
    if "Traceback" in message:
        return "traceback", message
    if code in (0, None):
        return "accepted", message
    odd = len(message) > MAX_LENGTH or any(word in message for word in JARGON)
    return ("odd sentence" if odd else "sentence"), message


def run_cases(cases: list[dict[str, Any]]) -> None:
    """Try all cases in a new toy world; print a table, and every case that has no sentence."""
    logging.disable(logging.CRITICAL)
    outcomes: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder)
        write_toy_world(world)
        wrong_cases.write_files(world)
        os.chdir(world)
        for case in cases:
            started = time.monotonic()
            outcome, message = try_case(case, world)
            outcomes.setdefault(case["kind"], Counter())[outcome] += 1
            if outcome != "sentence":
                described = case.get("command") or case.get("changes") or case.get("source")
                shown = " ".join(message.split())[-160:]
                took = time.monotonic() - started
                write_line(f"{outcome}: {str(described)[:120]} -> {shown} ({took:.1f} s)")
    columns = ("sentence", "odd sentence", "accepted", "traceback")
    write_line(f"\n| {'kind':<20} | {' | '.join(columns)} |\n|---|---|---|---|---|")
    for kind, counts in outcomes.items():
        write_line(f"| {kind} | {' | '.join(str(counts[column]) for column in columns)} |")


def write_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--read", type=Path)
    parser.add_argument("--kinds", nargs="*", help="only cases of these kinds")
    options = parser.parse_args()
    chosen = json.loads(options.read.read_text()) if options.read else collect_cases()
    if options.kinds:
        chosen = [case for case in chosen if case["kind"] in options.kinds]
    if options.write:
        options.write.write_text(json.dumps(chosen))
    else:
        run_cases(chosen)
