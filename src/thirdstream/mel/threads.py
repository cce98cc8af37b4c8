"""Work in threads that do not wait for each other: in each of them torch has one thread.

Two pools of threads on the same cores would slow each other.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch


@contextmanager
def threads(n_threads: int) -> Iterator[ThreadPoolExecutor]:
    """So many threads. At the end what has not begun is not done any more."""
    n_all = torch.get_num_threads()
    pool = ThreadPoolExecutor(n_threads, "work", torch.set_num_threads, (1,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(n_all)  # what the threads set counts for those that begin later, too


def in_threads(work: Callable[[int], object], n_rows: int) -> None:
    """Call `work` with each row's number, in as many threads as torch may use."""
    n_threads = min(torch.get_num_threads(), n_rows)
    if n_threads <= 1:  # of one row, or none
        for row in range(n_rows):
            work(row)
        return
    with threads(n_threads) as pool:
        list(pool.map(work, range(n_rows)))
