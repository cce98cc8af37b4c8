"""Serves the page: one process, one folder, no request to anybody else."""

import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files as resources
from typing import TYPE_CHECKING, Any

from thirdstream import registry
from thirdstream.files import ThirdstreamError
from thirdstream.web.rooms import Limits, Workshop
from thirdstream.web.worker import Staff

if TYPE_CHECKING:
    from thirdstream.web.guard import Function, Guard, Hosts

STARTED_S, STOPPED_S = 60.0, 10.0  # seconds a server may take to start, and to stop


@contextmanager
def running(
    *, host: str, port: int, limits: Limits, models: Sequence[str] = (), names: Sequence[str] = ()
) -> Iterator[str]:
    """Serve the page inside this, and yield its address; afterwards its folder is gone.

    port: 0 takes a free one. models: to offer besides the bundled ones. names: by which the page
    may be called besides its address. Raises ThirdstreamError without the extra `web`, where the
    port is taken, and where a model is none.
    """
    try:
        import gradio
        import gradio.routes
    except ImportError as error:
        raise ThirdstreamError(
            f"the page needs {error.name}; install it with: pip install 'thirdstream[web]'"
        ) from error
    from thirdstream.web.guard import Hosts

    labels = offered(models)
    door = _door(host, port)
    shop = Workshop(limits)
    # Gradio asks the environment: where files lie, and whether to report to its makers.
    here = {"GRADIO_TEMP_DIR": str(shop.root), "GRADIO_EXAMPLES_CACHE": str(shop.root),
            "GRADIO_ANALYTICS_ENABLED": "False"}  # fmt: skip
    before = {name: os.environ.get(name) for name in here}
    os.environ.update(here)
    # What it had for this when it was imported.
    gradio.routes.DEFAULT_TEMP_DIR = str(shop.root)  # pyright: ignore[reportPrivateImportUsage]
    try:
        with door, _fetching_nothing(), _served(shop, labels, door, Hosts(host, names)):
            yield f"http://{f'[{host}]' if ':' in host else host}:{door.getsockname()[1]}"
    finally:
        shop.close()
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def offered(models: Sequence[str]) -> dict[str, str]:
    """Label -> name or path: systems without a model, the bundled models, those given, in turn."""
    bundled = [name for name in registry.bundled_names() if not name.endswith("-paper")]
    bundled.sort(key=lambda name: name != registry.BASELINE)  # that one first
    labels = {name: name for name in (*registry.untrained_names(), *bundled)}
    for model in models:
        path = registry.find(model)
        label = path.parent.name if path.stem == "best" else path.stem
        if label in labels:
            raise ThirdstreamError(f"{model}: would be called {label}, as another; rename it")
        labels[label] = model
    return labels


def _door(host: str, port: int) -> socket.socket:
    """A socket that listens."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    door = socket.socket(family)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((host, port))
    except (OSError, OverflowError) as error:  # a port beyond 65,535 overflows
        door.close()
        fault = getattr(error, "strerror", None) or error
        raise ThirdstreamError(
            f"{host}, port {port}: cannot be served ({fault}); choose another --port, or 0"
        ) from error
    return door


@contextmanager
def _served(
    shop: Workshop, labels: Mapping[str, str], door: socket.socket, hosts: "Hosts"
) -> Iterator[None]:
    import uvicorn

    from thirdstream.web.page import Desk, build

    staff = Staff()
    try:
        desk = Desk(shop, staff, labels)
        app = application(build(desk), shop, hosts)
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
        with _answering(shop, app, uvicorn.Server(config), door):
            yield
    finally:
        staff.close()


@contextmanager
def _answering(shop: Workshop, guard: "Guard", server: Any, door: socket.socket) -> Iterator[None]:
    done = threading.Event()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
    sweeper = threading.Thread(target=_swept, args=(shop, done), daemon=True)
    thread.start()
    sweeper.start()
    try:
        for _ in range(round(STARTED_S / 0.05)):
            if server.started or not thread.is_alive():
                break
            done.wait(0.05)
        if not server.started:
            raise ThirdstreamError("the page did not start; run it with --debug and report it")
        yield
    finally:
        done.set()
        guard.close()
        server.should_exit = True
        thread.join(STOPPED_S)


def _swept(shop: Workshop, done: threading.Event) -> None:
    while not done.wait(60.0):
        shop.sweep()


@contextmanager
def _fetching_nothing() -> Iterator[None]:
    """Inside, Gradio takes no address for a file, whichever way it comes by one."""
    import gradio as gr
    from gradio import processing_utils

    def refused(url: str, *of: Any, **how: Any) -> Any:
        raise gr.Error("this page fetches nothing; upload the file", print_exception=False)

    names = ("save_url_to_cache", "async_ssrf_protected_download", "ssrf_protected_download")
    before = {name: getattr(processing_utils, name) for name in names}
    for name in names:
        setattr(processing_utils, name, refused)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(processing_utils, name, value)


def application(page: Any, shop: Workshop, hosts: "Hosts") -> "Guard":
    """The page as an application, with the guard in front of it."""
    from thirdstream.web.guard import Guard

    inside = unguarded(page, shop)
    return Guard(inside, shop=shop, hosts=hosts, functions=functions_of(page))


def functions_of(page: Any) -> "dict[int, Function]":
    """What a browser may ask the page to do, by number."""
    from thirdstream.web.guard import Function

    return {
        number: Function(bool(one.queue), tuple(field.get_block_name() for field in one.inputs))
        for number, one in page.fns.items()
        if one.fn is not None and not any(event == "unload" for _, event in one.targets)
    }


def unguarded(page: Any, shop: Workshop) -> Any:
    """The page as an application that answers everybody."""
    import gradio as gr
    from fastapi import FastAPI

    from thirdstream.web.guard import UPLOAD
    from thirdstream.web.uploads import Uploads

    inside = resources("thirdstream.web")
    script = (inside / "page.js").read_text(encoding="utf-8")
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_route(UPLOAD, Uploads(shop).taken, methods=["POST"])
    # Gradio looks at whose file it is asked to take only in pages that it has launched itself: in a
    # mounted one a client could name any file of this computer, and have it read (gradio 6.31).
    page.has_launched = True
    return gr.mount_gradio_app(
        app,
        page,
        path="/",
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        max_file_size=f"{shop.limits.max_mb}mb",
        theme=_theme(),
        css=(inside / "page.css").read_text(encoding="utf-8"),
        head=f"<script>{script}</script>",
    )


def _theme() -> Any:
    """Fonts of the reader's own, and colours that everybody can tell from their ground."""
    from gradio.themes import Default

    theme = Default(
        primary_hue="blue",
        neutral_hue="zinc",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )
    blue, white = "#1f5fa8", "#ffffff"
    return theme.set(
        button_primary_background_fill=blue,
        button_primary_background_fill_dark=blue,
        button_primary_background_fill_hover="#174a84",
        button_primary_background_fill_hover_dark="#174a84",
        button_primary_text_color=white,
        button_primary_text_color_dark=white,
    )
