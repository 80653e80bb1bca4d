"""The fence: the only module that starts a process on what strangers sent. It runs ffmpeg, another encoder, or a script
of our own, on local files, one at a time, within limits.

Three fences, the best that works here, found out by running it once:

- `bubblewrap`: own namespaces, no network, an empty root with only the inputs (read-only) and the output folder.
- `namespaces`: the limits below, and a network namespace with nothing in it.
- `limits`: resource limits, ffmpeg's own whitelists of protocol, demuxer and decoder, no core, no stdin.

All of them die with the worker (PDEATHSIG), whoever kills it and however. The program is never given an address: every
input is an absolute path behind `file:`, its demuxer is fixed, and the protocols are `file` and `pipe`. A script gets
the same Python and its packages to read, no environment, and sends what it finds over its standard output.
"""

import contextlib
import ctypes
import functools
import os
import re
import resource
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import imageio_ffmpeg
from django.conf import settings

from transcoding import cores
from transcoding.errors import DiskFailed, DiskFull, Killed, LimitReached, ProcessFailed, SaidTooMuch

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
CHUNK = 256 * 1024
BEAT_SECONDS = 1.0
_libc = ctypes.CDLL(None, use_errno=True)
# What ffmpeg, lame and oggenc say of their output alone; of its input ffmpeg says the same where a file is malformed.
_OUTPUT_LOST = re.compile(
    r"^\[(?:out|aost)#.*Input/output error|^Error writing mp3 output|^Failed writing data to output",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Limits:
    """Seconds and bytes that one run may take; `stdout_bytes` bounds what it may send us, `last_words` how many letters
    of what it says are kept."""

    wall_seconds: int = 1800
    cpu_seconds: int = 3600
    memory_bytes: int = 2 * 1024**3
    file_bytes: int = 8 * 1024**3
    stdout_bytes: int = 1024**2
    last_words: int = 4000


@dataclass
class Result:
    stdout: bytes = b""
    words: str = ""
    returncode: int = 0
    cpu_seconds: float = 0.0  # it cannot have used more
    sent: int = field(default=0, repr=False)


DEFAULT_LIMITS = Limits()


def ffmpeg() -> str:
    """The operator's own ffmpeg where the setting names one, else the one from the wheel."""
    return str(settings.FFMPEG or imageio_ffmpeg.get_ffmpeg_exe())


def fence_name() -> str:
    """`bubblewrap`, `namespaces` or `limits`: the best fence that works on this machine."""
    return _fence(ffmpeg(), os.environ.get("PATH", ""))


@functools.lru_cache(maxsize=8)
def _fence(program: str, path: str) -> str:
    for name in ("bubblewrap", "namespaces"):
        if name == "bubblewrap" and shutil.which("bwrap", path=path) is None:
            continue
        with tempfile.TemporaryDirectory(prefix="clearsong-fence-") as folder, contextlib.suppress(OSError):
            out = Path(folder) / "probe.wav"
            sine = ["-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "sine=d=0.01", f"file:{out}"]
            command = _command(name, [program, *sine], inputs=(), output_dir=Path(folder))
            with contextlib.suppress(subprocess.SubprocessError):
                done = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=20,
                    check=False,
                    preexec_fn=_prepare(name, DEFAULT_LIMITS, os.getpid(), frozenset(os.sched_getaffinity(0))),
                )
                if done.returncode == 0 and out.exists():
                    return name
    return "limits"


def _command(
    fence: str, command: list[str], *, inputs: Sequence[Path], output_dir: Path | None, proc: bool = False
) -> list[str]:
    if fence != "bubblewrap":
        return command
    binds = ["--proc", "/proc"] if proc else []
    binds += [word for path in ("/usr", "/lib", "/lib64") for word in ("--ro-bind-try", path, path)]
    binds += ["--ro-bind", command[0], command[0]]
    for path in inputs:
        binds += ["--ro-bind", str(path), str(path)]
    if output_dir is not None:
        binds = ["--bind", str(output_dir), str(output_dir), *binds]
    return [
        shutil.which("bwrap") or "bwrap",
        "--unshare-all",
        "--die-with-parent",
        "--new-session",
        "--cap-drop",
        "ALL",
        "--clearenv",
        "--setenv",
        "MALLOC_ARENA_MAX",
        "2",
        "--dev",
        "/dev",
        *binds,
        "--",
        *command,
    ]


def _prepare(fence: str, limits: Limits, parent: int, place: frozenset[int]) -> Callable[[], None]:
    """What the child does between fork and exec: limits, then namespaces, then the promise to die with its parent.

    Its threads wake each other all the time: as SCHED_BATCH none of them cuts another short for it.
    """

    def prepare() -> None:
        # A second between the two: at the first the kernel says why (SIGXCPU), at the other it only kills.
        resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + 1))
        resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_bytes, limits.file_bytes))
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError):  # a fence around us may forbid either, and they only save time
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, place)
        if fence == "namespaces" and _libc.unshare(CLONE_NEWNET | (CLONE_NEWUSER if os.geteuid() else 0)):
            os._exit(126)
        if fence != "bubblewrap":
            _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(125)

    return prepare


def run(
    args: Sequence[str],
    *,
    inputs: Sequence[Path],
    output_dir: Path | None = None,
    limits: Limits = DEFAULT_LIMITS,
    on_output: Callable[[bytes], object] | None = None,
    on_beat: Callable[[], None] | None = None,
) -> Result:
    """Run ffmpeg with `args`. It sees `inputs` and may write into `output_dir`; both are absolute.

    What it prints goes to `on_output` piece by piece, or into the result. `on_beat` is called about once a second and
    may raise to stop the run. Raises ProcessFailed or LimitReached; whatever escapes, nothing of the run is left alive.
    """
    command = [ffmpeg(), "-nostdin", "-hide_banner", *args]
    return _run(command, inputs, output_dir, limits, on_output=on_output, on_beat=on_beat)


def run_script(
    script: Path,
    args: Sequence[str],
    *,
    inputs: Sequence[Path],
    limits: Limits = DEFAULT_LIMITS,
    on_output: Callable[[bytes], object] | None = None,
) -> Result:
    """Run a Python script of ours that reads strangers' files, as `run` does with ffmpeg; it may write no file at all.

    It runs isolated (`-I`): neither its own folder nor the environment decides what it imports.
    """
    python = [Path(path) for path in dict.fromkeys((sys.base_prefix, sys.prefix))]
    command = [sys.executable, "-I", "-B", str(script), *args]
    return _run(command, [*python, script, *inputs], None, replace(limits, file_bytes=0), on_output=on_output)


def run_program(
    program: Sequence[str],
    *,
    inputs: Sequence[Path],
    output_dir: Path | None = None,
    reads: Sequence[Path] = (),
    limits: Limits = DEFAULT_LIMITS,
    on_output: Callable[[bytes], object] | None = None,
    on_beat: Callable[[], None] | None = None,
) -> Result:
    """Run another encoder or decoder that the operator has installed, as `run` does with ffmpeg.

    `program` begins with its whole path; it has a /proc of its own, where a Java looks for itself. `reads` is what it
    needs of the system beyond that and `/usr`, such as settings under `/etc`; what does not exist is left out.
    """
    if not Path(program[0]).is_absolute():
        raise ValueError(f"Give the whole path of {program[0]}, as shutil.which finds it.")
    seen = [*(path for path in reads if path.exists()), *inputs]
    return _run(list(program), seen, output_dir, limits, on_output=on_output, on_beat=on_beat, proc=True)


def _run(
    program: list[str],
    inputs: Sequence[Path],
    output_dir: Path | None,
    limits: Limits,
    *,
    on_output: Callable[[bytes], object] | None,
    on_beat: Callable[[], None] | None = None,
    proc: bool = False,
) -> Result:
    fence = fence_name()
    command = _command(fence, program, inputs=inputs, output_dir=output_dir, proc=proc)
    begun = time.monotonic()
    with cores.Place() as place:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"MALLOC_ARENA_MAX": "2"} if fence != "bubblewrap" else {},
            start_new_session=True,
            preexec_fn=_prepare(fence, limits, os.getpid(), place.now),  # noqa: PLW1509 - some system calls, no locks
        )
        try:
            result = _listen(process, limits, place, on_output, on_beat)
            _, status, used = os.wait4(process.pid, 0)
            result.returncode = process.returncode = os.waitstatus_to_exitcode(status)
            # bubblewrap does not fetch what ran inside it, so there only the clock bounds what was used
            wall = (time.monotonic() - begun) * (os.cpu_count() or 1)
            result.cpu_seconds = wall if fence == "bubblewrap" else used.ru_utime + used.ru_stime
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
    _judge(result, _called(program[0]), limits)
    return result


def _listen(
    process: subprocess.Popen[bytes],
    limits: Limits,
    place: cores.Place,
    on_output: Callable[[bytes], object] | None,
    on_beat: Callable[[], None] | None,
) -> Result:
    """Read both pipes until they close; stop at the wall clock or when it says more than it may."""
    result, pieces = Result(), []
    ends, beat = time.monotonic() + limits.wall_seconds, time.monotonic() + BEAT_SECONDS
    with selectors.DefaultSelector() as waiting:
        waiting.register(process.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]
        waiting.register(process.stderr, selectors.EVENT_READ)  # type: ignore[arg-type]
        while waiting.get_map():
            for key, _ in waiting.select(timeout=BEAT_SECONDS):
                piece = os.read(key.fd, CHUNK)
                if not piece:
                    waiting.unregister(key.fileobj)
                elif key.fileobj is process.stderr:
                    result.words = (result.words + piece.decode("utf-8", "replace"))[-limits.last_words :]
                else:
                    result.sent += len(piece)
                    if result.sent > limits.stdout_bytes:
                        raise SaidTooMuch(f"It decodes to more than {limits.stdout_bytes} bytes.")
                    if on_output is None:
                        pieces.append(piece)
                    else:
                        on_output(piece)
            now = time.monotonic()
            if now > ends:
                raise LimitReached(f"It took longer than {limits.wall_seconds} seconds.")
            if now > beat:
                place.settle(process.pid)
                if on_beat is not None:
                    on_beat()
                later = time.monotonic()
                ends, beat = ends + later - now, later + BEAT_SECONDS  # the program is not charged for its caller
    result.stdout = b"".join(pieces)
    return result


def _called(program: str) -> str:
    """What people know it by."""
    if program == sys.executable:
        return "the script"
    return "ffmpeg" if program == ffmpeg() else Path(program).name


def _judge(result: Result, program: str, limits: Limits) -> None:
    code = result.returncode
    if code == 0:
        return
    number = -code if code < 0 else code - 128
    if number == signal.SIGKILL and result.cpu_seconds < limits.cpu_seconds:
        raise Killed(program)
    if number in {signal.SIGXCPU, signal.SIGXFSZ, signal.SIGKILL}:
        raise LimitReached(f"It was stopped by signal {signal.Signals(number).name}: more time or output than allowed.")
    if "No space left on device" in result.words:
        raise DiskFull(f"The disk is full: {program} could not write what it made. Give the scratch folder more room.")
    if _OUTPUT_LOST.search(result.words):
        raise DiskFailed(f"The disk failed: {program} could not write what it made. Look at this machine's disks.")
    if "Cannot allocate memory" in result.words:
        raise LimitReached("It wanted more memory than it may have.")
    lines = [line for line in result.words.splitlines() if line.strip()]
    if number == signal.SIGABRT and not lines:
        raise LimitReached("It gave up without a word, as libraries do that get no more memory.")
    raise ProcessFailed(f"{program} ended with {code}: {' / '.join(lines[-3:])[:500] or 'no words'}")
