import multiprocessing
import threading
import time

import pytest
import torch

from hyperir.core.docs import Dense
from hyperir.index.strategies import STRATEGIES
from hyperir.index.workers import alone, share, workers
from hyperir.relevance.qnets import QNETS


@pytest.fixture(autouse=True)
def _two_threads():
    """As on a machine with two cores, wherever the test runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    assert torch.get_num_threads() == 2, "sharing work changed the caller's number of threads"
    torch.set_num_threads(before)


def test_every_item_is_done_once_on_threads_that_compute_alone():
    done, threads = [], set()

    def work(item):
        time.sleep(0.001)
        done.append(item)
        threads.add((threading.current_thread().name, torch.get_num_threads()))

    share(work, range(100))
    assert sorted(done) == list(range(100))
    assert len(threads) == workers() == 2
    assert {number for _, number in threads} == {1}


def test_few_items_are_done_by_the_caller_with_all_threads():
    seen = []
    share(lambda item: seen.append((item, threading.current_thread(), torch.get_num_threads())), range(3))
    assert seen == [(i, threading.current_thread(), 2) for i in range(3)]


def test_work_shared_out_from_within_a_worker_does_not_wait_for_itself():
    done = []
    share(lambda i: share(lambda j: done.append((i, j)), range(8)), range(8))
    assert len(done) == 64


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_an_error_stops_what_has_not_begun_and_comes_back_once_all_is_still(kind):
    begun, running = [], []

    def work(item):
        begun.append(item)
        running.append(item)
        time.sleep(0.002)
        running.remove(item)
        if item == 5:
            raise kind("item 5")

    with pytest.raises(kind, match="item 5"):
        share(work, range(1000))
    assert not running
    assert len(begun) < 20


def _search(found):
    docs = Dense(torch.eye(600, 8))
    net = QNETS.build({"type": "mlp", "hidden": (4,)}, width=8)
    f = net.function({n: torch.ones(1, *s.shape) for n, s in net.slots().items()}, None)
    found.put(STRATEGIES.build({"type": "exact", "block": 64}, docs=docs).search(f, 3).rows.tolist())


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_forked_process_searches_too():
    share(lambda item: None, range(100))  # the parent has its threads
    found = multiprocessing.get_context("fork").SimpleQueue()
    child = multiprocessing.get_context("fork").Process(target=_search, args=(found,))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert len(found.get()[0]) == 3


def test_blocks_shared_out_give_what_one_product_gives():
    torch.manual_seed(0)
    docs = Dense(torch.randn(3000, 16))
    net = QNETS.build({"type": "mlp", "hidden": (8, 8)}, width=16)
    f = net.function({n: torch.randn(5, *s.shape) for n, s in net.slots().items()}, None)
    allowed = torch.rand(3000) < 0.7
    hits = STRATEGIES.build({"type": "exact", "block": 64}, docs=docs).search(f, 20, allowed)
    with torch.inference_mode():
        expected = f(docs).masked_fill(~allowed, -torch.inf).topk(20)
    assert torch.equal(hits.rows, expected.indices)
    torch.testing.assert_close(hits.scores, expected.values)
    assert hits.scored == 3000


def test_what_is_done_alone_comes_back_from_one_thread():
    assert alone(torch.get_num_threads) == 1
    with pytest.raises(ValueError, match="no"):
        alone(lambda: (_ for _ in ()).throw(ValueError("no")))
    assert alone(lambda: alone(torch.get_num_threads)) == 1  # within a worker there is nobody to wait for
