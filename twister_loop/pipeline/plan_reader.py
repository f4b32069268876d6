"""Read a plan from YAML and check it completely; all of its errors are reported at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core import schema
from ..core.artifacts import read_json
from ..core.errors import ConfigError, describe_os_error
from .plan import Plan
from .plan_builder import PlanBuilder, PlanError
from .plan_schema import PlanDocument
from .recorded_parts import describe_providers
from .run_check import NOTE
from .yaml_format import YAMLError, dump_yaml, find_lines, parse_yaml


def load(
    path: Path | str, changes: Mapping[str, Any] | None = None, *, run: Path | str | None = None
) -> Plan:
    """Read and check a plan.

    Relative paths in it start from the folder of the YAML file; those of a round's `plan.yaml` from
    the folder of the file that it was copied from.

    Args:
        path: The YAML file.
        changes: Top-level keys to replace, as `--set` does on the command line.
        run: Folder of the run that it is read for, whose rounds tell how parts that are missing
            now were provided; a round's copy is read for its own run.

    Raises:
        ConfigError: The file cannot be read, or something in it is wrong; the message names all of
            it, with the lines.
    """
    path, changes = Path(path), changes or {}
    try:
        source = path.read_text(encoding="utf-8-sig")
        content = parse_yaml(source)
    except FileNotFoundError as cause:
        raise ConfigError(f"{path}: cannot read plan: there is no such file") from cause
    except IsADirectoryError as cause:
        raise ConfigError(
            f"{path}: cannot read plan: it is a folder; name its YAML file"
        ) from cause
    except UnicodeDecodeError as cause:
        raise ConfigError(f"{path}: cannot read plan: it is not UTF-8 text ({cause})") from cause
    except OSError as cause:
        raise ConfigError(f"cannot read plan: {describe_os_error(cause)}") from cause
    except ValueError as cause:
        raise ConfigError(f"{path}: cannot read plan: {cause}") from cause
    except YAMLError as cause:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(cause).split())}") from cause
    if not isinstance(content, dict):
        kind = "an empty file" if content is None else schema.show_value(content)
        raise ConfigError(f"{path}: expected `key: value` lines, not {kind}")
    try:
        document = schema.parse_data(PlanDocument, {**content, **changes})
        if changes:
            source = dump_yaml({**content, **changes})
        plan = PlanBuilder(path, _base_folder(path)).build(document, source)
    except schema.RecordError as cause:
        errors = list(map(str, cause.mistakes))
        raise ConfigError(_list_errors(path, errors, source, changes)) from cause
    except PlanError as cause:
        message = _list_errors(path, cause.errors, source, changes)
        own_run = path.absolute().parent.parent if _is_copy(path) else run
        providers = describe_providers(cause.unknown_parts, Path(own_run)) if own_run else []
        raise ConfigError("\n".join([message, *providers])) from cause
    if plan.default_voices is None:
        return plan
    return replace(plan, source=_write_voices(source, plan.default_voices.specs))


def _write_voices(source: str, voices: Mapping[str, Any]) -> str:
    """Return the YAML of a plan that names no voices with those that were chosen.

    A round keeps it, so that what is installed when the round goes on does not choose again.
    """
    content = {**parse_yaml(source), "voices": voices}
    chosen = f"{source.rstrip()}\n\n# chosen by default\n{dump_yaml({'voices': voices})}"
    try:
        # Comments stay where the file is a plain mapping, to which a key can be added.
        return chosen if parse_yaml(chosen) == content else dump_yaml(content)
    except YAMLError:
        return dump_yaml(content)


def parse_value(text: str) -> Any:
    """Parse a YAML value from the command line.

    Raises:
        ConfigError: It is not valid YAML.

    >>> parse_value("[1, 2]")
    [1, 2]
    """
    try:
        return parse_yaml(text)
    except YAMLError as cause:
        raise ConfigError(f"{schema.show_value(text)}: not a YAML value") from cause


def _list_errors(path: Path, errors: list[str], source: str, changes: Mapping[str, Any]) -> str:
    """Return all errors of a plan as one message, each after the line that it stands in."""
    lines = find_lines(source)
    # In the order of the file, as an editor goes through it.
    located = sorted(
        (_find_line(lines, changes, error), number, error) for number, error in enumerate(errors)
    )
    sentences = [f"line {line}: {error}" if line else error for line, _, error in located]
    if len(sentences) == 1:
        return f"{path}: {sentences[0]}"
    listed = "\n".join(f"  {sentence}" for sentence in sentences)
    return f"{path}: {len(sentences)} mistakes:\n{listed}"


def _find_line(lines: Mapping[str, int], changes: Mapping[str, Any], error: str) -> int:
    """Return the line of the key that an error begins with; 0 if it stands nowhere in the file."""
    place = error.partition(": ")[0]
    # A value of the command line has no line, and neither has a key that is missing.
    if place.partition(".")[0] in changes:
        return 0
    while place and place not in lines:
        place = place.rpartition(".")[0]
    return lines.get(place, 0)


def _base_folder(path: Path) -> Path:
    """Return the folder that relative paths start from."""
    # A round's copy of the plan must find its data where the original found it.
    if _is_copy(path):
        return Path(read_json(path.with_name(NOTE))["folder"])
    return path.absolute().parent


def _is_copy(path: Path) -> bool:
    """Return whether a file is the copy of the plan in a round."""
    return path.name == "plan.yaml" and path.with_name(NOTE).is_file()
