"""Many users of the page at once: each gets its own result, whole, and nobody's is lost.

    python benchmarks/clients.py [--clients 20] [--jobs 1]

Every client uploads a tone of a length of its own, asks for a transfer by the twin CNN as the
browser does, and fetches what the page shows: it must be as long as the upload, and named like it.
"""

import argparse
import io
import json
import re
import sys
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import soundfile as sf

from tables import CONSOLE
from thirdstream.audio import SR
from thirdstream.web.limits import Limits
from thirdstream.web.server import running

PATIENCE_S = 1800.0
SHORTEST = 30_000  # samples; each client has a thousand more than the one before


@dataclass
class Answer:
    """What a client got: the status line, the HTML of its result, and the seconds it took."""

    status: str
    html: str = ""
    seconds: float = 0.0


class Client:
    """A browser's session without a browser."""

    def __init__(self, address: str) -> None:
        self.http = httpx.Client(base_url=address, timeout=PATIENCE_S)
        self.session = uuid.uuid4().hex
        config = self.http.get("/config").json()
        self._components = {one["id"]: one["props"] for one in config["components"]}
        self._events = config["dependencies"]
        self.function = self.function_of("transfer-start")

    def function_of(self, button: str) -> int:
        """The number of the function behind a button, by its elem_id."""
        return next(
            number
            for number, event in enumerate(self._events)
            if event["backend_fn"]
            and any(self._components.get(target, {}).get("elem_id") == button
                    for target, _ in event["targets"])
        )  # fmt: skip

    def form(self, path: str, **values: Any) -> dict[str, Any]:
        """An order of a transfer of an uploaded file; values: of fields, by elem_id."""
        clip = {"path": path, "meta": {"_type": "gradio.FileData"}}
        filled = {"clip": clip, "system": None, "system-paper": "twin-cnn", "measure": False,
                  "style-strength": 1.0, "keep-content": 0.0} | values  # fmt: skip
        fields = [self._components[one] for one in self._events[self.function]["inputs"]]
        data = [filled.get(one["elem_id"], one.get("value")) for one in fields]
        return {"data": data, "fn_index": self.function, "session_hash": self.session}

    def upload(self, name: str, content: bytes) -> httpx.Response:
        """Send a file; on success the answer is a list with its path."""
        return self.http.post("/gradio_api/upload", files={"files": (name, content)})

    def transfer(self, path: str, **values: Any) -> Answer:
        """Ask for a transfer of an uploaded file into jazz, and wait for it; as `form`."""
        start = time.monotonic()
        joined = self.http.post("/gradio_api/queue/join", json=self.form(path, **values))
        if joined.status_code != httpx.codes.OK:
            return Answer(f"turned away: {joined.status_code} {joined.text[:200]}")
        shown = ["", ""]
        where = {"session_hash": self.session}
        with self.http.stream("GET", "/gradio_api/queue/data", params=where) as stream:
            for line in stream.iter_lines():
                said = json.loads(line.removeprefix("data:") or "{}") if line else {}
                output = said.get("output") or {}
                if said.get("msg") == "process_completed" and not said.get("success"):
                    return Answer(f"failed: {output.get('error')}")
                if said.get("msg") == "process_generating":
                    _follow(shown, output.get("data", []))
                if said.get("msg") in ("process_completed", "close_stream"):
                    break
        return Answer(shown[0], shown[1], time.monotonic() - start)

    def fetched(self, answer: Answer) -> list[int]:
        """Samples of each sound in a result."""
        links = re.findall(r'<audio[^>]+src="([^"]+)"', answer.html)
        sounds = [self.http.get(f"/{link}").raise_for_status().content for link in links]
        return [sf.info(io.BytesIO(sound)).frames for sound in sounds]


def _follow(shown: list[str], data: list[Any]) -> None:
    """Gradio sends whole values at first, then only what changes in them."""
    for number, one in enumerate(data[: len(shown)]):
        if isinstance(one, str):
            shown[number] = one
        elif isinstance(one, list):
            for action, _, value in one:
                shown[number] = value if action == "replace" else shown[number] + value


def tone(n_samples: int) -> bytes:
    """A WAV file of a tone."""
    file = io.BytesIO()
    sf.write(file, 0.1 * np.sin(np.arange(n_samples) / 20), SR, format="WAV")
    return file.getvalue()


def visit(address: str, number: int) -> tuple[str, float]:
    """What became of one client ("its own", or what was wrong), and after how many seconds."""
    client = Client(address)
    try:
        return _visited(client, number)
    finally:
        client.http.close()


def _visited(client: Client, number: int) -> tuple[str, float]:
    n_samples = SHORTEST + 1000 * number
    sent = client.upload(f"song {number}.wav", tone(n_samples))
    if sent.status_code != httpx.codes.OK:
        return f"upload: {sent.status_code}", 0.0
    answer = client.transfer(sent.json()[0])
    if "Done" not in answer.status:
        return f"not done: {answer.status[:200]}", answer.seconds
    if f"song {number}.wav" not in answer.html:
        return "somebody else's", answer.seconds
    found = client.fetched(answer)
    wanted = [n_samples] * 2
    return ("its own" if found == wanted else f"{found} samples, not {wanted}"), answer.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=1, help="transfers at a time")
    given = parser.parse_args()
    with running(host="127.0.0.1", port=0, limits=Limits(jobs=given.jobs)) as address:
        start = time.monotonic()
        with ThreadPoolExecutor(given.clients) as pool:
            outcomes = list(pool.map(lambda one: visit(address, one), range(given.clients)))
        seconds = time.monotonic() - start
    counts = Counter(outcome for outcome, _ in outcomes)
    CONSOLE.print(f"{given.clients} clients, {given.jobs} at work at a time: {dict(counts)}")
    waits = sorted(wait for _, wait in outcomes)
    CONSOLE.print(f"all in {seconds:.0f} s; the first had waited {waits[0]:.0f} s, the last "
                  f"{waits[-1]:.0f} s")  # fmt: skip
    sys.exit(set(counts) != {"its own"})


if __name__ == "__main__":
    main()
