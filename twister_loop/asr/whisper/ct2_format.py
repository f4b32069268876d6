"""Reads Whisper weights in CTranslate2's binary format, and names them as transformers does.

Source: the format is that of CTranslate2's `ModelSpec.save`, binary version 6, little-endian.
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
"""By the number that the format gives each of them."""

Variables = dict[str, NDArray[Any]]


def read_variables(data: bytes) -> Variables:
    """Every variable of a `model.bin` by its name. Raises ValueError for another format."""
    cursor = _Cursor(data)
    version, kind = cursor.number("<I"), cursor.text()
    if version != VERSION or kind != "WhisperSpec":
        raise ValueError(f"a {kind} of binary version {version}, not a WhisperSpec of {VERSION}")
    cursor.number("<I")  # the revision of the specification: its names have never changed
    return dict(cursor.variable() for _ in range(cursor.number("<I")))


def build_config(variables: Variables) -> WhisperConfig:
    """The shape of the model, told from its weights; token ids are multilingual Whisper's."""
    vocabulary, width = variables["decoder/embeddings/weight"].shape
    options: dict[str, Any] = {}
    for side in ("encoder", "decoder"):
        options[f"{side}_layers"] = _layers(variables, side)
        options[f"{side}_attention_heads"] = int(variables[f"{side}/num_heads"])
        options[f"{side}_ffn_dim"] = len(variables[f"{side}/layer_0/ffn/linear_0/bias"])
    return WhisperConfig(
        vocab_size=vocabulary,
        d_model=width,
        num_mel_bins=variables["encoder/conv1/weight"].shape[1],
        max_source_positions=len(variables["encoder/position_encodings/encodings"]),
        max_target_positions=len(variables["decoder/position_encodings/encodings"]),
        decoder_start_token_id=50258,
        bos_token_id=50257,
        eos_token_id=50257,
        pad_token_id=50257,
        **options,
    )


def build_state_dict(variables: Variables) -> dict[str, torch.Tensor]:
    """The weights as `WhisperForConditionalGeneration` names them, float32."""
    state: dict[str, NDArray[Any]] = {}
    for side in ("encoder", "decoder"):
        for layer in range(_layers(variables, side)):
            source, target = f"{side}/layer_{layer}", f"model.{side}.layers.{layer}"
            state |= _attention(variables, f"{source}/self_attention", f"{target}.self_attn")
            if side == "decoder":
                state |= _attention(variables, f"{source}/attention", f"{target}.encoder_attn")
            state |= _norm(variables, f"{source}/ffn/layer_norm", f"{target}.final_layer_norm")
            for number in (0, 1):
                ffn = f"{source}/ffn/linear_{number}"
                state |= _linear(variables, ffn, f"{target}.fc{number + 1}")
        state |= _norm(variables, f"{side}/layer_norm", f"model.{side}.layer_norm")
        positions = variables[f"{side}/position_encodings/encodings"]
        state[f"model.{side}.embed_positions.weight"] = positions
    for name in ("conv1", "conv2"):
        state |= _linear(variables, f"encoder/{name}", f"model.encoder.{name}")
    embeddings = variables["decoder/embeddings/weight"]
    state["model.decoder.embed_tokens.weight"] = state["proj_out.weight"] = embeddings
    return {name: torch.from_numpy(each.astype(np.float32)) for name, each in state.items()}


def _attention(variables: Variables, source: str, target: str) -> Variables:
    """The format joins q, k, v of self-attention, and k, v of cross-attention, row by row."""
    width = len(variables[f"{source}/layer_norm/gamma"])
    joined: list[tuple[str, str]] = [("linear_0", "qkv")]
    if f"{source}/linear_2/weight" in variables:
        joined = [("linear_0", "q"), ("linear_1", "kv")]
    state = _linear(variables, f"{source}/linear_{len(joined)}", f"{target}.out_proj")
    state |= _norm(variables, f"{source}/layer_norm", f"{target}_layer_norm")
    for name, letters in joined:
        for place, letter in enumerate(letters):
            rows = slice(place * width, (place + 1) * width)
            weight, bias = (variables[f"{source}/{name}/{kind}"] for kind in ("weight", "bias"))
            state[f"{target}.{letter}_proj.weight"] = weight[rows]
            if letter != "k":  # Whisper's keys have no bias
                state[f"{target}.{letter}_proj.bias"] = bias[rows]
    return state


def _linear(variables: Variables, source: str, target: str) -> Variables:
    return {f"{target}.{kind}": variables[f"{source}/{kind}"] for kind in ("weight", "bias")}


def _norm(variables: Variables, source: str, target: str) -> Variables:
    return {
        f"{target}.weight": variables[f"{source}/gamma"],
        f"{target}.bias": variables[f"{source}/beta"],
    }


def _layers(variables: Variables, side: str) -> int:
    found = {name.split("/")[1] for name in variables if name.startswith(f"{side}/layer_")}
    return len(found - {"layer_norm"})


@dataclass
class _Cursor:
    """Walks through the bytes."""

    data: bytes
    at: int = 0

    def number(self, form: str) -> int:
        (value,) = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return int(value)

    def text(self) -> str:
        length = self.number("<H")  # counts the closing zero
        self.at += length
        return self.data[self.at - length : self.at - 1].decode()

    def variable(self) -> tuple[str, NDArray[Any]]:
        name, rank = self.text(), self.number("<B")
        shape = [self.number("<I") for _ in range(rank)]
        dtype, size = np.dtype(DTYPES[self.number("<B")]), self.number("<I")
        values = np.frombuffer(self.data, dtype, size // dtype.itemsize, self.at)
        self.at += size
        return name, values.reshape(shape)
