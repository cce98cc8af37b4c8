"""The form: three tabs, made with Gradio, that hand what is chosen to the controller."""

from collections.abc import Iterator, Mapping
from typing import Any

import gradio as gr

from thirdstream import registry
from thirdstream.web import example, html
from thirdstream.web.controller import Controller, Order, Shown
from thirdstream.web.description import Description, Field

HEAD = (
    "<h1>thirdstream</h1><p>Turns classical recordings into jazz and jazz into classical. "
    "Everything happens on the computer that runs this page.</p>"
)
ABOUT_FIRST = "Not sure? Take the first: it plays the piece anew in the other style."
ABOUT_PAPER = (
    "Our redesigns, for comparison: they change timbre and balance; rhythm and harmony stay."
)
MAIN = ("style_strength", "keep_content")  # options that are seen at once
MAX_WAITING = 64  # jobs; more are turned away
# For events that take no time. The guard has looked at the fields: Gradio need not.
QUIETLY: dict[str, Any] = {
    "queue": False, "show_progress": "hidden", "api_visibility": "private", "preprocess": False,
}  # fmt: skip


def build(controller: Controller) -> gr.Blocks:
    """The page. It reports nothing to anybody."""
    with gr.Blocks(title="thirdstream", analytics_enabled=False) as page:
        gr.HTML(HEAD)
        with gr.Tab("Transfer"):
            gr.HTML(example.card())
            _transfer_tab(controller)
        with gr.Tab("Compare"):
            _compare_tab(controller)
        with gr.Tab("Benchmark"):
            gr.HTML(html.benchmark())
        page.unload(controller.leave)
    return page.queue(max_size=MAX_WAITING, api_open=False)


def _transfer_tab(controller: Controller) -> None:
    with gr.Row():
        with gr.Column(min_width=300):
            clip = _clip(controller)
            with gr.Accordion("Record instead", open=False):
                recorded = gr.Audio(
                    sources=["microphone"], type="filepath", label="Record a clip",
                    elem_id="recorded",
                )  # fmt: skip
            to = _to(controller)
            measure = gr.Checkbox(True, label="Measure the result", elem_id="measure")
        with gr.Column(min_width=300):
            system, paper = _systems(controller, gr.Radio, "system")
            note = gr.HTML(visible=False)
    options = _options(controller)
    fields = {"clip": clip, "recorded": recorded, "system": system, "paper": paper, "to": to,
              "measure": measure} | options  # fmt: skip

    def chosen(label: str) -> list[Any]:
        found = controller.systems.get(label)
        if found is None:
            raise gr.Error("choose a system", print_exception=False)
        own = {one.name: one.default for one in found.fields}
        return [
            None,
            gr.update(choices=list(found.styles), value=found.styles[-1]),
            gr.update(value=html.notice(found.lack, kind="error"), visible=bool(found.lack)),
            *(gr.update(visible=name in own, value=own.get(name)) for name in options),
        ]

    _work(controller, "transfer", fields, lambda form: _order(controller, form), button="Transfer")
    for one, other in ((system, paper), (paper, system)):
        one.input(chosen, one, [other, to, note, *options.values()], **QUIETLY)
    recorded.stop_recording(lambda: None, None, clip, **QUIETLY)
    clip.upload(lambda: None, None, recorded, **QUIETLY)


def _order(controller: Controller, form: Mapping[str, Any]) -> Order:
    """What the first tab asks for: the options of the chosen system alone."""
    label = form["system"] or form["paper"]
    taken = controller.systems[label].fields if label in controller.systems else ()
    given = {one.name: form[one.name] for one in taken if form[one.name] not in (None, "")}
    files = {one.name: given.pop(one.name)["path"]
             for one in taken if one.kind == "file" and one.name in given}  # fmt: skip
    clip = _path(form["clip"] or form["recorded"])
    labels = [label] if label else []
    return Order(labels, clip, given | {"to": form["to"]}, files, form["measure"])


def _compare_tab(controller: Controller) -> None:
    with gr.Row():
        with gr.Column(min_width=300):
            clip = _clip(controller)
            to = _to(controller)
            measure = gr.Checkbox(True, label="Measure the results")
        with gr.Column(min_width=300):
            systems, paper = _systems(controller, gr.CheckboxGroup, "systems")
    fields = {"clip": clip, "systems": systems, "paper": paper, "to": to, "measure": measure}

    def ordered(form: Mapping[str, Any]) -> Order:
        labels = [*form["systems"], *form["paper"]]
        return Order(labels, _path(form["clip"]), {"to": form["to"]}, measure=form["measure"])

    _work(controller, "compare", fields, ordered, button="Compare")


def _path(file: Mapping[str, Any] | None) -> str | None:
    """Of a file in a form, as the guard lets it through."""
    return file["path"] if file else None


def _clip(controller: Controller) -> gr.File:
    """Where a recording is dropped, or one of the bundled ones chosen."""
    limits = controller.sessions.limits
    clip = gr.File(
        label=f"Recording: any format, up to {limits.max_minutes:g} minutes and {limits.max_mb} MB",
        height=190, elem_id="clip",
    )  # fmt: skip
    ours = {path.stem.replace("_", ": ", 1).replace("_", " "): path
            for path in registry.bundled_clips()}  # fmt: skip
    names = gr.Dropdown(["none", *ours], value="none", label="Or try a bundled clip")

    def copied(name: str, request: gr.Request) -> str | None:
        return controller.copied(ours.get(name), request)

    names.input(copied, names, clip, **QUIETLY)
    return clip


def _systems(controller: Controller, kind: Any, name: str) -> tuple[Any, Any]:
    """Two groups to choose from, those of the paper in the second, each with what it does."""
    names = registry.bundled_names()
    groups = []
    for title, info, of_paper in (("System", ABOUT_FIRST, False),
                                  ("Systems of the paper", ABOUT_PAPER, True)):  # fmt: skip
        # Of a system of the paper, a model of the paper's size is bundled, too.
        labels = [one for one in controller.models if (f"{one}-paper" in names) is of_paper]
        chosen = [label for label in labels if label == controller.default()]
        several = kind is gr.CheckboxGroup
        groups.append(kind(
            [(f"{label}: {_about(controller.systems[label])}", label) for label in labels],
            value=chosen if several else next(iter(chosen), None), label=title, info=info,
            elem_id=f"{name}-paper" if of_paper else name, elem_classes="ts-systems",
        ))  # fmt: skip
    return groups[0], groups[1]


def _about(system: Description) -> str:
    return f"{system.about} (cannot be used yet)" if system.lack else system.about


def _to(controller: Controller) -> gr.Radio:
    styles = list(controller.systems[controller.default()].styles)
    return gr.Radio(styles, value=styles[-1], label="Into which style", elem_id="to")


def _options(controller: Controller) -> dict[str, Any]:
    """A field for each option of any system, by name; those of the first system are seen."""
    every = {one.name: one for system in controller.systems.values() for one in system.fields}
    own = {one.name: one for one in controller.systems[controller.default()].fields}
    with gr.Row():
        made = {name: _field(own.get(name, every[name]), seen=name in own) for name in MAIN}
    with gr.Accordion("More options", open=False):
        for name, field in every.items():
            if name not in made:
                made[name] = _field(own.get(name, field), seen=name in own)
    return made


def _field(field: Field, *, seen: bool) -> Any:
    how: dict[str, Any] = {
        "label": field.label,
        "visible": seen,
        "elem_id": field.name.replace("_", "-"),
    }
    text = how | {"value": field.default, "info": field.help}
    match field.kind:
        case "share":
            return gr.Slider(0, 1, step=0.05, min_width=300, **text)
        case "number":
            return gr.Number(precision=0, **text)
        case "decimal":
            return gr.Number(**text)
        case "choice":
            return gr.Dropdown([("by default", ""), *((one, one) for one in field.choices)], **text)
        case "file":
            how["label"] += f": {field.help}"
            return gr.File(height=150, **how)
    return gr.Textbox(**text)


def _work(
    controller: Controller, tab: str, fields: Mapping[str, Any], ordered: Any, *, button: str
) -> None:
    """Buttons, the line that says how it goes, the result, and what they do."""
    with gr.Row():
        start = gr.Button(button, variant="primary", elem_id=f"{tab}-start")
        cancel = gr.Button("Cancel", elem_id=f"{tab}-cancel")
    status = gr.HTML(elem_id=f"{tab}-status", elem_classes="ts-status", min_height=64)
    result, scores = gr.HTML(elem_id=f"{tab}-result"), gr.HTML(elem_id=f"{tab}-scores")

    def work(
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  # Gradio finds it here
        *values: Any,
    ) -> Iterator[Shown]:
        order = ordered(dict(zip(fields, values, strict=True)))
        yield from controller.work(tab, order, request, progress)

    def cancelled(request: gr.Request) -> str:
        return controller.cancel(tab, request)

    job = start.click(
        work, list(fields.values()), [status, result, scores], show_progress_on=status,
        concurrency_limit=controller.sessions.limits.jobs, concurrency_id="work",
        api_visibility="private", preprocess=False,
    )  # fmt: skip
    cancel.click(cancelled, None, status, cancels=[job], **QUIETLY)
