"""Where the sound of an MP3 ends: the padding that its first frame tells, put right. Pure.

ffmpeg tells at most one frame of it, but at some lengths LAME needs more, and such a file would end with up to thirty
samples that nobody recorded. Sources: the Xing header and the LAME tag as Hydrogenaudio describes them, ISO 11172-3.
"""

from pathlib import Path

HEAD = 1500  # bytes, more than any frame that holds the tag
FRAMES, TRIM, SUM = 8, 141, 154  # where in the tag these begin: number of frames, delay and padding, checksum
WHOLE = 0b1111  # everything stands in the tag that may; else LAME's words begin elsewhere
MOST = (1 << 12) - 1


def tell(path: Path, samples: int) -> None:
    """Let the MP3 at `path`, which begins with its first frame, say that `samples` of it are sound."""
    with path.open("r+b") as file:
        head = bytearray(file.read(HEAD))
        at = max(head.find(b"Xing", 0, 64), head.find(b"Info", 0, 64))
        if at < 0 or int.from_bytes(head[at + 4 : at + 8]) & WHOLE != WHOLE:
            return
        frames = int.from_bytes(head[at + FRAMES : at + FRAMES + 4])
        delay = int.from_bytes(head[at + TRIM : at + TRIM + 3]) >> 12
        padding = frames * _frame(head) - delay - samples
        if not 0 <= padding <= MOST:
            return
        head[at + TRIM : at + TRIM + 3] = (delay << 12 | padding).to_bytes(3)
        head[at + SUM : at + SUM + 2] = _checksum(head[: at + SUM]).to_bytes(2)
        file.seek(0)
        file.write(head)


def _frame(head: bytearray) -> int:
    """Samples of a frame: 1152 in MPEG-1, half as many in its later kinds."""
    return 1152 if head[1] >> 3 & 3 == 3 else 576  # noqa: PLR2004 - the two bits of its kind


def _checksum(data: bytearray) -> int:
    """CRC-16 with the polynomial 8005, lowest bit first."""
    found = 0
    for byte in data:
        found ^= byte
        for _ in range(8):
            found = found >> 1 ^ (0xA001 if found & 1 else 0)
    return found
