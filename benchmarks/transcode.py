"""An album into ten formats, through the store's whole path: examine, encode, tag, verify, hash, store.

Beside it, in the same run and on the same music: the sum of the cheapest bare encoders found here (the limit), one
ffmpeg for each format as other shops do it, pydub's export, and beets' convert. They take turns two tracks at a time,
so that whatever else the machine does falls on all of them; each works on two tracks at once. Processor seconds are
those of every process that took part, PostgreSQL's and this one's own apart.
"""

import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mutagen

from benchmarks.figures import Figure, Progress
from benchmarks.transcoding import meter, quality, yardsticks
from benchmarks.transcoding.album import Master, compose
from benchmarks.transcoding.crew import Crew, Done, crew, recording
from benchmarks.transcoding.meter import MIB, Cost
from benchmarks.transcoding.yardsticks import TEN, target
from transcoding import formats

ENCODE, WHOLE, PROCESSES, PYDUB, WALL, RETAG = 1.05, 1.20, 0.85, 0.70, 0.55, 0.01
REALTIME = 18.0
ENCODER_MIB, WORKER_MIB = 100, 300
AT_ONCE_SECONDS, LOSSY_SECONDS = 3.0, 8.0  # until a buyer's file is there, for five minutes of music
EQUAL = 0.99  # of the encoder's own program's ratio of signal to distortion
CODES = [each.code for each in TEN]
LOSSY = ("MP3_V0", "MP3_V2", "MP3_320", "MP3_256", "MP3_192", "MP3_128", "OGG_Q9", "OGG_Q8", "OGG_Q7", "OGG_Q6",
         "OGG_Q5", "OGG_Q4", "OPUS_256", "OPUS_192", "OPUS_160", "OPUS_128", "OPUS_96", "AAC_256", "AAC_192", "AAC_128",
         "WMA_192", "WMA_160", "WMA_128", "MPC_Q7", "MPC_Q6", "MPC_Q5")  # fmt: skip
WAITED = (*CODES, "MP3_128", "OGG_Q9", "OPUS_256", "AAC_128", "MPC_Q6")  # by the encoders that the ten leave out, too


@dataclass(frozen=True)
class Size:
    tracks: int
    seconds: int
    compared_seconds: int  # of the one whose lossy files are compared
    waiting_seconds: int  # of the one that a buyer waits for


FULL = Size(tracks=12, seconds=210, compared_seconds=90, waiting_seconds=300)
QUICK = Size(tracks=2, seconds=12, compared_seconds=5, waiting_seconds=5)


@dataclass
class Taken:
    """What all rounds added up to."""

    whole: list[Done] = field(default_factory=list)
    walls: float = 0.0
    bare: dict[str, dict[str, Cost]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Cost)))
    processes: Cost = field(default_factory=Cost)
    pydub: Cost = field(default_factory=Cost)
    beets: Cost = field(default_factory=Cost)
    retag: list[Done] = field(default_factory=list)

    def limit(self) -> float:
        return sum(min(cost.cpu for cost in found.values()) for found in self.bare.values())

    def stage(self, name: str) -> float:
        return sum(done.stages.get(name, 0.0) for done in self.whole)


def run(*, quick: bool, say: Progress) -> list[Figure]:
    size = QUICK if quick else replace(FULL, tracks=int(os.environ.get("BENCH_TRACKS", FULL.tracks)))
    with TemporaryDirectory(prefix="clearsong-bench-") as name, crew() as hands:
        folder = Path(name)
        say("composing the album")
        album = compose(folder / "album", tracks=size.tracks, seconds=size.seconds)
        taken = Taken()
        for first in range(0, len(album), meter.CORES):
            _round(album[first : first + meter.CORES], first // meter.CORES, folder, hands, taken=taken, say=say)
        say("comparing what was made with what the encoders' own programs make")
        figures = _costs(taken, sum(master.seconds for master in album))
        figures += _quality(folder, hands, size.compared_seconds)
        say("making one format while a buyer waits")
        figures += _waiting(folder, hands, size.waiting_seconds, quick=quick)
    return figures


def _round(masters: Sequence[Master], number: int, folder: Path, hands: Crew, *, taken: Taken, say: Progress) -> None:
    """Two tracks through everything; who comes first changes from round to round."""
    turns: list[tuple[str, Callable[[], None]]] = [
        ("the store", lambda: _store(masters, hands, taken)),
        ("bare encoders", lambda: _bare(masters, folder, taken, everything=number == 0)),
        ("one process each", lambda: _processes(masters, folder, taken)),
        ("pydub", lambda: _pydub(masters, folder, taken)),
        ("beets", lambda: _beets(masters, folder, taken)),
    ]
    for name, turn in turns[number % len(turns) :] + turns[: number % len(turns)]:
        say(f"round {number + 1}: {name}")
        turn()


def _store(masters: Sequence[Master], hands: Crew, taken: Taken) -> None:
    orders = [
        {"do": "path", "path": str(master.flac), "title": master.flac.stem, "recording": recording(master.flac.stem),
         "codes": CODES, "cover": hands.cover}
        for master in masters
    ]  # fmt: skip
    done, wall = hands.do(*orders)
    taken.whole += done
    taken.walls += wall
    again = [_make(hands, each.answer[0], "Corrected", CODES) for each in done]
    corrected, _ = hands.do(*again)
    taken.retag += corrected


def _make(hands: Crew, master: int, title: str, codes: list[str], **more: bool) -> dict[str, Any]:
    return {"do": "make", "master": master, "title": title, "codes": codes, "cover": hands.cover, **more}


def _bare(masters: Sequence[Master], folder: Path, taken: Taken, *, everything: bool) -> None:
    """Each format by every encoder here; after the first round only by the one that was cheapest then."""
    for wanted in TEN:
        found = yardsticks.candidates(wanted)
        if not everything:
            kept = taken.bare[wanted.code]
            cheapest = min(kept, key=lambda name: kept[name].cpu)
            found = {cheapest: found[cheapest]}
            taken.bare[wanted.code] = defaultdict(Cost, {cheapest: kept[cheapest]})
        for name, command in found.items():
            jobs = [[command(master.wav, target(folder, master, wanted))] for master in masters]
            taken.bare[wanted.code][name] += meter.run_all(jobs)


def _processes(masters: Sequence[Master], folder: Path, taken: Taken) -> None:
    taken.processes += meter.run_all([yardsticks.a_process_each(master, folder) for master in masters])


def _pydub(masters: Sequence[Master], folder: Path, taken: Taken) -> None:
    taken.pydub += meter.run_all([yardsticks.with_pydub(master, folder) for master in masters])


def _beets(masters: Sequence[Master], folder: Path, taken: Taken) -> None:
    if yardsticks.beets() is None:
        return
    with TemporaryDirectory(dir=folder) as name:
        home = Path(name)
        meter.run_all([yardsticks.beets_library(master, home) for master in masters])
        taken.beets += meter.run_all([yardsticks.with_beets(master, home) for master in masters])


def _costs(taken: Taken, seconds: int) -> list[Figure]:
    whole, limit = sum(done.cpu for done in taken.whole), taken.limit()
    encode = taken.stage("encode")
    figures = [
        Figure("transcode.encode", encode, "cpu s", limit, ENCODE),
        Figure("transcode.whole", whole, "cpu s", limit, WHOLE),
        Figure("transcode.whole_to_a_process_each", whole, "cpu s", taken.processes.cpu, PROCESSES),
        Figure("transcode.whole_to_pydub", whole, "cpu s", taken.pydub.cpu, PYDUB),
        Figure("transcode.wall", taken.walls, "s", whole, WALL),
        Figure("transcode.realtime", seconds / taken.walls, "x", REALTIME, 1.0, more_is_better=True),
        Figure("transcode.corrected_title", sum(done.cpu for done in taken.retag), "cpu s", encode, RETAG),
        Figure("transcode.encoder_memory", max(done.encoder for done in taken.whole) / MIB, "MiB", ENCODER_MIB, 1.0),
        Figure("transcode.worker_memory", max(done.worker for done in taken.whole) / MIB, "MiB", WORKER_MIB, 1.0),
    ]
    if taken.beets.cpu:
        figures.insert(4, Figure("transcode.whole_to_beets", whole, "cpu s", taken.beets.cpu))
    stages = sorted({stage for done in taken.whole for stage in done.stages})
    figures += [Figure(f"transcode.of_which {stage}", taken.stage(stage), "cpu s", whole) for stage in stages]
    rest = whole - sum(taken.stage(stage) for stage in stages)
    figures.append(Figure("transcode.of_which the rest", rest, "cpu s", whole))
    for code, found in taken.bare.items():
        name = min(found, key=lambda each: found[each].cpu)
        figures.append(Figure(f"transcode.bare {code}, {name}", found[name].cpu, "cpu s", limit))
    return figures


def _quality(folder: Path, hands: Crew, seconds: int) -> list[Figure]:
    """Distortion and size of each lossy format, beside the encoder's own program where it has one here."""
    master, made = _one_track(folder / "compared", hands, "Compared", seconds)
    codes = [code for code in LOSSY if not formats.unavailable(formats.get(code))]
    hands.do(_make(hands, made, "Compared", codes))
    figures = []
    for code in codes:
        (done,), _ = hands.do({"do": "export", "master": made, "code": code, "folder": str(folder)})
        ours = Path(done.answer)
        other = _by_own_program(code, master, ours)
        theirs = _decibels(other, master) if other else None
        size = other.stat().st_size / MIB if other else None
        figures += [
            Figure(f"transcode.signal_to_distortion {code}", _decibels(ours, master), "dB", theirs, EQUAL,
                   more_is_better=True),
            Figure(f"transcode.size {code}", _without_tags(ours) / MIB, "MiB", size),
        ]  # fmt: skip
    return figures


def _one_track(folder: Path, hands: Crew, title: str, seconds: int) -> tuple[Master, int]:
    """A track of its own, and the id under which the store has accepted it."""
    (master,) = compose(folder, tracks=1, seconds=seconds)
    order = {"do": "deliver", "path": str(master.flac), "title": title, "recording": recording(title)}
    (delivered,), _ = hands.do(order)
    return master, int(delivered.answer)


def _by_own_program(code: str, master: Master, ours: Path) -> Path | None:
    own = yardsticks.own_program(code)
    if own is None:
        return None
    path = ours.with_name(f"own.{code}{ours.suffix}")
    meter.run(own[1](master.wav, path))
    return path


def _without_tags(path: Path) -> int:
    bare = path.with_name(f"bare.{path.name}")
    shutil.copyfile(path, bare)  # what was exported may be the store's very file
    mutagen.File(bare).delete()
    return bare.stat().st_size


def _decibels(path: Path, master: Master) -> float:
    if path.suffix == ".mpc":  # its own decoder leaves out the delay, ffmpeg's does not
        plain = path.with_suffix(".mpc.wav")
        meter.run(["mpcdec", str(path), str(plain)])
        path = plain
    kind = mutagen.File(path)
    rate = getattr(kind.info, "sample_rate", 0) if kind is not None else 0
    return quality.decibels(path, master.wav, rate=int(rate) or 48000)  # mutagen tells no rate of Opus: it has but one


def _waiting(folder: Path, hands: Crew, seconds: int, *, quick: bool) -> list[Figure]:
    """From the order to the finished file, for one format of one track and nothing else to do."""
    title = "Waited for"
    _, made = _one_track(folder / "waiting", hands, title, seconds)
    figures = []
    for each in (formats.get(code) for code in WAITED):
        if not formats.unavailable(each):
            _, wall = hands.do(_make(hands, made, title, [each.code], urgent=True))
            limit = AT_ONCE_SECONDS if each.lossless else LOSSY_SECONDS
            figures.append(Figure(f"transcode.waiting {each.code}", wall, "s", limit, None if quick else 1.0))
    return figures
