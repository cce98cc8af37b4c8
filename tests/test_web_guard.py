"""The guard of the page, and its sessions, without a server."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from thirdstream.files import ThirdstreamError
from thirdstream.web import sessions as folders
from thirdstream.web.guard import ALLOWED, FITS, Function, Guard
from thirdstream.web.hosts import Hosts
from thirdstream.web.limits import Limits
from thirdstream.web.sessions import Sessions

ME, OTHER = "a" * 64, "b" * 64  # cookies


@pytest.fixture
def sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sessions]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = Sessions(Limits(max_mb=1, session_mb=4, total_mb=6))
    yield made
    made.close()
    assert not made.root.exists()


# --- routes -------------------------------------------------------------------------------------

# Every route of the application, as method and path. A new one fails the test: think what it does
# before you put it here, and into the guard's list if the page needs it.
SERVED = """
GET / | HEAD / | GET /config | GET /theme.css | GET /favicon.ico | GET /manifest.json
GET /robots.txt | GET /assets/{path:path} | GET /static/{path:path} | GET /gradio_api/info
GET /gradio_api/startup-events | GET /gradio_api/theme.css | GET /gradio_api/app_id
GET /gradio_api/heartbeat/{session_hash} | GET /gradio_api/queue/data
GET /gradio_api/upload_progress | GET /gradio_api/file={path_or_url:path}
HEAD /gradio_api/file={path_or_url:path} | POST /gradio_api/upload
POST /gradio_api/queue/join | POST /gradio_api/run/{api_name} | POST /gradio_api/cancel
POST /gradio_api/reset | GET /example/{name} | HEAD /example/{name}
"""
REFUSED = """
GET /config/ | GET /gradio_api/app_id/
GET /gradio_api/call/v2/{api_name}/{event_id} | GET /gradio_api/call/{api_name}/{event_id}
GET /gradio_api/custom_component/{id}/{environment}/{type}/{file_name} | GET /gradio_api/deep_link
GET /gradio_api/dev/reload | GET /gradio_api/file/{path:path} | GET /gradio_api/info/
GET /gradio_api/login_check | GET /gradio_api/login_check/ | GET /gradio_api/openapi.json
GET /gradio_api/proxy={url_path:path} | GET /gradio_api/queue/status | GET /gradio_api/runs
GET /gradio_api/runs/ | GET /gradio_api/stream/{session_hash}/{run}/{component_id}/playlist-file
GET /gradio_api/stream/{session_hash}/{run}/{component_id}/playlist.m3u8
GET /gradio_api/stream/{session_hash}/{run}/{component_id}/{segment_id}.{ext}
GET /gradio_api/token | GET /gradio_api/token/ | GET /gradio_api/user | GET /gradio_api/user/
GET /gradio_api/vibe-code | GET /gradio_api/vibe-code/ | GET /logout | GET /monitoring
GET /monitoring/summary | GET /monitoring/{key} | GET /openapi.json | GET /pwa_icon
GET /pwa_icon/{size} | GET /svelte/{path:path} | HEAD /gradio_api/proxy={url_path:path}
HEAD /openapi.json | POST /gradio_api/api/{api_name} | POST /gradio_api/api/{api_name}/
POST /gradio_api/call/v2/{api_name} | POST /gradio_api/call/v2/{api_name}/
POST /gradio_api/call/{api_name} | POST /gradio_api/call/{api_name}/
POST /gradio_api/component_server | POST /gradio_api/component_server/
POST /gradio_api/process_recording | POST /gradio_api/reset/ | POST /gradio_api/run/{api_name}/
POST /gradio_api/stream/{event_id} | POST /gradio_api/stream/{event_id}/close
POST /gradio_api/undo-vibe-edit | POST /gradio_api/undo-vibe-edit/ | POST /gradio_api/vibe-code
POST /gradio_api/vibe-code/ | POST /gradio_api/vibe-edit | POST /gradio_api/vibe-edit/
POST /gradio_api/vibe-starter-queries | POST /gradio_api/vibe-starter-queries/ | POST /login
POST /login/
"""
FILLED = {  # a path that a route with this part would answer to
    "{path:path}": "x.js", "{path_or_url:path}": "x", "{session_hash}": "me",
    "{api_name}": "predict", "{name}": "roll.png",
}  # fmt: skip


# In a process of its own, for Gradio leaves open what it opens.
LISTING = """
import json
from contextlib import contextmanager
from thirdstream.web import server
from thirdstream.web.controller import Controller
from thirdstream.web.limits import Limits
from thirdstream.web.page import build
from thirdstream.web.sessions import Sessions
from thirdstream.web.tasks import described

class Pool:
    @contextmanager
    def worker(self):
        yield self
    def call(self, task, arguments, **how):
        return described(**arguments, progress=lambda share, what: None)

def routes_of(app, prefix=""):
    for route in app.routes:
        inner = getattr(route, "original_router", None)
        path = prefix + (getattr(route, "path", "") or "")
        if inner is not None:
            yield from routes_of(inner, prefix)
        elif getattr(route, "routes", None):
            yield from routes_of(route, path.rstrip("/"))
        else:
            yield from (f"{method} {path}" for method in getattr(route, "methods", None) or ["WS"])

sessions = Sessions(Limits())
models = {name: name for name in ("score", "twin-cnn", "twin-gan")}
page = build(Controller(sessions, Pool(), models))
routes = sorted(set(routes_of(server.unguarded(page, sessions))))
kinds = sorted({kind for one in server.functions_of(page).values() for kind in one.kinds})
sessions.close()
print(json.dumps([routes, kinds]))
"""


def filled(path: str) -> str:
    """A path that a route answers to."""
    for part, value in FILLED.items():
        path = path.replace(part, value)
    return path


def listed(text: str) -> set[str]:
    return {one.strip() for one in text.replace("\n", "|").split("|") if one.strip()}


def test_every_route_is_known_and_most_are_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LISTING], capture_output=True, text=True, check=True,
        env=os.environ | {"GRADIO_TEMP_DIR": str(tmp_path)},
    )  # fmt: skip
    found, kinds = json.loads(done.stdout)
    assert set(found) == listed(SERVED) | listed(REFUSED)
    for route in found:
        method, path = route.split(" ")
        for part, value in FILLED.items():
            path = path.replace(part, value)
        allowed = any(method in methods and pattern.fullmatch(path) for methods, pattern in ALLOWED)
        assert allowed == (route in listed(SERVED)), route
    assert set(kinds) <= set(FITS)  # a new kind of field needs a line there


# --- requests -----------------------------------------------------------------------------------


def asked(  # noqa: PLR0913
    sessions: Sessions, method: str, path: str, headers: dict[str, str] | None = None,
    body: bytes = b"", *, host: str = "127.0.0.1", names: tuple[str, ...] = (), cookie: str = ME,
    guard: Guard | None = None,
) -> tuple[int, bytes, dict[str, str]]:  # fmt: skip
    """Status, the body that came through (or the refusal), and the headers of the answer."""

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": message["body"]})

    functions = {1: Function(True, ("file", "slider")), 2: Function(False, ("radio",))}
    guard = guard or Guard(inside, sessions=sessions, hosts=Hosts(host, names), functions=functions)
    told = {"host": "127.0.0.1:7860", "cookie": f"thirdstream={cookie}", **(headers or {})}
    if body:
        told.setdefault("content-length", str(len(body)))
    scope = {
        "type": "http", "method": method, "path": path.partition("?")[0],
        "query_string": path.partition("?")[2].encode(),
        "headers": [(name.encode(), value.encode()) for name, value in told.items()],
    }  # fmt: skip
    sent: list[Any] = []
    came = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        return came.pop()  # a second one would wait for ever

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(guard(scope, receive, send))
    answer = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], sent[1]["body"], answer


POSTED = [route.split(" ")[1] for route in listed(SERVED) if route.startswith("POST")]
GOT = [route.split(" ")[1] for route in listed(SERVED) if route.startswith("GET")]
FOREIGN = [
    {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "http://localhost:1"},
    {"origin": "http://127.0.0.1:7861"}, {"origin": "file://"}, {"origin": "http://[::1"},
    {"origin": "http://127.0.0.1:7860.evil.example"}, {"origin": "http://127.0.0.1:99999"},
    {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
]  # fmt: skip


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_another_sites_page_may_ask_for_nothing(
    sessions: Sessions, headers: dict[str, str]
) -> None:
    for method, paths in (("POST", POSTED), ("GET", GOT)):
        for path in map(filled, paths):
            if (method, path) == ("GET", "/") and "origin" not in headers:
                continue  # who follows a link to the page comes from another
            assert asked(sessions, method, path, headers)[0] == 403, path


@pytest.mark.parametrize("headers", [{}, {"origin": "http://127.0.0.1:7860"}], ids=str)
def test_the_page_itself_may_ask(sessions: Sessions, headers: dict[str, str]) -> None:
    assert asked(sessions, "POST", "/gradio_api/upload", headers, b"x")[0] == 299
    assert asked(sessions, "GET", "/config", headers | {"sec-fetch-site": "same-origin"})[0] == 299


@pytest.mark.parametrize(
    ("listens", "names", "host", "origin", "status"),
    [
        ("127.0.0.1", (), "localhost:7860", "http://localhost:7860", 299),
        ("127.0.0.1", (), "[::1]:7860", "http://[::1]:7860", 299),
        ("127.0.0.1", (), "evil.example:7860", "http://evil.example:7860", 400),  # DNS rebinding
        ("127.0.0.1", (), "192.168.0.9:7860", "http://192.168.0.9:7860", 400),
        ("127.0.0.1", (), "", "http://localhost", 400),
        ("127.0.0.1", (), "localhost@evil.example", "http://localhost", 400),
        # On more than this computer: by its numbers, and by no name that was not given.
        ("0.0.0.0", (), "192.168.0.9:7860", "http://192.168.0.9:7860", 299),
        ("0.0.0.0", (), "192.168.0.9:7860", "http://192.168.0.8:7860", 403),
        ("0.0.0.0", (), "jazz.lan:7860", "http://jazz.lan:7860", 400),
        ("0.0.0.0", ("jazz.lan",), "jazz.lan:7860", "http://jazz.lan:7860", 299),
        ("0.0.0.0", ("JAZZ.lan",), "jazz.lan.:7860", "http://jazz.lan.:7860", 403),
        ("::", (), "[fe80::1]:7860", "http://[fe80::1]:7860", 299),
        ("jazz.lan", (), "jazz.lan:7860", "http://jazz.lan:7860", 299),
        # Behind a proxy that hands on the name, and behind one that does not.
        ("127.0.0.1", ("jazz.example",), "jazz.example", "https://jazz.example", 299),
        ("127.0.0.1", ("jazz.example",), "127.0.0.1:7860", "https://jazz.example", 299),
        ("127.0.0.1", ("jazz.example",), "127.0.0.1:7860", "https://jazz.example:444", 403),
        ("127.0.0.1", ("jazz.example:444",), "127.0.0.1:7860", "https://jazz.example:444", 299),
        ("127.0.0.1", ("jazz.example",), "127.0.0.1:7860", "https://evil.example", 403),
    ],
)
def test_names_by_which_the_page_is_called(
    sessions: Sessions, listens: str, names: tuple[str, ...], host: str, origin: str, status: int
) -> None:
    headers = {"host": host, "origin": origin}
    how: dict[str, Any] = {"host": listens, "names": names}
    assert asked(sessions, "POST", "/gradio_api/upload", headers, b"x", **how)[0] == status


def test_a_forwarded_name_must_be_known_too(sessions: Sessions) -> None:
    assert asked(sessions, "GET", "/", {"x-forwarded-host": "evil.example"})[0] == 400
    assert asked(sessions, "GET", "/", {"x-forwarded-host": "localhost:7860"})[0] == 299


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize(
    "path",
    [
        "/openapi.json", "/gradio_api/openapi.json", "/docs", "/login", "/gradio_api/proxy=http://a",
        "/gradio_api/run/transfer", "/gradio_api/api/predict", "/gradio_api/call/transfer",
        "/gradio_api/call/v2/transfer", "/gradio_api/component_server", "//gradio_api/queue/join",
        "/gradio_api/queue/join/", "/gradio_api/process_recording", "/gradio_api/file/x",
        "/assets/../../x", "/assets/a\0b", "/static/%2e%2e/x", "/example/../x", "/example/",
        "/example/a/b.png", "/gradio_api/heartbeat/a/b", "",
    ],
)  # fmt: skip
def test_what_is_not_on_the_list_is_not_there(sessions: Sessions, method: str, path: str) -> None:
    assert asked(sessions, method, path)[0] == 404


def join(page: Any = "me", number: Any = 1, data: Any = (None, 1.0), **more: Any) -> bytes:
    said = {"session_hash": page, "fn_index": number, "data": data, **more}
    return json.dumps(said).encode()


def test_a_number_may_be_left_empty(sessions: Sessions) -> None:
    assert asked(sessions, "POST", "/gradio_api/queue/join", body=join(data=[None, None]))[0] == 299


def test_a_form_is_handed_on_without_what_does_not_belong_there(sessions: Sessions) -> None:
    status, body, _ = asked(
        sessions, "POST", "/gradio_api/queue/join", body=join(oauth_token="x", batched=True)
    )
    assert status == 299
    assert json.loads(body) == {"session_hash": "me", "fn_index": 1, "data": [None, 1.0]}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("queue/join", b"", 400),
        ("queue/join", b"[]", 400),
        ("queue/join", b"[" * 90_000, 400),
        ("queue/join", b"{" + b" " * 200_000 + b"}", 413),
        ("queue/join", join(page=None), 400),
        ("queue/join", join(page="../x"), 400),
        ("queue/join", join(number=9), 404),
        ("queue/join", join(number=True), 404),
        ("queue/join", join(number=2, data=["x"]), 404),  # is not asked by the queue
        ("run/predict", join(), 404),  # is asked by the queue
        ("queue/join", join(data=[]), 400),
        ("queue/join", join(data=[None, "1"]), 400),
        ("queue/join", join(data=["/etc/passwd", 1.0]), 400),
        ("queue/join", join(data=[[], 1.0]), 400),
        ("queue/join", join(data=[None, float("nan")]), 400),
        ("run/predict", join(number=2, data=[{"path": "/etc/passwd"}]), 400),
        ("run/predict", join(number=2, data=["x" * 5000]), 400),
        ("queue/join", join(data=[{"path": "/etc/passwd"}, 1.0]), 403),
        ("queue/join", join(data=[{"path": "http://127.0.0.1:9/a.wav"}, 1.0]), 403),
        ("queue/join", join(data=[{"path": 7}, 1.0]), 400),
        ("queue/join", join(data=[{"path": "a\0b"}, 1.0]), 403),
        ("queue/join", join(event_data={"a": [{"path": "/etc/passwd"}]}), 403),
    ],
)  # fmt: skip
def test_forms_that_are_none(sessions: Sessions, path: str, body: bytes, status: int) -> None:
    found, said, _ = asked(sessions, "POST", f"/gradio_api/{path}", body=body)
    assert found == status
    assert str(sessions.root) not in said.decode()


def test_a_file_belongs_to_its_browser_and_its_address_is_dropped(sessions: Sessions) -> None:
    files: list[Path] = []
    for cookie in (ME, OTHER):
        files.append(sessions.session(session_named(cookie)).root / "a.wav")
        files[-1].write_bytes(b"x")
    mine, theirs = map(str, files)
    assert ME not in mine  # who knows a path does not know the cookie
    one = {"path": mine, "url": "http://evil.example/", "orig_name": "a.wav", "is_stream": True}
    status, body, _ = asked(sessions, "POST", "/gradio_api/queue/join", body=join(data=[one, 1.0]))
    assert status == 299
    kept = {"path": mine, "orig_name": "a.wav", "meta": {"_type": "gradio.FileData"}}
    assert json.loads(body)["data"] == [kept, 1.0]
    one["path"] = theirs
    assert asked(sessions, "POST", "/gradio_api/queue/join", body=join(data=[one, 1.0]))[0] == 403
    assert asked(sessions, "GET", f"/gradio_api/file={mine}")[0] == 299
    assert asked(sessions, "GET", f"/gradio_api/file={theirs}")[0] == 403
    assert asked(sessions, "GET", f"/gradio_api/file={theirs}", cookie=OTHER)[0] == 299


def session_named(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()[:32]


def test_a_session_belongs_to_the_browser_that_used_it_first(sessions: Sessions) -> None:
    async def inside(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    guard = Guard(
        inside,
        sessions=sessions,
        hosts=Hosts("127.0.0.1"),
        functions={2: Function(False, ("radio",))},
    )
    body = join(number=2, data=["x"])
    assert asked(sessions, "POST", "/gradio_api/run/predict", body=body, guard=guard)[0] == 299
    cancel = json.dumps({"session_hash": "me", "fn_index": 1, "event_id": "1"}).encode()
    for cookie, status in ((OTHER, 403), ("", 403), (ME, 299)):
        how: dict[str, Any] = {"cookie": cookie, "guard": guard}
        for path in ("queue/data?session_hash=me", "heartbeat/me"):
            assert asked(sessions, "GET", f"/gradio_api/{path}", **how)[0] == status
        assert asked(sessions, "POST", "/gradio_api/cancel", body=cancel, **how)[0] == status


def test_a_browser_gets_its_cookie_once_and_every_answer_its_policy(sessions: Sessions) -> None:
    _, _, answer = asked(sessions, "GET", "/", cookie="x")
    assert answer["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Lax")
    assert "set-cookie" not in asked(sessions, "GET", "/")[2]
    for path in ("/", "/nope"):
        assert (
            "frame-ancestors 'none'" in asked(sessions, "GET", path)[2]["content-security-policy"]
        )


def test_bodies_where_none_belong_and_sizes_that_are_none(sessions: Sessions) -> None:
    assert asked(sessions, "GET", "/", body=b"x")[0] == 413
    for size in ("-1", "1e3", "x", "9" * 30, "\u0661"):
        assert asked(sessions, "POST", "/gradio_api/upload", {"content-length": size})[0] == 400


START = {"type": "http.response.start", "status": 299, "headers": []}
PART, END = ({"type": "http.response.body", "body": b"x", "more_body": more} for more in (1, 0))


@pytest.mark.parametrize("before", [[], [START], [START, PART], [START, END]], ids=len)
def test_a_page_that_is_closed_ends_each_answer_once(
    sessions: Sessions, before: list[dict[str, Any]]
) -> None:
    """However far the answer has come; a server takes nothing after its end, and says so."""
    sent: list[Any] = []

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        for message in before:
            await send(message)
        asyncio.get_running_loop().call_soon(guard.close)
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        assert not [one for one in sent if one["type"] == END["type"] and not one.get("more_body")]
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    guard = Guard(inside, sessions=sessions, hosts=Hosts("127.0.0.1"), functions={})
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"",
             "headers": [(b"host", b"127.0.0.1:7860")]}  # fmt: skip
    asyncio.run(guard(scope, receive, send))
    assert sent[0]["status"] == (299 if before else 503)
    assert not sent[-1].get("more_body")


# --- sessions ----------------------------------------------------------------------------------


def refused(sessions: Sessions, session: str, n_bytes: int, why: str) -> None:
    with pytest.raises(ThirdstreamError, match=why), sessions.reserved(session, n_bytes):
        pass


def test_what_is_written_is_counted_before(sessions: Sessions) -> None:
    me, other, third = "1" * 32, "2" * 32, "3" * 32
    with sessions.reserved(me, 3_000_000):
        refused(sessions, me, 2_000_000, "your files here have 3 of the 4 that one may have")
        with sessions.reserved(other, 2_500_000):
            refused(sessions, third, 600_000, "no space on its disk now")
    (sessions.session(me).root / "upload-1").mkdir()
    (sessions.session(me).root / "upload-1" / "a").write_bytes(bytes(3_500_000))
    refused(sessions, me, 600_000, "have 4 of the 4")
    for number in range(4):  # small ones count, too: a million of them would fill a disk
        (sessions.session(other).root / f"upload-{number}").mkdir()
    refused(sessions, other, 1, "have 4 of the 4")


def test_a_job_that_fails_leaves_nothing(sessions: Sessions) -> None:
    session = sessions.session("1" * 32)
    with pytest.raises(KeyboardInterrupt), session.new_folder() as folder:
        (folder / "a.wav").write_bytes(b"x")
        raise KeyboardInterrupt
    assert not list(session.root.iterdir())


@pytest.mark.parametrize("name", ["", "..", "../up", "1" * 31, "1" * 33, "A" * 32, "/"])
def test_a_session_is_no_path(sessions: Sessions, name: str) -> None:
    with pytest.raises(ThirdstreamError, match="knows no such session"):
        sessions.session(name)


HOLDS = """
import sys
from thirdstream.web.limits import Limits
from thirdstream.web.sessions import Sessions
sessions = Sessions(Limits())
(sessions.session("1" * 32).root / "a").write_bytes(b"x")
print(sessions.root, flush=True)
sys.stdin.read()
"""


def test_the_folder_of_a_killed_server_goes_and_that_of_a_living_one_stays(tmp_path: Path) -> None:
    holders = []
    for _ in range(2):
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=os.environ | {"TMPDIR": str(tmp_path)},
        )  # fmt: skip
        assert holder.stdout is not None
        holders.append((holder, Path(holder.stdout.readline().strip())))
    (killed, left), (living, kept) = holders
    killed.kill()
    killed.communicate()
    (tmp_path / "thirdstream-page-begun").mkdir()  # by a server that is about to lock it
    (tmp_path / "thirdstream-page-old").mkdir()
    os.utime(tmp_path / "thirdstream-page-old", (0, 0))
    (tmp_path / "mine").mkdir()
    (tmp_path / "thirdstream-page-link").symlink_to(tmp_path / "mine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path))
        folders.remove_abandoned()
    assert not left.exists() and (kept / ("1" * 32) / "a").exists()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {kept.name, "thirdstream-page-begun", "thirdstream-page-link", "mine"}
    living.kill()
    living.communicate()


def test_empty_sessions_go(sessions: Sessions) -> None:
    session = sessions.session("1" * 32)
    sessions.sweep(now_s=time.time() + 59 * 60)
    assert session.root.exists()
    sessions.sweep(now_s=time.time() + 61 * 60)
    assert not session.root.exists()


def test_limits_that_contradict() -> None:
    with pytest.raises(ThirdstreamError, match="session-mb must be max-mb or more"):
        Limits(max_mb=3000)
    with pytest.raises(ThirdstreamError, match="memory-mb must be 1 or more"):
        Limits(memory_mb=0)
