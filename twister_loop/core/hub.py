"""Models and data sets of the Hugging Face hub: which are here, and what the hub says of others."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, Literal

from .errors import ConfigError
from .types import Seconds

# The hub's client takes most of a second to import, and most plans name what is here: so it is
# imported where it is needed.

HUB_TIMEOUT: Seconds = 5.0
"""Timeout of the hub's first answer to a download: where it is blocked, the error comes soon."""
QUESTION_TIMEOUT: Seconds = 3.0
"""Timeout of a question before a round, asked once in a process where there is no network."""

RepositoryKind = Literal["model", "dataset"]


def find_cached_folder(name: str, kind: RepositoryKind = "model") -> Path | None:
    """Return the folder in the hub's cache on this machine for a model or data set, or None."""
    from huggingface_hub import constants

    # The client's own names of folders: looking there needs neither the client nor a network.
    folder = Path(constants.HF_HUB_CACHE) / f"{kind}s--{name.replace('/', '--')}"
    return folder if folder.is_dir() else None


def find_cached_model(model: str, patterns: list[str]) -> Path | None:
    """Return the folder with the newest files of a model in the hub's cache, or None."""
    if find_cached_folder(model) is None:
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(snapshot_download(model, allow_patterns=patterns, local_files_only=True))
    except (OSError, HFValidationError):
        return None


@cache
def list_file_sizes(name: str, kind: RepositoryKind = "model") -> dict[str, int]:
    """Return the bytes of each file of a model or data set on the hub, by the file's name.

    Raises:
        ConfigError: The hub does not answer in time, or has no such model.
    """
    if reason := explain_unreachable():
        raise ConfigError(reason)
    from huggingface_hub import HfApi

    try:
        repository: Any = HfApi().repo_info(
            name, repo_type=kind, timeout=QUESTION_TIMEOUT, files_metadata=True
        )
    except Exception as cause:
        # Whatever the hub's client raises, as it passes on the errors of its HTTP library.
        raise ConfigError(first_line(cause)) from cause
    return {file.rfilename: file.size or 0 for file in repository.siblings or ()}


@cache
def explain_unreachable() -> str | None:
    """Return why the hub cannot be reached from here, or None if it answers."""
    from huggingface_hub import constants, get_session

    # Asked once: the client repeats each request for half a minute, and a plan may have several.
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        get_session().head(constants.ENDPOINT, timeout=QUESTION_TIMEOUT)
    except Exception as cause:
        return first_line(cause)
    return None


def first_line(cause: Exception) -> str:
    """Return the first line of an error's message without the number of the system's error."""
    # The first line says what happened; the others are advice for users of the hub alone.
    return re.sub(r"^\[Errno -?\d+\] ", "", (str(cause).strip() or repr(cause)).splitlines()[0])
