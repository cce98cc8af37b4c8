"""Players of covers in jazz: rhythms, swing and timing of real trios, and who is how loud."""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from test_arranging import track_of, tune
from test_cover import transcribed
from thirdstream.notes.arranging.bass import BassPlayer
from thirdstream.notes.arranging.comping import answering_strokes
from thirdstream.notes.arranging.cover import cover
from thirdstream.notes.arranging.expression import Performer
from thirdstream.notes.arranging.form import fullness
from thirdstream.notes.arranging.harmony import changes
from thirdstream.notes.arranging.options import ArrangementOptions
from thirdstream.notes.arranging.pulse import Cell, Pulse
from thirdstream.notes.arranging.trio import PHRASE, bass_line, comments, trio_bars
from thirdstream.notes.metre import Metres, metre
from thirdstream.notes.styles import jazz_style
from thirdstream.notes.styles.entries import Expression
from thirdstream.notes.styles.trios import places, swings, trios
from thirdstream.notes.types import Note

JAZZ = jazz_style()
FOUR = Metres.steady(metre(4, 4))


def bars(lengths: Sequence[int]) -> list[list[Cell]]:
    starts = np.cumsum([0, *lengths])
    return [[Cell(int(start), n)] for start, n in zip(starts, lengths, strict=False)]


# --- data ---------------------------------------------------------------------------------------


def test_a_bar_as_text_says_where_notes_begin() -> None:
    assert places("x-x---xxx--x") == (0.0, 0.5, 2.0, 2.25, 2.5, 3.5)


def test_bars_of_trios_lie_in_their_bars() -> None:
    assert len({one.name for one in trios()}) == 34
    for one in trios():
        assert len(one.bass) == len(one.drums) >= PHRASE
        for bar in (*one.bass, *one.drums):
            assert all(0 <= at < one.beats for at in bar)
            assert list(bar) == sorted(set(bar))


def test_swing_lies_in_the_middle_half_of_trios_at_each_tempo() -> None:
    """At full strength and at the default one, at which three quarters of it are played."""
    assert JAZZ.swing_of_recordings
    for trio in swings():
        ratio = JAZZ.swing_of_recordings.at(trio.tempo)
        middle = 0.5 + 0.75 * (ratio / (1 + ratio) - 0.5)
        assert trio.low <= middle / (1 - middle) <= ratio <= trio.high


# --- rhythms ------------------------------------------------------------------------------------


@given(
    lengths=st.lists(st.sampled_from([2, 3, 4, 5, 7]), min_size=1, max_size=40),
    tempo=st.floats(50, 320),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=30)
def test_every_bar_of_a_piece_has_a_bar_of_a_trio(
    lengths: list[int], tempo: float, seed: int
) -> None:
    piece, full = bars(lengths), np.full(len(lengths), 0.5)
    found = trio_bars(piece, tempo=tempo, fullness=full, rng=random.Random(seed))
    assert [one.start for one in found] == [bar[0].start for bar in piece]
    for one, length in zip(found, lengths, strict=True):
        assert all(one.start <= at < one.start + length for at in (*one.bass, *one.drums))
        if length not in (3, 4):
            assert one.bass == tuple(one.start + k for k in range(length))


def test_phrases_are_those_of_a_trio() -> None:
    found = trio_bars(bars([4] * 32), tempo=160, fullness=np.full(32, 0.5), rng=random.Random(0))
    for first in range(0, 32, PHRASE):
        phrase = tuple(
            tuple(at - one.start for at in one.bass) for one in found[first : first + PHRASE]
        )
        assert any(
            phrase == one.bass[at : at + PHRASE] for one in trios() for at in range(len(one.bass))
        )


def test_fuller_bars_have_more_notes() -> None:
    counts = [
        sum(
            len(bar.bass)
            for seed in range(4)
            for bar in trio_bars(
                bars([4] * 32), tempo=160, fullness=np.full(32, full), rng=random.Random(seed)
            )
        )
        for full in (0.0, 0.5, 1.0)
    ]
    assert counts == sorted(set(counts))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("bar", [3, 4])
def test_the_bass_walks_in_the_trios_rhythm_and_begins_every_chord(bar: int, seed: int) -> None:
    pulse, rng = Pulse(tune(bar, seed)), random.Random(seed)
    harmony = changes(pulse.score)
    rows = trio_bars(pulse.bars, tempo=140, fullness=np.full(16, 0.6), rng=rng)
    walked = list(BassPlayer(JAZZ.bass, rng).walking(harmony))
    line = bass_line(walked, rows, [one.chord.start for one in harmony], rng)
    starts = [note.start for note in line]
    assert starts == sorted(set(starts))
    assert {at for row in rows for at in row.bass} <= set(starts)
    assert all(before.end <= after.start for before, after in pairwise(line))
    for one in harmony:
        root = [note for note in line if -0.5 <= note.start - one.chord.start <= 0]
        assert any(note.pitch % 12 == one.chord.bass for note in root)


def test_without_a_walking_line_the_bass_is_silent() -> None:
    rows = trio_bars(bars([4]), tempo=140, fullness=np.full(1, 0.5), rng=random.Random(0))
    assert bass_line([], rows, [0.0], random.Random(0)) == []


def test_drummers_comment_beside_their_pattern_and_leave_fills_alone() -> None:
    rng, piece = random.Random(0), bars([4] * 16)
    rows = trio_bars(piece, tempo=200, fullness=np.ones(16), rng=rng)
    pattern = [Note(float(beat), 0.2, 51) for beat in range(64)]
    found = list(comments(rows, pattern, np.ones(16), rng))
    assert found
    assert {note.pitch for note in found} <= {36, 38}
    assert not {note.start for note in found} & {note.start for note in pattern}
    assert all(note.start // 4 % PHRASE != PHRASE - 1 for note in found)


def test_chords_answer_the_melody() -> None:
    rhythms, piece = JAZZ.grooves["swing"].comping.rhythms, bars([4] * 64)
    melody = [Note(float(beat), 1.0, 70) for beat in range(0, 256, 2)]

    def together(melody: Sequence[Note]) -> float:
        strokes = answering_strokes(rhythms, piece, melody, [0.5] * 64, random.Random(1))
        assert strokes == sorted(strokes)
        assert all(0 <= at < 256 and length > 0 for at, length in strokes)
        return sum(at % 2 == 0 for at, _ in strokes) / len(strokes)

    assert together(melody) < together([]) - 0.05


# --- form and expression ------------------------------------------------------------------------


def test_the_head_is_thin_and_what_comes_again_is_fuller() -> None:
    full = fullness([0, 1, 0, 2], np.zeros(33))
    assert full.shape == (33,)
    assert full[0] < full[16] < full[8] < full[31] == full[32]
    louder = fullness([0, 1, 0, 2], np.linspace(-20, 20, 33))
    assert louder[0] < full[0]
    assert louder[31] > full[31] or louder[31] == 1


def played(how: Expression, notes: Sequence[Note], strength: float = 1.0) -> list[Note]:
    performer = Performer(FOUR, np.full(20, 0.5), strength=strength, rng=random.Random(0))
    return performer.played(notes, [note.start for note in notes], how)


def test_a_part_without_expression_is_played_as_it_is() -> None:
    notes = [Note(k / 2, 0.5, 60 + k % 7, 70 + k) for k in range(16)]
    assert played(Expression(), notes) == notes
    strong = Expression(high=10, off=9, first=5, drawn=4, late=0.1, apart=0.02)
    assert played(strong, notes, strength=0.0) == notes


def test_accents_follow_place_register_and_length() -> None:
    notes = [Note(k / 2, 1.0, 60, 70) for k in range(16)]
    how = Expression(first=8, strong=4, weak=-2, off=-6)
    assert [note.velocity for note in played(how, notes)] == [78, 64, 68, 64, 74, 64, 68, 64] * 2
    high = [Note(float(k), 1.0, 60 + 12 * (k % 2), 70) for k in range(8)]
    low, top = (np.mean([n.velocity for n in played(Expression(high=10), high)[k::2]])
                for k in (0, 1))  # fmt: skip
    assert top - low == pytest.approx(10, abs=1)
    phrase = played(Expression(phrase=12), [Note(float(k), 1.0, 60, 70) for k in range(32)])
    assert phrase[8].velocity - phrase[0].velocity == 12
    assert phrase[16].velocity == phrase[0].velocity


def test_a_part_that_is_late_is_late_and_chords_stay_together() -> None:
    chords = [Note(float(k), 0.9, p, 70) for k in range(64) for p in (60, 64, 67)]
    made = played(Expression(late=0.05, apart=0.01, drawn=6), chords)
    late = np.array([note.start - own.start for note, own in zip(made, chords, strict=True)])
    assert np.median(late) == pytest.approx(0.05, abs=0.01)
    assert (late.reshape(-1, 3) == late[::3, None]).all()
    ends = [note.end - own.end for note, own in zip(made, chords, strict=True)]
    assert np.allclose(ends, 0)


# --- covers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bar", [3, 4])
def test_a_cover_is_played_by_players(bar: int) -> None:
    """Bass and chords have a rhythm of their own in most bars, and no part is played evenly."""
    made = cover(transcribed("classical", bar), ArrangementOptions("jazz", style_strength=0.75))
    tracks = {track.name: track for track in made.song.tracks}
    comping = next(t for t in made.song.tracks[1:] if t.name in ("piano", "jazz guitar"))
    for track in (tracks["double bass"], comping, tracks["drums"]):
        assert np.std([note.velocity for note in track.notes]) > 8
    for track in (tracks["double bass"], comping):
        rhythms: list[set[float]] = [set() for _ in range(made.n_bars + 1)]
        for note in track.notes:
            number, place = divmod(round(2 * note.start) / 2, bar)
            rhythms[int(number)].add(place)
        assert len({tuple(sorted(one)) for one in rhythms}) >= 0.4 * made.n_bars


def test_the_bass_walks_on_where_notes_of_the_recording_are_kept() -> None:
    piece = transcribed("classical")
    held = [Note(8.0 * k, 7.9, 40, 70) for k in range(8)]
    piece = replace(piece, notes=tuple(sorted([*piece.notes, *held])))
    made = cover(piece, ArrangementOptions("jazz", keep_content=1.0))
    line = track_of(made.song.tracks, "double bass").notes
    assert len(line) > 2 * made.n_bars


def test_the_last_chord_rings_with_a_cymbal_unless_the_recording_is_cut_off() -> None:
    piece = transcribed("classical")
    whole = replace(piece, score=replace(piece.score, length=piece.score.n_beats + 8))
    last = []
    for one in (whole, piece):
        made = cover(one, ArrangementOptions("jazz"))
        strokes = track_of(made.song.tracks, "drums").notes
        last.append([note.start for note in strokes if note.pitch == JAZZ.fills.crash][-1])
    assert last[0] >= 56 > last[1]
