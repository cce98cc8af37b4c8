"""The form: three tabs, made with Gradio, that hand what is chosen to the workshop."""

import contextvars
import logging
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from thirdstream import registry
from thirdstream.files import ThirdstreamError
from thirdstream.web import cards, tasks
from thirdstream.web.cards import notice
from thirdstream.web.guard import SESSION_HEADER
from thirdstream.web.rooms import Workshop
from thirdstream.web.worker import Staff, Worker
from thirdstream.web.workshop import Cancelled, Result, Score

LOG = logging.getLogger(__name__)

HEAD = (
    "<h1>thirdstream</h1><p>Turns classical recordings into jazz and jazz into classical. "
    "Everything happens on the computer that runs this page.</p>"
)
MAX_WAITING = 64  # jobs; more are turned away
STARTED_MINUTES = 5.0  # a worker may take to import what it needs, and to look at the models
File = Mapping[str, Any] | None  # as the guard lets it through
Shown = tuple[Any, Any, Any]  # status, result, scores


class Offer(NamedTuple):
    """What the form shows of a system. lack: what it cannot be used for lack of, or ""."""

    styles: Sequence[str]
    strength: float
    keep: float
    takes: Sequence[str]
    lack: str


class Ticket:
    """One job of a session's tab: stop it, and all that is done for it stops at once."""

    def __init__(self, show: Callable[..., Any]) -> None:
        self._show, self._void = show, threading.Event()

    def stop(self) -> None:
        """The job is not wanted any more."""
        self._void.set()

    def check(self) -> None:
        """Raise Cancelled once it has been stopped."""
        if self._void.is_set():
            raise Cancelled

    def tell(self, share: float, what: str) -> None:
        """Show progress. Raises Cancelled once it has been stopped."""
        self.check()
        self._show(share, desc=what)


class Desk:
    """What happens when something is chosen or clicked. models: label -> name or path."""

    def __init__(self, shop: Workshop, staff: Staff, models: Mapping[str, str]) -> None:
        self.shop, self.staff, self.models = shop, staff, dict(models)
        with staff.hired() as worker:
            told = worker.ask("described", {"models": self.models}, minutes=STARTED_MINUTES)
        self.offers = {label: Offer(**one) for label, one in told.items()}
        self._tickets: dict[tuple[str, str], Ticket] = {}

    def first(self) -> str:
        """The system that is chosen at first: the first one that has all its parts."""
        usable = (label for label, offer in self.offers.items() if not offer.lack)
        return next(usable, registry.BASELINE)

    def chosen(self, label: str) -> tuple[Any, Any, Any, Any, Any]:
        """What the form shows for a system: styles, strength, kept content, more, and a note."""
        offer = self.offers.get(label)
        if offer is None:
            raise gr.Error("choose a system", print_exception=False)
        return (
            gr.update(choices=list(offer.styles), value=offer.styles[-1]),
            offer.strength,
            offer.keep,
            gr.update(visible="style_from" in offer.takes),
            gr.update(value=notice(offer.lack, kind="error"), visible=bool(offer.lack)),
        )

    def lent(self, path: Path | None, request: gr.Request) -> str | None:
        """A copy of a bundled clip, in the session's own room."""
        if path is None:
            return None
        session = session_of(request)
        try:
            with self.shop.reserved(session, path.stat().st_size):
                return self.shop.room(session).lent(path)
        except ThirdstreamError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def transfer(  # noqa: PLR0913, PLR0917  # one a field of the form, in its order
        self, clip: File, recorded: File, to: str, label: str, strength: float,
        keep: float, style_from: File, measure: bool, request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio finds it here
    ) -> Iterator[Shown]:  # fmt: skip
        """One clip, one system."""
        options = {
            "to": to, "style_strength": strength, "keep_content": keep,
            "style_from": path_of(style_from),
        }  # fmt: skip
        ticket = self._ticket(request, "transfer", progress)
        yield from self._worked(
            [label], path_of(clip or recorded), options, request, ticket, measure
        )

    def compare(
        self, clip: File, to: str, labels: Sequence[str], measure: bool, request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio finds it here
    ) -> Iterator[Shown]:  # fmt: skip
        """One clip, several systems, each as it is set by default."""
        ticket = self._ticket(request, "compare", progress)
        yield from self._worked(labels, path_of(clip), {"to": to}, request, ticket, measure)

    def _worked(
        self, labels: Sequence[str], clip: str | None, options: Mapping[str, Any],
        request: gr.Request, ticket: Ticket, measure: bool,
    ) -> Iterator[Shown]:  # fmt: skip
        """What a job shows. It works in a thread, so that it ends even if nobody looks any more."""
        shown: queue.Queue[Shown | None] = queue.Queue()
        job = Job(self, labels, clip, options, session_of(request), ticket, shown.put)
        context = contextvars.copy_context()  # by which Gradio knows whose progress it is
        threading.Thread(target=context.run, args=(job.run, measure), daemon=True).start()
        try:
            while (one := shown.get()) is not None:
                yield one
        finally:
            ticket.stop()

    def _ticket(self, request: gr.Request, tab: str, progress: gr.Progress) -> Ticket:
        """For the work of a session's tab, one at a time."""
        key = request.session_hash or "", tab
        if key in self._tickets:
            self._tickets[key].stop()
        self._tickets[key] = Ticket(progress)
        return self._tickets[key]

    def cancel(self, tab: str, request: gr.Request) -> str:
        """Void a session's ticket; its work stops at once."""
        ticket = self._tickets.get((request.session_hash or "", tab))
        if ticket is not None:
            ticket.stop()
        return notice("Cancelled; nothing was kept.")

    def leave(self, request: gr.Request) -> None:
        """A page was closed: its work stops."""
        for session, tab in list(self._tickets):
            if session == request.session_hash:
                self._tickets.pop((session, tab)).stop()


@dataclass(frozen=True)
class Job:
    """One clip, some systems, done by a worker. show: is given what is to be seen; None at last."""

    desk: Desk
    labels: Sequence[str]
    clip: str | None
    options: Mapping[str, Any]
    session: str
    ticket: Ticket
    show: Callable[[Shown | None], None]

    def run(self, measure: bool) -> None:
        """Do it, from the first line that is shown to the last."""
        kept = "nothing was kept"
        try:
            self.show((notice("Working ..."), "", ""))
            models = self._models()
            with self.desk.shop.place(self.ticket.check), self.desk.staff.hired() as worker:
                result = self._result(worker, models)
                kept = "the result is below, not measured"
                more = " Measuring ..." if measure else ""
                card = cards.card(result)
                self.show((notice(f"Done: the result is below.{more}"), card, ""))
                if measure:
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
        if not self.labels:
            raise ThirdstreamError("choose at least one system")
        if not set(self.labels) <= set(self.desk.models):
            raise ThirdstreamError("choose a system")
        return {label: self.desk.models[label] for label in self.labels}

    def _asked(self, worker: Worker, task: str, given: Mapping[str, Any]) -> Any:
        minutes, ticket = self.desk.shop.limits.job_minutes, self.ticket
        return worker.ask(task, given, minutes=minutes, tell=ticket.tell, check=ticket.check)

    def _result(self, worker: Worker, models: Mapping[str, str]) -> Result:
        shop = self.desk.shop
        room = shop.room(self.session)
        style_from = self.options.get("style_from")
        clip = room.owned(self.clip)
        uploads = [str(clip), *([str(room.owned(style_from))] if style_from else [])]
        own = {"room": str(room.root), "limits": asdict(shop.limits)}
        tracks = {"uploads": uploads, "n_tracks": len(models) + 1}
        n_bytes = self._asked(worker, "accepted", own | tracks)
        with shop.reserved(self.session, n_bytes), room.job() as folder:
            how = {"models": models, "clip": str(clip), "options": self.options}
            plain = self._asked(worker, "restyled", own | how | {"folder": str(folder)})
            return tasks.read(plain)

    def _scores(self, worker: Worker, result: Result) -> str:
        rows: dict[str, list[Score]] = {}
        left: dict[str, None] = {}
        original, *made = result.tracks
        try:
            for one in made:
                self.ticket.tell(1.0, f"{one.name}: measuring")
                pair = {"original": str(original.path), "made": str(one.path)}
                styles = {"source": result.source, "target": result.to}
                found, missing = self._asked(worker, "measured", pair | styles)
                rows[one.name] = [Score(*score) for score in found]
                left |= dict.fromkeys(missing)
        except ThirdstreamError as error:
            left |= {str(error): None}
        return cards.scores(rows, list(left))


def path_of(file: File) -> str | None:
    """Where a file of the form lies."""
    return file["path"] if file else None


def session_of(request: gr.Request) -> str:
    """Whose request this is, as the guard says."""
    return request.headers.get(SESSION_HEADER, "")


def build(desk: Desk) -> gr.Blocks:
    """The page. It reports nothing to anybody."""
    with gr.Blocks(title="thirdstream", analytics_enabled=False) as page:
        gr.HTML(HEAD)
        with gr.Tab("Transfer"):
            _transfer_tab(desk)
        with gr.Tab("Compare"):
            _compare_tab(desk)
        with gr.Tab("Benchmark"):
            gr.HTML(cards.benchmark())
        page.unload(desk.leave)
    return page.queue(max_size=MAX_WAITING, api_open=False)


def _transfer_tab(desk: Desk) -> None:
    first = desk.first()
    system = desk.offers[first]
    with gr.Row():
        with gr.Column(min_width=300):
            clip = _clip(desk)
            with gr.Accordion("Record instead", open=False):
                recorded = gr.Audio(
                    sources=["microphone"], type="filepath", label="Record a clip",
                    elem_id="recorded",
                )  # fmt: skip
        with gr.Column(min_width=300):
            label = gr.Radio(list(desk.models), value=first, label="System", elem_id="system")
            note = gr.HTML(visible=False)
            to = gr.Radio(list(system.styles), value=system.styles[-1], label="Into which style")
            strength, keep = _knobs(system)
            style_from = gr.File(
                label="A recording to take the style from (if none: the usual style)",
                height=150, visible="style_from" in system.takes, elem_id="style-from",
            )  # fmt: skip
            measure = gr.Checkbox(True, label="Measure the result")
    fields = [clip, recorded, to, label, strength, keep, style_from, measure]
    _work(desk, "transfer", desk.transfer, fields, button="Transfer")
    label.change(desk.chosen, label, [to, strength, keep, style_from, note], **_quietly())
    recorded.stop_recording(lambda: None, None, clip, **_quietly())
    clip.upload(lambda: None, None, recorded, **_quietly())


def _knobs(system: Offer) -> tuple[gr.Slider, gr.Slider]:
    """Style strength and keep content, as the system has them by default."""
    strength = gr.Slider(
        0, 1, system.strength, step=0.05, label="Style strength",
        info="0: the recording as the system hears it; 1: the whole transfer",
    )  # fmt: skip
    keep = gr.Slider(
        0, 1, system.keep, step=0.05, label="Keep content",
        info="0: as free as the system is; 1: as much of the recording as it can keep",
    )  # fmt: skip
    return strength, keep


def _compare_tab(desk: Desk) -> None:
    styles = desk.offers[desk.first()].styles
    with gr.Row():
        with gr.Column(min_width=300):
            clip = _clip(desk)
        with gr.Column(min_width=300):
            labels = gr.CheckboxGroup(
                list(desk.models), value=[desk.first()], label="Systems to compare"
            )
            to = gr.Radio(list(styles), value=styles[-1], label="Into which style")
            measure = gr.Checkbox(True, label="Measure the results")
    fields = [clip, to, labels, measure]
    _work(desk, "compare", desk.compare, fields, button="Compare")


def _clip(desk: Desk) -> gr.File:
    """Where a recording is dropped, or one of the bundled ones chosen."""
    limits = desk.shop.limits
    clip = gr.File(
        label=f"Recording: any format, up to {limits.max_minutes:g} minutes and {limits.max_mb} MB",
        height=190,
    )
    ours = {path.stem.replace("_", ": ", 1).replace("_", " "): path
            for path in registry.bundled_clips()}  # fmt: skip
    names = gr.Dropdown(["none", *ours], value="none", label="Or try a bundled clip")

    def lent(name: str, request: gr.Request) -> str | None:
        return desk.lent(ours.get(name), request)

    names.input(lent, names, clip, **_quietly())
    return clip


def _work(desk: Desk, tab: str, work: Any, fields: Sequence[Any], *, button: str) -> None:
    """Buttons, the line that says how it goes, the result, and what they do."""
    with gr.Row():
        start = gr.Button(button, variant="primary", elem_id=f"{tab}-start")
        cancel = gr.Button("Cancel", elem_id=f"{tab}-cancel")
    status = gr.HTML(elem_id=f"{tab}-status", elem_classes="ts-status", min_height=64)
    result, scores = gr.HTML(elem_id=f"{tab}-result"), gr.HTML(elem_id=f"{tab}-scores")
    job = start.click(
        work, list(fields), [status, result, scores], show_progress_on=status,
        concurrency_limit=desk.shop.limits.jobs, concurrency_id="work", api_visibility="private",
        preprocess=False,
    )  # fmt: skip

    def stopped(request: gr.Request) -> str:
        return desk.cancel(tab, request)

    cancel.click(stopped, None, status, cancels=[job], **_quietly())


def _quietly() -> dict[str, Any]:
    """For events that take no time. The guard has looked at the fields: Gradio need not."""
    return {
        "queue": False, "show_progress": "hidden", "api_visibility": "private", "preprocess": False,
    }  # fmt: skip
