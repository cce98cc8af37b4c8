"""Where work on many recordings runs: processes of this machine, or workers of a cluster.

The work itself is the same everywhere, one recording a task; joblib brings it to its backends loky,
Dask and Ray. A cluster's workers must see the same files under the same names, for results are
written where they are made.
"""

import logging
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import islice
from threading import Event
from typing import Any, Literal

from thirdstream.files import Interrupted, ThirdstreamError

AGAIN = "run the same command again: what is done is not done again"
ROUND = 256  # tasks between two reports of a backend that does not report single ones
WAIT_S = 10  # for a cluster's first worker
FEW = 4  # threads that hardly wait for Python's lock
ENDED: ContextVar[Event] = ContextVar("ENDED")  # of a task in a thread: nobody waits for it


class WorkerError(ThirdstreamError):
    """Workers that cannot be had, or that were lost."""


@dataclass(frozen=True)
class Workers:
    """Who does the work, one recording each at a time."""

    n_jobs: int = -1
    """Recordings at a time on this machine; -1 is one a core. A cluster does one on each core."""
    parallel: Literal["loky", "dask", "ray"] = "loky"
    """Processes of this machine (loky), or the workers of a Dask or Ray cluster, which must see the
    same folders."""
    address: str | None = None
    """Of the cluster: of Dask's scheduler, such as tcp://host:8786; of Ray's head, such as
    host:6379, or local for a cluster of this machine alone."""

    @property
    def alone(self) -> bool:
        """Whether all is done in turn, in this process."""
        return self.parallel == "loky" and self.n_jobs == 1

    def ready(self) -> AbstractContextManager[int]:
        """Within it, `results` has its tasks done by these workers; yields its `n_jobs`.

        Raises WorkerError where the backend's package is missing, where no cluster answers, where a
        Dask worker has several threads (tasks share a process's random numbers), and where workers
        are lost for good.
        """
        if self.parallel == "loky":
            if self.address is not None:
                raise WorkerError("--address is for a cluster; add --parallel dask or ray")
            return _processes(self.n_jobs)
        if self.address is None:
            raise WorkerError(f"--parallel {self.parallel} needs --address: where is the cluster?")
        return (_dask if self.parallel == "dask" else _ray)(self.address)


# joblib is imported where it is needed: most commands need none.
@contextmanager
def _processes(n_jobs: int) -> Iterator[int]:
    if n_jobs == 1:
        yield n_jobs
        return
    from joblib import effective_n_jobs
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    try:
        yield effective_n_jobs(n_jobs)
    except TerminatedWorkerError as error:
        raise WorkerError(
            f"a process was killed, perhaps for want of memory; lower --n-jobs and {AGAIN}"
        ) from error


@contextmanager
def _dask(address: str) -> Iterator[int]:
    import joblib

    with _extra("dask"):
        from distributed import Client, KilledWorker
    try:
        client: Any = Client(address, timeout=WAIT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise WorkerError(
            f"{address}: no Dask scheduler answers ({error}); start one with `dask scheduler`"
        ) from error
    try:
        client.wait_for_workers(1, timeout=WAIT_S)
        if any(threads > 1 for threads in client.nthreads().values()):
            raise WorkerError(
                f"{address}: has workers of several threads; start them with "
                f"`dask worker {address} --nworkers auto --nthreads 1`"
            )
        with joblib.parallel_config(backend="dask", client=client):
            yield -1
    except TimeoutError as error:
        raise WorkerError(
            f"{address}: has no workers; start some with "
            f"`dask worker {address} --nworkers auto --nthreads 1`"
        ) from error
    except KilledWorker as error:  # Dask has tried it on others too
        raise WorkerError(f"{address}: lost too many workers ({error}); {AGAIN}") from error
    finally:
        client.close()


@contextmanager
def _ray(address: str) -> Iterator[int]:
    import joblib

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anyone
    with _extra("ray"):
        # Ray is large, and no part of the extra that the checks run with.
        import ray  # pyright: ignore[reportMissingImports]
        from ray.exceptions import RayError  # pyright: ignore[reportMissingImports]
        from ray.util.joblib import register_ray  # pyright: ignore[reportMissingImports]
    try:
        ray.init(address, log_to_driver=False, include_dashboard=False, logging_level=logging.ERROR)
    except (OSError, ValueError) as error:
        raise WorkerError(
            f"{address}: no Ray cluster answers ({error}); start one with `ray start --head`"
        ) from error
    try:
        register_ray()
        with joblib.parallel_config(backend="ray"):
            yield -1
    except RayError as error:
        raise WorkerError(f"{address}: lost a worker ({error}); {AGAIN}") from error
    finally:
        ray.shutdown()


@contextmanager
def _extra(name: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise WorkerError(
            f"--parallel {name} needs {error.name}; install it with: "
            f"pip install 'thirdstream[{name}]'"
        ) from error


def results(
    tasks: Iterable[Any], *, n_jobs: int, in_order: bool = False, threads: bool = False
) -> Iterator[Any]:
    """Do joblib's delayed tasks, and yield their results as they come, or in the tasks' order.

    n_jobs: processes, -1 for one a core; `Workers.ready` gives the number, and decides where.
    threads: the tasks run outside Python for the most part. A few of them at a time are done in
        threads, for each process takes seconds to import what this one has.
    """
    import joblib

    if threads and 1 < n_jobs <= FEW:
        yield from _by_threads(tasks, n_jobs, in_order)
        return
    return_as = "generator" if in_order else "generator_unordered"
    try:
        parallel: Any = joblib.Parallel(n_jobs=n_jobs, return_as=return_as)
    except ValueError:  # Ray's pool has no such thing
        with joblib.Parallel(n_jobs=n_jobs) as pool:
            left = iter(tasks)
            while some := list(islice(left, ROUND)):
                yield from pool(some)
        return
    yield from parallel(tasks)


def go_on() -> None:
    """For long tasks to call now and then. Raises Interrupted where nobody waits for their results
    any more: a process can be killed, a thread has to end by itself."""
    ended = ENDED.get(None)
    if ended and ended.is_set():
        raise Interrupted(f"interrupted; {AGAIN}")


def _by_threads(tasks: Iterable[Any], n_threads: int, in_order: bool) -> Iterator[Any]:
    from thirdstream.mel.threads import threads

    left, begun, ended = iter(tasks), deque[Future[Any]](), Event()

    def work(function: Any, given: Any, named: Any) -> Any:
        ENDED.set(ended)
        return function(*given, **named)

    with threads(n_threads) as pool:
        n_free = 2 * n_threads  # so that none waits for the next task
        try:
            while True:
                begun.extend(pool.submit(work, *task) for task in islice(left, n_free))
                if not begun:
                    return
                done, _ = wait([begun[0]] if in_order else begun, return_when=FIRST_COMPLETED)
                n_free = len(done)
                for one in done:
                    begun.remove(one)
                    yield one.result()
        finally:
            ended.set()
