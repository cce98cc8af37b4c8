"""What a user knows of tempo, metre and bar lines overrides what is heard."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from conftest import music
from pieces import piece, rubato, sounding
from thirdstream import audio
from thirdstream.audio import SR
from thirdstream.cli import main, scores
from thirdstream.files import ThirdstreamError
from thirdstream.notes.io.lead_sheet import write_lead_sheet
from thirdstream.notes.io.score import read_score
from thirdstream.notes.metre import Metres, metre
from thirdstream.notes.options import ScoreOptions
from thirdstream.notes.system import ScoreSystem
from thirdstream.notes.timing import Timing
from thirdstream.notes.transcription import beats
from thirdstream.notes.transcription.anchoring import anchored
from thirdstream.notes.transcription.features import FrameFeatures, frame_features
from thirdstream.notes.transcription.known import NOTHING, Known, is_dotted
from thirdstream.notes.transcription.transcribe import transcribe
from thirdstream.notes.transcription.transcriber import Transcriber
from thirdstream.notes.types import Chord, Note, Score
from thirdstream.system import options_of

CLIPS = Path(audio.__file__).parents[1] / "clips"
HEARD = {  # number of beats, beats a bar, quarter notes a minute, first and last beat
    "classical_greensleeves.ogg": (31, 3.0, 132.2, -0.819, 12.794),
    "classical_ode_to_joy.ogg": (37, 4.0, 168.0, 0.0, 12.859),
    "jazz_oh_susanna.ogg": (41, 4.0, 172.1, -0.958, 12.991),
    "jazz_when_the_saints.ogg": (37, 4.0, 172.1, 0.0, 12.550),
}


@pytest.fixture(scope="module")
def transcriber() -> None:
    Transcriber()


def features_of(metre: int, timing: Timing, n_bars: int) -> FrameFeatures:
    tune, rest, _ = piece(metre, n_bars)
    notes = tune + rest
    seconds = timing.seconds([[n.start, n.end] for n in notes])
    return frame_features([sounding(notes, seconds, float(timing.seconds(n_bars * metre)) + 0.5)])


@pytest.fixture(scope="module")
def quick_waltz(transcriber: None) -> FrameFeatures:
    """At 220."""
    return features_of(3, Timing.steady(220), 20)


def hits(found: beats.Bars | None, beats_s: np.ndarray) -> float:
    assert found is not None
    nearest = np.abs(np.asarray(beats_s)[:, None] - found.beats_s).min(axis=1)
    return float((nearest < 0.06).mean())


# --- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metre", "pulse", "pulses_per_bar", "pulse_s"),
    [
        (None, 1.0, None, 0.5),
        ("2/4", 1.0, 2, 0.5),
        ("3/4", 1.0, 3, 0.5),
        ("4/4", 1.0, 4, 0.5),
        ("5/4", 1.0, 5, 0.5),
        (" 7 / 4 ", 1.0, 7, 0.5),
        ("2/2", 1.0, 4, 0.25),  # the beat is a half
        ("3/2", 1.0, 6, 0.25),
        ("6/8", 1.5, 2, 0.5),
        ("9/8", 1.5, 3, 0.5),
        ("12/8", 1.5, 4, 0.5),
        ("6/16", 0.75, 2, 0.5),
        ("3/8", 0.5, 3, 0.5),
        ("7/8", 0.5, 7, 0.5),
        ("5/8", 0.5, 5, 0.5),
        ("2+2+2/8", 1.0, 3, 0.5),
        ("1/4", 1.0, 1, 0.5),
    ],
)
def test_beats_of_a_metre(
    metre: str | None, pulse: float, pulses_per_bar: int | None, pulse_s: float
) -> None:
    known = Known(tempo=120, metre=metre)
    assert (known.pulse, known.pulses_per_bar, known.pulse_s) == (pulse, pulses_per_bar, pulse_s)
    assert known.is_compound == (pulse in (1.5, 0.75))


def test_groups_are_kept() -> None:
    seven = Known(metre="3+2+2/8").signature
    assert seven is not None
    assert (seven.name, seven.beats) == ("7/8", (1.5, 1.0, 1.0))


@given(st.integers(-3, 5), st.sampled_from([1, 3]))
def test_dotted_notes(power: int, factor: int) -> None:
    assert is_dotted(factor * 2.0**power) == (factor == 3)


IMPOSSIBLE = [
    ("tempo", "-3"), ("tempo", "0"), ("tempo", "nan"), ("tempo", "inf"), ("tempo", "5000"),
    ("metre", "0/4"), ("metre", "4/5"), ("metre", "4"), ("metre", "-3/4"), ("metre", "3/0"),
    ("metre", "waltz"), ("metre", "99/4"), ("metre", "3+0/8"), ("metre", "nan"), ("metre", "4/64"),
    ("metre", ""), ("metre", " "),
    ("start-bar", "-1"), ("start-bar", "nan"), ("start-bar", "inf"),
]  # fmt: skip


@pytest.mark.parametrize(("option", "value"), IMPOSSIBLE)
@pytest.mark.parametrize("command", ["listen", "transfer"])
def test_what_no_recording_has_is_refused_before_any_work(
    command: str, option: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The recording is not even opened: there is none."""
    given = [command, "no.wav", "--out", str(tmp_path / "out"), f"--{option}={value}"]
    if command == "transfer":
        given += ["--to", "jazz", "--model", "score"]
    with pytest.raises(SystemExit) as stop:
        main.main(given)
    assert stop.value.code == 1
    said = capsys.readouterr().err
    assert f"--{option}" in said and "no.wav" not in said
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_beats_that_are_too_fast_for_their_metre() -> None:
    assert Known(tempo=600, metre="2/2").pulse_s == pytest.approx(0.05)
    with pytest.raises(
        ThirdstreamError, match=r"--tempo .* is too fast for beats of 3/1 \(got 400\)"
    ):
        Known(tempo=400, metre="3/1")


@pytest.mark.parametrize("command", ["listen", "transfer"])
def test_a_bar_after_the_end_is_refused(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sf.write(tmp_path / "short.wav", music(0, SR), SR)
    given = [command, str(tmp_path / "short.wav"), "--out", str(tmp_path / "out")]
    given += ["--to", "jazz", "--model", "score"] if command == "transfer" else []
    with pytest.raises(SystemExit) as stop:
        main.main([*given, "--start-bar", "1.5"])
    assert stop.value.code == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "short.wav: --start-bar" in said
    assert "lies beyond the recording's end, 1.00 s (got 1.5)" in said
    with pytest.raises(ThirdstreamError, match="lies beyond"):
        ScoreSystem().transfer(music(0, SR), SR, to="jazz", start_bar=1.0)


@pytest.mark.parametrize("option", ["tempo", "metre", "start-bar"])
def test_systems_without_beats_take_none(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    value = "3/4" if option == "metre" else "1.5"
    with pytest.raises(SystemExit) as stop:
        main.main(
            ["transfer", "a.wav", "--to", "jazz", "--model", "twin-cnn", f"--{option}", value,
             "--out", str(tmp_path)]
        )  # fmt: skip
    assert stop.value.code == 1
    assert f"takes no {option.replace('-', '_')}; leave --{option} out" in capsys.readouterr().err


@pytest.mark.parametrize(
    "given",
    [{"tempo": "180"}, {"tempo": True}, {"tempo": 5}, {"metre": (3, 4)}, {"metre": 3},
     {"metre": ""}, {"start_bar": "1.84"}, {"start_bar": -1}],
)  # fmt: skip
def test_in_python_the_argument_is_named(given: dict[str, Any]) -> None:
    """With the value that it got."""
    [(name, value)] = given.items()
    with pytest.raises(ThirdstreamError) as fault:
        ScoreSystem().choose(to="jazz", **given)
    assert f"{name}=" in str(fault.value) and str(value) in str(fault.value)
    with pytest.raises(ThirdstreamError):
        Known(**{name.replace("bar", "bar_s"): value})


@pytest.mark.parametrize("number", [120, 120.0, np.float32(120), np.int64(120)])
def test_any_number_is_a_tempo(number: Any) -> None:
    assert Known(tempo=number).pulse_s == 0.5


def test_the_help_says_which_metres_are_detected() -> None:
    """As the docs do."""
    [metre] = [one.help for one in options_of(ScoreOptions) if one.name == "metre"]
    _, _, about = (scores.listen.__doc__ or "").partition("metre:")
    page = (Path(__file__).parents[1] / "docs" / "score.md").read_text("utf-8")
    for text in (metre, scores.listen.__doc__ or "", about, page):
        said = " ".join(text.split())
        assert "three, four, five or seven" in said
        assert "four or three" not in said and "4/4 or 3/4" not in said


# --- beats --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HEARD)
def test_nothing_known_changes_nothing(transcriber: None, name: str) -> None:
    wave, _ = audio.read(CLIPS / name)
    wave = wave * audio.level_of([wave[None]]).gain
    found = beats.bars_of(frame_features([wave[None].astype(np.float32)]), NOTHING)
    assert found is not None
    n_beats, metre, tempo, first, last = HEARD[name]
    assert (len(found.beats_s), found.beats_per_bar) == (n_beats, metre)
    assert found.beats_per_minute == pytest.approx(tempo, abs=0.1)
    assert found.beats_s[[0, -1]] == pytest.approx([first, last], abs=2e-3)


@pytest.mark.parametrize("tempo", [360, 345, 375])
def test_a_known_tempo_may_be_faster_than_any_that_is_looked_for(
    transcriber: None, tempo: float
) -> None:
    features = features_of(3, Timing.steady(360), 32)
    beats_s = Timing.steady(360).seconds(np.arange(1, 95))
    assert hits(beats.bars_of(features), beats_s) < 0.6
    found = beats.bars_of(features, Known(tempo=tempo))
    assert hits(found, beats_s) == 1.0
    assert found is not None and found.beats_per_minute == pytest.approx(360, rel=0.01)


def test_a_quick_waltz_is_found_without_being_told(quick_waltz: FrameFeatures) -> None:
    found = beats.bars_of(quick_waltz)
    assert found is not None and found.beats_per_bar == 3
    assert hits(found, Timing.steady(220).seconds(np.arange(1, 59))) == 1.0


def test_a_known_tempo_may_be_slow(transcriber: None) -> None:
    features = features_of(4, Timing.steady(104), 16)
    found = beats.bars_of(features, Known(tempo=26))
    assert found is not None and found.beats_per_minute == pytest.approx(26, rel=0.02)


def test_a_known_tempo_follows_rubato(transcriber: None) -> None:
    timing = rubato(64)
    found = beats.bars_of(features_of(4, timing, 16), Known(tempo=109))
    assert hits(found, timing.seconds(np.arange(1, 63))) == 1.0


@pytest.mark.parametrize(("metre", "beats_per_bar"), [("2/4", 2), ("5/4", 5), ("7/4", 7)])
def test_a_known_metre_is_the_metre(transcriber: None, metre: str, beats_per_bar: int) -> None:
    timing = Timing.steady(140)
    found = beats.bars_of(features_of(beats_per_bar, timing, 12), Known(metre=metre))
    assert found is not None and found.beats_per_bar == beats_per_bar
    lines_s = timing.seconds(np.arange(1, 11) * beats_per_bar)
    assert np.abs(lines_s[:, None] - found.beats_s[::beats_per_bar]).min(axis=1).max() < 0.06


@pytest.mark.parametrize("later", [0, 1, 2])
@pytest.mark.parametrize("bar", [0, 6])
def test_bars_count_on_from_a_known_one(quick_waltz: FrameFeatures, later: int, bar: int) -> None:
    """Wherever it lies, and whatever accents say."""
    timing = Timing.steady(220)
    start_s = float(timing.seconds(3 * bar + later)) + 0.01
    found = beats.bars_of(quick_waltz, Known(220, "3/4", start_s))
    assert found is not None
    lines = found.beats_s[::3]
    assert np.abs(lines - start_s).min() < 1e-6
    numbers = np.round(timing.beats(lines[(lines > 0) & (lines < 15)]))
    assert set(numbers % 3) == {later}
    assert (np.diff(numbers) == 3).all()


def test_the_beats_follow_a_bar_that_begins_between_them(quick_waltz: FrameFeatures) -> None:
    timing = Timing.steady(220)
    found = beats.bars_of(quick_waltz, Known(220, None, float(timing.seconds(30.5))))
    assert found is not None
    inner = timing.beats(found.beats_s[(found.beats_s > 1) & (found.beats_s < 15)])
    assert np.abs(inner % 1 - 0.5).max() < 0.2


@given(
    at=st.floats(-5, 60),
    gaps=st.lists(st.floats(0.8, 1.2), min_size=3, max_size=30),
)
def test_anchored_beats_have_one_there(at: float, gaps: list[float]) -> None:
    given = np.cumsum([3.0, *gaps])
    found, number = anchored(given, at)
    assert found[number] == at
    assert (np.diff(found) > 0).all()
    assert found[0] <= given[0] + 1.3 and found[-1] >= given[-1] - 1.3
    moved = np.abs(given[:, None] - found).min(axis=1)
    assert (moved < 1e-9).sum() >= len(given) - 1 or moved.max() <= 0.61


@pytest.mark.parametrize("tempo", [10, 23, 400, 600])
@pytest.mark.parametrize("metre", ["1/1", "2/2", "5/8", "6/16", "32/4", "1/32"])
def test_any_of_them_gives_a_tempo_map(
    quick_waltz: FrameFeatures, tempo: float, metre: str
) -> None:
    try:
        known = Known(tempo, metre, 7.7)
    except ThirdstreamError:
        return
    for one in (known, Known(metre=metre), Known(metre=metre, start_bar_s=0.0)):
        found = beats.bars_of(quick_waltz, one) or beats.steady_bars(quick_waltz.duration_s, one)
        Timing(tuple(found.beats_s.tolist()))
        assert (len(found.beats_s) - 1) % found.beats_per_bar == 0
        assert found.beats_s[0] <= 0 and found.beats_s[-1] >= quick_waltz.duration_s
        if one.start_bar_s is not None:
            assert np.abs(found.beats_s[:: found.beats_per_bar] - one.start_bar_s).min() < 0.3


@pytest.mark.parametrize(
    ("known", "beats_s"),
    [
        (Known(), 0.5 * np.arange(9)),
        (Known(tempo=60), np.arange(5.0)),
        (Known(tempo=60, metre="6/8"), np.arange(5.0)),
        (Known(60, "3/4", 1.25), np.arange(-1.75, 5)),
        (Known(start_bar_s=0.1), 0.1 + 0.5 * np.arange(-4, 9)),
        (Known(metre="3/8"), 0.25 * np.arange(16)),
    ],
)
def test_without_a_pulse_it_is_as_the_user_says(known: Known, beats_s: np.ndarray) -> None:
    assert beats.steady_bars(3.7, known).beats_s == pytest.approx(beats_s, abs=1e-9)


# --- what is made of them -----------------------------------------------------------------------


def jig(n_bars: int, dotted_s: float) -> tuple[list[Note], np.ndarray]:
    """6/8: a tune in eighths and quarters, chords on the dotted beats, a bass on bar lines."""
    notes = []
    for bar in range(n_bars):
        root, at = (0, 5, 7, 0)[bar % 4], 3.0 * bar
        notes.append(Note(at, 2.7, 36 + root, 110))
        for half in (0.0, 1.5):
            notes += [Note(at + half, 1.2, 48 + (root + step) % 12, 60) for step in (0, 4, 7)]
        tune = zip(
            (0, 1, 1.5, 2, 2.5), (0.9, 0.4, 0.4, 0.4, 0.4), (72, 76, 79, 76, 74), strict=True
        )
        notes += [Note(at + place, length, pitch, 110) for place, length, pitch in tune]
    seconds = np.array([[n.start, n.end] for n in notes]) * dotted_s / 1.5
    return notes, seconds


def test_a_jig_is_written_in_six_eighths(transcriber: None, tmp_path: Path) -> None:
    notes, seconds = jig(12, 0.6)
    sf.write(tmp_path / "jig.wav", sounding(notes, seconds, 15.0)[0], SR)
    command = ["listen", str(tmp_path / "jig.wav"), "--out", str(tmp_path / "out")]
    main.main([*command, "--metre", "6/8", "--tempo", "100", "--start-bar", "2.4"])
    sheet = read_score(tmp_path / "out" / "jig.musicxml")
    assert sheet.metres.changes[0][1].name == "6/8"
    starts = [round(note.start % 3, 3) for note in sheet.melody if note.pitch >= 72]
    assert np.isin(starts, [0, 1, 1.5, 2, 2.5]).mean() > 0.95
    assert len(starts) > 50
    assert '"quarters_per_beat": 1.5' in (tmp_path / "out" / "jig.json").read_text()


def test_quarter_notes_of_six_eighths_sound_when_they_are_played(transcriber: None) -> None:
    notes, seconds = jig(12, 0.6)
    found = transcribe([sounding(notes, seconds, 15.0)], known=Known(metre="6/8", start_bar_s=0.0))
    assert found.timing.beat == 1.5
    assert found.score.beats_per_minute == pytest.approx(150, rel=0.01)
    first = found.timing.seconds([chord.start for chord in found.score.chords[:8]])
    assert first == pytest.approx(1.2 * np.array([0, 1, 2, 3, 5, 6, 7, 9]), abs=0.06)
    for one, after in itertools.pairwise(found.score.melody):
        assert one.end <= after.start + 1e-6


@pytest.mark.parametrize("to", ["jazz", "classical"])
def test_the_score_system_hears_with_them(transcriber: None, to: str) -> None:
    notes, seconds = jig(8, 0.6)
    wave, system, taken = sounding(notes, seconds, 10.0)[0], ScoreSystem(), []
    system.on_notation = taken.append
    made = system.transfer(wave, SR, to=to, tempo=100.0, metre="6/8", start_bar=1.2)
    assert made.shape == wave.shape
    heard = taken[0].transcription
    assert heard.score.metres.changes[0][1].name == "6/8"
    lines_s = np.array(heard.timing.beats_s[::2])
    assert np.abs(lines_s - 1.2).min() < 1e-6


def test_they_say_how_the_beats_of_a_corrected_sheet_are_found(
    transcriber: None, tmp_path: Path
) -> None:
    notes, seconds = jig(8, 0.6)
    wave = sounding(notes, seconds, 10.0)[0]
    tune = tuple(Note(float(k), 1.0, 72 + k % 5) for k in range(24))
    chords = tuple(Chord(3.0 * k, 3.0, 5 * k % 12, (0, 4, 7), 5 * k % 12) for k in range(8))
    score = Score("sheet", tune, chords, Metres.steady(metre(6, 8)))
    write_lead_sheet(tmp_path / "sheet.musicxml", score)
    system, taken = ScoreSystem(), []
    system.on_notation = taken.append
    known = {"tempo": 100.0, "metre": "6/8", "start_bar": 1.2}
    system.transfer(wave, SR, to="classical", score=tmp_path / "sheet.musicxml", **known)
    [played] = taken
    assert [note.start for note in played.transcription.score.melody] == list(range(24))
    lines_s = played.timing.seconds([0, 3, 6, 9])
    assert np.abs(lines_s - 1.2).min() < 1e-6
    assert np.diff(lines_s) == pytest.approx(1.2, abs=0.05)
