"""The benchmark: its list, what it is found by, and what evaluation makes of pairs."""

import hashlib
import json
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pytest import approx

from thirdstream import audio
from thirdstream.audio import SR
from thirdstream.cli import main
from thirdstream.data import benchmark, pairs
from thirdstream.data.benchmark import Font, Piece, content_sha256
from thirdstream.evaluation import Settings, evaluate, harmony, material, measure, timing
from thirdstream.evaluation.summary import summarise
from thirdstream.evaluation.tagger import Tagger
from thirdstream.files import ThirdstreamError, sha256
from thirdstream.notes.io.score import read_score

NOTE = (
    "<note><pitch><step>{step}</step><octave>4</octave></pitch><duration>1</duration>"
    "<type>quarter</type></note>"
)
HARMONY = "<harmony><root><root-step>{step}</root-step></root><kind>major</kind></harmony>"


def musicxml(steps: str) -> bytes:
    """A lead sheet in four: a quarter note for each step, a major chord on the first of each."""
    bars = [steps[at : at + 4] for at in range(0, len(steps), 4)]
    text = "".join(
        f"<measure number='{number}'>"
        + ("<attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type>"
           "</time></attributes>" if number == 1 else "")
        + HARMONY.format(step=bar[0])
        + "".join(NOTE.format(step=step) for step in bar)
        + "</measure>"
        for number, bar in enumerate(bars, 1)
    )  # fmt: skip
    return (
        "<?xml version='1.0'?><score-partwise version='3.1'><part-list><score-part id='P1'>"
        f"<part-name>x</part-name></score-part></part-list><part id='P1'>{text}</part>"
        "</score-partwise>"
    ).encode()


TUNES = {"first": musicxml("CEGECEGEFAFAGGCC" * 2), "second": musicxml("GGAACCGGFFGGAAGG" * 2)}


@pytest.fixture
def sheets(tmp_path: Path) -> Path:
    """A collection: one sheet packed, one not, in folders; names do not matter."""
    folder = tmp_path / "sheets"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "B.xml").write_bytes(TUNES["second"])
    with zipfile.ZipFile(folder / "Some Name.mxl", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("META-INF/container.xml", "<container/>")
        packed.writestr("A.xml", TUNES["first"])
    return folder


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A benchmark of two pieces and one soundfont, that of pretty-midi."""
    inside = next(p for p in benchmark.find_soundfonts() if p.name == "TimGM6mb.sf2")
    font = Font("the font", sha256(inside), "somewhere")
    listed = [
        Piece(split, name, hashlib.sha256(TUNES[name]).hexdigest())
        for split, name in (("train", "first"), ("test", "second"))
    ]
    monkeypatch.setattr(benchmark, "pieces", lambda: listed)
    monkeypatch.setattr(benchmark, "FONTS", dict.fromkeys(benchmark.SPLITS, (font,)))
    return inside


def test_the_list() -> None:
    pieces = benchmark.pieces()
    assert Counter(piece.split for piece in pieces) == {"train": 164, "validation": 16, "test": 32}
    assert len({piece.name for piece in pieces}) == len({p.sha256 for p in pieces}) == 212
    added = Counter(piece.split for piece in pieces if piece.edition > 1)
    assert added == {"test": 16} and max(p.edition for p in pieces) == benchmark.EDITION
    assert all(len(piece.sha256) == 64 for piece in pieces)
    heard = {font.sha256 for split in ("train", "validation") for font in benchmark.FONTS[split]}
    assert not heard & {font.sha256 for font in benchmark.FONTS["test"]}


def test_a_score_is_known_however_it_is_packed(sheets: Path, tmp_path: Path) -> None:
    found = content_sha256(sheets / "Some Name.mxl")
    assert found == hashlib.sha256(TUNES["first"]).hexdigest()
    (tmp_path / "plain.musicxml").write_bytes(TUNES["first"])
    assert content_sha256(tmp_path / "plain.musicxml") == found
    with zipfile.ZipFile(tmp_path / "empty.mxl", "w") as packed:
        packed.writestr("readme.txt", "no music")
    assert content_sha256(tmp_path / "empty.mxl") is None
    assert content_sha256(tmp_path / "missing.mxl") is None


def test_soundfonts_are_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b.sf2").touch()
    (tmp_path / "a.SF3").touch()
    (tmp_path / "default.sf2").symlink_to(tmp_path / "b.sf2")
    (tmp_path / "readme.txt").touch()
    monkeypatch.setattr(benchmark, "SOUNDFONT_FOLDERS", (tmp_path, tmp_path / "missing"))
    assert [path.name for path in benchmark.find_soundfonts()] == ["TimGM6mb.sf2", "a.SF3", "b.sf2"]


def test_what_is_missing_is_named(
    sheets: Path, fixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sheets / "deep" / "B.xml").unlink()
    with pytest.raises(ThirdstreamError, match=r"lacks 1 of the benchmark's 2 .*second.*OpenEWLD"):
        benchmark.plan([sheets])
    assert list(benchmark.plan([sheets], splits=["train"])) == ["train"]
    listed = benchmark.pieces()
    later = [replace(piece, edition=1 + (piece.split == "test")) for piece in listed]
    monkeypatch.setattr(benchmark, "pieces", lambda: later)
    with pytest.raises(ThirdstreamError, match=r"second.*or make --edition 1, which needs none"):
        benchmark.plan([sheets])
    assert benchmark.plan([sheets], edition=1)["test"] == []
    with pytest.raises(ThirdstreamError, match=r"sounds through Odd.*install it \(a shop\)"):
        benchmark.find_fonts([Font("Odd", "0" * 64, "a shop")])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").touch()
    with pytest.raises(ThirdstreamError, match="holds no benchmark"):
        list(benchmark.make({}, tmp_path / "other"))


@pytest.fixture
def bench(sheets: Path, fixed: Path, tmp_path: Path) -> Path:
    """The small benchmark, made by the command."""
    out = tmp_path / "bench"
    main.main(["benchmark", str(sheets), "--out", str(out), "--n-jobs", "1"])
    return out


def test_the_benchmark_is_made_and_evaluated(
    bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = measure.EvaluationModels(Tagger(), missing={"transcriber": "not installed"})
    monkeypatch.setattr(measure, "evaluation_models", lambda: models)
    about = json.loads((bench / "benchmark.json").read_text())["splits"]
    assert {split: one["pairs"] for split, one in about.items()} == {
        "train": 1, "validation": 0, "test": 2,
    }  # fmt: skip
    found = material.open_material(bench)
    assert found.has_pairs
    assert [item.path.name for item in found.tests["jazz"]] == ["second.1.flac", "second.2.flac"]
    assert [item.path.name for item in found.references["jazz"]] == ["first.1.flac"]
    settings = Settings(excerpt_s=3.0, max_recordings=1, references=2, examples=1)
    entries = evaluate.entries_of([], found)
    jobs = evaluate.plan(found, entries, settings)
    outcomes = list(evaluate.run(jobs, settings, tmp_path / "work", n_jobs=1))
    results = summarise(outcomes, {}, found, entries, settings)
    scores = results["scores"]["true-target"]["classical_to_jazz"]
    copied = results["scores"]["copy-content"]["classical_to_jazz"]
    assert 0.3 < scores["chroma_cosine"]["mean"] < copied["chroma_cosine"]["mean"]
    assert "true-target" in results["examples"][0]["systems"]


def test_the_truth_is_what_is_heard(bench: Path) -> None:
    item = material.open_material(bench).tests["classical"][0]
    whole = material.truth_of(item, 1000.0)
    assert whole is not None
    record = json.loads((bench / "test" / "pairs.json").read_text())["pairs"]["second.1"]
    beat_s = 60 / record["beats_per_minute"]
    assert whole.melody.intervals[:, 0] == approx(np.arange(32) * beat_s)
    assert (np.diff(whole.melody.pitches[:4]) == [0, 2, 0]).all()
    wave = material.excerpt(item.path, 1000.0)
    assert len(whole.notes.pitches) >= len(whole.melody.pitches)
    onset = whole.melody.intervals[8, 0]  # a bar begins: louder than just before
    after = wave[int((onset + 0.05) * SR) :][: SR // 4]
    pitch_hz = 440 * 2 ** ((whole.melody.pitches[8] - 69) / 12)
    spectrum = np.abs(np.fft.rfft(after * np.hanning(len(after)), 8 * SR))
    classes = [spectrum[round(8 * pitch_hz * 2.0**k)] for k in (-1, 0, 1)]
    assert max(classes) > 10 * np.median(spectrum)
    part = material.truth_of(item, 3.0)
    assert part is not None
    start_s = audio.middle_start(item.path, 3.0) / SR
    inside = whole.melody.intervals[:, 0] - start_s
    assert part.melody.intervals[:, 0] == approx(inside[(inside >= 0) & (inside < 3)])


def test_the_sheet_s_bars_and_chords_are_where_they_are_played(bench: Path) -> None:
    item = material.open_material(bench).tests["classical"][0]
    whole = material.truth_of(item, 1000.0)
    assert whole is not None
    record = json.loads((bench / "test" / "pairs.json").read_text())["pairs"]["second.1"]
    bar_s = 4 * 60 / record["beats_per_minute"]
    assert whole.bars_s == approx(np.arange(9) * bar_s)
    roots = [label.partition(":")[0] for label in whole.chords.labels]
    moved = [harmony.ROOTS[(harmony.ROOTS.index(one) + record["semitones"]) % 12] for one in "GCFA"]
    assert roots == moved * 2 and whole.chords.intervals[:, 0] == approx(whole.bars_s[:8])
    assert {label.partition(":")[2] for label in whole.chords.labels} == {"maj"}
    wave = material.excerpt(item.path, 1000.0)
    about = {"melody": whole.melody, "bars_s": whole.bars_s, "sr": SR}
    assert timing.bar_lines_kept(wave=wave, **about).mean() == 1
    late = np.roll(wave, round(bar_s / 3 * SR))
    assert timing.bar_lines_kept(wave=late, **about).mean() < 0.3
    part = material.truth_of(item, 3.0)
    assert part is not None
    inside = whole.bars_s - audio.middle_start(item.path, 3.0) / SR
    assert part.bars_s == approx(inside[(inside >= 0) & (inside < 3)])
    spans = part.chords.intervals
    assert (spans >= 0).all() and (spans <= 3).all() and (np.diff(spans) > 0).all()


@pytest.mark.parametrize(
    ("field", "value"),
    [("n_bars", 0), ("n_bars", 10**9), ("bar_s", 0.0), ("bar_s", 1e9), ("chords", [[0.0, 1.0]]),
     ("chords", [[0.0, 1.0, 3, ["x"], 3]]), ("chords", None)],
)  # fmt: skip
def test_bars_and_chords_that_cannot_be_are_refused(
    tmp_path: Path, field: str, value: object
) -> None:
    record = {"format": "flac", "beats_per_minute": 100.0, "melody": [[0.0, 1.0, 60]],
              "n_bars": 4, "bar_s": 2.0, "chords": [[0.0, 4.0, 0, [0, 4, 7], 0]]}  # fmt: skip
    manifest = tmp_path / "pairs.json"
    manifest.write_text(json.dumps({"pairs": {"a": record}}))
    assert pairs.listed(manifest).keys() == {"a"}
    manifest.write_text(json.dumps({"pairs": {"a": record | {field: value}}}))
    with pytest.raises(ThirdstreamError, match="no manifest of pairs"):
        pairs.listed(manifest)


def test_no_truth_is_claimed_of_other_recordings(recordings: dict[str, Path]) -> None:
    path = recordings["jazz"] / "piece0.wav"
    assert material.truth_of(material.item_of(path, "jazz"), 3.0) is None


def test_a_container_that_is_no_xml_does_not_hide_its_score(tmp_path: Path) -> None:
    """As real collections have it, where a title has an apostrophe."""
    path = tmp_path / "sheet.mxl"
    with zipfile.ZipFile(path, "w") as packed:
        container = "<container><rootfile full-path='After You've Gone.xml'/></container>"
        packed.writestr("META-INF/container.xml", container)
        packed.writestr("After You've Gone.xml", TUNES["first"])
    assert len(read_score(path).melody) == 32
