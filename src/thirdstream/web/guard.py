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
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.exceptions import HTTPException

from thirdstream.files import ThirdstreamError
from thirdstream.web.rooms import Workshop

SESSION_HEADER = "x-thirdstream-session"  # of requests, written by the guard alone
COOKIE = "thirdstream"
MAX_ASKED = 100_000  # bytes of a form; files come by another way
MAX_DRAINED = 4_000_000  # bytes of a refused body that are read, so that the refusal is heard
MAX_PAGES = 10_000  # session_hashes whose browser is remembered
LOOPBACK = ("127.0.0.1", "localhost", "::1")
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
    (("POST",), UPLOAD),
    *((("POST",), form) for form in FORMS),
]
ASKED_FOR = ("v", "session_hash", "upload_id")  # of queries; all else in them is dropped
RANGE = re.compile(rb"bytes=[0-9]*-[0-9]*")
MAX_TEXT = 1000  # characters of anything that is chosen
FITS: dict[str, Callable[[Any], bool]] = {  # what a field may hold, by the name of its kind
    "file": lambda one: one is None or (isinstance(one, dict) and "path" in one),
    "audio": lambda one: one is None or (isinstance(one, dict) and "path" in one),
    "radio": lambda one: one is None or _is_text(one),
    "dropdown": lambda one: one is None or _is_text(one),
    "checkboxgroup": lambda one: (
        isinstance(one, list) and len(one) <= 100 and all(map(_is_text, one))
    ),
    "checkbox": lambda one: isinstance(one, bool),
    "slider": lambda one: type(one) in (int, float) and -1e9 < one < 1e9,
}
ALLOWED = [(methods, re.compile(path, re.DOTALL)) for methods, path in ROUTES]
Send = Callable[[Any], Awaitable[None]]
Receive = Callable[[], Awaitable[Any]]


class Refused(Exception):
    """A request that goes no further: its status and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Function(NamedTuple):
    """What the page can be asked to do: by way of the queue or not, and the kinds of its fields."""

    queued: bool
    kinds: tuple[str, ...]


class Hosts:
    """By which names the page may be called, against pages that call this computer by theirs.

    host: where it listens. Beside it: names given to it, with a port where it is not the usual one
    of http or https. Where it listens on more than this computer, any number is a name, too: a
    foreign page has none.
    """

    def __init__(self, host: str, names: Sequence[str] = ()) -> None:
        self.local = host in LOOPBACK
        self.names = {*LOOPBACK, host.lower(), *(_parted(name)[0] for name in names)}
        self.origins = {name.lower() for name in names}

    def known(self, host: str) -> bool:
        """Whether a request may have this as its Host."""
        name, _ = _parted(host)
        return name in self.names or (not self.local and _is_number(name))

    def own(self, origin: str, host: str) -> bool:
        """Whether a page of this Origin may ask, with this Host: it is the page itself."""
        try:
            asked = urlsplit(origin)
            there = (asked.hostname or "", asked.port)
        except ValueError:
            return False
        if asked.scheme not in ("http", "https"):
            return False
        usual = {"http": 80, "https": 443}[asked.scheme]
        port = there[1] or usual
        if (there[0], port) == (_parted(host)[0], _parted(host)[1] or usual):
            return True
        name = f"[{there[0]}]" if ":" in there[0] else there[0]
        return (name if port == usual else f"{name}:{port}") in self.origins


def _parted(host: str) -> tuple[str, int | None]:
    """Name, in small letters and without brackets, and port of a Host."""
    try:
        parts = urlsplit(f"//{host}")
        if parts.path or parts.query or parts.fragment or "@" in host:
            return "", None
        return (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return "", None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT


def _is_number(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


class Asked(NamedTuple):
    """A request: what of it matters here."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]

    @classmethod
    def of(cls, scope: Any) -> "Asked":
        """As the server hands it on. Raises Refused where a header that counts comes twice."""
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            key = name.decode("latin-1").lower()
            if key in headers and key in ("host", "origin", "content-length"):
                raise Refused(400, f"{key} is there twice")
            headers[key] = value.decode("latin-1")
        query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=100)
        return cls(scope["method"], scope["path"], query, headers)

    def n_bytes(self) -> int | None:
        """What it says of its body's size. Raises Refused where that is no number."""
        said = self.headers.get("content-length")
        if said is None:
            return None if "transfer-encoding" in self.headers else 0
        if not (said.isascii() and said.isdigit() and len(said) < 16):
            raise Refused(400, "content-length is no number")
        return int(said)

    def handed_on(self, scope: Any, session: str) -> Any:
        """What the page gets to see: whose request it is, and nothing that it does not need."""
        dropped = {SESSION_HEADER.encode()}
        if self.path in FORMS:  # the body is another now
            dropped.add(b"content-length")
        headers = [
            (name, value)
            for name, value in scope["headers"]
            if name.lower() not in dropped
            and (name.lower() != b"range" or RANGE.fullmatch(value.strip()))
        ]
        query = urlencode({key: self.query[key][0] for key in ASKED_FOR if key in self.query})
        return {
            **scope,
            "headers": [*headers, (SESSION_HEADER.encode(), session.encode())],
            "query_string": query.encode(),
        }


class Guard:
    """An ASGI application around another: refuses what is not on the list, tells browsers to stay.

    functions: of the page, by number.
    """

    def __init__(
        self, app: Any, *, shop: Workshop, hosts: Hosts, functions: Mapping[int, Function]
    ) -> None:
        self.app, self.shop, self.hosts, self.functions = app, shop, hosts, functions
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
        cookie, fresh = _cookie(scope)
        session = hashlib.sha256(cookie.encode()).hexdigest()[
            :32
        ]  # a path that is known tells nothing
        own = dict(HEADERS)
        if fresh:
            own["Set-Cookie"] = f"{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Lax"

        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                ours = [(name.lower().encode(), value.encode()) for name, value in own.items()]
                message = {**message, "headers": [*message["headers"], *ours]}
            await send(message)

        counted = receive = Counted(receive)
        try:
            asked = Asked.of(scope)
            self._check(asked, session)
            if asked.path in FORMS:
                body = self._form(asked, await counted.whole(MAX_ASKED), session)
                receive = _repeated(body, receive)
        except (Refused, ThirdstreamError, ValueError) as error:
            await counted.drain(MAX_DRAINED)
            await _refuse(guarded, getattr(error, "status", 400), str(error))
            return
        except _Gone:
            return
        await self._answered(asked.handed_on(scope, session), receive, guarded)

    async def _answered(self, scope: Any, receive: Receive, send: Send) -> None:
        """Have the page answer; what it is still saying when the page is closed ends there."""
        task, begun = asyncio.current_task(), []

        async def sent(message: Any) -> None:
            begun.append(message["type"])
            await send(message)

        assert task is not None
        self._running.add(task)
        try:
            await self.app(scope, receive, sent)
        except (Exception, asyncio.CancelledError) as error:
            # What is refused after its answer had begun has said so in it.
            if not (self.closing or isinstance(error.__cause__, HTTPException)):
                raise
            if not begun:
                await _refuse(send, 503, "the page is being closed")
            else:
                await send({"type": "http.response.body", "body": b""})
        finally:
            self._running.discard(task)

    def close(self) -> None:
        """End all answers; from any thread."""
        self.closing = True
        for task in list(self._running):
            with suppress(RuntimeError):  # its loop has ended
                task.get_loop().call_soon_threadsafe(task.cancel)

    def _check(self, asked: Asked, session: str) -> None:
        """Raise Refused for what needs no body to be refused."""
        host = asked.headers.get("host", "")
        forwarded = asked.headers.get("x-forwarded-host", host).partition(",")[0].strip()
        if not (self.hosts.known(host) and self.hosts.known(forwarded)):
            raise Refused(400, "this page is not called that; add the name with --allow-host")
        if not any(asked.method in methods and path.fullmatch(asked.path)
                   for methods, path in ALLOWED):  # fmt: skip
            raise Refused(404, "there is no such thing here")
        self._from_here(asked, host)
        n_bytes = asked.n_bytes()
        if asked.method != "POST" and n_bytes != 0:
            raise Refused(413, "there is nothing to send here")
        if asked.path in FORMS and (n_bytes or 0) > MAX_ASKED:
            raise Refused(413, f"a form has {MAX_ASKED} bytes at most")
        if asked.path.startswith(FILE):
            self._own_file(asked.path.removeprefix(FILE), session)
        if asked.path.startswith(HEARTBEAT):
            self._own_page(asked.path.removeprefix(HEARTBEAT), session)
        for page in asked.query.get("session_hash", []):
            self._own_page(page, session)

    def _from_here(self, asked: Asked, host: str) -> None:
        """Raise Refused where a browser asks on behalf of another site's page."""
        origin, site = asked.headers.get("origin"), asked.headers.get("sec-fetch-site")
        opened = asked.path == "/" and asked.method != "POST"  # followed a link to here
        if origin is not None and not self.hosts.own(origin, host):
            raise Refused(403, "not from another page; add its own name with --allow-host")
        if origin is None and site not in (None, "same-origin", "none") and not opened:
            raise Refused(403, "not from another page")

    def _own_file(self, path: str, session: str) -> None:
        try:
            self.shop.room(session).owned(path)
        except ThirdstreamError:
            raise Refused(403, "that is no file of yours") from None

    def _own_page(self, page: Any, session: str) -> None:
        """A page's session belongs to the browser that used it first."""
        if not (isinstance(page, str) and re.fullmatch(PAGE, page)):
            raise Refused(400, "that is no session")
        owner = self._pages.setdefault(page, session)
        self._pages.move_to_end(page)
        while len(self._pages) > MAX_PAGES:
            self._pages.popitem(last=False)
        if owner != session:
            raise Refused(403, "that is somebody else's session")

    def _form(self, asked: Asked, body: bytes, session: str) -> bytes:
        """A body, with nothing in it that does not belong there. Raises Refused."""
        try:
            said = json.loads(body)
        except (ValueError, RecursionError):
            raise Refused(400, "the body is no JSON") from None
        if not isinstance(said, dict):
            raise Refused(400, "the body is no form")
        if "session_hash" in FORMS[asked.path]:
            self._own_page(said.get("session_hash"), session)
        if "data" in FORMS[asked.path]:
            self._check_call(said, queued=asked.path.endswith("/queue/join"))
        kept = {name: said[name] for name in FORMS[asked.path] if name in said}
        return json.dumps(self._cleaned(kept, session)).encode()

    def _check_call(self, said: Mapping[str, Any], *, queued: bool) -> None:
        """Raise Refused where a form names no function, or its fields hold what they never do."""
        number, data = said.get("fn_index"), said.get("data")
        function = self.functions.get(number) if type(number) is int else None
        if function is None or function.queued is not queued:
            raise Refused(404, "there is no such function here")
        if not isinstance(data, list) or len(data) != len(function.kinds):
            raise Refused(400, "the form has other fields")
        for kind, one in zip(function.kinds, data, strict=True):
            if not FITS[kind](one):
                raise Refused(400, f"the form has a {kind} that is none")

    def _cleaned(self, said: Any, session: str) -> Any:
        """The same, with files of this session alone, and no address of any."""
        if isinstance(said, list):
            return [self._cleaned(one, session) for one in said]
        if not isinstance(said, dict):
            return said
        if "path" not in said:
            return {name: self._cleaned(one, session) for name, one in said.items()}
        if not isinstance(said["path"], str):
            raise Refused(400, "that is no file")
        try:
            path = self.shop.room(session).owned(said["path"])
        except ThirdstreamError as error:
            raise Refused(403, str(error)) from None
        names = {name: said[name] for name in ("orig_name", "size", "mime_type") if name in said}
        if not all(isinstance(one, str | int | None) for one in names.values()):
            raise Refused(400, "that is no file")
        return {"path": str(path), "meta": {"_type": "gradio.FileData"}, **names}


class _Gone(Exception):
    """Nobody is there any more."""


class Counted:
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
        """The body, of so many bytes at most. Raises Refused."""
        body = b""
        while self.more:
            message = await self()
            if message["type"] != "http.request":
                raise _Gone
            body += message.get("body", b"")
            if len(body) > n_bytes:
                raise Refused(413, f"a form has {n_bytes} bytes at most")
        return body

    async def drain(self, n_bytes: int) -> None:
        """Read the rest, up to so many bytes: who is still sending does not hear a refusal."""
        while self.more and self.n_read < n_bytes:
            await self()


def _cookie(scope: Any) -> tuple[str, bool]:
    """A browser's own secret, and whether it is new."""
    for name, value in scope.get("headers", ()):
        if name.lower() == b"cookie":
            try:
                found = SimpleCookie(value.decode("latin-1")).get(COOKIE)
            except CookieError:
                continue
            if found is not None and re.fullmatch(r"[0-9a-f]{64}", found.value):
                return found.value, False
    return secrets.token_hex(32), True


def _repeated(body: bytes, receive: Receive) -> Receive:
    """Receives that body, and then what comes after it."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Any:
        return left.pop() if left else await receive()

    return received


async def _refuse(send: Send, status: int, why: str) -> None:
    body = json.dumps({"detail": why}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
