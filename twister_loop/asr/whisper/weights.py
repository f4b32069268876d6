"""Pretrained weights of Whisper: in a folder, on the Hugging Face hub, or in Python packages."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from ...core.cache import cache_folder
from ...core.errors import ConfigError, EngineError
from ...core.hub import HUB_TIMEOUT, find_cached_model, first_line, list_file_sizes
from ...core.types import Checkpoint
from .._base import WeightsStatus
from .model_folder import HALF_PRECISION, describe_folder, list_weight_files
from .packages import (
    BINARY_BYTES,
    CONVERTED,
    PACKAGE_VERSION,
    PACKAGED,
    PACKAGES,
    is_installed,
)
from .published import PUBLISHED

# The hub's client and transformers are imported where weights are fetched or converted: importing
# them takes seconds, and most commands only read a plan.

log = logging.getLogger(__name__)


def locate_weights(model: str) -> Checkpoint:
    """Return the checkpoint of `model`, downloaded or converted if necessary.

    Args:
        model: a folder, or a name on the hub. Weights of openai/whisper-base are taken from Python
            packages, if these are installed and the hub's cache does not have it.

    Raises:
        ConfigError: the weights are not found; the message lists the remedies.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        # Absolute, since processes of other working directories read the checkpoint.
        return _checkpoint(folder.absolute(), f"the folder {folder}")
    # Before the hub: who installed the packages has downloaded the same weights already. After its
    # cache, so that a run which began with that goes on.
    if model == PACKAGED and not _find_in_hub_cache(model) and (packaged := _convert_packages()):
        source = f"the packages {' and '.join(PACKAGES)} {PACKAGE_VERSION}"
        log.info("using weights of %s from %s", model, source)
        return _checkpoint(packaged, source)
    # The hub's client takes most of a second to import, and a folder needs none.
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return _checkpoint(_download(model), f"the hub, {model}")
    except (HfHubHTTPError, HFValidationError, OSError) as cause:
        # The first line says what happened; the others are advice for users of the hub alone.
        raise ConfigError(_describe_remedies(model, first_line(cause))) from cause


def _convert_packages() -> Path | None:
    """Return the folder of the packaged weights, or None if they are not installed."""
    from .packaged_weights import convert_packages_once

    return convert_packages_once()


def find_weights(model: str) -> WeightsStatus:
    """Find the weights of `model` without downloading or converting them.

    Takes at most `HUB_TIMEOUT` seconds, where the hub does not answer.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return _describe_folder(model, folder, f"the folder {folder}")
    if cached := _find_in_hub_cache(model):
        return _describe_folder(model, cached, "the hub's cache on this machine")
    if model == PACKAGED and all(map(is_installed, PACKAGES)):
        source = f"the packages {' and '.join(PACKAGES)} {PACKAGE_VERSION}"
        converted = cache_folder() / CONVERTED
        if converted.is_dir():
            return _describe_folder(model, converted, source)
        return _describe_published(model, source, BINARY_BYTES)
    try:
        files = list_file_sizes(model)
    except ConfigError as cause:
        problem = _describe_remedies(model, str(cause))
        return _describe_published(model, "nowhere", problem=problem)
    size = sum(size for name, size in files.items() if name.endswith(".safetensors"))
    return _describe_published(model, "the hub; they will be downloaded", size or None)


def list_models_at_hand() -> list[WeightsStatus]:
    """Return the published multilingual models whose weights are on this machine, smallest first.

    Looks into the hub's cache and at the packages, and needs no network.
    """
    models = list[WeightsStatus]()
    for model in PUBLISHED:
        if cached := _find_in_hub_cache(model):
            models.append(_describe_folder(model, cached, "the hub's cache on this machine"))
        elif model == PACKAGED and all(map(is_installed, PACKAGES)):
            source = f"the packages {' and '.join(PACKAGES)} {PACKAGE_VERSION}"
            models.append(_describe_published(model, source, BINARY_BYTES))
    # A cache that lost a file has a problem, and is not at hand.
    usable = [status for status in models if not status.problem]
    return sorted(usable, key=lambda status: status.parameters or 0)


def _describe_published(
    model: str, source: str, size: int | None = None, problem: str | None = None
) -> WeightsStatus:
    """Describe weights that are not in a folder of this machine; sizes are public facts."""
    description = PUBLISHED.get(model)
    if description is None:
        return WeightsStatus(model, source, size, problem=problem)
    parameters = description.sizes.count_parameters()
    return WeightsStatus(
        model, source, size or description.stored_bytes, parameters, problem=problem
    )


def _describe_folder(model: str, folder: Path, source: str) -> WeightsStatus:
    try:
        size = sum(path.stat().st_size for path in list_weight_files(folder))
        description = describe_folder(folder)
    except (ConfigError, EngineError) as cause:
        return WeightsStatus(model, source, problem=str(cause))
    bytes_per_parameter = 2 if description.dtype in HALF_PRECISION else 4
    return WeightsStatus(model, source, size, size // bytes_per_parameter, folder)


def _find_in_hub_cache(model: str) -> Path | None:
    folder = find_cached_model(model, ["*.json"])
    return folder if folder and any(folder.glob("model*.safetensors")) else None


def hash_weights(folder: Path) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of all weight files."""
    # Contents alone, not names or times: a copy elsewhere has the same hash, and results by it are
    # read from the cache.
    digest = hashlib.sha256()
    for path in list_weight_files(folder):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _checkpoint(folder: Path, source: str) -> Checkpoint:
    return Checkpoint("whisper", folder, source=source, digest=hash_weights(folder))


def _download(model: str) -> Path:
    """Return the folder of a model in the hub's local cache, after a download if necessary."""
    from huggingface_hub import snapshot_download

    patterns = ["*.json", "*.txt", "model*.safetensors"]
    # The cache first, so that a run needs no network once the model is there.
    for local_only in (True, False):
        try:
            folder = Path(
                snapshot_download(
                    model,
                    allow_patterns=patterns,
                    etag_timeout=HUB_TIMEOUT,
                    local_files_only=local_only,
                )
            )
            if any(folder.glob("model*.safetensors")):
                return folder
        except OSError:
            if not local_only:
                raise
    # Older repositories have weights only as a pickle, which transformers loads without running
    # code in it. Last, so that it is not downloaded beside the same weights in safetensors.
    return Path(snapshot_download(model, allow_patterns=[*patterns[:2], "pytorch_model*.bin"]))


def _describe_remedies(model: str, reason: str) -> str:
    packages = " ".join(f"{package}=={PACKAGE_VERSION}" for package in PACKAGES)
    return (
        f"no weights for the model {model!r}: it is not a local folder, and it is not available on "
        f"the hub ({reason}). Name a folder that holds a Whisper model; or connect to the hub "
        f"(HF_ENDPOINT, HF_TOKEN), or copy its cache from another machine (HF_HOME); or, for "
        f"{PACKAGED}, pip install {packages}"
    )
