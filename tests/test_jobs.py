"""What the page does with clips, and the HTML of it, without a browser."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from conftest import music, tone
from thirdstream import audio, registry
from thirdstream.audio import SR
from thirdstream.cli.serve import serve
from thirdstream.files import ThirdstreamError
from thirdstream.mel.options import MelOptions, StyledMelOptions
from thirdstream.mel.system import MelSystem
from thirdstream.notes.io.lead_sheet import chords_of_bars
from thirdstream.notes.options import ScoreOptions
from thirdstream.notes.types import CHORDS, Chord, Score
from thirdstream.packages import MissingPackage
from thirdstream.report.results import benchmark_results
from thirdstream.system import Options, options_of
from thirdstream.web import example, html
from thirdstream.web.controller import Cancelled
from thirdstream.web.description import describe
from thirdstream.web.jobs import Progress, Result, Track, measured, restyle, values_for
from thirdstream.web.limits import Limits
from thirdstream.web.server import offered, running
from thirdstream.web.sessions import Sessions


@pytest.fixture
def sessions():
    made = Sessions(Limits(max_minutes=0.1, max_mb=1))
    yield made
    made.close()
    assert not made.root.exists()


ME = "1" * 32


def restyled(
    sessions: Sessions,
    systems: dict[str, Any],
    clip: str,
    options: dict[str, Any],
    progress: Progress = lambda share, what: None,
) -> Result:
    """What `restyle` makes in the folder of our session."""
    session = sessions.session(ME)
    with session.new_folder() as folder:
        return restyle(session, systems, clip, options, folder, progress=progress)


def put(sessions: Sessions, name: str, wave: np.ndarray, sr: int = SR) -> str:
    """A file as if it had been uploaded."""
    folder = sessions.session(ME).root / "upload"
    folder.mkdir(exist_ok=True)
    sf.write(folder / name, wave, sr)
    return str(folder / name)


def folders(sessions: Sessions) -> list[str]:
    return sorted(path.name for path in sessions.session(ME).root.iterdir())


def test_the_result_is_whole_and_beside_an_original_as_long(
    sessions: Sessions, system: MelSystem
) -> None:
    wave = np.stack([music(0, 90_001), tone(90_001)], axis=1)
    made = restyled(sessions, {"mine": system}, put(sessions, "a b.wav", wave), {"to": "jazz"})
    assert (made.name, made.source, made.to) == ("a b.wav", "classical", "jazz")
    assert [track.name for track in made.tracks] == ["original", "mine"]
    for track in made.tracks:
        found = sf.info(track.path)
        assert (found.frames, found.channels, found.samplerate) == (90_001, 2, SR)
        assert track.picture.read_bytes().startswith(b"\x89PNG")
    assert list(made.downloads) == ["WAV", "MP3"]
    assert made.downloads["WAV"].name == "a b_to_jazz_by_mine.wav"
    assert abs(sf.info(made.downloads["MP3"]).frames - 90_001) < 4000
    assert made.sheet is None


def test_several_systems_on_one_clip_and_a_rate_that_mp3_has_not(
    sessions: Sessions, system: MelSystem
) -> None:
    clip = put(sessions, "high.flac", music(0, 96_000, sr=96_000), 96_000)
    made = restyled(sessions, {"one": system, "two": system}, clip, {"to": "jazz"})
    assert [track.name for track in made.tracks] == ["original", "one", "two"]
    assert {sf.info(track.path).samplerate for track in made.tracks} == {96_000}
    assert list(made.downloads) == ["one: WAV", "one: MP3", "two: WAV", "two: MP3"]
    assert sf.info(made.downloads["one: MP3"]).samplerate == 44_100


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("text.wav", b"no music", "^text.wav: is not audio"),
        ("empty.wav", b"", "^empty.wav: is empty"),
        ("large.wav", bytes(1_000_001), "^large.wav: has 1 MB; this page takes 1 at most"),
    ],
)
def test_bad_uploads_are_named_as_their_owner_does(
    sessions: Sessions, system: MelSystem, name: str, content: bytes, fault: str
) -> None:
    folder = sessions.session(ME).root / "upload"
    folder.mkdir()
    path = folder / name
    path.write_bytes(content)
    with pytest.raises(ThirdstreamError, match=fault):
        restyled(sessions, {"mine": system}, str(path), {"to": "jazz"})
    assert folders(sessions) == ["upload"]


def test_what_is_too_long_is_refused_whatever_its_header_says(
    sessions: Sessions, system: MelSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = put(sessions, "long.flac", np.zeros(7 * 8000), 8000)
    with pytest.raises(ThirdstreamError, match=r"^long.flac: lasts 0.1 minutes"):
        sessions.session(ME).accepted(clip)
    header = audio.info(Path(clip))
    short = type(header)(header.sr, header.n_channels, 0)
    monkeypatch.setattr(audio, "info", lambda path: short)
    with pytest.raises(ThirdstreamError, match=r"^long.flac: lasts"):
        restyled(sessions, {"mine": system}, clip, {"to": "jazz"})
    assert folders(sessions) == ["upload"]


def test_only_uploads_are_read(sessions: Sessions, tmp_path: Path) -> None:
    sf.write(tmp_path / "mine.wav", tone(1000), SR)
    root = sessions.session(ME).root
    linked = root / "link.wav"
    linked.symlink_to(tmp_path / "mine.wav")
    for path in (tmp_path / "mine.wav", linked, f"{root}/../{tmp_path}/mine.wav"):
        with pytest.raises(ThirdstreamError, match="was not uploaded to this page"):
            sessions.session(ME).accepted(str(path))
    with pytest.raises(ThirdstreamError, match=r"gone.wav: is not here any more"):
        sessions.session(ME).accepted(str(root / "gone.wav"))
    with pytest.raises(ThirdstreamError, match="there is no recording yet"):
        sessions.session(ME).accepted(None)


def test_a_cancelled_job_leaves_nothing(sessions: Sessions, system: MelSystem) -> None:
    def stop(share: float, what: str) -> None:
        if what == "mine":
            raise Cancelled

    clip = put(sessions, "a.wav", music(0, 50_000))
    with pytest.raises(Cancelled):
        restyled(sessions, {"mine": system}, clip, {"to": "jazz"}, progress=stop)
    assert folders(sessions) == ["upload"]


def test_files_go_when_they_have_not_been_used_for_long(sessions: Sessions) -> None:
    put(sessions, "a.wav", tone(1000))
    sessions.sweep(now_s=time.time() + 59 * 60)
    assert folders(sessions) == ["upload"]
    sessions.sweep(now_s=time.time() + 61 * 60)
    assert folders(sessions) == []


def test_a_file_that_is_used_stays(sessions: Sessions) -> None:
    path = Path(put(sessions, "a.wav", tone(1000)))
    for one in (path, path.parent):
        os.utime(one, (0, 0))
    sessions.session(ME).accepted(str(path))
    sessions.sweep()
    assert path.exists()


def test_a_folder_that_changes_while_it_is_looked_at_stays(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(put(sessions, "a.wav", tone(1000)))
    os.utime(path.parent, (0, 0))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rglob", lambda self, pattern: [self / "gone.wav"])
        sessions.sweep()
    assert path.exists()


def test_a_style_recording_goes_where_it_is_taken(sessions: Sessions, system: MelSystem) -> None:
    clip, other = put(sessions, "a.wav", music(0, 50_000)), put(sessions, "b.wav", music(1, 50_000))
    seen: list[Options] = []
    system.options = StyledMelOptions
    system.check = seen.append  # type: ignore[method-assign]
    with pytest.raises(ThirdstreamError, match="takes no style from a recording"):
        restyled(sessions, {"mine": system}, clip, {"to": "jazz", "style_from": other})
    assert seen[0] == StyledMelOptions("jazz", style_from=Path(other))
    system.options = MelOptions
    restyled(sessions, {"mine": system}, clip, {"to": "jazz", "style_from": other})
    assert seen[-1] == MelOptions("jazz")


def test_systems_say_what_they_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.load("twin-cnn").ready()

    def missing(name: str) -> Path:
        raise MissingPackage(f"the package {name} is not installed; type: pip install it")

    monkeypatch.setattr("thirdstream.notes.transcription.transcriber.folder_of", missing)
    with pytest.raises(MissingPackage, match="onnxruntime is not installed"):
        registry.load("score").ready()


def test_score_transcribes_once_and_hands_out_what_it_played(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = registry.load("score")
    score.ready()
    from thirdstream.notes.transcription import transcribe

    calls, features = [], transcribe.frame_features
    monkeypatch.setattr(
        transcribe, "frame_features", lambda *of, **how: calls.append(1) or features(*of, **how)
    )
    wave, _ = audio.read(registry.bundled_clips()[0])
    clip = put(sessions, "tune.wav", wave[: 6 * SR])
    made = restyled(sessions, {"score": score}, clip, {"to": "jazz"})
    assert calls == [1] and made.sheet is not None and made.sheet.bars
    files = {"MIDI", "Lead sheet (MusicXML)", "Transcription (MIDI)"}
    assert files < set(made.downloads) and all(made.downloads[kind].is_file() for kind in files)
    assert made.downloads["Lead sheet (MusicXML)"].name == "tune_transcription.musicxml"


def test_scores_of_a_copy_are_perfect_and_what_is_missing_is_said(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    from thirdstream.evaluation import measure
    from thirdstream.evaluation.tagger import Tagger

    models = measure.EvaluationModels(Tagger(), missing={"transcriber": "no transcriber"})
    monkeypatch.setattr(measure, "evaluation_models", lambda: models)
    clip = Path(put(sessions, "a.wav", music(0, 4 * SR)))
    scores, missing = measured(original=clip, made=clip, source="classical", target="jazz")
    assert scores["chroma_cosine"] == pytest.approx(1, abs=1e-3)
    assert scores["beat_f_measure"] == 1
    assert missing == ["note precision, note recall: no transcriber"]
    text = html.scores({"mine": scores}, missing)
    assert "chroma cosine" in text
    assert "Not measured: note precision, note recall: no transcriber" in text


def test_file_names_cannot_write_html(tmp_path: Path) -> None:
    path = tmp_path / "<b onload='x'>.wav"
    sf.write(path, tone(1000), SR)
    track = Track("<i>", path, path)
    result = Result(path.name, "classical", "jazz", (track, track), {"WAV": path}, None, ("<u>",))
    text = html.card(result)
    for tag in ("<b ", "<i>", "<u>", "onload='"):
        assert tag not in text
    assert "<h1>" not in html.notice("<h1>")


def test_the_example_is_whole() -> None:
    text = example.card()
    links = re.findall(r'(?:src|href)="example/([^"]+)"', text)
    shipped = {path.name for path in example.FOLDER.iterdir()} - {example.DATA}
    assert set(links) == shipped and len(links) == len(shipped)
    assert all(re.fullmatch(r"[a-z0-9_-]+\.[a-z0-9]+", name) for name in shipped)
    assert "MIT licence" in text and "Ode to Joy" in text
    lengths = [audio.info(path).n_samples for path in example.FOLDER.glob("*.mp3")]
    assert lengths == [12 * SR] * 2


def test_options_become_fields_of_the_form() -> None:
    kinds = {one.name: one.kind for one in describe("score", "score").fields}
    assert set(kinds) == {one.name for one in options_of(ScoreOptions)} - {"to", "source"}
    wanted = {"style_strength": "share", "seed": "number", "ensemble": "text", "score": "file"}
    assert wanted.items() <= kinds.items()
    phase = next(one for one in describe("mine", "twin-cnn").fields if one.name == "phase")
    assert (phase.kind, phase.default) == ("choice", "") and "noise" in phase.choices


def test_an_option_without_such_a_value_is_refused(system: MelSystem) -> None:
    assert values_for(system, {"seed": 1, "ensemble": "piano"}) == {"seed": 1}
    for name, value in (("phase", "nope"), ("seed", 0.5), ("seed", None)):
        with pytest.raises(ThirdstreamError, match=f"{name}: has no such value"):
            values_for(system, {name: value})


def test_chords_of_each_bar() -> None:
    major, seventh = CHORDS["major"], CHORDS["dominant seventh"]
    chords = (
        Chord(0.0, 2.0, 0, major, 0), Chord(2.0, 6.0, 7, seventh, 7), Chord(8.0, 4.0, 10, major, 2),
    )  # fmt: skip
    score = Score("", (), chords)
    assert chords_of_bars(score) == ("C G7", "%", "Bb/D")
    assert chords_of_bars(Score("", (), ())) == ()


def test_the_benchmark_comes_with_the_package_and_is_that_of_the_docs() -> None:
    text = html.benchmark()
    results = benchmark_results()
    table = (Path(__file__).parents[1] / "docs" / "benchmark-results.md").read_text("utf-8")
    for system, scores in results.scores.items():
        melody = scores["classical_to_jazz"]["melody_recall"].mean
        assert f"{melody:.3f} [" in next(
            line for line in table.splitlines() if line.startswith(f"| {system} |")
        )
        assert f"{melody:.2f}, " in text


def test_models_of_ones_own_are_offered(system: MelSystem, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    system.save(tmp_path / "mine" / "best.safetensors")
    labels = offered([str(tmp_path / "mine")])
    assert list(labels)[:2] == ["score", "twin-cnn"]
    assert labels["mine"] == str(tmp_path / "mine")
    with pytest.raises(ThirdstreamError, match="would be called twin-cnn, as another"):
        offered(["twin-cnn"])
    with pytest.raises(ThirdstreamError, match="is no model"):
        offered(["nonesuch"])


def test_without_gradio_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gradio", None)
    before = dict(os.environ)
    with (
        pytest.raises(ThirdstreamError, match=r"pip install 'thirdstream\[web\]'"),
        running(host="127.0.0.1", port=0, limits=Limits()),
    ):
        pass
    assert os.environ == before


def test_what_is_wrong_with_the_address_is_told_before_gradio_is_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gradio", None)
    with (
        pytest.raises(ThirdstreamError, match="port 70000: cannot be served"),
        running(host="127.0.0.1", port=70_000, limits=Limits()),
    ):
        pass


def test_serve_says_what_it_does_before_it_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []

    @contextmanager
    def started(**how: object) -> Iterator[str]:
        said.append(capsys.readouterr().err)
        yield "http://here"

    def ended(event: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("thirdstream.web.server.running", started)
    monkeypatch.setattr("threading.Event.wait", ended)
    serve()
    assert said == ["starting the page, which takes some seconds; its address follows\n"]
    assert "the page is at http://here" in capsys.readouterr().out


def test_limits_must_be_some() -> None:
    with pytest.raises(ThirdstreamError, match="max-minutes must be above 0"):
        Limits(max_minutes=0)
    with pytest.raises(ThirdstreamError, match="keep-minutes must be 1 or more"):
        Limits(keep_minutes=0)


@pytest.mark.parametrize("port", [-1, 70_000])
def test_a_port_that_cannot_be_is_named(port: int) -> None:
    with (
        pytest.raises(ThirdstreamError, match=f"port {port}: cannot be served"),
        running(host="127.0.0.1", port=port, limits=Limits()),
    ):
        pass
