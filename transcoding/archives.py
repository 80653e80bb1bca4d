"""A release as one zip: stored, not deflated (audio does not shrink), streamed, and its length known beforehand."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from zipstream import ZIP_STORED, ZipStream

from transcoding import storage

MAX_NAME = 120  # bytes of a name before its extension; file systems end at 255
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Content:
    """One file of an archive: bytes of ours, or what lies under a storage key, `length` bytes long."""

    name: str
    data: bytes = b""
    key: str = ""
    length: int = 0


def safe_name(text: str) -> str:
    """A file name that every system takes: no separators, control or direction marks, reserved words, final dots."""
    plain = unicodedata.normalize("NFC", text)
    plain = "".join(letter for letter in plain if unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Co", "Cn"})
    plain = _FORBIDDEN.sub("_", plain).strip(" .")
    if not plain or _RESERVED.fullmatch(plain):
        plain = f"_{plain}"
    return plain.encode()[:MAX_NAME].decode("utf-8", "ignore").rstrip(" .")


def distinct(names: Sequence[str]) -> list[str]:
    """The same names made safe, with a number behind those that a careless system would take for one."""
    seen: set[str] = set()
    given = []
    for name in names:
        path = PurePosixPath(name)
        folder = "/".join(safe_name(part) for part in path.parts[:-1] if part not in {"/", "..", "."})
        stem, suffix = (path.stem, path.suffix) if re.fullmatch(r"\.[a-z0-9]{2,5}", path.suffix) else (path.name, "")
        for number in range(1, len(names) + 2):
            mark = f" ({number})" if number > 1 else ""
            fresh = f"{safe_name(stem)}{mark}{suffix}"
            fresh = f"{folder}/{fresh}" if folder else fresh
            if fresh.casefold() not in seen:
                break
        seen.add(fresh.casefold())
        given.append(fresh)
    return given


class Archive:
    """A zip to be streamed once. `len()` is its exact length in bytes."""

    def __init__(self, contents: Sequence[Content]) -> None:
        self._zip = ZipStream(compress_type=ZIP_STORED, sized=True)
        for name, content in zip(distinct([each.name for each in contents]), contents, strict=True):
            if content.key:
                length = content.length or storage.size(content.key)
                self._zip.add(_Piece(content.key, length), name, size=length)
            else:
                self._zip.add(content.data, name)

    def __len__(self) -> int:
        return len(self._zip)

    def __iter__(self) -> Iterator[bytes]:
        yield from self._zip


class _Piece:
    """Opens its file only when the archive reaches it."""

    def __init__(self, key: str, length: int) -> None:
        self.key, self.length = key, length

    def __iter__(self) -> Iterator[bytes]:
        return storage.read_whole(self.key, self.length)
