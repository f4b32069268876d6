"""Wrong plans and commands by kind: each key, each part, each subcommand in turn, and YAML's traps.

`wrong_inputs.py` tries them, beside those that were written by hand.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

Changes = dict[str, Any]

KEYS: dict[str, tuple[Any, ...]] = {
    "pool": ({"a": 1}, 3, [3], [["data/pool"]], None, [None]),
    "asr": ([], 3, True, {"use": 3}, {"use": "toy", "use ": "toy"}, None),
    "development": (3, ["dev"], {"dev": 3}, {"dev": []}, {"dev": None}),
    "rounds": ("two", [2], {"number": 2}, None, -1, "2"),
    "seed": ("random", -1, 1.5, [13]),
    "language": (["en"], {"en": 1}, 3, True, "english please"),
    "texts": (3, {"use": "textfile"}, {"use": "textfile", "file": 3}, [[]], {"file": "data"}),
    "human": (3, {"use": "audiofolder"}, {"use": "manifest", "file": "missing.jsonl"}, [{}]),
    "replay": (3, {"use": "kaldi", "folder": "missing"}, [{"use": "kaldi", "folder": "data"}]),
    "pool_references": (3, ["data/human"], "missing"),
    "test": (3, ["data/test"], {"test": "missing"}, {"a b": "data/test"}),
    "retention": (3, "data/retention", {"vowels": {"use": "audiofolder"}}),
    "minimum_utterances": ("few", -1, 1.5, None, [20]),
    "labeler": (3, [], {"relabel": "sometimes"}, {"use": "toy", "lettres": "abc"}),
    "references": (3, "toy", {"a": 3}, {"a": {"use": "toyy"}}, {"a/b": "toy"}),
    "start": (3, ["champion"], None, "champoin"),
    "text_selection": (3, "all", [], {"texts": 0}, {"textes": 10}),
    "rescore": (3, "yes", {"texts": 5, "wieght": 0.3}, {"texts": "five"}),
    "voices": (3, ["toy"], "toy", {"a": 3}, {"a": []}, {"a": {"use": "toy", "speed": 1}}),
    "scan": (3, "speakers", [], {"speakers": 3}, {"at_most": "30 s"}, {"speaker": {}}),
    "filters": (["default"], "default", {"human": ["default"]}, {"pseudo": {"use": "duration"}}),
    "trial": (3, [], {"text": 3}, {"at_most": "35 %"}, {"at_most": 35}),
    "mix": (3, [], {"preset": "twistr"}, {"pseudo": "all"}, {"hours": {"pseudo": -1}}),
    "pack": (3, "30", [], {"limit": "thirty"}, {"speakers": "other"}, {"limits": 30}),
    "augment": (3, ["noise"], {"effects": "noise"}, {"effects": [{"use": "speed", "factor": 1}]}),
    "normalizer": (3, [], {"use": "basic", "lang": "it"}, "Basic", "italian"),
    "full_window": ("all", -1, 1.5, [200]),
    "gates": (3, "no_regression", {"use": "significant"}, [3], ["none"], [None]),
    "approval": (3, [], None, "perhaps"),
    "new_audio": (3, {"minutes": "30 min"}, {"minuts": 30}),
    "keep": (3, "all", {"last": "two"}),
    "cluster": (3, [], {"use": "dask", "adress": "tcp://a:1"}, {"use": "slurm"}),
}
"""Values of the wrong kind, by key of a plan."""

SOURCES: dict[str, str] = {
    "one colon without a space": "{plan}\nseed:3\n",
    "a tab before a key": "{plan}\n\tseed: 3\n",
    "indented by one too few": "{plan}\npack:\n limit: 30\n   gap: 0.1\n",
    "a quote that is not closed": '{plan}\nlanguage: "en\n',
    "a bracket that is not closed": "{plan}\ngates: [no_regression, significant\n",
    "typographic quotes": "{plan}\nnormalizer: “basic”\n",
    "a no-break space after the colon": "{plan}\nseed:\u00a03\n",
    "a percent sign first": "{plan}\nseed: %3\n",
    "an at sign first": "{plan}\nseed: @3\n",
    "a backtick first": "{plan}\nseed: `3`\n",
    "an asterisk first": "{plan}\npool: *.wav\n",
    "a colon within a text": "{plan}\nnormalizer: use: basic\n",
    "a dash without a space": "{plan}\nhuman:\n  -data/human\n",
    "a list under a text": "{plan}\nlanguage:\n  - en\n",
    "two documents": "{plan}\n---\nseed: 3\n",
    "no, unquoted, as language": "{plan}\nlanguage: no\n".replace("{plan}", "{plan_nolang}"),
    "no, unquoted, as name of a set": "{plan}\nreferences: {no: toy}\n",
    "on, unquoted, as name of a voice": "{plan}\nreferences: {on: toy}\n",
    "yes as a number": "{plan}\nseed: yes\n",
    "a number in words": "{plan}\nseed: thirteen\n",
    "a decimal comma": "{plan}\ntrial: {texts: 2, at_most: 0,9}\n",
    "a number with its unit": "{plan}\nkeep: {last: 2 rounds}\n",
    "an octal number": "{plan}\nseed: 0o777777777777777777\n",
    "a nested key twice": "{plan}\nkeep: {last: 2, last: 3}\n",
    "a part twice among its options": "{plan}\ncluster: {use: dask, use: ray}\n",
    "an unknown anchor": "{plan}\nkeep: *other\n",
    "a merge of nothing": "{plan}\nkeep:\n  <<: 3\n",
    "a set": "{plan}\nkeep: !!set {last}\n",
    "binary": "{plan}\nseed: !!binary aGVsbG8=\n",
    "an unknown tag": "{plan}\nseed: !random 3\n",
    "JSON with a comment": '{"pool": "data/pool", // all of it\n "asr": "toy"}\n',
    "a shell script": "#!/bin/sh\necho pool\n",
    "a table": "pool,asr,development\ndata/pool,toy,dev\n",
    "an INI file": "[plan]\npool = data/pool\n",
    "comments only": "# pool: data/pool\n",
    "null": "null\n",
    "a number": "42\n",
    "a key without a value": "{plan}\nlanguage_model:\n",
    "a misspelled key": "{plan}\nminimum_utterance: 2\n",
    "a key of another case": "{plan}\nSeed: 2\n",
    "a key with a space": "{plan}\n'seed ': 2\n",
    "a key at the wrong level": "{plan}\nat_most: 30\n",
    "an option as a key": "{plan}\nepochs: 2\n",
    "a very long line": "{plan}\nnormalizer: " + "a" * 20_000 + "\n",
    "a very long key": "{plan}\n" + "k" * 2_000 + ": 1\n",
    "two megabytes": "pool: [" + "a, " * 700_000 + "]\n",
    "a form feed": "{plan}\nseed: \x0c3\n",
    "an escape": "{plan}\nlanguage: \x1b[31men\n",
}
"""Whole plans; `{plan}` is the toy plan, `{plan_nolang}` the same without its language."""

FILES: dict[str, bytes] = {
    "utf16.yaml": "pool: data/pool\n".encode("utf-16"),
    "latin1.yaml": "pool: données\n".encode("latin-1"),
    "zip.yaml": b"PK\x03\x04\x14\x00\x00\x00\x08\x00",
    "nul.yaml": b"pool: data/pool\n\x00\x00",
    "empty.yaml": b"",
}
"""Files that are no plan, by the name that a command gives."""

PLAIN_COMMANDS = (
    "check", "run", "round", "retrain", "up", "deploy", "watch", "evaluate", "approve", "refuse",
    "rollback", "status", "report", "dashboard", "compare", "study", "transcribe", "export",
    "reproduce", "forget", "corpus", "options", "demo", "doctor",
)  # fmt: skip


def list_changes() -> Iterator[Changes]:
    """Yield changes of the toy plan: values of the wrong kind, misspelled keys and parts."""
    for key, values in KEYS.items():
        for value in values:
            yield {key: value}
        yield {_misspell(key): "x"}


def _misspell(word: str) -> str:
    """Return a word with two letters exchanged, or one twice.

    >>> _misspell("pool"), _misspell("asr")
    ('poool', 'assr')
    """
    middle = len(word) // 2
    return word[:middle] + word[middle] + word[middle:]


def list_commands() -> Iterator[str]:
    """Yield wrong uses of every subcommand, by the declarations of the parser."""
    from twister_loop.cli.parser import build_parser

    for name, parser in _list_subparsers(build_parser()):
        yield f"{name} --nonsense"
        needed = [_example(action) for action in parser._actions if _is_needed(action)]
        if needed:
            yield name
        for action in parser._actions:
            if not action.option_strings or isinstance(action, argparse._HelpAction):
                continue
            flag = action.option_strings[-1]
            if action.choices:
                yield " ".join([name, *needed, flag, "nonsense"])
            elif action.nargs == 0:
                yield " ".join([name, *needed, f"{flag}=3"])
            elif action.type in (int, float) or "parse" in getattr(action.type, "__name__", ""):
                yield " ".join([name, *needed, flag, "nonsense"])
            else:
                yield " ".join([name, *needed, flag])
    for name in ("check", "run", "round", "retrain", "evaluate", "compare", "study"):
        run = "" if name == "check" else " out"
        for file in FILES:
            yield f"{name} {file}{run}"
        yield f"{name} /dev/null{run}"
        yield f"{name} {{plan}}/below.yaml{run}"
        yield f"{name} loop.yaml{run}"
        if run:
            yield f"{name} {{plan}} {{plan}}/below"
            yield f"{name} {{plan}} {'x' * 300}"
            yield f"{name} {{plan}} loop.yaml"
    for name in ("status", "report", "approve", "rollback", "export", "reproduce", "forget"):
        rest = {"rollback": " 1", "export": " out", "forget": " --speaker a"}.get(name, "")
        for folder in ("missing", "data", "{plan}", "{plan}/below", "loop.yaml", "broken", "/proc"):
            yield f"{name} {folder}{rest}"


def _list_subparsers(
    parser: argparse.ArgumentParser,
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def _is_needed(action: argparse.Action) -> bool:
    """Return whether a positional argument must be there."""
    return not action.option_strings and action.nargs not in ("?", "*")


def _example(action: argparse.Action) -> str:
    """Return something to put in the place of a positional argument."""
    if isinstance(action, argparse._SubParsersAction):
        return str(next(iter(action.choices)))
    return "{plan}" if action.dest == "plan" else "missing"


def write_files(world: Path) -> None:
    """Write what the commands name: files that are no plan, a loop of links, a broken run."""
    for name, content in FILES.items():
        (world / name).write_bytes(content)
    (world / "loop.yaml").symlink_to("loop.yaml")
    broken = world / "broken"
    broken.mkdir()
    (broken / "run.json").write_text("{")
