"""Small files that would become huge ones, written byte by byte: what no encoder can be asked for."""

import struct
from pathlib import Path

BLOCK = 65_535  # samples of the longest FLAC frame
_CRC8 = [0] * 256
_CRC16 = [0] * 256
for _value in range(256):
    _eight, _sixteen = _value, _value << 8
    for _ in range(8):
        _eight = (_eight << 1 ^ (0x07 if _eight & 0x80 else 0)) & 0xFF
        _sixteen = (_sixteen << 1 ^ (0x8005 if _sixteen & 0x8000 else 0)) & 0xFFFF
    _CRC8[_value], _CRC16[_value] = _eight, _sixteen


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = _CRC8[crc ^ byte]
    return crc


def _crc16(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = (crc << 8 & 0xFFFF) ^ _CRC16[crc >> 8 ^ byte]
    return crc


def _coded(number: int) -> bytes:
    """A frame's number, coded as UTF-8 does with letters."""
    if number < 0x80:
        return bytes([number])
    for more in range(1, 6):
        if number < 1 << 6 * more + 6 - more:
            first = (0xFF00 >> more + 1 & 0xFF) | number >> 6 * more
            return bytes([first, *(0x80 | number >> 6 * at & 0x3F for at in range(more - 1, -1, -1))])
    raise ValueError(number)


def silent_flac(path: Path, *, seconds: float, says: int | None = None, rate: int = 44_100) -> Path:
    """Stereo silence of 16 bits in frames of a few bytes each, by RFC 9639; `says` is the length the header claims."""
    frames = int(seconds * rate / BLOCK) + 1
    total = frames * BLOCK if says is None else says
    head = struct.pack(">HH", BLOCK, BLOCK) + b"\0" * 6
    head += (rate << 44 | 1 << 41 | 15 << 36 | total).to_bytes(8, "big") + b"\0" * 16
    constant = b"\0\0\0" * 2  # one silent sample for each channel, which stands for all of its block
    with path.open("wb") as file:
        file.write(b"fLaC" + b"\x80" + len(head).to_bytes(3, "big") + head)
        for number in range(frames):
            frame = b"\xff\xf8\x70\x18" + _coded(number) + struct.pack(">H", BLOCK - 1)
            frame += bytes([_crc8(frame)]) + constant
            file.write(frame + struct.pack(">H", _crc16(frame)))
    return path


def pcm_wav(path: Path, *, rate: int, channels: int, bits: int = 16, seconds: float = 0.01) -> Path:
    block = channels * bits // 8
    data = b"\0" * (int(seconds * rate) * block)
    fmt = struct.pack("<HHIIHH", 1, channels, rate, rate * block, block, bits)
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def with_blocks(flac: bytes, blocks: list[tuple[int, bytes]]) -> bytes:
    """A FLAC file with further metadata blocks, kind and content, right after the first."""
    first = 8 + int.from_bytes(flac[5:8], "big")
    added = b"".join(bytes([kind]) + len(content).to_bytes(3, "big") + content for kind, content in blocks)
    return flac[:4] + bytes([flac[4] & 0x7F]) + flac[5:first] + added + flac[first:]


def vorbis_comment(comments: list[bytes]) -> bytes:
    listed = b"".join(struct.pack("<I", len(each)) + each for each in comments)
    return struct.pack("<I", 1) + b"x" + struct.pack("<I", len(comments)) + listed


def id3(frames: bytes) -> bytes:
    """A tag of ID3v2.4 before whatever follows."""
    return b"ID3\x04\0\0" + syncsafe(len(frames)) + frames


def id3_text(name: str, words: str) -> bytes:
    content = b"\x03" + name.encode() + b"\0" + words.encode()
    return b"TXXX" + syncsafe(len(content)) + b"\0\0" + content


def syncsafe(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))
