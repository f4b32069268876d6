"""Files of Coqui's XTTS v2: in a folder, or on the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...asr._base import WeightsStatus
from ...core.errors import ConfigError
from ...core.hub import find_cached_model, list_file_sizes

CONFIG, WEIGHTS, VOCABULARY = MODEL_FILES = ("config.json", "model.pth", "vocab.json")
FINE_TUNING_FILES = ("mel_stats.pth", "dvae.pth")
"""Further files that fine-tuning needs, under the names they have on the hub: the autoencoder that
turns audio into tokens, and the statistics of its input."""


def find_model_folder(model: str, more_files: Sequence[str] = ()) -> Path:
    """Return the folder of a model: a local one, or a download from the Hugging Face hub.

    Raises:
        ConfigError: there is none, or one of its files or of `more_files` is missing.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    folder, files = Path(model).expanduser(), [*MODEL_FILES, *more_files]
    if not folder.is_dir():
        try:
            folder = Path(snapshot_download(model, allow_patterns=files))
        except (HfHubHTTPError, HFValidationError, OSError) as cause:
            reason = str(cause).splitlines()[0]
            raise ConfigError(f"xtts: {_describe_remedy(model, files, reason)}") from cause
    # `snapshot_download` is silent about patterns that match no file.
    if missing := [name for name in files if not (folder / name).is_file()]:
        raise ConfigError(f"xtts: {folder} lacks {', '.join(missing)}")
    return folder


def find_model_status(model: str, more_files: Sequence[str] = ()) -> WeightsStatus:
    """Find the files of a model without downloading them; see `find_model_folder`."""
    folder, files = Path(model).expanduser(), [*MODEL_FILES, *more_files]
    source = f"the folder {folder}"
    if not folder.is_dir():
        cached = find_cached_model(model, files)
        if cached is None:
            return _ask_hub(model, files)
        folder, source = cached, "the hub's cache on this machine"
    if missing := [name for name in files if not (folder / name).is_file()]:
        return WeightsStatus(model, source, problem=f"{folder} lacks {', '.join(missing)}")
    size = sum((folder / name).stat().st_size for name in files)
    return WeightsStatus(model, source, size, folder=folder)


def _ask_hub(model: str, files: Sequence[str]) -> WeightsStatus:
    try:
        sizes = list_file_sizes(model)
    except ConfigError as cause:
        return WeightsStatus(model, "nowhere", problem=_describe_remedy(model, files, str(cause)))
    size = sum(sizes.get(name, 0) for name in files)
    return WeightsStatus(model, "the hub; they will be downloaded", size or None)


def _describe_remedy(model: str, files: Sequence[str], reason: str) -> str:
    return (
        f"cannot find the model {model!r}: it is not a local folder, and cannot be downloaded from "
        f"the hub ({reason}); put {', '.join(files)} into a folder and set `model` to it"
    )
