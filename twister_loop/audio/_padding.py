"""Samples that lossy encoders add to a recording, where FFmpeg does not drop them itself.

FFmpeg drops what a container tells. Raw AAC and MP3 without a tag tell nothing, and of joined MP3
files FFmpeg reads what the first one tells.
"""

from __future__ import annotations

MP3_DECODER_DELAY = 529
"""Samples by which MP3 decoders are late, which LAME's tag does not count."""
MP3_ENCODER_DELAY = 576
"""Samples that LAME, and encoders like it, put before a recording."""
TAG_OFFSETS = (13, 21, 36)
"""Bytes of the header and of the empty side information before the tag of an MP3 file."""
TAG_FIELDS = ((1, 4), (2, 4), (4, 100), (8, 4))
"""Flag and bytes of the optional fields of the tag; the first is the number of frames."""
DELAYS_OFFSET = 21
"""Bytes in LAME's part of the tag before 12 bits for samples at the start, and 12 at the end."""


class Padding:
    """Samples to keep of consecutive frames.

    >>> padding = Padding("aac", is_told=False)
    >>> padding.keep(1024), padding.keep(1024)
    ((1024, 1024), (0, 1024))
    """

    def __init__(self, codec: str, *, is_told: bool) -> None:
        """Begin before the first frame of a file.

        Args:
            codec: its name in FFmpeg.
            is_told: FFmpeg knows how many samples to drop at the start, and drops them.
        """
        self._is_mp3 = codec.startswith("mp3")
        # The first frame of AAC only prepares the second, which overlaps with it.
        self._drops_frame = codec == "aac" and not is_told
        untold = self._is_mp3 and not is_told
        self._skip = MP3_ENCODER_DELAY + MP3_DECODER_DELAY if untold else 0
        self._position, self._frames, self._end_padding = 0, 0, 0

    def is_sound(self, packet: bytes) -> bool:
        """Return whether a packet is a frame of sound, and not the tags between two MP3 files."""
        if not self._is_mp3:
            return True
        name = max(packet.find(b"Info"), packet.find(b"Xing"))
        # A tag may lie in the packet before the frame that tells about the next file.
        starts = (name - offset for offset in TAG_OFFSETS if name >= offset)
        if any(packet[start] == 0xFF and packet[start + 1] >= 0xE0 for start in starts):
            self._begin_file(packet[name:])
            return False
        if packet[0] != 0xFF and (b"ID3" in packet or b"TAG" in packet):
            self._skip, self._frames = MP3_ENCODER_DELAY + MP3_DECODER_DELAY, 0
        return packet[0] == 0xFF

    def _begin_file(self, tag: bytes) -> None:
        """Take over what the tag in the first frame of an MP3 file tells about it."""
        flags = tag[7]
        lame = 8 + sum(size for flag, size in TAG_FIELDS if flags & flag) + DELAYS_OFFSET
        delays = int.from_bytes(tag[lame : lame + 3], "big")
        self._frames = int.from_bytes(tag[8:12], "big") if flags & 1 else 0
        self._skip = (delays >> 12 if delays else MP3_ENCODER_DELAY) + MP3_DECODER_DELAY
        self._end_padding = max(0, (delays & 0xFFF) - MP3_DECODER_DELAY)
        self._position = 0

    def keep(self, length: int) -> tuple[int, int]:
        """Return the first sample to keep of the next frame, and the one behind the last."""
        if self._drops_frame:
            self._drops_frame = False
            return length, length
        start = min(length, self._skip)
        self._skip -= start
        end = length
        # All frames of an MP3 file have the same length.
        if self._position < self._frames * length:
            last = self._frames * length - self._end_padding
            end = max(start, min(length, last - self._position))
            self._position += length
        return start, end
