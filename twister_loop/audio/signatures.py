"""First bytes of files: which of them may hold sound, and which hold text.

Recordings lose their endings when they are copied from telephones and switches, and get wrong ones
from people. A decoder has the last word; the first bytes only tell which files to give it.
"""

from __future__ import annotations

import codecs
import re

SNIFFED_BYTES = 512
"""Bytes of a file that tell its kind: an MPEG transport stream needs 189 of them."""
CONTAINERS = (
    b"fLaC", b"OggS", b".snd", b"caff", b"riff\x2e\x91\xcf\x11", b"NIST_1A", b"ID3", b"#!AMR",
    b"FLV\x01", b"wvpk", b"MAC ", b"TTA1", b"MPCK", b"MP+", b"#!SILK", b"\x02#!SILK", b".RMF",
    b"\x1a\x45\xdf\xa3",  # EBML: Matroska, WebM
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF: WMA, WMV
    b"\x00\x00\x01\xba",  # MPEG program stream
    b"\x0b\x77",  # AC-3
)  # fmt: skip
"""First bytes of formats with sound."""
RIFF_KINDS = (b"WAVE", b"AVI ")
"""Kinds of RIFF files with sound; WebP images are RIFF files too."""
IMAGE_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis", b"crx ")
"""Brands of ISO media files (`ftyp`) that are photographs."""
TEXT_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF8)
CONTROL_BYTES = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
"""Bytes that no text holds in UTF-8 or in an encoding of one or two bytes a character."""


def looks_like_sound(first_bytes: bytes) -> bool:
    """Return whether a file that begins so may be a recording, with or without pictures.

    >>> looks_like_sound(b"RIFF" + bytes(4) + b"WAVEfmt "), looks_like_sound(b"RIFF, said Raff")
    (True, False)
    """
    if first_bytes.startswith(CONTAINERS):
        return True
    # The size of the file comes between.
    if first_bytes.startswith((b"RIFF", b"RF64", b"RIFX", b"BW64")):
        return first_bytes[8:12] in RIFF_KINDS
    if first_bytes.startswith(b"FORM"):
        return first_bytes[8:12] in {b"AIFF", b"AIFC", b"8SVX"}
    # ISO media files begin with the size of their first box, and QuickTime's with any box.
    if first_bytes[4:8] in {b"ftyp", b"moov", b"mdat", b"wide"}:
        return first_bytes[8:12] not in IMAGE_BRANDS
    # Packets of 188 bytes, each with the same first byte.
    is_transport_stream = first_bytes[0:377:188] == b"GGG"
    return is_transport_stream or _is_mpeg_frame(first_bytes)


def _is_mpeg_frame(header: bytes) -> bool:
    """Return whether a file begins with a frame of MPEG audio or of AAC (ADTS).

    The layout of the 32 bits is that of ISO/IEC 11172-3 and 13818-7. Layer I is left out: a mark
    of UTF-16 would pass for it, and nobody uses it.
    """
    if len(header) < 4 or header[0] != 0xFF:
        return False
    if header[1] & 0xF6 == 0xF0:  # ADTS: 12 bits of sync, layer 0
        return header[2] >> 2 & 0b1111 < 13  # a sample rate that exists
    version, layer = header[1] >> 3 & 0b11, header[1] >> 1 & 0b11
    bit_rate, sample_rate = header[2] >> 4, header[2] >> 2 & 0b11
    # Version 2.5 has layer III only.
    is_known_layer = layer == 1 or (layer == 2 and version > 1)
    has_sync = header[1] & 0xE0 == 0xE0
    return has_sync and version != 1 and is_known_layer and bit_rate < 15 and sample_rate < 3


def looks_like_text(first_bytes: bytes) -> bool:
    """Return whether a file that begins so is text, such as a list, a page or a program.

    >>> looks_like_text("파일 목록".encode("cp949")), looks_like_text(bytes(16))
    (True, False)
    """
    if first_bytes.startswith(TEXT_MARKS):
        return True
    if not first_bytes or CONTROL_BYTES.search(first_bytes):
        return False
    try:
        # The last character may be cut off.
        codecs.getincrementaldecoder("utf-8")().decode(first_bytes)
    except UnicodeDecodeError:
        # In an older encoding. Silence in mu-law has no control bytes either, but no spaces.
        return bool(re.search(rb"[ \n]", first_bytes))
    return True
