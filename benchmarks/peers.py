"""Other implementations of Whisper with the same weights, for the comparison in `labeling.py`.

Each runs with the documented setting that is fastest without loss of accuracy, and decodes
greedily, as ours does. If one needs another file format, the weights are rewritten.
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
"""Samples of several clips at 16 kHz, float32."""
Transcriber = Callable[[Clips], list[str]]
RATE = 16_000
GAP = np.zeros(RATE // 2, "f4")
"""Silence between two clips that are joined."""
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
"""Names of layers in transformers, and in openai-whisper."""


def pipeline(weights: Path, lang: str, batch: int, dtype: torch.dtype) -> Transcriber:
    """Return the pipeline of transformers, which pads every clip to 30 s."""
    from transformers import pipeline as build

    recognizer = build("automatic-speech-recognition", model=str(weights), dtype=dtype)
    generate_options = {"language": lang, "task": "transcribe", "num_beams": 1}

    def transcribe(clips: Clips) -> list[str]:
        inputs = [{"raw": clip, "sampling_rate": RATE} for clip in clips]
        outputs = recognizer(inputs, batch_size=batch, generate_kwargs=generate_options)
        return [output["text"] for output in outputs]

    return transcribe


def openai(weights: Path, lang: str) -> Transcriber:
    """Return openai-whisper, a clip at a time; on a CPU it computes in float32."""
    model = openai_model(weights)
    options = {"language": lang, "fp16": False, "condition_on_previous_text": False}

    def transcribe(clips: Clips) -> list[str]:
        return [model.transcribe(clip, **options)["text"] for clip in clips]

    return transcribe


def openai_model(weights: Path) -> Any:
    """Return openai-whisper with these weights."""
    import whisper

    config, state = _named_as_openai(weights)
    model = whisper.model.Whisper(whisper.model.ModelDimensions(**config))
    model.load_state_dict(state, strict=False)
    return model.eval()


def faster(weights: Path, scratch: Path, lang: str, threads: int, **options: Any) -> Transcriber:
    """Return faster-whisper, a clip at a time."""
    model = faster_model(weights, scratch, threads, "int8")
    options = {"beam_size": 1, "condition_on_previous_text": False, **options}

    def transcribe(clips: Clips) -> list[str]:
        return ["".join(s.text for s in model.transcribe(c, lang, **options)[0]) for c in clips]

    return transcribe


def faster_batched(
    weights: Path, scratch: Path, lang: str, threads: int, batch: int
) -> Transcriber:
    """Return faster-whisper's batched pipeline, over all clips as one timed recording."""
    from faster_whisper import BatchedInferencePipeline

    batched = BatchedInferencePipeline(faster_model(weights, scratch, threads, "int8"))

    def transcribe(clips: Clips) -> list[str]:
        ends = np.cumsum([len(clip) for clip in clips]) / RATE
        clip_spans = [
            {"start": float(end) - len(clip) / RATE, "end": float(end) - 0.001}
            for end, clip in zip(ends, clips, strict=True)
        ]
        segments, _ = batched.transcribe(
            np.concatenate(clips), lang, beam_size=1, batch_size=batch, clip_timestamps=clip_spans
        )
        texts = [""] * len(clips)
        for segment in segments:
            middle = (segment.start + segment.end) / 2
            texts[min(int(np.searchsorted(ends, middle)), len(clips) - 1)] += segment.text
        return texts

    return transcribe


def cpp(weights: Path, scratch: Path, lang: str, threads: int, context: bool) -> Transcriber:
    """Return whisper.cpp, a clip at a time; `context` cuts the window to the clip and 5 s."""
    from pywhispercpp.model import Model

    path = scratch / "ggml.bin"
    if not path.exists():
        write_ggml(weights, path)
    model = Model(
        str(path),
        n_threads=threads,
        redirect_whispercpp_logs_to=None,
        print_progress=False,
        print_realtime=False,
        language=lang,
        single_segment=True,
        no_context=True,
        no_timestamps=True,
    )

    def transcribe(clips: Clips) -> list[str]:
        texts = []
        for clip in clips:
            positions = min(1500, -(-(len(clip) + 5 * RATE) // (RATE // 50)))
            segments = model.transcribe(clip, audio_ctx=positions if context else 0)
            texts.append("".join(segment.text for segment in segments))
        return texts

    return transcribe


def group_clips(clips: Clips) -> Iterator[list[int]]:
    """Yield the indices of clips that make up to 30 s, with half a second between them."""
    group: list[int] = []
    length = 0
    for place, clip in enumerate(clips):
        if group and length + len(clip) > 30 * RATE:
            yield group
            group, length = [], 0
        group.append(place)
        length += len(clip) + len(GAP)
    yield group


def join_clips(clips: Clips) -> np.ndarray:
    return np.concatenate([part for clip in clips for part in (clip, GAP)][:-1])


def faster_model(weights: Path, scratch: Path, threads: int, compute_type: str = "float32") -> Any:
    """Return faster-whisper with these weights, converted in the folder `scratch`."""
    from ctranslate2.converters import TransformersConverter
    from faster_whisper import WhisperModel

    folder = scratch / f"ct2-{compute_type}"
    if not folder.exists():
        WhisperProcessor.from_pretrained(weights).save_pretrained(scratch / "processor")
        TransformersConverter(str(weights)).convert(str(folder), quantization=compute_type)
        fast = scratch / "processor" / "tokenizer.json"
        (folder / "tokenizer.json").write_bytes(fast.read_bytes())
    return WhisperModel(str(folder), device="cpu", compute_type=compute_type, cpu_threads=threads)


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
    """Write the weights for whisper.cpp in float16, as its convert-pt-to-ggml.py does."""
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
            array = tensor.numpy()
            if name in {"encoder.conv1.bias", "encoder.conv2.bias"}:
                array = array.reshape(-1, 1)
            half = array.ndim > 1 and "bias" not in name and "positional" not in name
            written = name.encode()
            file.write(struct.pack("3i", array.ndim, len(written), int(half)))
            file.write(struct.pack(f"{array.ndim}i", *reversed(array.shape)))
            file.write(written + array.astype("f2" if half else "f4").tobytes())
