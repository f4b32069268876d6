"""Other people's Whisper, with exactly our weights: what `labeling.py` holds ours against.

Each gets the setting in which it is fastest at no loss of accuracy that its makers document, and
greedy decoding, as ours. Where a peer wants another file format, the weights are rewritten.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import WhisperForConditionalGeneration, WhisperProcessor

Clips = Sequence[np.ndarray]
"""Samples at 16 kHz, float32."""
Hear = Callable[[Clips], list[str]]
RATE = 16_000
GAP = np.zeros(RATE // 2, "f4")
"""Between two clips that are joined."""
OPENAI = {
    "layers": "blocks",
    "self_attn.k_proj": "attn.key",
    "self_attn.v_proj": "attn.value",
    "self_attn.q_proj": "attn.query",
    "self_attn.out_proj": "attn.out",
    "self_attn_layer_norm": "attn_ln",
    "encoder_attn.k_proj": "cross_attn.key",
    "encoder_attn.v_proj": "cross_attn.value",
    "encoder_attn.q_proj": "cross_attn.query",
    "encoder_attn.out_proj": "cross_attn.out",
    "encoder_attn_layer_norm": "cross_attn_ln",
    "fc1": "mlp.0",
    "fc2": "mlp.2",
    "final_layer_norm": "mlp_ln",
    "encoder.layer_norm": "encoder.ln_post",
    "decoder.layer_norm": "decoder.ln",
    "encoder.embed_positions.weight": "encoder.positional_embedding",
    "decoder.embed_positions.weight": "decoder.positional_embedding",
    "embed_tokens": "token_embedding",
}
"""Names of transformers, and those of openai-whisper."""


def pipeline(weights: Path, lang: str, batch: int, dtype: torch.dtype) -> Hear:
    """Transformers' pipeline, which pads every clip to 30 s."""
    from transformers import pipeline as build

    recognizer = build("automatic-speech-recognition", model=str(weights), dtype=dtype)
    said = {"language": lang, "task": "transcribe", "num_beams": 1}

    def hear(clips: Clips) -> list[str]:
        given = [{"raw": clip, "sampling_rate": RATE} for clip in clips]
        found = recognizer(given, batch_size=batch, generate_kwargs=said)
        return [each["text"] for each in found]

    return hear


def openai(weights: Path, lang: str) -> Hear:
    """openai-whisper, a clip at a time; on a processor it computes in float32."""
    import whisper

    config, state = _named_as_openai(weights)
    model = whisper.model.Whisper(whisper.model.ModelDimensions(**config))
    model.load_state_dict(state, strict=False)
    model.eval()
    options = {"language": lang, "fp16": False, "condition_on_previous_text": False}

    def hear(clips: Clips) -> list[str]:
        return [model.transcribe(clip, **options)["text"] for clip in clips]

    return hear


def faster(weights: Path, scratch: Path, lang: str, threads: int, **options: Any) -> Hear:
    """faster-whisper, a clip at a time."""
    model = _faster(weights, scratch, threads)
    options = {"beam_size": 1, "condition_on_previous_text": False, **options}

    def hear(clips: Clips) -> list[str]:
        return ["".join(s.text for s in model.transcribe(c, lang, **options)[0]) for c in clips]

    return hear


def faster_batched(weights: Path, scratch: Path, lang: str, threads: int, batch: int) -> Hear:
    """faster-whisper's batched pipeline over all clips as one recording, told where each lies."""
    from faster_whisper import BatchedInferencePipeline

    batched = BatchedInferencePipeline(_faster(weights, scratch, threads))

    def hear(clips: Clips) -> list[str]:
        ends = np.cumsum([len(clip) for clip in clips]) / RATE
        stretches = [
            {"start": float(end) - len(clip) / RATE, "end": float(end) - 0.001}
            for end, clip in zip(ends, clips, strict=True)
        ]
        segments, _ = batched.transcribe(
            np.concatenate(clips), lang, beam_size=1, batch_size=batch, clip_timestamps=stretches
        )
        texts = [""] * len(clips)
        for each in segments:
            middle = (each.start + each.end) / 2
            texts[min(int(np.searchsorted(ends, middle)), len(clips) - 1)] += each.text
        return texts

    return hear


def cpp(weights: Path, scratch: Path, lang: str, threads: int, context: bool) -> Hear:
    """whisper.cpp, a clip at a time; with `context` it hears 5 s more than the clip, as ours."""
    from pywhispercpp.model import Model

    file = scratch / "ggml.bin"
    if not file.exists():
        write_ggml(weights, file)
    model = Model(
        str(file),
        n_threads=threads,
        redirect_whispercpp_logs_to=None,
        print_progress=False,
        print_realtime=False,
        language=lang,
        single_segment=True,
        no_context=True,
        no_timestamps=True,
    )

    def hear(clips: Clips) -> list[str]:
        texts = []
        for clip in clips:
            positions = min(1500, -(-(len(clip) + 5 * RATE) // (RATE // 50)))
            found = model.transcribe(clip, audio_ctx=positions if context else 0)
            texts.append("".join(each.text for each in found))
        return texts

    return hear


def joined(clips: Clips) -> Iterator[list[int]]:
    """Places of clips that make up to 30 s together, half a second between them."""
    group: list[int] = []
    length = 0
    for place, clip in enumerate(clips):
        if group and length + len(clip) > 30 * RATE:
            yield group
            group, length = [], 0
        group.append(place)
        length += len(clip) + len(GAP)
    yield group


def join(clips: Clips) -> np.ndarray:
    return np.concatenate([part for clip in clips for part in (clip, GAP)][:-1])


def _faster(weights: Path, scratch: Path, threads: int) -> Any:
    from ctranslate2.converters import TransformersConverter
    from faster_whisper import WhisperModel

    folder = scratch / "ct2-int8"
    if not folder.exists():
        WhisperProcessor.from_pretrained(weights).save_pretrained(scratch / "processor")
        TransformersConverter(str(weights)).convert(str(folder), quantization="int8")
        fast = scratch / "processor" / "tokenizer.json"
        (folder / "tokenizer.json").write_bytes(fast.read_bytes())
    return WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=threads)


def _named_as_openai(weights: Path) -> tuple[dict[str, int], dict[str, torch.Tensor]]:
    model = WhisperForConditionalGeneration.from_pretrained(weights, dtype=torch.float32)
    config = model.config
    state = {}
    for name, tensor in model.model.state_dict().items():
        for theirs, ours in OPENAI.items():
            name = name.replace(theirs, ours)
        state[name] = tensor
    return {
        "n_mels": config.num_mel_bins,
        "n_audio_ctx": config.max_source_positions,
        "n_audio_state": config.d_model,
        "n_audio_head": config.encoder_attention_heads,
        "n_audio_layer": config.encoder_layers,
        "n_vocab": config.vocab_size,
        "n_text_ctx": config.max_target_positions,
        "n_text_state": config.d_model,
        "n_text_head": config.decoder_attention_heads,
        "n_text_layer": config.decoder_layers,
    }, state


def write_ggml(weights: Path, out: Path) -> None:
    """The weights as whisper.cpp reads them, float16 (the layout of its convert-pt-to-ggml.py)."""
    import whisper

    config, state = _named_as_openai(weights)
    assets = Path(whisper.__file__).parent / "assets"
    mels = np.load(assets / "mel_filters.npz")[f"mel_{config['n_mels']}"]
    lines = (assets / "multilingual.tiktoken").read_text().splitlines()
    words = [base64.b64decode(line.split()[0]) for line in lines if line]
    with out.open("wb") as file:
        file.write(struct.pack("i", 0x67676D6C))
        order = "n_vocab n_audio_ctx n_audio_state n_audio_head n_audio_layer".split()
        order += "n_text_ctx n_text_state n_text_head n_text_layer n_mels".split()
        file.write(struct.pack("11i", *(config[name] for name in order), 1))
        file.write(struct.pack("2i", *mels.shape))
        file.write(mels.astype("f4").tobytes())
        file.write(struct.pack("i", len(words)))
        for word in words:
            file.write(struct.pack("i", len(word)) + word)
        for name, tensor in state.items():
            values = tensor.numpy()
            if name in {"encoder.conv1.bias", "encoder.conv2.bias"}:
                values = values.reshape(-1, 1)
            half = values.ndim > 1 and "bias" not in name and "positional" not in name
            written = name.encode()
            file.write(struct.pack("3i", values.ndim, len(written), int(half)))
            file.write(struct.pack(f"{values.ndim}i", *reversed(values.shape)))
            file.write(written + values.astype("f2" if half else "f4").tobytes())
