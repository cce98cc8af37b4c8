"""The page of a listening test in a browser: what a listener does, from one end to the other."""

import functools
import json
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright import sync_api as playwright

from listeners import made_in
from test_page import ARGS, CHROMIUM, NAMELESS, PATIENCE_MS
from thirdstream.listening.answers import read_answers
from thirdstream.listening.design import ANCHOR, HIDDEN, QUESTIONS, REFERENCE, read_key

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
N_SHOWN = 2  # systems on a screen


@pytest.fixture(scope="module")
def rating(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_in(tmp_path_factory.mktemp("rating"), per_screen=N_SHOWN)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_in(tmp_path_factory.mktemp("pairs"), kind="ab")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield found
        found.close()


@contextmanager
def opened(browser: Any, address: str, *, width: int = 1280, script: str = "") -> Iterator[Any]:
    """A page; nothing may fail on it, and nothing is fetched from elsewhere."""
    context = browser.new_context(viewport={"width": width, "height": 740})
    page, faults, asked = context.new_page(), [], []
    page.set_default_timeout(PATIENCE_MS)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    if script:
        page.add_init_script(script)
    page.goto(address)
    yield page
    assert faults == []
    root = address.partition("index.html")[0]
    assert [url for url in asked if not url.startswith((root, "blob:"))] == []
    context.close()


def address_of(test: Path, listener: int | str = 0) -> str:
    return f"{(test / 'page' / 'index.html').as_uri()}?listener={listener}"


def begin(page: Any) -> None:
    """Past introduction and training, to the first screen."""
    page.select_option("#lt-playback", "headphones")
    page.get_by_role("button", name="To the training").click()
    page.get_by_role("button", name="Begin", exact=True).click()


def play_all(page: Any) -> None:
    """From the keyboard."""
    for label in "ABCDEFGH"[: page.locator("#lt-screen .lt-row").count()]:
        page.keyboard.press(label.lower())
        page.locator(f".lt-row[aria-label='Version {label}'] .lt-played").wait_for()


def answer(page: Any, value: int = 30) -> None:
    """Everything on a screen: a value from the keyboard, or the first of two."""
    for one in page.locator("#lt-screen input[type=range]").all():
        one.focus()
        page.keyboard.press("Home")
        for _ in range(value // 10):
            page.keyboard.press("PageUp")
    for one in page.locator("#lt-screen fieldset").all():
        one.locator("input").first.check()


def heading(page: Any) -> str:
    return page.locator("h1:visible").inner_text()


def saved(page: Any, folder: Path) -> Path:
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save the answers").click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_a_listener_rates_everything_from_the_keyboard_and_a_reload_loses_nothing(
    browser: Any, rating: Path, tmp_path: Path
) -> None:
    key = read_key(rating)
    with opened(browser, address_of(rating)) as page:
        page.get_by_role("button", name="To the training").click()
        assert page.get_by_text("Please choose what you listen with.").is_visible()
        begin(page)
        alert, following = page.locator("#lt-screen .lt-alert"), page.locator("#lt-screen .lt-next")
        following.click()
        assert alert.inner_text() == "Please play A, B, C, D, E first."
        play_all(page)
        following.click()
        assert alert.inner_text() == "15 sliders are not set yet."
        answer(page)
        page.reload()
        assert heading(page) == "Screen 1 of 4"
        values = [one.inner_text() for one in page.locator("#lt-screen output").all()]
        assert values == ["30"] * 15
        following.click()
        for number in range(2, 5):
            assert heading(page) == f"Screen {number} of 4"
            play_all(page)
            answer(page, 10 * number)
            following.click()
        assert heading(page) == "Thank you"
        path = saved(page, tmp_path)
        assert page.locator("#lt-text").input_value() == path.read_text()
        [found] = read_answers([path], key)
        assert path.name == f"answers-{found.listener}.json"
        assert [len(one.order) for one in found.screens] == [N_SHOWN + len(HIDDEN)] * 4
        given = [{value for one in screen.ratings.values() for value in one.values()}
                 for screen in found.screens]  # fmt: skip
        assert given == [{30}, {20}, {30}, {40}]
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Begin again").click()
        assert heading(page) == "Listening test"
        page.reload()
        assert heading(page) == "Listening test"


def orders(browser: Any, test: Path, listener: int | str) -> list[tuple[str, ...]]:
    """What a listener would get, a screen each, from what the page keeps."""
    with opened(browser, address_of(test, listener)) as page:
        [kept] = page.evaluate("Object.values(localStorage)")
    return [(one["item"], *one["order"]) for one in json.loads(kept)["screens"]]


def test_orders_are_the_listeners_own_and_systems_come_equally_often(
    browser: Any, rating: Path
) -> None:
    key, found = read_key(rating), [orders(browser, rating, k) for k in range(6)]
    assert orders(browser, rating, 3) == found[3]
    assert len({str(one) for one in found}) == len(found)
    assert orders(browser, rating, "nobody") != orders(browser, rating, "nobody")  # drawn
    first = Counter()
    for screens in found:
        assert {item for item, *_ in screens} == {one.code for one in key.items}
        shown = Counter()
        for code, *order in screens:
            item = key.item(code)
            assert item is not None
            names = [item.sounds[one] for one in order]
            assert set(HIDDEN) < set(names) and len(set(names)) == len(names)
            shown.update(set(names) - set(HIDDEN))
            first[names[0]] += 1
        assert set(shown.values()) <= {2, 3} and len(shown) == 3  # eight places for three
    assert len(first) > 3  # no sound is always the first


def test_in_comparisons_each_system_comes_once_a_recording_and_there_is_a_check(
    browser: Any, pairs: Path, tmp_path: Path
) -> None:
    key = read_key(pairs)
    checks = set()
    for listener in range(4):
        found = [
            {key.item(code).sounds[one] for one in order}  # type: ignore[union-attr]
            for code, *order in orders(browser, pairs, listener)
        ]
        assert len(found) == len(key.items) + 1 and all(len(one) == 2 for one in found)
        assert found.count({REFERENCE, ANCHOR}) == 1
        checks.add(found.index({REFERENCE, ANCHOR}))
    assert len(checks) > 1
    with opened(browser, address_of(pairs)) as page:
        begin(page)
        play_all(page)
        page.locator("#lt-screen .lt-next").click()
        assert page.get_by_text("Please answer all questions.").is_visible()
        answer(page)
        page.locator("#lt-screen .lt-next").click()
        assert heading(page) == "Screen 2 of 5"
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Save the answers until here").click()
        waiting.value.save_as(tmp_path / "answers.json")
    [answers] = read_answers([tmp_path / "answers.json"], key)
    assert (len(answers.screens), answers.n_screens) == (1, 5)
    assert answers.screens[0].choices == dict.fromkeys(QUESTIONS, "a")


SOUNDS = """() => { const [a, b] = window.sounds; return [a, b].map(
    (one) => ({now: one.currentTime, paused: one.paused})); }"""
COLLECTED = """window.sounds = []; const Own = window.Audio;
window.Audio = function () { const one = new Own(); window.sounds.push(one); return one; };"""


def test_sounds_change_at_the_same_moment_also_from_a_server_without_jumps(
    browser: Any, rating: Path
) -> None:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(rating / "page"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/index.html?listener=0"
        script = COLLECTED + "window.latest = () => { window.sounds = window.sounds.slice(-6); };"
        with opened(browser, address, script=script) as page:
            begin(page)
            page.evaluate("window.latest()")  # of the screen alone: the original, A to E
            page.keyboard.press("0")
            page.wait_for_function(f"() => ({SOUNDS})()[0].now > 0.6")
            page.keyboard.press("a")
            page.wait_for_function(f"() => ({SOUNDS})()[1].now > 0")
            first, second = page.evaluate(SOUNDS)
            assert first["paused"] and not second["paused"]
            assert second["now"] > first["now"] - 0.1 > 0.5
            page.keyboard.press("Space")
            page.wait_for_function(f"() => ({SOUNDS})()[1].paused")
            page.locator(".lt-status", has_text="A: paused at").wait_for()
        server.shutdown()


def test_a_phone_has_room_and_every_control_a_name(browser: Any, rating: Path, pairs: Path) -> None:
    for test in (rating, pairs):
        with opened(browser, address_of(test), width=360) as page:
            for advance in ("To the training", "Begin", None):
                assert page.evaluate("document.documentElement.scrollWidth") <= 360
                assert page.evaluate(NAMELESS) == []
                small = page.evaluate(
                    "[...document.querySelectorAll('button')].filter((one) => "
                    "one.checkVisibility() && one.getBoundingClientRect().height < 44).length"
                )
                assert small == 0
                if advance:
                    page.select_option("#lt-playback", "phone", force=True)
                    page.get_by_role("button", name=advance, exact=True).click()


def test_what_is_missing_is_said(browser: Any, rating: Path, tmp_path: Path) -> None:
    shutil.copytree(rating / "page", tmp_path / "page")
    shutil.rmtree(tmp_path / "page" / "audio")
    script = "Storage.prototype.setItem = () => { throw new DOMException('full'); };"
    with opened(browser, address_of(tmp_path), script=script) as page:
        assert page.get_by_text("This browser keeps nothing").is_visible()
        begin(page)
        page.get_by_text("the folder audio must lie beside this page").wait_for()
