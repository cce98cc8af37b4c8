"""Serves the page: one process, one folder, no request to anybody else."""

import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thirdstream import registry
from thirdstream.files import ThirdstreamError
from thirdstream.packages import extra
from thirdstream.web.limits import Limits
from thirdstream.web.sessions import Sessions
from thirdstream.web.worker import WorkerPool

if TYPE_CHECKING:
    from thirdstream.web.guard import Function, Guard
    from thirdstream.web.hosts import Hosts

START_S, STOP_S = 60.0, 10.0  # seconds a server may take to start, and to stop


@contextmanager
def running(
    *, host: str, port: int, limits: Limits, models: Sequence[str] = (), names: Sequence[str] = ()
) -> Iterator[str]:
    """Serve the page inside this, and yield its address; afterwards its folder is gone.

    port: 0 takes a free one. models: to offer besides the bundled ones. names: by which the page
    may be called besides its address. Raises ThirdstreamError without the extra `web`, where the
    port is taken, and where a model is none.
    """
    from thirdstream.web.hosts import Hosts

    with (
        _listening(host, port) as listening,  # a fault of the address is told ahead of the rest
        closing(Sessions(limits)) as sessions,
        closing(WorkerPool(limits.jobs)) as pool,  # it imports what it needs beside this process
    ):
        with extra("web", "the page"):
            import gradio as _  # noqa: F401
        labels = offered(models)
        with (
            _gradio_kept_in(sessions.root),
            _served(sessions, pool, labels, listening, Hosts(host, names)),
        ):
            yield f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"


def offered(models: Sequence[str]) -> dict[str, str]:
    """Label -> name or path: systems without a model, the bundled models, those given, in turn.

    Systems whose weights others publish are left out where these are not on disk, and those that
    need an index.
    """
    order = list(registry.SYSTEMS)
    bundled = [name for name in registry.bundled_names() if not name.endswith("-paper")]
    bundled.sort(key=lambda name: order.index(name) if name in order else len(order))
    labels = {name: name for name in (*registry.untrained_names(), *bundled) if _here(name)}
    for model in models:
        path = registry.find(model)
        label = path.parent.name if path.stem == "best" else path.stem
        if label in labels:
            raise ThirdstreamError(f"{model}: would be called {label}, as another; rename it")
        labels[label] = model
    return labels


def _here(name: str) -> bool:
    entry = registry.SYSTEMS.get(name)
    if entry is not None and (entry.is_published or entry.is_indexed):
        try:
            registry.load(name).ready()
        except ThirdstreamError:
            return False
    return True


def _listening(host: str, port: int) -> socket.socket:
    """A socket that is bound."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except (OSError, OverflowError) as error:  # a port beyond 65,535 overflows
        bound.close()
        fault = getattr(error, "strerror", None) or error
        raise ThirdstreamError(
            f"{host}, port {port}: cannot be served ({fault}); choose another --port, or 0"
        ) from error
    return bound


@contextmanager
def _served(
    sessions: Sessions,
    pool: WorkerPool,
    labels: Mapping[str, str],
    bound: socket.socket,
    hosts: "Hosts",
) -> Iterator[None]:
    import uvicorn

    from thirdstream.web.controller import Controller
    from thirdstream.web.guard import Guard
    from thirdstream.web.page import build

    page = build(Controller(sessions, pool, labels))
    inside, functions = unguarded(page, sessions), functions_of(page)
    guard = Guard(inside, sessions=sessions, hosts=hosts, functions=functions)
    config = uvicorn.Config(guard, log_level="warning", timeout_graceful_shutdown=1)
    with _answering(sessions, guard, uvicorn.Server(config), bound):
        yield


@contextmanager
def _answering(
    sessions: Sessions, guard: "Guard", server: Any, bound: socket.socket
) -> Iterator[None]:
    done = threading.Event()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    sweeper = threading.Thread(target=_sweep, args=(sessions, done), daemon=True)
    thread.start()
    sweeper.start()
    try:
        for _ in range(round(START_S / 0.05)):
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
        thread.join(STOP_S)


def _sweep(sessions: Sessions, done: threading.Event) -> None:
    while not done.wait(60.0):
        sessions.sweep()


@contextmanager
def _gradio_kept_in(root: Path) -> Iterator[None]:
    """Inside, Gradio writes to this folder only, reports nothing, and fetches no address."""
    import gradio as gr
    import gradio.routes
    from gradio import processing_utils

    def refused(url: str, *of: Any, **how: Any) -> Any:
        raise gr.Error("this page fetches nothing; upload the file", print_exception=False)

    environment = {"GRADIO_TEMP_DIR": str(root), "GRADIO_EXAMPLES_CACHE": str(root),
                   "GRADIO_ANALYTICS_ENABLED": "False"}  # fmt: skip
    fetching = ("save_url_to_cache", "async_ssrf_protected_download", "ssrf_protected_download")
    before = {name: os.environ.get(name) for name in environment}
    functions = {name: getattr(processing_utils, name) for name in fetching}
    os.environ.update(environment)
    # What it had for this when it was imported.
    gradio.routes.DEFAULT_TEMP_DIR = str(root)  # pyright: ignore[reportPrivateImportUsage]
    for name in fetching:
        setattr(processing_utils, name, refused)
    try:
        yield
    finally:
        for name, function in functions.items():
            setattr(processing_utils, name, function)
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def functions_of(page: Any) -> "dict[int, Function]":
    """What a browser may ask the page to do, by number."""
    from thirdstream.web.guard import Function

    return {
        number: Function(bool(one.queue), tuple(field.get_block_name() for field in one.inputs))
        for number, one in page.fns.items()
        if one.fn is not None and not any(event == "unload" for _, event in one.targets)
    }


def unguarded(page: Any, sessions: Sessions) -> Any:
    """The page as an application that answers everybody."""
    import gradio as gr
    from fastapi import FastAPI
    from gradio.themes import Default

    from thirdstream.report.html import asset
    from thirdstream.web import example
    from thirdstream.web.guard import EXAMPLE, UPLOAD
    from thirdstream.web.uploads import Uploads

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_route(UPLOAD, Uploads(sessions).upload, methods=["POST"])
    app.add_route(EXAMPLE + "{name}", example.served)
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
        max_file_size=f"{sessions.limits.max_mb}mb",
        theme=Default(
            primary_hue="blue",
            neutral_hue="zinc",
            font=["system-ui", "sans-serif"],
            font_mono=["ui-monospace", "monospace"],
        ),
        css=str(asset("page.css", "thirdstream.web")),
        head=f"<script>{asset('player.js')}</script>",
    )
