"""Structures that are due, built again in a thread of their own: no add waits for it, and no search."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager

from hyperir.core.progress import silent
from hyperir.index.building import can_rebuild, make
from hyperir.index.commit import Commit, Structure
from hyperir.index.store import Store
from hyperir.index.strategies import STRATEGIES
from hyperir.index.structures import due

__all__ = ["Rebuilder", "due_structures"]

PATIENCE = 600.0  # seconds that what is built waits for another process to end its change


def due_structures(commit: Commit) -> list[Structure]:
    """The structures that more than about 5 % of the documents came or went since, and that can be built again."""
    return [structure for structure in commit.structures if due(commit, structure) and can_rebuild(structure)]


class Rebuilder:
    """Builds what is due again, one thread at a time, and keeps it in a commit of its own.

    It builds without the lock, of a commit that stays as it is, and takes the lock to write what is built. Whatever
    fails, the index stays as it was, with the structure that it had.

    Args:
        turn: held by whoever of this index changes it, so that its own changes never meet the lock.
    """

    def __init__(self, turn: AbstractContextManager[object]) -> None:
        self._turn = turn
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def start(self, store: Store) -> None:
        """Begin, where something is due and nothing is under way."""
        if (self._thread is None or not self._thread.is_alive()) and due_structures(store.commit):
            # No daemon: the process ends when it is done, and not with native code in the middle of its work.
            self._thread = threading.Thread(target=self._work, args=(store,), name="hyperir rebuild")
            self._thread.start()

    def settle(self, timeout: float | None = None) -> bool:
        """Wait until nothing is under way.

        Returns:
            false where it still is after `timeout` seconds.

        Raises:
            Exception: what it failed with, once.
        """
        if self._thread is not None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                return False
        error, self._error = self._error, None
        if error is not None:
            raise error
        return True

    @property
    def failed(self) -> Exception | None:
        """What the last one failed with, until `settle` said it."""
        return self._error

    def _work(self, store: Store) -> None:
        try:
            with silent():
                for structure in due_structures(store.commit):
                    self._rebuild(store, structure)
        except Exception as error:  # of another thread: said by `settle` and by `info`
            self._error = error

    def _rebuild(self, store: Store, structure: Structure) -> None:
        made = make(store.place, store.commit, STRATEGIES.parse(structure.config))
        with self._turn, store.writer(PATIENCE) as writer:
            if structure in writer.base.structures:  # else somebody built or dropped it meanwhile
                writer.keep_structure(made, structure)
