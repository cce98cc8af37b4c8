"""The form: three tabs, made with Gradio, that hand what is chosen to the workshop."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from thirdstream import systems
from thirdstream.files import ThirdstreamError
from thirdstream.transfer import Options, System
from thirdstream.web import cards
from thirdstream.web.cards import notice
from thirdstream.web.workshop import Cancelled, Progress, Result, Score, Workshop, measured, restyle

HEAD = (
    "<h1>thirdstream</h1><p>Turns classical recordings into jazz and jazz into classical. "
    "Everything happens on the computer that runs this page.</p>"
)
MAX_WAITING = 64  # jobs; more are turned away
Shown = tuple[Any, Any, Any]  # status, result, scores


class Desk:
    """What happens when something is chosen or clicked. models: label -> name or path."""

    def __init__(self, shop: Workshop, models: Mapping[str, str]) -> None:
        self.shop, self.models = shop, dict(models)
        self.system = cache(self._system)
        self._tickets: dict[tuple[str, str], threading.Event] = {}

    def _system(self, label: str) -> System:
        if label not in self.models:
            raise ThirdstreamError("choose a system")
        return systems.load(self.models[label])

    def first(self) -> str:
        """The system that is chosen at first: the first one that has all its parts."""
        return next((label for label in self.models if not self._lacks(label)), systems.BASELINE)

    def _lacks(self, label: str) -> str:
        try:
            self.system(label).ready()
        except ThirdstreamError as error:
            return f"{label} cannot be used yet: {error}"
        return ""

    def chosen(self, label: str) -> tuple[Any, Any, Any, Any, Any]:
        """What the form shows for a system: styles, strength, kept content, more, and a note."""
        system, lack = self.system(label), self._lacks(label)
        return (
            gr.update(choices=list(system.styles), value=system.styles[-1]),
            system.strength,
            system.keep,
            gr.update(visible="style_from" in system.takes),
            gr.update(value=notice(lack, kind="error"), visible=bool(lack)),
        )

    def transfer(  # noqa: PLR0913, PLR0917  # one a field of the form, in its order
        self, clip: str | None, recorded: str | None, to: str, label: str, strength: float,
        keep: float, style_from: str | None, measure: bool, request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio finds it here
    ) -> Iterator[Shown]:  # fmt: skip
        """One clip, one system."""
        options = Options(
            to, style_strength=strength, keep_content=keep,
            style_from=Path(style_from) if style_from else None,
        )  # fmt: skip
        tell = self._teller(request, "transfer", progress)
        yield from self._worked([label], clip or recorded, options, measure=measure, tell=tell)

    def compare(
        self, clip: str | None, to: str, labels: Sequence[str], measure: bool, request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio finds it here
    ) -> Iterator[Shown]:  # fmt: skip
        """One clip, several systems, each as it is set by default."""
        tell = self._teller(request, "compare", progress)
        yield from self._worked(labels, clip, Options(to), measure=measure, tell=tell)

    def _worked(
        self, labels: Sequence[str], clip: str | None, options: Options, *, measure: bool,
        tell: Progress,
    ) -> Iterator[Shown]:  # fmt: skip
        yield notice("Working ..."), "", ""
        kept = "nothing was kept"
        try:
            if not labels:
                raise ThirdstreamError("choose at least one system")
            chosen = {label: self.system(label) for label in labels}
            result = restyle(self.shop, chosen, clip, options, progress=tell)
            kept, more = "the result is below, not measured", " Measuring ..." if measure else ""
            yield notice(f"Done: the result is below.{more}"), cards.card(result), ""
            if measure:
                yield notice("Done: the result is below."), gr.skip(), self._scores(result, tell)
        except Cancelled:
            yield notice(f"Cancelled; {kept}."), gr.skip(), ""
        except ThirdstreamError as error:
            yield notice(str(error), kind="error"), "", ""

    def _scores(self, result: Result, tell: Progress) -> str:
        rows: dict[str, list[Score]] = {}
        left: dict[str, None] = {}
        original, *made = result.tracks
        try:
            with self.shop.place():
                for one in made:
                    tell(1.0, f"{one.name}: measuring")
                    rows[one.name], missing = measured(
                        original=original.path, made=one.path, source=result.source,
                        target=result.to,
                    )  # fmt: skip
                    left |= dict.fromkeys(missing)
        except ThirdstreamError as error:
            left |= {str(error): None}
        return cards.scores(rows, list(left))

    def _teller(self, request: gr.Request, tab: str, progress: gr.Progress) -> Progress:
        """Shows progress, and raises Cancelled once the ticket of this session's tab is void."""
        ticket = self._tickets[request.session_hash or "", tab] = threading.Event()

        def tell(share: float, what: str) -> None:
            if ticket.is_set():
                raise Cancelled
            progress(share, desc=what)

        return tell

    def cancel(self, tab: str, request: gr.Request) -> str:
        """Void a session's ticket; its work stops at the next block of sound."""
        ticket = self._tickets.get((request.session_hash or "", tab))
        if ticket is not None:
            ticket.set()
        return notice("Cancelled; nothing was kept.")

    def leave(self, request: gr.Request) -> None:
        """A page was closed: its work stops."""
        for session, tab in list(self._tickets):
            if session == request.session_hash:
                self._tickets.pop((session, tab)).set()

    def stop(self) -> None:
        """All work stops."""
        for ticket in self._tickets.values():
            ticket.set()


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
    return page.queue(max_size=MAX_WAITING)


def _transfer_tab(desk: Desk) -> None:
    first = desk.first()
    system = desk.system(first)
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


def _knobs(system: System) -> tuple[gr.Slider, gr.Slider]:
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
    styles = desk.system(desk.first()).styles
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
            for path in systems.bundled_clips()}  # fmt: skip
    names = gr.Dropdown(["none", *ours], value="none", label="Or try a bundled clip")
    names.input(
        lambda name: desk.shop.lent(ours[name]) if name in ours else None, names, clip, **_quietly()
    )
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
    )  # fmt: skip

    def stopped(request: gr.Request) -> str:
        return desk.cancel(tab, request)

    cancel.click(stopped, None, status, cancels=[job], **_quietly())


def _quietly() -> dict[str, Any]:
    """For events that take no time."""
    return {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
