"""The page in a browser: what a user does, from one end to the other."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile as sf
from playwright import sync_api as playwright

from conftest import music
from thirdstream import registry
from thirdstream.audio import SR
from thirdstream.report.results import benchmark_results
from thirdstream.web.limits import Limits
from thirdstream.web.server import running

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
ARGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip
PATIENCE_MS = 120_000  # machines may be slow; nothing here says how fast they must be


@dataclass
class Page:
    """A running page: its address and the folder of its files."""

    address: str
    root: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page, with short limits."""
    patch = pytest.MonkeyPatch()
    place = tmp_path_factory.mktemp("temporary")
    patch.setattr("tempfile.tempdir", str(place))
    limits = Limits(max_minutes=2, max_mb=9)
    with running(host="127.0.0.1", port=0, limits=limits) as address:
        (root,) = place.glob("thirdstream-page-*")
        yield Page(address, root)
    assert not list(place.glob("thirdstream-page-*"))
    patch.undo()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield found
        found.close()


class Tab:
    """A browser window on the page, and all it asked for."""

    def __init__(self, browser: Any, served: Page, *, width: int = 1280) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900})
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.asked: list[str] = []
        self.faults: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.goto(served.address)
        self.page.locator("#transfer-start").wait_for()

    def upload(self, path: Path, *, where: str = "") -> None:
        remove = self.page.locator(f"{where} button[aria-label='Clear']").first
        if remove.is_visible():
            remove.click()
        self.page.locator(f"{where} input[type=file]").first.set_input_files(path)
        self.page.get_by_text(path.suffix, exact=False).first.wait_for()
        self.page.locator(f"{where} .file-preview").first.wait_for()

    def choose(self, label: str) -> None:
        """A system, and wait until the form shows what it takes."""
        self.page.locator("#system-paper").get_by_label(f"{label}: ").check()
        self.page.wait_for_function(
            "() => document.querySelector('#keep-content input[type=number]').value === '0'"
        )

    def start(self, name: str = "transfer") -> None:
        self.page.locator(f"#{name}-start").click()

    def status(self, text: str, name: str = "transfer") -> str:
        """What the line says, once it says `text`."""
        line = self.page.locator(f"#{name}-status .ts-notice", has_text=text)
        line.wait_for()
        return line.inner_text()


@pytest.fixture(scope="module")
def tab(browser: Any, served: Page) -> Iterator[Tab]:
    made = Tab(browser, served)
    yield made
    assert made.faults == []
    foreign = [url for url in made.asked if not url.startswith((served.address, "data:", "blob:"))]
    assert foreign == []
    made.context.close()


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stereo, 6 s and an odd sample."""
    path = tmp_path_factory.mktemp("songs") / "my song.wav"
    sf.write(path, np.stack([music(0, 264_601), music(1, 264_601)], axis=1), SR)
    return path


def test_the_first_screen_has_an_example_to_play_and_says_what_systems_do(tab: Tab) -> None:
    page = tab.page
    example = page.locator(".ts-example")
    assert "MIT licence" in example.inner_text()
    assert example.locator(".ts-bars li").count() == 9
    page.wait_for_function(
        "() => [...document.querySelectorAll('.ts-example audio')].every(one => one.duration > 11)"
    )
    assert example.locator(".ts-roll").evaluate("(i) => i.complete && i.naturalWidth > 0")
    for group, names in (("#system", ["score", "twin-paired"]), ("#system-paper", ["twin-cnn"])):
        for name in names:
            said = page.locator(f"{group} label", has_text=f"{name}: ").inner_text()
            assert registry.SYSTEMS[name].about in said
    tab.choose("twin-cnn")
    assert page.locator("#system input:checked").count() == 0
    page.locator("#system").get_by_label("score: ").check()
    page.wait_for_function("() => !document.querySelector('#system-paper input:checked')")


@pytest.fixture
def transferred(tab: Tab, song: Path) -> None:
    """The song's transfer is on the page, whichever test came before."""
    heading = tab.page.locator("#transfer-result h2", has_text="my song.wav")
    if heading.count():
        return  # made again, it would go for a moment, while the status still says "Done"
    tab.choose("twin-cnn")
    tab.upload(song)
    tab.page.get_by_label("Measure the result", exact=True).uncheck()
    tab.start()
    heading.wait_for()


@pytest.mark.usefixtures("transferred")
def test_a_wav_becomes_jazz_and_can_be_taken_away(tab: Tab, song: Path, tmp_path: Path) -> None:
    heading = tab.page.locator("#transfer-result h2").inner_text().replace("\n", " ")
    assert heading == "my song.wav: classical to jazz, by twin-cnn"
    for label, ending in (("WAV", ".wav"), ("MP3", ".mp3")):
        with tab.page.expect_download() as waiting:
            tab.page.locator("#transfer-result").get_by_role("link", name=label).click()
        assert waiting.value.suggested_filename == f"my song_to_jazz_by_twin-cnn{ending}"
        waiting.value.save_as(tmp_path / f"result{ending}")
    wave, sr = sf.read(tmp_path / "result.wav")
    original, _ = sf.read(song)
    assert (wave.shape, sr) == (original.shape, SR)
    levels = [10 * np.log10(np.square(one).mean()) for one in (wave, original)]
    assert levels[0] == pytest.approx(levels[1], abs=0.2)
    assert np.abs(wave - original).max() > 0.01
    assert sf.info(tmp_path / "result.mp3").samplerate == SR
    loaded = "(i) => i.complete && i.naturalWidth > 0"
    for picture in tab.page.locator("#transfer-result img").all():
        assert picture.evaluate(loaded)


SOUNDS = """() => [...document.querySelectorAll('#transfer-result audio')].map(
    (one) => ({now: one.currentTime, muted: one.muted, paused: one.paused}))"""


@pytest.mark.usefixtures("transferred")
def test_players_change_at_the_same_moment_from_the_keyboard(tab: Tab) -> None:
    page = tab.page
    page.locator("#transfer-result .ts-play").focus()
    page.keyboard.press("Space")
    page.wait_for_function(f"() => ({SOUNDS})().every((one) => one.now > 0.4)")
    first, second = page.evaluate(SOUNDS)
    assert not first["paused"] and not second["paused"]
    assert (first["muted"], second["muted"]) == (False, True)
    page.locator("#transfer-result .ts-player input[type=radio]").first.focus()
    page.keyboard.press("ArrowRight")
    first, second = page.evaluate(SOUNDS)
    assert (first["muted"], second["muted"]) == (True, False)
    assert abs(first["now"] - second["now"]) < 0.25  # as it is chosen, then nearer
    page.wait_for_function(
        f"() => {{ const [a, b] = ({SOUNDS})(); return Math.abs(a.now - b.now) < 0.03; }}"
    )
    assert not any(one["paused"] for one in page.evaluate(SOUNDS))
    page.wait_for_function(f"() => ({SOUNDS})().every((one) => one.paused)")  # the end
    assert page.locator("#transfer-result .ts-play").inner_text() == "Play"
    page.locator("#transfer-result .ts-seek").focus()
    page.keyboard.press("Home")
    assert [one["now"] for one in page.evaluate(SOUNDS)] == [0, 0]


def test_an_mp3_is_taken_and_measured(tab: Tab, song: Path) -> None:
    wave, _ = sf.read(song)
    path = song.with_name("other.mp3")
    sf.write(path, wave, SR, format="MP3")
    tab.upload(path)
    tab.page.get_by_label("Measure the result", exact=True).check()
    tab.start()
    tab.page.locator("#transfer-result h2", has_text="other.mp3").wait_for()
    tab.page.locator("#transfer-scores h3").wait_for()
    said = tab.page.locator("#transfer-scores").inner_text()
    assert "Read them together" in said
    assert "chroma cosine" in said


def test_bad_files_are_refused_in_one_clear_sentence(tab: Tab, song: Path) -> None:
    folder = song.parent
    (folder / "text.wav").write_text("no music\n")
    (folder / "empty.wav").touch()
    with sf.SoundFile(folder / "hours.flac", "w", 8000, 1, format="FLAC") as file:
        for _ in range(120):
            file.write(np.zeros(60 * 8000, np.int16))
    for name, fault in (
        ("text.wav", "is not audio in a format we know"),
        ("empty.wav", "is empty (0 bytes)"),
        ("hours.flac", "lasts 120.0 minutes; this page takes 2 at most"),
    ):
        tab.upload(folder / name)
        tab.start()
        assert tab.status(fault).startswith(f"Not done: {name}: ")
        assert str(folder) not in tab.page.locator("body").inner_text()


def test_too_large_a_file_is_refused_as_it_comes(browser: Any, served: Page, song: Path) -> None:
    tab = Tab(browser, served)
    path = song.with_name("large.wav")
    path.write_bytes(bytes(10_000_000))
    tab.page.locator("input[type=file]").first.set_input_files(path)
    toast = tab.page.locator(".toast-body", has_text="exceed the maximum allowed size of 9")
    toast.first.wait_for()
    assert "large.wav" in toast.first.inner_text()
    tab.context.close()


def test_two_users_at_once_each_get_their_own(browser: Any, served: Page, song: Path) -> None:
    tabs = [Tab(browser, served), Tab(browser, served)]
    for number, tab in enumerate(tabs):
        path = song.with_name(f"of user {number}.wav")
        shutil.copy(song, path)
        tab.choose("twin-cnn")
        tab.upload(path)
        tab.page.get_by_label("Measure the result", exact=True).uncheck()
    for tab in tabs:
        tab.start()
    for number, tab in enumerate(tabs):
        tab.status("Done")
        assert f"of user {number}.wav" in tab.page.locator("#transfer-result h2").inner_text()
        assert tab.faults == []
        tab.context.close()


def test_cancelling_stops_the_work_and_leaves_nothing(tab: Tab, served: Page, song: Path) -> None:
    wave, _ = sf.read(song)
    path = song.with_name("longer.flac")
    sf.write(path, np.tile(wave, (15, 1)), SR)
    before = set(served.root.glob("*/result-*"))
    tab.upload(path)
    tab.start()
    tab.page.wait_for_timeout(1000)
    assert set(served.root.glob("*/result-*")) != before
    tab.page.locator("#transfer-cancel").click()
    tab.status("Cancelled")
    until = time.monotonic() + PATIENCE_MS / 1000
    while set(served.root.glob("*/result-*")) != before:
        assert time.monotonic() < until
        time.sleep(0.1)


def test_systems_are_compared_on_one_clip(tab: Tab, song: Path) -> None:
    tab.page.get_by_role("tab", name="Compare").click()
    systems = tab.page.get_by_role("tabpanel").filter(has=tab.page.locator("#compare-start"))
    for name in ("score", "twin-cnn", "twin-vae"):
        systems.get_by_label(f"{name}: ").set_checked(name != "score")
    tab.upload(song, where="[role=tabpanel]:has(#compare-start)")
    systems.get_by_label("Measure the results").uncheck()
    tab.start("compare")
    tab.status("Done", "compare")
    choices = tab.page.locator("#compare-result .ts-player label").all_inner_texts()
    assert [choice.strip() for choice in choices] == ["original", "twin-cnn", "twin-vae"]
    assert tab.page.locator("#compare-result figure").count() == 3


def test_the_benchmark_is_shown(tab: Tab) -> None:
    tab.page.get_by_role("tab", name="Benchmark").click()
    row = tab.page.get_by_role("row").filter(has_text="twin-variational-gan").first
    scores = benchmark_results().scores["twin-variational-gan"]
    shown = [f"{one['target_style_rate'].mean:.2f}" for one in scores.values()]
    assert ", ".join(shown) in row.inner_text()
    tab.page.get_by_text("All numbers, classical to jazz").click()
    assert tab.page.locator("svg[role=img]").first.is_visible()


NAMELESS = """() => [...document.querySelectorAll(
    'button, input, select, textarea, a[href], [tabindex="0"], img, audio[controls]')]
    .filter((one) => one.checkVisibility() && !one.closest('[aria-hidden=true]'))
    .filter((one) => !(one.innerText || one.ariaLabel || one.title || one.alt
        || one.labels?.[0]?.innerText || one.getAttribute('aria-labelledby')
        || one.closest('label')?.innerText))
    .map((one) => one.outerHTML.slice(0, 200))"""


def test_a_phone_has_room_and_every_control_a_name(tab: Tab) -> None:
    tab.page.set_viewport_size({"width": 360, "height": 740})
    for name in ("Benchmark", "Compare", "Transfer"):
        tab.page.get_by_role("tab", name=name).click()
        tab.page.wait_for_timeout(300)
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= 360, name
        assert tab.page.evaluate(NAMELESS) == [], name
    tab.page.set_viewport_size({"width": 1280, "height": 900})


def test_nothing_outside_its_folder_is_served(served: Page, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("private")
    with httpx.Client(base_url=served.address) as client:
        route = "/gradio_api/file="
        sent = client.post("/gradio_api/upload", files={"files": ("ours.txt", b"ours")})
        (path,) = sent.json()
        link = Path(path).with_name("link.txt")
        link.symlink_to(tmp_path / "mine.txt")
        assert client.get(f"{route}{path}").text == "ours"
        for path in (
            f"{tmp_path}/mine.txt", "/etc/passwd", __file__, f"{link}",
            f"{served.root}/../../{tmp_path.name}/mine.txt", f"{served.root}", "pyproject.toml",
            "http://example.org/", "https://example.org/",
        ):  # fmt: skip
            assert client.get(f"{route}{path}").status_code == 403, path
        assert client.get("/gradio_api/proxy=https://example.org/").status_code == 404
        page = client.get("/")
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert client.get("/", headers={"host": "elsewhere.example"}).status_code == 400
