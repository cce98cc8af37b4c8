"""Changes of metre: bars of three among bars of four, and the other way."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pieces import piece, sounding
from thirdstream.notes.timing import Timing
from thirdstream.notes.transcription import beats
from thirdstream.notes.transcription.features import FPS, FrameFeatures
from thirdstream.notes.transcription.hypotheses import Hypothesis
from thirdstream.notes.transcription.known import Known
from thirdstream.notes.transcription.metre_changes import with_changes
from thirdstream.notes.transcription.sheets import write_sheets
from thirdstream.notes.transcription.transcribe import Transcription, transcribe
from thirdstream.notes.transcription.transcriber import Posteriors
from thirdstream.notes.types import Note

PERIOD = 43  # frames
FOUR_THREE_FOUR = ((4, 12), (3, 16), (4, 12))  # quarter notes a bar, and bars


def counted(runs: list[tuple[int, int]], *, upbeat: int = 0, metre: int = 4) -> Hypothesis:
    """Beats with an accent on each bar line, in runs of so many bars of so many beats."""
    places = [p for m, n_bars in runs for p in list(range(m)) * n_bars]
    places = np.array([*range(9 - upbeat, 9), *places])
    accents = 2.0 * (places == 0)
    accents += 0.2 * np.random.default_rng(len(places)).standard_normal(len(places))
    at = PERIOD * np.arange(len(places), dtype=float)
    steady = (np.arange(len(places)) - upbeat) % metre
    return Hypothesis(at, steady, metre, np.zeros(1), accents=accents - accents.mean())


@st.composite
def runs(draw: st.DrawFn) -> list[tuple[int, int]]:
    n_bars = draw(st.lists(st.integers(10, 24), min_size=2, max_size=4))
    first = draw(st.integers(0, 1))
    return [((4, 3)[(first + k) % 2], n) for k, n in enumerate(n_bars)]


@given(runs=runs(), upbeat=st.integers(0, 2), metre=st.sampled_from([3, 4]))
def test_bars_follow_the_accents(runs: list[tuple[int, int]], upbeat: int, metre: int) -> None:
    one = with_changes(counted(runs, upbeat=upbeat, metre=metre))
    assert one.lengths is not None
    firsts = np.cumsum([0, *(m * n for m, n in runs)]) + upbeat
    for (m, _), start, end in zip(runs, firsts, firsts[1:], strict=False):
        np.testing.assert_array_equal(one.places[start:end], np.arange(end - start) % m)
        assert set(one.lengths[start:end]) == {m}
    silent = np.zeros((round(len(one.beats) * PERIOD), 88), np.float16)
    none = np.zeros(len(silent), np.float32)
    features = FrameFeatures(Posteriors(silent, silent), silent, none, none, none, len(none) / FPS)
    bars = beats.as_bars(one, features)
    true_s = one.beats[one.places == 0] / FPS - beats.LATE_S
    assert np.abs(bars.beats_s[bars.lines] - true_s[1:, None]).min(axis=1).max() < 1e-6
    assert [n for _, n in bars.changes] == [m for m, _ in runs]
    assert bars.lines[-1] == len(bars.beats_s) - 1
    assert bars.beats_s[0] <= 0 <= bars.beats_s[-1] - features.duration_s + 1e-9


@given(seed=st.integers(0, 99), metre=st.sampled_from([3, 4, 5]), n_beats=st.integers(8, 400))
def test_a_steady_metre_stays(seed: int, metre: int, n_beats: int) -> None:
    """With its accents, also where a beat is lost."""
    rng = np.random.default_rng(seed)
    places = np.delete(np.arange(n_beats + 1) % metre, rng.integers(n_beats))
    accents = 1.5 * (places == 0) + 0.4 * rng.standard_normal(n_beats)
    accents = 0.8 * (accents - accents.mean()) / accents.std()
    at = PERIOD * np.arange(n_beats, dtype=float)
    one = Hypothesis(at, places, metre, np.zeros(1), accents=accents)
    assert with_changes(one) is one


@pytest.fixture(scope="module")
def wave() -> np.ndarray:
    """A piece in four, then in three, then in four, at 112; (1, n_samples)."""
    notes, at = list[Note](), 0.0
    for metre, n_bars in FOUR_THREE_FOUR:
        tune, rest, _ = piece(metre, n_bars)
        notes += [Note(at + n.start, n.length, n.pitch, n.velocity) for n in (*tune, *rest)]
        at += metre * n_bars
    timing = Timing.steady(112)
    seconds = timing.seconds([[note.start, note.end] for note in notes])
    return sounding(notes, seconds, float(timing.seconds(at)) + 0.5)


@pytest.fixture(scope="module")
def heard(wave: np.ndarray) -> Transcription:
    return transcribe([wave])


def test_a_recording_may_change_its_metre(heard: Transcription) -> None:
    assert [one.name for _, one in heard.score.metres.changes] == ["4/4", "3/4", "4/4"]
    starts = heard.timing.seconds([start for start, _ in heard.score.metres.changes])
    np.testing.assert_allclose(starts, np.array([0, 48, 96]) * 60 / 112, atol=0.07)
    n_bars = sum(n for _, n in FOUR_THREE_FOUR)
    assert len(heard.confidence) == len(heard.lines_s) - 1 >= n_bars
    for bar, start_s in zip(heard.confidence, heard.lines_s[:-1], strict=True):
        assert bar.start_s == pytest.approx(start_s)
    starts_of_chords = [c.start for c in heard.score.chords if 48 <= c.start < 96]
    assert starts_of_chords == list(range(48, 96, 3))


def test_its_files_say_so(heard: Transcription, tmp_path: Path) -> None:
    _, sheet, _, data, *_ = write_sheets(heard, tmp_path, "found")
    found = json.loads(data.read_text())
    assert (found["metre"], found["beats_per_bar"]) == ("4/4", 4)
    assert [one["metre"] for one in found["metres"]] == ["4/4", "3/4", "4/4"]
    assert found["metres"][0]["start_s"] == 0
    signs = sheet.read_text().split("<beats>")[1:]
    assert [sign[0] for sign in signs] == ["4", "3", "4"]


@pytest.mark.parametrize("known", [Known(metre="4/4"), Known(start_bar_s=0.0)])
def test_what_is_known_holds_throughout(wave: np.ndarray, known: Known) -> None:
    found = transcribe([wave], known=known)
    assert len(found.score.metres.changes) == 1
