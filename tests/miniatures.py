"""Miniature corpora in the format of their distribution, with its irregularities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000


def make_tone(number: int, seconds: float = 0.1, rate: int = RATE) -> np.ndarray:
    """Return a different tone for every number, so that no two recordings are the same."""
    return 0.1 * np.sin(np.arange(round(seconds * rate)) * (0.1 + number / 1000))


def write_tone(path: Path, number: int, seconds: float = 0.1, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    encoding = {"format": "MP3"} if path.suffix == ".mp3" else {"subtype": "PCM_16"}
    soundfile.write(path, make_tone(number, seconds, rate), rate, **encoding)
    return path


def write_headerless(path: Path, number: int, odd: bool = False) -> Path:
    """Write 16-bit little-endian samples without a header; `odd` adds half a sample."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pcm = (make_tone(number) * 32767).astype("<i2").tobytes()
    path.write_bytes(pcm + b"\x01" * odd)
    return path


KSPON = {
    1: "아/ 몬 소리야, 그건 또. b/",
    2: "b/ 아/ 모+ 몬 소리야 (70%)/(칠 십 퍼센트) 확률이라니 n/",
    3: "(100%)(백 프로) 맞아. o/ l/",
    4: "n/ 그* u/ 갔는데? (ARS)/(에이 알 에스)",
    5: "( 3시 ) / ( 세 시 )에 봐요",
    6: "{이상한} 표시",
    7: "x/ 모르는 소리",
}
"""Transcripts by number, as the files have them."""
KSPON_PERCENT = {87_797: "20% 정도", 501_006: "20% 정도"}


def kspon_name(number: int, folder: str = "KsponSpeech_01") -> str:
    return f"{folder}/KsponSpeech_{number // 1000 + 1:04d}/KsponSpeech_{number:06d}"


def write_ksponspeech(root: Path) -> Path:
    """Write five folders, an evaluation folder and the lists, as AI-Hub's archives unpack."""
    texts = {**KSPON, **KSPON_PERCENT}
    for number, text in texts.items():
        audio = write_headerless(root / f"{kspon_name(number)}.pcm", number, odd=number == 2)
        audio.with_suffix(".txt").write_bytes(text.encode("cp949"))
    utf8 = write_headerless(root / f"{kspon_name(300, 'KsponSpeech_03')}.pcm", 300)
    utf8.with_suffix(".txt").write_text("똠방각하", encoding="utf-8")  # no cp949
    broken = write_headerless(root / f"{kspon_name(301, 'KsponSpeech_03')}.pcm", 301)
    broken.with_suffix(".txt").write_bytes(b"\xff\xfe\xff")
    # A recording without a transcript, and a transcript without a recording.
    write_headerless(root / f"{kspon_name(302, 'KsponSpeech_03')}.pcm", 302)
    transcript_only = root / f"{kspon_name(303, 'KsponSpeech_03')}.txt"
    transcript_only.write_bytes("아무도 말하지 않았다".encode("cp949"))
    lists = root / "KsponSpeech_scripts"
    lists.mkdir()
    lines = [f"{kspon_name(number)}.pcm :: {text}" for number, text in KSPON.items()]
    lines += [f"{kspon_name(999)}.pcm :: 녹음이 없다", "no list has this"]
    (lists / "train.trn").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for kind, first in (("clean", 1), ("other", 3001)):
        name = f"KsponSpeech_eval/eval_{kind}/KsponSpeech_E{first:05d}.pcm"
        write_headerless(root / name, first)
        (lists / f"eval_{kind}.trn").write_text(f"{name} :: 응/ 그래. b/\n", encoding="utf-8")
    return root
