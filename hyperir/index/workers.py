"""Work shared out to one thread a core, each of which computes alone.

A product on all cores waits for the slowest of them, and a q-net takes a dozen steps for every block of documents; so
each core better takes blocks of its own. On a machine with other work to do two such threads scored 1.5 to 1.7 times
as fast as one product on two threads, on an idle one as fast or a little faster (trials: LOG.md, 2026-11-23).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch
from threadpoolctl import ThreadpoolController

__all__ = ["alone", "share", "workers"]

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST = 16  # workers; Python's own lock would keep more waiting, so that each computes on several cores instead


def workers() -> int:
    """How many threads `share` uses: as many as torch, 16 at most."""
    return min(torch.get_num_threads(), MOST)


def share(work: Callable[[Item], object], items: Iterable[Item]) -> None:
    """Call `work` on every item, on several threads at once, in any order; return when all are done.

    Nothing is changed for the caller: how many threads torch uses stays what it is. Few items are done one by one by
    all of torch's threads, and so is all that is shared out from within a worker.

    Args:
        work: must not rely on thread-local settings of the caller, such as `torch.inference_mode`.
        items: what to call it with.

    Raises:
        whatever `work` raises, first come first; items that nobody has begun with are left.
    """
    items = list(items)
    number, threads = workers(), torch.get_num_threads()
    pool = _pool(number, threads // number) if number > 1 and len(items) >= 2 * number else None
    if pool is None:
        for item in items:
            work(item)
        return
    waiting, lock = iter(items), threading.Lock()
    stopped = threading.Event()

    def take() -> None:
        while not stopped.is_set():
            with lock:
                item = next(waiting, end)
            if item is end:
                return
            try:
                work(item)  # type: ignore[arg-type]
            except BaseException:
                stopped.set()
                raise

    end = object()
    running = [pool.submit(take) for _ in range(number)]
    try:
        for one in running:
            one.result()
    finally:  # Ctrl-C arrives here: what is under way still writes to the caller's arrays
        stopped.set()
        for one in running:
            one.exception()


def alone(work: Callable[[], Result]) -> Result:
    """What `work` returns, computed by a single worker: small steps on all cores wait for whichever core is busy.

    Args:
        work: must not rely on thread-local settings of the caller, such as `torch.inference_mode`.
    """
    number = workers()
    pool = _pool(number, torch.get_num_threads() // number) if number > 1 else None
    return work() if pool is None else pool.submit(work).result()


@cache
def _pool(number: int, threads: int) -> ThreadPoolExecutor | None:
    """Threads that compute on so many cores each; None where this torch can't be told so thread by thread."""
    before, told = torch.get_num_threads(), []
    controller = ThreadpoolController()

    def begin() -> None:
        torch.get_num_threads()  # a thread's first question sets its number, so that ours has to come after
        controller.limit(limits=threads, user_api="openmp")
        told.append(torch.get_num_threads() == threads)

    pool = ThreadPoolExecutor(number, thread_name_prefix="hyperir", initializer=begin)
    barrier = threading.Barrier(number)
    for one in [pool.submit(barrier.wait) for _ in range(number)]:
        one.result()
    if all(told) and torch.get_num_threads() == before:
        return pool
    pool.shutdown()
    return None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not survive a fork
