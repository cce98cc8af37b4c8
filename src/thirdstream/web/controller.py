"""What happens when something is chosen or clicked on the page."""

import contextvars
import logging
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from thirdstream import registry
from thirdstream.files import ThirdstreamError
from thirdstream.web import html, tasks
from thirdstream.web.guard import SESSION_HEADER
from thirdstream.web.html import notice
from thirdstream.web.jobs import Result
from thirdstream.web.sessions import Sessions
from thirdstream.web.worker import Worker, WorkerPool

LOG = logging.getLogger(__name__)
START_MINUTES = 5.0  # a worker may take to import what it needs, and to look at the models
Shown = tuple[Any, Any, Any]  # status, result, scores


class Cancelled(Exception):
    """The user does not want the result any more."""


@dataclass(frozen=True)
class Order:
    """What a user asks for: systems by label, a clip, options for those that take them.

    files: option -> path of an upload.
    """

    labels: Sequence[str]
    clip: str | None
    options: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)
    measure: bool = True


class Controller:
    """Does what the form asks for. models: label -> name or path."""

    def __init__(self, sessions: Sessions, pool: WorkerPool, models: Mapping[str, str]) -> None:
        self.sessions, self.pool, self.models = sessions, pool, dict(models)
        with pool.worker() as worker:
            answer = worker.call("described", {"models": self.models}, minutes=START_MINUTES)
        self.systems = tasks.DESCRIPTIONS.validate_python(answer)
        self._running: dict[tuple[str, str], threading.Event] = {}  # set where a job is cancelled

    def default(self) -> str:
        """The system that is chosen at first: the first one that has all its parts."""
        usable = (label for label, system in self.systems.items() if not system.lack)
        return next(usable, registry.BASELINE)

    def copied(self, path: Path | None, request: gr.Request) -> str | None:
        """A copy of a bundled clip, in the session's own folder."""
        if path is None:
            return None
        name = session_of(request)
        try:
            with self.sessions.reserved(name, path.stat().st_size):
                return self.sessions.session(name).copy_of(path)
        except ThirdstreamError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def work(
        self, tab: str, order: Order, request: gr.Request, progress: gr.Progress
    ) -> Iterator[Shown]:
        """What a job shows. It works in a thread, so that it ends even if nobody looks any more."""
        key = request.session_hash or "", tab
        self._cancel(key)
        self._running[key] = cancelled = threading.Event()
        shown: queue.Queue[Shown | None] = queue.Queue()
        job = Job(self, order, session_of(request), cancelled, progress, shown.put)
        context = contextvars.copy_context()  # by which Gradio knows whose progress it is
        threading.Thread(target=context.run, args=(job.run,), daemon=True).start()
        try:
            while (one := shown.get()) is not None:
                yield one
        finally:
            cancelled.set()

    def cancel(self, tab: str, request: gr.Request) -> str:
        """Stop the work of a session's tab at once."""
        self._cancel((request.session_hash or "", tab))
        return notice("Cancelled; nothing was kept.")

    def leave(self, request: gr.Request) -> None:
        """A page was closed: its work stops."""
        for key in list(self._running):
            if key[0] == request.session_hash:
                self._cancel(key)

    def _cancel(self, key: tuple[str, str]) -> None:
        self._running.pop(key, threading.Event()).set()


@dataclass(frozen=True)
class Job:
    """An order, done by a worker. show: is given what is to be seen; None at last."""

    controller: Controller
    order: Order
    session: str
    cancelled: threading.Event
    progress: Callable[..., Any]
    show: Callable[[Shown | None], None]

    def run(self) -> None:
        """Do it, from the first line that is shown to the last."""
        kept, order = "nothing was kept", self.order
        try:
            self.show((notice("Working ..."), "", ""))
            models = self._models()
            with self.controller.pool.worker(self._check) as worker:
                result = self._result(worker, models)
                kept = "the result is below, not measured"
                more = " Measuring ..." if order.measure else ""
                card = html.card(result)
                self.show((notice(f"Done: the result is below.{more}"), card, ""))
                if order.measure:
                    scores = self._scores(worker, result)
                    self.show((notice("Done: the result is below."), gr.skip(), scores))
        except Cancelled:
            self.show((notice(f"Cancelled; {kept}."), gr.skip(), ""))
        except ThirdstreamError as error:
            self.show((notice(str(error), kind="error"), "", ""))
        except Exception:  # the session is told, and whoever runs the page
            LOG.exception("a job ended in a fault")
            self.show((notice("this ended in a fault; try again", kind="error"), "", ""))
        finally:
            self.show(None)

    def _models(self) -> dict[str, str]:
        known = self.controller.models
        if not self.order.labels:
            raise ThirdstreamError("choose at least one system")
        if not set(self.order.labels) <= set(known):
            raise ThirdstreamError("choose a system")
        return {label: known[label] for label in self.order.labels}

    def _call(self, worker: Worker, task: str, **arguments: Any) -> Any:
        return worker.call(
            task, arguments, minutes=self.controller.sessions.limits.job_minutes,
            progress=self._show_progress, check=self._check,
        )  # fmt: skip

    def _check(self) -> None:
        if self.cancelled.is_set():
            raise Cancelled

    def _show_progress(self, share: float, what: str) -> None:
        self._check()
        self.progress(share, desc=what)

    def _result(self, worker: Worker, models: Mapping[str, str]) -> Result:
        sessions, order = self.controller.sessions, self.order
        session = sessions.session(self.session)
        own = {
            "session": str(session.root), "limits": asdict(sessions.limits),
            "clip": str(session.owned(order.clip)),
            "files": {name: str(session.owned(file)) for name, file in order.files.items()},
        }  # fmt: skip
        n_bytes = self._call(worker, "accepted", **own, n_tracks=len(models) + 1)
        with sessions.reserved(self.session, n_bytes), session.new_folder() as folder:
            made = self._call(
                worker, "restyled", **own, models=models, options=order.options, folder=str(folder)
            )
            return tasks.RESULT.validate_python(made)

    def _scores(self, worker: Worker, result: Result) -> str:
        rows: dict[str, dict[str, float]] = {}
        left: dict[str, None] = {}
        original, *made = result.tracks
        try:
            for one in made:
                self._show_progress(1.0, f"{one.name}: measuring")
                rows[one.name], missing = self._call(
                    worker, "measured", original=str(original.path), made=str(one.path),
                    source=result.source, target=result.to,
                )  # fmt: skip
                left |= dict.fromkeys(missing)
        except ThirdstreamError as error:
            left |= {str(error): None}
        return html.scores(rows, list(left))


def session_of(request: gr.Request) -> str:
    """Whose request this is, as the guard says."""
    return request.headers.get(SESSION_HEADER, "")
