"""The page: what it holds, what it does not fetch, and that it depends on its inputs alone."""

import contextlib
import copy
import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import markdown
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import music
from thirdstream import audio
from thirdstream.audio import SR
from thirdstream.cli import main
from thirdstream.evaluation import VERSION, work_of
from thirdstream.files import ThirdstreamError, read_json, write_json
from thirdstream.mel.features.logmel import LogMel
from thirdstream.report import columns, plots, spectrograms
from thirdstream.report import page as report
from thirdstream.report.results import Results
from thirdstream.shown import shown

VOID = {"meta", "img", "br", "path", "use"}


def score(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "n": 3}


def made(work: Path) -> dict[str, Any]:
    """Results with awkward names, and two sounds."""
    for number, name in enumerate(("original", "model")):
        wave = music(number, 2 * SR)[None]
        audio.write(work / "audio" / f"{name}.mp3", iter([wave]), sr=SR, n_channels=1)
    names = {"copy-content": "baseline", "copy-target": "baseline", "<b>&'\"": "model"}
    metric = {"group": "content", "better": "higher", "about": "harmony & <more>"}
    style = {"group": "style", "better": "higher", "about": "tags"}
    sets = {"group": "sets", "better": "lower", "about": "distance"}
    scores = {name: {"classical_to_jazz": {"chroma_cosine": score(0.2 + k / 3),
                                           "tag_difference": score(k / 3 - 0.5),
                                           "kad": {"mean": 0.1, "n": 3}}}
              for k, name in enumerate(names)}  # fmt: skip
    example = {"name": "song <1>", "style": "classical", "to": "jazz", "original":
               "audio/original.mp3", "systems": {"<b>&'\"": {"sound": "audio/model.mp3",
               "chroma_cosine": 0.5}}}  # fmt: skip
    return {
        "version": VERSION, "corpus": "c", "settings": {"excerpt_s": 3.0, "seed": 0},
        "versions": {"python": "3"}, "evaluation_models": {}, "left_out": {"note_f1": "no <ears>"},
        "styles": ["classical", "jazz"],
        "metrics": {"chroma_cosine": metric, "tag_difference": style, "kad": sets},
        "systems": {name: {"kind": kind, "parts": ["under <NC>"] if kind == "model" else []}
                    for name, kind in names.items()},
        "recordings": [{"name": "a", "style": "classical"}], "references": {"jazz": 2},
        "skipped": [{"path": "x", "reason": "x: is <bad>"}], "floors": {"jazz": {"kad": 0.01}},
        "scores": scores, "examples": [example],
    }  # fmt: skip


class Balance(HTMLParser):
    """Every element that opens closes, in order; collects attributes that could fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag in VOID or self.open.pop() == tag


@pytest.fixture
def results(tmp_path: Path) -> Path:
    path = tmp_path / "results.json"
    write_json(path, made(work_of(path)))
    return path


def test_the_page_is_whole_and_fetches_nothing(results: Path, tmp_path: Path) -> None:
    report.write(results, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    assert parser.tags.count("audio") == parser.tags.count("img") == 2
    assert all(source.startswith(("data:", "#")) for source in parser.sources)
    assert not re.search(r"@import|url\((?!#)|<script|<link|https?://", text)
    for expected in ("width=device-width", "no &lt;ears&gt;", "x: is &lt;bad&gt;", "song &lt;1&gt;",
                     "floor: the target against itself", "[0.100, 0.300]",
                     "under &lt;NC&gt;"):  # fmt: skip
        assert expected in text, expected
    assert "<b>&'" not in text
    for svg in re.findall(r"<svg.*?</svg>", text, re.S):
        ElementTree.fromstring(svg)


def test_takes_of_one_piece_have_no_interval(results: Path, tmp_path: Path) -> None:
    """It would have no width, as if nothing were uncertain."""
    content = read_json(results, kind="results")
    content["scores"]["copy-content"]["classical_to_jazz"]["chroma_cosine"]["n_pieces"] = 1
    write_json(results, content)
    report.write(results, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert ">0.200" in text and "[0.100, 0.300]" not in text
    scores = results_of(results).of("classical_to_jazz")
    assert columns.interval(scores["copy-content"]["chroma_cosine"]) == ()
    assert columns.interval(scores["copy-target"]["chroma_cosine"]) == ("0.43", "0.63")


def results_of(path: Path) -> Results:
    return Results.model_validate_json(path.read_bytes())


def test_the_page_depends_on_the_results_alone(results: Path, tmp_path: Path) -> None:
    """Not on the process that writes it: what it drew before, or how it hashes."""
    script = "import sys; from pathlib import Path; from thirdstream.report import page; "
    script += "page.write(Path(sys.argv[1]), Path(sys.argv[2]))"
    command = [sys.executable, "-c", script, str(results), str(tmp_path / "one.html")]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONHASHSEED": "1"})
    report.write(results, tmp_path / "other.html")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "other.html").read_bytes()


def places(svg: str) -> list[tuple[float, float]]:
    """Where the markers of the models are, as shares of the frame, from the bottom left."""
    whole = ElementTree.fromstring(svg)
    frame = [float(n) for n in re.findall(r"[\d.]+", list(whole.iter("path"))[1].attrib["d"])]
    left, right, bottom, top = min(frame[::2]), max(frame[::2]), max(frame[1::2]), min(frame[1::2])
    found = [one.attrib for one in whole.iter("use") if "currentColor" not in one.attrib["style"]]
    return [
        ((float(one["x"]) - left) / (right - left), (bottom - float(one["y"])) / (bottom - top))
        for one in found
    ]


@pytest.mark.parametrize("name", ["$x^2$", "$\\frac$", "--><script>", "\u4e2d\x1b", "%", "a\nb"])
def test_a_name_in_a_picture_is_text(results: Path, name: str) -> None:
    data = json.loads(results.read_text())
    for kind in ("systems", "scores"):
        data[kind][name] = data[kind].pop("copy-content")
    svg = ElementTree.fromstring(plots.plane(Results.model_validate(data), "classical_to_jazz"))
    assert shown(name) in [text.text for text in svg.iter("text")]


def test_points_lie_where_their_scores_are(results: Path) -> None:
    ((across, up),) = places(plots.plane(results_of(results), "classical_to_jazz"))
    assert across == pytest.approx(0.2 + 2 / 3, abs=1e-3)  # as `made` has them for the model
    assert 2 * up - 1 == pytest.approx(2 / 3 - 0.5, abs=2e-3)


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0, 400)), max_size=12))
def test_no_name_covers_another(points: list[tuple[float, float]]) -> None:
    heights = plots.label_heights(points)
    assert all(height >= y for height, (_, y) in zip(heights, points, strict=True))
    labels = [(x, height) for height, (x, _) in zip(heights, points, strict=True)]
    for number, (x, y) in enumerate(labels):
        for other_x, other_y in labels[:number]:
            apart = abs(y - other_y) >= plots.LABEL_HEIGHT - 1e-9
            (left, right), (other_left, other_right) = (
                (at - plots.LABEL_WIDTH, at) if at > plots.WIDTH / 2 else
                (at, at + plots.LABEL_WIDTH) for at in (x, other_x)
            )  # fmt: skip
            assert apart or right <= other_left or other_right <= left
    for (x, _), height in zip(points, heights, strict=True):
        left, right = (x - plots.LABEL_WIDTH, x - 5) if x > plots.WIDTH / 2 else (
            x + 5, x + plots.LABEL_WIDTH)  # fmt: skip
        for other_x, y in points:
            assert not left < other_x < right or abs(y - height) >= plots.POINT_HEIGHT - 1e-9


def test_options_have_curves_and_no_point(results: Path) -> None:
    data = json.loads(results.read_text())
    for place in (1.0, 0.0, 0.5):
        name = f"model+keep-content={place:g}"
        data["systems"][name] = {"kind": "model", "model": "model",
                                 "options": {"keep_content": place}}  # fmt: skip
        data["scores"][name] = {"classical_to_jazz": {"chroma_cosine": score(0.4 + place / 2),
                                                      "tag_difference": score(0.0)}}  # fmt: skip
    given = Results.model_validate(data)
    found = plots.series(given, "classical_to_jazz")
    assert list(found["model", "keep_content"]) == [0.0, 0.5, 1.0]
    assert plots.series(given, "jazz_to_classical") == {}
    (picture,) = plots.curves(given, "classical_to_jazz").values()
    lines = [
        one
        for one in ElementTree.fromstring(picture).iter("path")
        if f"stroke: {plots.COLOURS[0]}; stroke-width: 1.5" in one.attrib["style"]
    ]
    curve, _ = (re.findall(r"([\d.]+) ([\d.]+)", line.attrib["d"]) for line in lines)
    x, y = np.array(curve, dtype=float).T
    assert np.diff(x) == pytest.approx([240, 240])  # SVG units: the frame is twice as wide
    assert np.diff(y) == pytest.approx([-56, -56])  # and 224 high; SVG counts from the top
    assert {">keep content<", ">mean score<"} <= set(re.findall(r">[a-z ]+<", picture))
    assert "keep-content=1" not in plots.plane(given, "classical_to_jazz")
    assert "model, keep content" in report.page(given, work_of(results))


def test_without_the_tagger_the_page_says_so(results: Path) -> None:
    data = json.loads(results.read_text())
    for one in data["scores"].values():
        del one["classical_to_jazz"]["tag_difference"]
    assert "needs the tagger" in report.page(Results.model_validate(data), work_of(results))


def test_a_mel_picture_shows_high_pitches_above(tmp_path: Path) -> None:
    from matplotlib.image import imread

    t = np.arange(2 * SR) / SR
    hz = np.where(t < 1, 100, 8000)
    wave = (0.1 * np.sin(2 * np.pi * hz * t)).astype(np.float32)
    audio.write(tmp_path / "x.flac", iter([wave[None]]), sr=SR, n_channels=1)
    (tmp_path / "x.png").write_bytes(spectrograms.mel_picture(tmp_path / "x.flac", LogMel()))
    light = imread(tmp_path / "x.png")[..., :3].sum(axis=2)
    assert light.shape == spectrograms.MEL_SIZE
    low, high = light[:, 100].argmax(), light[:, 300].argmax()
    assert low > 80
    assert high < 50


@pytest.mark.parametrize("content", ["", "[]", '{"version": 0}', "{}"])
def test_other_files_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(ThirdstreamError, match=r"x\.json"):
        report.write(tmp_path / "x.json", tmp_path / "page.html")
    with pytest.raises(ThirdstreamError, match=r"end the name in \.html or \.md"):
        report.write(tmp_path / "x.json", tmp_path / "page.pdf")


def test_a_missing_excerpt_and_a_page_too_large_are_refused(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "page.html"
    monkeypatch.setattr(report, "MAX_BYTES", 1000)
    with pytest.raises(ThirdstreamError, match="fewer --examples"):
        report.write(results, out)
    (work_of(results) / "audio" / "model.mp3").unlink()
    with pytest.raises(ThirdstreamError, match="the excerpt is missing"):
        report.write(results, out)
    assert not out.exists()


def test_the_command_replaces_nothing_unasked(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "page.html"
    main.main(["report", str(results), "--out", str(out)])
    with pytest.raises(SystemExit) as stopped:
        main.main(["report", str(results), "--out", str(out)])
    assert stopped.value.code == 1
    assert "--force" in capsys.readouterr().err
    main.main(["report", str(results), "--out", str(out), "--force"])


def test_tables_alone(results: Path) -> None:
    out = results.with_name("tables.md")
    report.write(results, out)
    text = out.read_text()
    assert (
        "| content | chroma_cosine |\n| --- | --- |\n| copy-content | 0.200 [0.100, 0.300] |"
        in text
    )
    assert "| floor: the target against itself | 0.010 |" in text  # of kad, which has a floor
    assert text.count("## Classical to jazz") == 3
    assert "<svg" not in text and "audio/" not in text


def test_names_make_nothing_of_the_markdown(results: Path, tmp_path: Path) -> None:
    evil = "a|b\n# c <script>`x`</script> [d](http://e) **f** ![g](h) \x1b[31m _i_ &lt; www.j.k"
    content = read_json(results, kind="results")
    content["styles"][0] = content["corpus"] = content["versions"]["python"] = evil
    content["metrics"][evil] = {"group": "content", "better": "higher", "about": evil}
    for name in list(content["scores"]):
        for scores in content["scores"][name].values():
            scores[evil] = {"mean": 0.5}
        content["scores"][name + evil] = content["scores"].pop(name)
        content["systems"][name + evil] = content["systems"].pop(name)
    write_json(results, content)
    report.write(results, tmp_path / "tables.md")
    text = (tmp_path / "tables.md").read_text()
    made = markdown.markdown(text, extensions=["tables"])
    parser = Balance()
    parser.feed(made)
    assert set(parser.tags) == set("h1 h2 p table thead tbody tr th td ul li".split())  # noqa: SIM905
    assert {line.count("|") for line in text.splitlines() if line.startswith("|")} == {4, 3}
    assert html.escape(evil.replace("\n", r"\n").replace("\x1b", r"\x1b")) in html.escape(
        html.unescape(made)
    )


ODD = (None, True, 0, -1, 1e300, 10**400, "", "3", "\ud800", "../x", [], [1], {}, {"a": 1})
GONE = object()


def _places(value: Any, at: tuple = ()) -> Iterator[tuple]:
    """The way to every field."""
    yield at
    keys = value if isinstance(value, dict) else range(len(value) if type(value) is list else 0)
    for key in keys:
        yield from _places(value[key], (*at, key))


def _with(content: Any, at: tuple, odd: Any) -> Any:
    """The content with another value at a place, or without one."""
    if not at:
        return None if odd is GONE else odd
    content = copy.copy(content)
    if len(at) > 1 or odd is not GONE:
        content[at[0]] = _with(content[at[0]], at[1:], odd)
    else:
        del content[at[0]]
    return content


@pytest.mark.slow
def test_whatever_a_field_holds_it_is_a_report_or_a_clear_error(
    results: Path, tmp_path: Path
) -> None:
    content = read_json(results, kind="results")
    content["examples"] = []  # their pictures take time; they are among the damaged files
    for at in _places(content):
        for odd in (GONE, *ODD):
            results.write_text(json.dumps(_with(content, at, odd)))
            for name in ("a.md", "a.html"):
                with contextlib.suppress(ThirdstreamError):
                    report.write(results, tmp_path / name)
