"""Reader of Whisper weights in CTranslate2's binary format, with the names of transformers.

Source: CTranslate2's `ModelSpec.save`, binary version 6, little-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import WhisperConfig

VERSION = 6
DTYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)
"""Data types in the order of their numbers in the format."""

Variables = dict[str, NDArray[Any]]
"""Arrays of a model by CTranslate2's names."""


def read_variables(model_bin: bytes) -> Variables:
    """Read all variables of a `model.bin`.

    Raises:
        ValueError: it has another version, or is not a Whisper.
    """
    reader = _Reader(model_bin)
    version, spec_name = reader.read_number("<I"), reader.read_text()
    if version != VERSION or spec_name != "WhisperSpec":
        raise ValueError(
            f"found a {spec_name} in binary version {version}; only a WhisperSpec in version "
            f"{VERSION} can be read"
        )
    reader.read_number("<I")  # revision of the specification: its names have never changed
    return dict(reader.read_variable() for _ in range(reader.read_number("<I")))


def build_config(variables: Variables) -> WhisperConfig:
    """Derive the model's configuration from its weights; token ids are multilingual Whisper's."""
    vocabulary_size, width = variables["decoder/embeddings/weight"].shape
    sizes: dict[str, Any] = {}
    for side in ("encoder", "decoder"):
        sizes[f"{side}_layers"] = _count_layers(variables, side)
        sizes[f"{side}_attention_heads"] = int(variables[f"{side}/num_heads"])
        sizes[f"{side}_ffn_dim"] = len(variables[f"{side}/layer_0/ffn/linear_0/bias"])
    return WhisperConfig(
        vocab_size=vocabulary_size,
        d_model=width,
        num_mel_bins=variables["encoder/conv1/weight"].shape[1],
        max_source_positions=len(variables["encoder/position_encodings/encodings"]),
        max_target_positions=len(variables["decoder/position_encodings/encodings"]),
        # Token ids are not in the format.
        decoder_start_token_id=50258,
        bos_token_id=50257,
        eos_token_id=50257,
        pad_token_id=50257,
        **sizes,
    )


def build_state_dict(variables: Variables) -> dict[str, torch.Tensor]:
    """Return the weights in float32 with the names of `WhisperForConditionalGeneration`."""
    state: dict[str, NDArray[Any]] = {}
    for side in ("encoder", "decoder"):
        for layer in range(_count_layers(variables, side)):
            source, target = f"{side}/layer_{layer}", f"model.{side}.layers.{layer}"
            state |= _attention(variables, f"{source}/self_attention", f"{target}.self_attn")
            if side == "decoder":
                state |= _attention(variables, f"{source}/attention", f"{target}.encoder_attn")
            state |= _norm(variables, f"{source}/ffn/layer_norm", f"{target}.final_layer_norm")
            for number in (0, 1):
                feed_forward = f"{source}/ffn/linear_{number}"
                state |= _linear(variables, feed_forward, f"{target}.fc{number + 1}")
        state |= _norm(variables, f"{side}/layer_norm", f"model.{side}.layer_norm")
        positions = variables[f"{side}/position_encodings/encodings"]
        state[f"model.{side}.embed_positions.weight"] = positions
    for name in ("conv1", "conv2"):
        state |= _linear(variables, f"encoder/{name}", f"model.encoder.{name}")
    # Whisper's output layer is its token embedding.
    embeddings = variables["decoder/embeddings/weight"]
    state["model.decoder.embed_tokens.weight"] = state["proj_out.weight"] = embeddings
    return {name: torch.from_numpy(array.astype(np.float32)) for name, array in state.items()}


def _attention(variables: Variables, source: str, target: str) -> Variables:
    """Return the weights of one attention and of the layer norm before it.

    The format stacks the rows of q, k, v in self-attention, and those of k, v in cross-attention.
    """
    width = len(variables[f"{source}/layer_norm/gamma"])
    stacked: list[tuple[str, str]] = [("linear_0", "qkv")]
    if f"{source}/linear_2/weight" in variables:  # cross-attention has one matrix more
        stacked = [("linear_0", "q"), ("linear_1", "kv")]
    state = _linear(variables, f"{source}/linear_{len(stacked)}", f"{target}.out_proj")
    state |= _norm(variables, f"{source}/layer_norm", f"{target}_layer_norm")
    for name, letters in stacked:
        weight = variables[f"{source}/{name}/weight"]
        bias = variables[f"{source}/{name}/bias"]
        for index, letter in enumerate(letters):
            rows = slice(index * width, (index + 1) * width)
            state[f"{target}.{letter}_proj.weight"] = weight[rows]
            if letter != "k":  # Whisper's keys have no bias; the format fills in zeros
                state[f"{target}.{letter}_proj.bias"] = bias[rows]
    return state


def _linear(variables: Variables, source: str, target: str) -> Variables:
    return {f"{target}.{kind}": variables[f"{source}/{kind}"] for kind in ("weight", "bias")}


def _norm(variables: Variables, source: str, target: str) -> Variables:
    return {
        f"{target}.weight": variables[f"{source}/gamma"],
        f"{target}.bias": variables[f"{source}/beta"],
    }


def _count_layers(variables: Variables, side: str) -> int:
    names = {name.split("/")[1] for name in variables if name.startswith(f"{side}/layer_")}
    return len(names - {"layer_norm"})  # the norm after the last layer is no layer


@dataclass
class _Reader:
    """Position in the bytes of a file."""

    content: bytes
    position: int = 0

    def read_number(self, struct_format: str) -> int:
        (number,) = struct.unpack_from(struct_format, self.content, self.position)
        self.position += struct.calcsize(struct_format)
        return int(number)

    def read_text(self) -> str:
        length = self.read_number("<H")  # counts the closing zero byte
        self.position += length
        return self.content[self.position - length : self.position - 1].decode()

    def read_variable(self) -> tuple[str, NDArray[Any]]:
        name, rank = self.read_text(), self.read_number("<B")
        shape = [self.read_number("<I") for _ in range(rank)]
        dtype, size = np.dtype(DTYPES[self.read_number("<B")]), self.read_number("<I")
        flat = np.frombuffer(self.content, dtype, size // dtype.itemsize, self.position)
        self.position += size
        return name, flat.reshape(shape)
