"""Clients of one database, each in a process of its own, that do the same act again and again for some seconds."""

import importlib
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

START_SECONDS = 0.3  # from the order to the common start: long enough for every process to have read it
UP_SECONDS = 120

Act = Callable[[], object]


class Clients:
    """`rate` has some of the processes work and says how often they acted in a second, together."""

    def __init__(self, pipes: Sequence["Connection[Any, Any]"]) -> None:
        self.pipes = pipes

    def rate(self, act: str, clients: int, *, seconds: float) -> float:
        """`act` is `module:function`, which gives each process the function that it calls again and again."""
        start = time.time() + START_SECONDS
        for pipe in self.pipes[:clients]:
            pipe.send((act, start, seconds))
        answers = [pipe.recv() for pipe in self.pipes[:clients]]
        failed = [answer for answer in answers if isinstance(answer, str)]
        if failed:
            raise RuntimeError(f"A client failed: {failed[0]}")
        return float(sum(done / taken for done, taken in answers))


@contextmanager
def clients(number: int) -> Iterator[Clients]:
    """That many processes, connected to the database that is this process's now."""
    from django.db import connection

    name = str(connection.settings_dict["NAME"])
    connection.close()
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for index in range(number):
        ours, theirs = context.Pipe()
        process = context.Process(target=_client, args=(name, index, theirs), daemon=True)
        process.start()
        theirs.close()
        pipes.append(ours)
        processes.append(process)
    try:
        for pipe in pipes:
            if not pipe.poll(UP_SECONDS) or pipe.recv() != "up":
                raise RuntimeError("A client did not come up.")
        yield Clients(pipes)
    finally:
        for pipe in pipes:
            pipe.close()
        for process in processes:
            process.join(UP_SECONDS)


def rounds(number: int, measure: Sequence[Callable[[], float]]) -> list[float]:
    """The median of each measure over interleaved rounds, so that a noisy minute hits all of them alike."""
    found: list[list[float]] = [[] for _ in measure]
    for _ in range(number):
        for times, one in zip(found, measure, strict=True):
            times.append(one())
    return [statistics.median(times) for times in found]


def _client(database: str, index: int, pipe: "Connection[Any, Any]") -> None:
    import django

    django.setup()
    from django.db import connection

    connection.settings_dict["NAME"] = database
    connection.ensure_connection()
    pipe.send("up")
    acts: dict[str, Act] = {}
    while True:
        try:
            name, start, seconds = pipe.recv()
        except EOFError:
            return
        try:
            if name not in acts:
                module, _, function = name.partition(":")
                acts[name] = getattr(importlib.import_module(module), function)(index)
            pipe.send(_work(acts[name], start, seconds))
        except Exception as error:  # noqa: BLE001 - the parent raises it again
            pipe.send(f"{type(error).__name__}: {error}")


def _work(act: Act, start: float, seconds: float) -> tuple[int, float]:
    time.sleep(max(start - time.time(), 0))
    begun = time.perf_counter()
    done = 0
    while time.perf_counter() - begun < seconds:
        act()
        done += 1
    return done, time.perf_counter() - begun
