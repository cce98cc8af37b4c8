"""Stands before the whole page: what is not on its list does not exist; no other page may ask.

It knows a browser by a cookie, and hands on the name of its session; a page's own session_hash
belongs to the browser that used it first.
"""

import asyncio
import hashlib
import json
import re
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from thirdstream.files import ThirdstreamError
from thirdstream.web.hosts import Hosts
from thirdstream.web.sessions import Sessions

SESSION_HEADER = "x-thirdstream-session"  # of requests, written by the guard alone
COOKIE = "thirdstream"
MAX_FORM_BYTES = 100_000  # files come by another way
MAX_DRAINED = 4_000_000  # bytes of a refused body that are read, so that the refusal arrives
MAX_PAGES = 10_000  # session_hashes whose browser is remembered
# Browsers refuse whatever is not from here; Gradio's own scripts are inline.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
FORMS = {  # what a body may say; all else in it is dropped
    "/gradio_api/queue/join": ("data", "event_data", "fn_index", "trigger_id", "session_hash"),
    "/gradio_api/run/predict": ("data", "event_data", "fn_index", "trigger_id", "session_hash"),
    "/gradio_api/cancel": ("session_hash", "fn_index", "event_id"),
    "/gradio_api/reset": ("event_id",),
}
FILE, UPLOAD, HEARTBEAT = "/gradio_api/file=", "/gradio_api/upload", "/gradio_api/heartbeat/"
EXAMPLE = "/example/"
PAGE = r"[A-Za-z0-9_-]{1,64}"  # a session_hash
ROUTES = [  # methods, path
    (("GET", "HEAD"), r"/"),
    (("GET",), r"/config"),
    (("GET",), r"/theme\.css|/gradio_api/theme\.css"),
    (("GET",), r"/favicon\.ico|/manifest\.json|/robots\.txt"),
    (("GET",), r"/(assets|static)/(?!.*\.\.)[A-Za-z0-9_./-]+"),
    (("GET",), r"/gradio_api/(info|startup-events|app_id)"),
    (("GET",), rf"{HEARTBEAT}{PAGE}"),
    (("GET",), r"/gradio_api/queue/data|/gradio_api/upload_progress"),
    (("GET", "HEAD"), rf"{FILE}.+"),
    (("GET", "HEAD"), rf"{EXAMPLE}[a-z0-9_-]+\.[a-z0-9]+"),
    (("POST",), UPLOAD),
    *((("POST",), form) for form in FORMS),
]
ALLOWED = [(methods, re.compile(path, re.DOTALL)) for methods, path in ROUTES]
QUERIES = ("v", "session_hash", "upload_id")  # all else in a query is dropped
RANGE = re.compile(rb"bytes=[0-9]*-[0-9]*")
MAX_TEXT = 1000  # characters of anything that is chosen
MAX_CHOICES = 100
Send = Callable[[Any], Awaitable[None]]
Receive = Callable[[], Awaitable[Any]]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT


def _is_choice(value: Any) -> bool:
    return value is None or _is_text(value)


def _is_file(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and "path" in value)


def _is_number(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and -1e9 < value < 1e9)


FITS: dict[str, Callable[[Any], bool]] = {  # what a field may hold, by the name of its kind
    "file": _is_file,
    "audio": _is_file,
    "radio": _is_choice,
    "dropdown": _is_choice,
    "textbox": _is_choice,
    "checkboxgroup": lambda one: (
        isinstance(one, list) and len(one) <= MAX_CHOICES and all(map(_is_text, one))
    ),
    "checkbox": lambda one: isinstance(one, bool),
    "slider": _is_number,
    "number": _is_number,
}


class Refused(Exception):
    """A request that goes no further: its status and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Function(NamedTuple):
    """What the page can be asked to do: by way of the queue or not, and the kinds of its fields."""

    queued: bool
    kinds: tuple[str, ...]


class Guard:
    """An ASGI application around another: refuses what is not on the list, tells browsers to stay.

    functions: of the page, by number.
    """

    def __init__(
        self, app: Any, *, sessions: Sessions, hosts: Hosts, functions: Mapping[int, Function]
    ) -> None:
        self.app, self.sessions, self.hosts, self.functions = app, sessions, hosts, functions
        self._pages: OrderedDict[str, str] = OrderedDict()
        self._running: set[asyncio.Task[Any]] = set()
        self.closing = False

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:  # there is nothing that a web socket could do here
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Any, receive: Receive, send: Send) -> None:
        request, headers = Request(scope), dict(HEADERS)
        cookie = request.cookies.get(COOKIE, "")
        if not re.fullmatch(r"[0-9a-f]{64}", cookie):
            cookie = secrets.token_hex(32)
            headers["Set-Cookie"] = f"{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Lax"
        # A digest, so that who knows a path does not know the cookie.
        session = hashlib.sha256(cookie.encode()).hexdigest()[:32]

        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                ours = [(name.lower().encode(), one.encode()) for name, one in headers.items()]
                message = {**message, "headers": [*message["headers"], *ours]}
            await send(message)

        counted = receive = CountedBody(receive)
        try:
            self._check(request, session)
            if scope["path"] in FORMS:
                body = self._form(request, await counted.whole(MAX_FORM_BYTES), session)
                receive = _repeated(body, receive)
        except (Refused, ThirdstreamError, ValueError) as error:
            await counted.drain(MAX_DRAINED)
            await _refusal(getattr(error, "status", 400), str(error))(scope, receive, guarded)
        except ClientDisconnect:
            pass
        else:
            await self._answered(_handed_on(request, session), receive, guarded)

    async def _answered(self, scope: Any, receive: Receive, send: Send) -> None:
        """Have the page answer; what it is still saying when the page is closed ends there."""
        task, said = asyncio.current_task(), []

        async def sent(message: Any) -> None:
            said.append(message)
            del said[:-1]  # the last one tells how far the answer has come
            await send(message)

        assert task is not None
        self._running.add(task)
        try:
            await self.app(scope, receive, sent)
        except (Exception, asyncio.CancelledError) as error:
            # What is refused after its answer had begun has said so in it.
            if not (self.closing or isinstance(error.__cause__, HTTPException)):
                raise
            if not said:
                await _refusal(503, "the page is being closed")(scope, receive, send)
            elif not _is_last(said[-1]):
                await send({"type": "http.response.body", "body": b""})
        finally:
            self._running.discard(task)

    def close(self) -> None:
        """End all answers; from any thread."""
        self.closing = True
        for task in list(self._running):
            with suppress(RuntimeError):  # its loop has ended
                task.get_loop().call_soon_threadsafe(task.cancel)

    def _check(self, request: Request, session: str) -> None:
        """Raise Refused for what needs no body to be refused."""
        method, path, headers = request.method, request.scope["path"], request.headers
        for name in ("host", "origin", "content-length", "x-forwarded-host"):
            if len(headers.getlist(name)) > 1:
                raise Refused(400, f"{name} is there twice")
        host = headers.get("host", "")
        forwarded = headers.get("x-forwarded-host", host).partition(",")[0].strip()
        if not (self.hosts.known(host) and self.hosts.known(forwarded)):
            raise Refused(400, "this page is not called that; add the name with --allow-host")
        if not any(method in methods and pattern.fullmatch(path) for methods, pattern in ALLOWED):
            raise Refused(404, "there is no such thing here")
        self._check_origin(request, host)
        n_bytes = _content_length(request)
        if method != "POST" and n_bytes != 0:
            raise Refused(413, "there is nothing to send here")
        if path in FORMS and (n_bytes or 0) > MAX_FORM_BYTES:
            raise Refused(413, f"a form has {MAX_FORM_BYTES} bytes at most")
        if path.startswith(FILE):
            try:
                self.sessions.session(session).owned(path.removeprefix(FILE))
            except ThirdstreamError:
                raise Refused(403, "that is no file of yours") from None
        if path.startswith(HEARTBEAT):
            self._check_page(path.removeprefix(HEARTBEAT), session)
        for page in request.query_params.getlist("session_hash"):
            self._check_page(page, session)

    def _check_origin(self, request: Request, host: str) -> None:
        """Raise Refused where a browser asks on behalf of another site's page."""
        origin, site = map(request.headers.get, ("origin", "sec-fetch-site"))
        opened = request.scope["path"] == "/" and request.method != "POST"  # followed a link here
        if origin is not None and not self.hosts.own(origin, host):
            raise Refused(403, "not from another page; add its own name with --allow-host")
        if origin is None and site not in (None, "same-origin", "none") and not opened:
            raise Refused(403, "not from another page")

    def _check_page(self, page: Any, session: str) -> None:
        """Raise Refused where a session_hash is none, or was used by another browser first."""
        if not (isinstance(page, str) and re.fullmatch(PAGE, page)):
            raise Refused(400, "that is no session")
        owner = self._pages.setdefault(page, session)
        self._pages.move_to_end(page)
        while len(self._pages) > MAX_PAGES:
            self._pages.popitem(last=False)
        if owner != session:
            raise Refused(403, "that is somebody else's session")

    def _form(self, request: Request, body: bytes, session: str) -> bytes:
        """A body, with nothing in it that does not belong there. Raises Refused."""
        path = request.scope["path"]
        try:
            form = json.loads(body)
        except (ValueError, RecursionError):
            raise Refused(400, "the body is no JSON") from None
        if not isinstance(form, dict):
            raise Refused(400, "the body is no form")
        if "session_hash" in FORMS[path]:
            self._check_page(form.get("session_hash"), session)
        if "data" in FORMS[path]:
            self._check_call(form, queued=path.endswith("/queue/join"))
        kept = {name: form[name] for name in FORMS[path] if name in form}
        return json.dumps(self._cleaned(kept, session)).encode()

    def _check_call(self, form: Mapping[str, Any], *, queued: bool) -> None:
        """Raise Refused where a form names no function, or its fields hold what they never do."""
        number, data = form.get("fn_index"), form.get("data")
        function = self.functions.get(number) if type(number) is int else None
        if function is None or function.queued is not queued:
            raise Refused(404, "there is no such function here")
        if not isinstance(data, list) or len(data) != len(function.kinds):
            raise Refused(400, "the form has other fields")
        for kind, one in zip(function.kinds, data, strict=True):
            if not FITS[kind](one):
                raise Refused(400, f"the form has a {kind} that is none")

    def _cleaned(self, value: Any, session: str) -> Any:
        """The same, with files of this session alone, and no address of any."""
        if isinstance(value, list):
            return [self._cleaned(one, session) for one in value]
        if not isinstance(value, dict):
            return value
        if "path" not in value:
            return {name: self._cleaned(one, session) for name, one in value.items()}
        if not isinstance(value["path"], str):
            raise Refused(400, "that is no file")
        try:
            path = self.sessions.session(session).owned(value["path"])
        except ThirdstreamError as error:
            raise Refused(403, str(error)) from None
        names = {name: value[name] for name in ("orig_name", "size", "mime_type") if name in value}
        if not all(isinstance(one, str | int | None) for one in names.values()):
            raise Refused(400, "that is no file")
        return {"path": str(path), "meta": {"_type": "gradio.FileData"}, **names}


class CountedBody:
    """Receives a request's body, and knows how much of it has come and whether more will."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self.n_read, self.more = receive, 0, True

    async def __call__(self) -> Any:
        """The next message."""
        message = await self._receive()
        self.n_read += len(message.get("body", b""))
        self.more = message["type"] == "http.request" and message.get("more_body", False)
        return message

    async def whole(self, n_bytes: int) -> bytes:
        """The body, of so many bytes at most. Raises Refused, and ClientDisconnect."""
        body = b""
        while self.more:
            message = await self()
            if message["type"] != "http.request":
                raise ClientDisconnect
            body += message.get("body", b"")
            if len(body) > n_bytes:
                raise Refused(413, f"a form has {n_bytes} bytes at most")
        return body

    async def drain(self, n_bytes: int) -> None:
        """Read the rest, up to so many bytes: who is still sending does not read a refusal."""
        while self.more and self.n_read < n_bytes:
            await self()


def _is_last(message: Any) -> bool:
    """Whether an answer ends with this message; ASGI has none after it."""
    return message["type"] == "http.response.body" and not message.get("more_body", False)


def _content_length(request: Request) -> int | None:
    """What a request says of its body's size. Raises Refused where that is no number."""
    stated = request.headers.get("content-length")
    if stated is None:
        return None if "transfer-encoding" in request.headers else 0
    if not (stated.isascii() and stated.isdigit() and len(stated) < 16):
        raise Refused(400, "content-length is no number")
    return int(stated)


def _handed_on(request: Request, session: str) -> Any:
    """What the page gets to see: whose request it is, and nothing that it does not need."""
    scope, params = request.scope, request.query_params
    dropped = {SESSION_HEADER.encode()}
    if scope["path"] in FORMS:  # the body is another now
        dropped.add(b"content-length")
    headers = [
        (name, value)
        for name, value in scope["headers"]
        if name.lower() not in dropped
        and (name.lower() != b"range" or RANGE.fullmatch(value.strip()))
    ]
    return {
        **scope,
        "headers": [*headers, (SESSION_HEADER.encode(), session.encode())],
        "query_string": urlencode({key: params[key] for key in QUERIES if key in params}).encode(),
    }


def _repeated(body: bytes, receive: Receive) -> Receive:
    """Receives that body, and then what comes after it."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Any:
        return left.pop() if left else await receive()

    return received


def _refusal(status: int, why: str) -> JSONResponse:
    return JSONResponse({"detail": why}, status)
