"""Metres: what their beats are, where their bars begin, and that arrangements fall on them."""

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thirdstream.notes.arranging import STYLES, Setting, arrange, draw_setting
from thirdstream.notes.arranging.cover import cover
from thirdstream.notes.arranging.instrumentation import suitable_grooves
from thirdstream.notes.arranging.options import ArrangementOptions
from thirdstream.notes.arranging.piece import Piece
from thirdstream.notes.arranging.pulse import Pulse, suits
from thirdstream.notes.metre import Metre, Metres, fitting, metre, of_length
from thirdstream.notes.styles import classical_style, jazz_style
from thirdstream.notes.types import Chord, Note, Score, Track

HARMONY = [(0, (0, 4, 7)), (9, (0, 3, 7)), (2, (0, 3, 7, 10)), (7, (0, 4, 7, 10))]
SIGNS = ["2/4", "3/4", "4/4", "5/4", "6/4", "7/4", "2/2", "3/2", "3/8", "4/8", "5/8", "6/8", "7/8",
         "9/8", "11/8", "12/8", "3/16", "1/4"]  # fmt: skip
LATE = 0.0201  # quarter notes: players are not exactly together


def named(sign: str) -> Metre:
    count, unit = map(int, sign.split("/"))
    return metre(count, unit)


def tune(bars: Sequence[Metre], seed: int = 0) -> Score:
    """A chord a bar, and a note of it on every beat, some beats in their two or three parts."""
    rng, metres = random.Random(seed), Metres.of_bars(bars)
    melody: list[Note] = []
    chords: list[Chord] = []
    for number, one in enumerate(bars):
        (root, kind), line = HARMONY[number % 4], metres.line(number)
        chords.append(Chord(line, one.length, root, kind, root))
        for place, length in zip(one.places, one.beats, strict=True):
            n = rng.choice([1, 3 if length in (1.5, 0.75) else 2])
            melody += [
                Note(line + place + k * length / n, length / n, 60 + (root + rng.choice(kind)) % 12)
                for k in range(n)
            ]
    return Score("a tune", tuple(melody), tuple(chords), metres=metres)


MIXED = {
    **{sign: [named(sign)] * 16 for sign in SIGNS},
    "a bar of 2/4": [named("4/4")] * 5 + [named("2/4")] + [named("4/4")] * 6,
    "3/4 and 4/4": [named("3/4"), named("4/4")] * 8,
    "all": [named(sign) for sign in ("4/4", "6/8", "7/8", "5/4") for _ in range(4)],
}


def track_of(tracks: Sequence[Track], name: str) -> Track:
    return next(track for track in tracks if track.name == name)


def struck(notes: Sequence[Note], at: float) -> bool:
    return any(-1e-6 <= note.start - at <= LATE for note in notes)


@pytest.mark.parametrize(
    ("sign", "beats", "cells"),
    [
        ("4/4", (1, 1, 1, 1), (4,)),
        ("3/4", (1, 1, 1), (3,)),
        ("6/8", (1.5, 1.5), (2,)),
        ("9/8", (1.5, 1.5, 1.5), (3,)),
        ("12/8", (1.5,) * 4, (4,)),
        ("3/8", (0.5, 0.5, 0.5), (3,)),
        ("5/4", (1,) * 5, (3, 2)),
        ("7/8", (1, 1, 1.5), (3,)),
        ("5/8", (1.5, 1), (2,)),
        ("8/8", (1.5, 1.5, 1), (3,)),
        ("6/4", (1,) * 6, (3, 3)),
        ("3/2", (1,) * 6, (2, 2, 2)),
        ("2/2", (1,) * 4, (4,)),
        ("6/16", (0.75, 0.75), (2,)),
    ],
)
def test_beats(sign: str, beats: tuple[float, ...], cells: tuple[int, ...]) -> None:
    one = named(sign)
    assert one.beats == beats
    assert one.cells == cells
    assert one.name == sign


def test_groups_as_given() -> None:
    assert metre(7, 8, (3, 2, 2)).beats == (1.5, 1.0, 1.0)
    assert metre(5, 4, (2, 3)).cells == (2, 3)
    assert metre(8, 8, (4, 4)).beats == (1.0, 1.0, 1.0, 1.0)


@settings(deadline=None, max_examples=200)
@given(count=st.integers(1, 40), unit=st.sampled_from([1, 2, 4, 8, 16, 32]))
def test_beats_fill_their_bar_and_cells_their_beats(count: int, unit: int) -> None:
    one = metre(count, unit)
    assert sum(one.beats) == one.length == 4 * count / unit
    assert sum(one.cells) == len(one.beats)
    assert set(one.cells) <= {1, 2, 3, 4}


@pytest.mark.parametrize(
    ("length", "name"), [(1.0, "1/4"), (3.0, "3/4"), (1.5, "3/8"), (0.25, "1/16")]
)
def test_odd_bars_have_the_plainest_metre(length: float, name: str) -> None:
    assert of_length(length).name == name


def test_groups_are_those_with_which_most_begins() -> None:
    assert fitting(named("7/8"), {0.0: 9, 1.5: 8, 2.5: 8, 1.0: 2}).beats == (1.5, 1.0, 1.0)
    assert fitting(named("7/8"), {0.0: 9}).beats == (1.0, 1.0, 1.5)
    assert fitting(named("5/4"), {0.0: 9, 2.0: 8, 3.0: 4}).cells == (2, 3)
    assert fitting(named("6/8"), {0.0: 9, 1.0: 9}) == named("6/8")


@settings(deadline=None, max_examples=50)
@given(signs=st.lists(st.sampled_from(SIGNS), min_size=1, max_size=20))
def test_bars_follow_each_other(signs: list[str]) -> None:
    bars = [named(sign) for sign in signs]
    metres = Metres.of_bars(bars)
    lines = [metres.line(number) for number in range(len(bars) + 1)]
    assert [b - a for a, b in pairwise(lines)] == [one.length for one in bars]
    for number, one in enumerate(bars):
        middle = lines[number] + one.length / 2
        assert metres.bar(lines[number]) == metres.bar(middle) == number
        assert metres.number(middle) == number + 0.5
        assert metres.within(middle) == one.length / 2
        assert metres.metre_at(middle) == metres.metre_of(number) == one
    assert metres.n_bars(lines[-1]) == len(bars)


@pytest.mark.parametrize("name", MIXED)
def test_places_in_beats_and_back(name: str) -> None:
    pulse = Pulse(tune(MIXED[name]))
    score = tune(MIXED[name])
    for note in score.melody:
        assert pulse.quarters(pulse.beats(note.start)) == pytest.approx(note.start)
    lines = [score.metres.line(bar) + place for bar in range(score.n_bars)
             for place in score.metres.metre_of(bar).places]  # fmt: skip
    assert [pulse.beats(line) for line in lines] == [float(k) for k in range(len(lines))]


def test_the_third_part_of_a_dotted_beat_is_where_swing_has_it() -> None:
    pulse = Pulse(tune([named("6/8")] * 4))
    assert pulse.quarters(0.5) == pulse.quarters(0.5, 1.3) == pytest.approx(1.0)
    assert pulse.beats(2.5) == pytest.approx(1.5)


@pytest.mark.parametrize("name", MIXED)
def test_jazz_falls_on_the_metre(name: str) -> None:
    """The bass begins every pattern, walks on beats, drums mark every beat; bars stay."""
    bars = MIXED[name]
    score = tune(bars)
    pulse = Pulse(score)
    beats = [score.metres.line(k) + place for k, one in enumerate(bars) for place in one.places]
    grooves = suitable_grooves(jazz_style(), pulse)
    assert draw_setting(score, seed="1").groove in grooves
    for groove in ("swing", "jazz waltz", "ballad"):
        if groove not in grooves:
            continue
        one = arrange(score, "jazz", Setting("0", 0, 120.0, "piano", groove))
        assert (one.n_bars, one.seconds) == (len(bars), score.n_beats / 2)
        assert one.song.metres == score.metres
        bass = track_of(one.song.tracks, "double bass").notes
        assert all(struck(bass, pulse.quarters(cell.start)) for cell in pulse.cells) or (
            groove == "ballad" and name == "3/2"  # a two-five there is three beats and three
        )
        assert all(any(-1e-6 <= n.start - beat <= LATE for beat in beats) for n in bass)
        drums = track_of(one.song.tracks, "drums").notes
        assert all(struck(drums, beat) for beat in beats)


@pytest.mark.parametrize(
    ("sign", "in_three"),
    [("9/8", True), ("3/8", True), ("6/8", False), ("5/4", False), ("7/8", False)],
)
def test_waltzes_are_for_three_even_beats(sign: str, in_three: bool) -> None:
    pulse, grooves = Pulse(tune([named(sign)] * 8)), jazz_style().grooves
    assert suits(grooves["jazz waltz"], pulse) == in_three
    assert suits(grooves["swing"], pulse) != in_three


def test_roots_stand_on_bar_lines_after_a_short_bar() -> None:
    """One bar of 2/4 in 4/4: what follows is two quarters earlier, chords and bass with it."""
    score = tune(MIXED["a bar of 2/4"])
    song = arrange(score, "jazz", Setting("0", 0, 120.0, "piano", "swing")).song
    bass = track_of(song.tracks, "double bass").notes
    for chord in score.chords:
        if not chord.is_dominant:  # which become two-fives
            (first,) = [n for n in bass if -1e-6 <= n.start - chord.start <= LATE]
            assert first.pitch % 12 == chord.bass


@pytest.mark.parametrize("name", MIXED)
def test_classical_keeps_the_bars(name: str) -> None:
    """The bass has a note of each chord where it begins."""
    score = tune(MIXED[name])
    one = arrange(score, "classical", Setting("a", 0, 120.0, "string quartet", "swing"))
    assert (one.n_bars, one.seconds) == (score.n_bars, score.n_beats / 2)
    for chord in score.chords:
        now = [n for n in one.song.tracks[-1].notes if n.start - LATE <= chord.start + LATE < n.end]
        assert {n.pitch % 12 for n in now} <= set(chord.pitch_classes)
        assert len(now) == 1


@pytest.mark.parametrize(
    ("sign", "places"),
    [
        ("6/8", {0, 0.5, 1, 1.5, 2, 2.5}),
        ("9/8", {0.5 * k for k in range(9)}),
        ("7/8", {0.5 * k for k in range(7)}),
        ("5/4", {0.5 * k for k in range(10)}),
    ],
)
def test_figures_strike_the_parts_of_beats(sign: str, places: set[float]) -> None:
    """Broken chords: each part of each beat, the lowest note with every beat of three."""
    score = tune([named(sign)] * 8)
    found: set[float] = set()
    for seed in map(str, range(4)):
        song = arrange(score, "classical", Setting(seed, 0, 120.0, "piano", "swing")).song
        for note in song.tracks[0].notes:
            place = (note.start + 1e-6) % named(sign).length
            near = min(places | {named(sign).length}, key=lambda at: abs(at - place))
            assert abs(near - place) < 0.09  # rolled chords are late
            found.add(near % named(sign).length)
    assert found == places


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", ["6/8", "5/4", "7/8", "a bar of 2/4", "all"])
def test_covers_keep_the_bars(name: str, style: str) -> None:
    """A corrected score in any metre: bass and chords begin with its bars."""
    score = tune(MIXED[name])
    made = cover(Piece(score, tuple(sorted(score.melody)), 110.0), ArrangementOptions(style))
    assert made.n_bars == score.n_bars
    assert made.song.metres == score.metres
    notes = [n for track in made.song.tracks if not track.is_drums for n in track.notes]
    assert all(any(abs(n.start - c.start) < 0.05 for n in notes) for c in score.chords[:-1])


@pytest.mark.parametrize("ensemble", classical_style().ensembles)
def test_every_ensemble_plays_every_metre(ensemble: str) -> None:
    score = tune(MIXED["all"])
    for track in arrange(score, "classical", Setting("0", 0, 90.0, ensemble, "swing")).song.tracks:
        assert all(n.start >= 0 and n.end <= score.n_beats + 1e-6 for n in track.notes)
