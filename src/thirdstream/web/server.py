"""Serves the page: one process, one folder, no request to anybody else."""

import json
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files as resources
from typing import Any

from thirdstream import systems
from thirdstream.files import ThirdstreamError
from thirdstream.notes.system import ScoreSystem
from thirdstream.web.workshop import Limits, Workshop

STARTED_S, STOPPED_S = 60.0, 10.0  # seconds a server may take to start, and to stop
# Browsers refuse whatever is not from here; Gradio's own scripts are inline.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
MAX_ASKED = 1_000_000  # bytes of a form; files come by another way
ELSEWHERE = ("/file=http:", "/file=https:", "/proxy=")  # routes that fetch from other hosts


@contextmanager
def running(*, host: str, port: int, limits: Limits, models: Sequence[str] = ()) -> Iterator[str]:
    """Serve the page inside this, and yield its address; afterwards its folder is gone.

    port: 0 takes a free one. models: to offer besides the bundled ones. Raises ThirdstreamError
    without the extra `web`, where the port is taken, and where a model is none.
    """
    try:
        import gradio
        import gradio.routes
    except ImportError as error:
        raise ThirdstreamError(
            f"the page needs {error.name}; install it with: pip install 'thirdstream[web]'"
        ) from error
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
        with door, _served(shop, labels, door, host):
            yield f"http://{f'[{host}]' if ':' in host else host}:{door.getsockname()[1]}"
    finally:
        shop.close()
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def offered(models: Sequence[str]) -> dict[str, str]:
    """Label -> name or path: the score system, the bundled models, the user's own, in turn."""
    bundled = [name for name in systems.bundled_names() if not name.endswith("-paper")]
    bundled.sort(key=lambda name: name != systems.BASELINE)  # that one first
    labels = {name: name for name in (ScoreSystem.name, *bundled)}
    for model in models:
        path = systems.find(model)
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
    shop: Workshop, labels: Mapping[str, str], door: socket.socket, host: str
) -> Iterator[None]:
    import uvicorn

    from thirdstream.web.page import Desk, build

    desk = Desk(shop, labels)
    config = uvicorn.Config(
        _app(build(desk), shop, host), log_level="warning", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
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
        desk.stop()
        server.should_exit = True
        thread.join(STOPPED_S)


def _swept(shop: Workshop, done: threading.Event) -> None:
    while not done.wait(60.0):
        shop.sweep()


def _app(page: Any, shop: Workshop, host: str) -> Any:
    """The page as an application: what it may ask for, what may be asked of it."""
    import gradio as gr
    from fastapi import FastAPI
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    inside = resources("thirdstream.web")
    script = (inside / "page.js").read_text(encoding="utf-8")
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard)
    if host in ("127.0.0.1", "localhost", "::1"):  # no other name may be given to it
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])
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


async def _whole(receive: Any) -> list[Any]:
    """All messages of a request's body, no more than MAX_ASKED bytes of them."""
    messages, n_bytes = [], 0
    while not messages or (messages[-1].get("more_body") and n_bytes <= MAX_ASKED):
        messages.append(await receive())
        n_bytes += len(messages[-1].get("body", b""))
    return messages


def _leads_elsewhere(messages: list[Any]) -> bool:
    """Whether a request names a file on another host, or is larger than a form."""
    body = b"".join(one.get("body", b"") for one in messages)
    try:
        asked = [json.loads(body)]
    except (ValueError, RecursionError):
        return True
    while asked:
        one = asked.pop()
        if isinstance(one, dict):
            where = one.get("path")
            if isinstance(where, str) and where.strip().lower().startswith(("http:", "https:")):
                return True
        asked += one.values() if isinstance(one, dict) else one if isinstance(one, list) else []
    return False


class Guard:
    """Refuses what would have the page fetch from other hosts, and tells browsers to stay here."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """An ASGI application around another."""
        asked = iter(())
        if scope["type"] == "http":
            refused = any(part in scope["path"] for part in ELSEWHERE)
            if not refused and scope["path"].endswith("/queue/join"):
                messages = await _whole(receive)
                refused, asked = _leads_elsewhere(messages), iter(messages)
            if refused:
                await send({"type": "http.response.start", "status": 403, "headers": []})
                await send({"type": "http.response.body", "body": b"not from here"})
                return

        async def received() -> Any:
            return next(asked, None) or await receive()

        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                ours = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *ours]}
            await send(message)

        await self.app(scope, received, guarded)
