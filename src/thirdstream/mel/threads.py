"""Work on the rows of a batch, in threads that do not wait for each other."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch


def in_threads(work: Callable[[int], object], n_rows: int) -> None:
    """Call `work` with each row's number, in as many threads as torch may use.

    In each of them torch itself has one thread: two pools on the same cores would slow each other.
    """
    n_all = torch.get_num_threads()
    n_threads = min(n_all, n_rows)
    if n_threads <= 1:  # of one row, or none
        for row in range(n_rows):
            work(row)
        return
    try:
        with ThreadPoolExecutor(n_threads, "rows", torch.set_num_threads, (1,)) as pool:
            list(pool.map(work, range(n_rows)))
    finally:
        torch.set_num_threads(n_all)  # what the threads set counts for those that begin later, too
