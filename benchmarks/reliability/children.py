"""Processes to be killed: forks of a server that has imported everything, so that one costs a tenth of a second."""

import multiprocessing
import os
from multiprocessing import forkserver

LOADED = ["hyperir.index.store", "lance", "lance.fragment", "pyarrow.compute", "safetensors.numpy", "torch"]
QUIET = "ignore:lance is not fork-safe:UserWarning"  # the server never uses Lance, it only has it loaded


def context():
    """Where processes come from."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(LOADED)
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = QUIET
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before
    return made


class Child:
    """A process that runs `work(*args, tell)` and tells what it did.

    Args:
        work: a function of a module.
        args: its first arguments; the last one, `tell`, sends a value to this process.
    """

    def __init__(self, work, *args):
        made = context()
        self._reader, writer = made.Pipe(duplex=False)
        self.process = made.Process(target=_work, args=(work, args, writer))
        self.process.start()
        writer.close()

    def kill(self):
        self.process.kill()

    def hear(self):
        """What the process told, until it ended. What it was cut short in telling, it did not tell."""
        while True:
            try:
                yield self._reader.recv()
            except (EOFError, OSError):
                break
        self.process.join()
        self._reader.close()

    @property
    def signal(self):
        """The signal that ended the process, or 0."""
        return max(0, -self.process.exitcode)


def _work(work, args, writer):
    work(*args, writer.send)
