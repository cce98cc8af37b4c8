"""Covers: what holds of the notes, whatever was transcribed."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from test_arranging import tune
from thirdstream.files import ThirdstreamError
from thirdstream.notes.arranging import STYLES, Arrangement, Setting, arrange
from thirdstream.notes.arranging.cover import cover
from thirdstream.notes.arranging.coverage import by_salience, content_coverage, mean_displacement
from thirdstream.notes.arranging.dynamics import MOST_ACCENT, accents, contour
from thirdstream.notes.arranging.harmony import reharmonised
from thirdstream.notes.arranging.instrumentation import (
    default_ensemble,
    default_groove,
    soloists,
)
from thirdstream.notes.arranging.lines import placed
from thirdstream.notes.arranging.options import ArrangementOptions
from thirdstream.notes.arranging.phrasing import Feel, performed, sources, swing_of
from thirdstream.notes.arranging.piece import Piece, metrical_level, repetitions
from thirdstream.notes.arranging.pulse import evened, swung
from thirdstream.notes.metre import Metres, metre
from thirdstream.notes.styles import classical_style, jazz_style, read_style
from thirdstream.notes.styles.entries import Phrasing
from thirdstream.notes.types import CHORDS, Chord, Note, Score

CLASSICAL, JAZZ = classical_style(), jazz_style()
DOUBLED = CLASSICAL.doubled_ensembles
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)

FOUR = Metres.steady(metre(4, 4))


def transcribed(style: str, bar: int = 4, seed: int = 0, tempo: float = 120.0) -> Piece:
    """The tune arranged in a style, as it would be transcribed: every note a little off."""
    score, rng = tune(bar, seed), random.Random(seed)
    groove = "swing" if bar == 4 else "jazz waltz"
    song = arrange(score, style, Setting("0", 0, tempo, "string quartet", groove)).song
    notes = (note for track in song.tracks if not track.is_drums for note in track.notes)
    moved = sorted(replace(n, start=max(n.start + rng.uniform(-0.03, 0.03), 0.0)) for n in notes)
    return Piece(replace(score, length=score.n_beats), tuple(moved), tempo)


def played(arrangement: Arrangement) -> list[Note]:
    """Everything with a pitch."""
    tracks = (track for track in arrangement.song.tracks if not track.is_drums)
    return [note for track in tracks for note in track.notes]


def other(style: str) -> str:
    return next(name for name in STYLES if name != style)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("seed", range(2))
def test_more_kept_content_keeps_more_of_the_recordings_notes(style: str, seed: int) -> None:
    piece = transcribed(other(style), seed=seed)
    shares = [
        content_coverage(
            piece.notes, played(cover(piece, ArrangementOptions(style, keep_content=k)))
        )
        for k in SHARES
    ]
    assert shares == sorted(shares)
    assert shares[-1] > 0.97
    assert shares[0] < shares[-1] - 0.15


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("seed", range(2))
def test_more_strength_moves_notes_further_and_brings_more_in(style: str, seed: int) -> None:
    piece = transcribed(other(style), seed=seed)
    made = [cover(piece, ArrangementOptions(style, style_strength=s)) for s in SHARES]
    moved = [mean_displacement(piece.notes, played(one)) for one in made]
    assert moved == sorted(moved)
    assert moved[0] < 0.03
    if style == "jazz":
        strokes = [sum(len(t.notes) for t in one.song.tracks if t.is_drums) for one in made]
        assert strokes[0] == 0
        assert strokes == sorted(strokes)


@pytest.mark.parametrize("style", STYLES)
def test_without_style_the_recordings_notes_are_all_that_sounds(style: str) -> None:
    piece = transcribed(other(style))
    own = played(cover(piece, ArrangementOptions(style, style_strength=0.0, keep_content=0.0)))
    assert content_coverage(piece.notes, own, within=0.1) > 0.985
    assert content_coverage(own, piece.notes, within=0.05) == 1.0


@pytest.mark.parametrize("style", STYLES)
def test_the_melody_is_all_there_and_in_front(style: str) -> None:
    piece = transcribed(other(style))
    tracks = [
        t
        for t in cover(piece, ArrangementOptions(style, keep_content=0.0)).song.tracks
        if not t.is_drums
    ]
    solo, *_ = sorted(tracks, key=lambda t: -np.mean([n.velocity for n in t.notes] or [0]))
    lead = [note for track in tracks[:2] for note in track.notes]
    assert content_coverage(piece.score.melody, lead, within=0.55) == 1.0
    assert solo.name in (tracks[0].name, tracks[1].name)


@pytest.mark.parametrize("style", STYLES)
def test_the_same_options_give_the_same_notes(style: str) -> None:
    piece = transcribed(other(style))
    first, second = (cover(piece, ArrangementOptions(style)) for _ in range(2))
    assert first == second


def chord(start: float, length: float, root: int, kind: Sequence[int]) -> Chord:
    return Chord(start, length, root, tuple(kind), root)


@settings(deadline=None, max_examples=15)
@given(
    bar=st.sampled_from([2, 3, 4, 6]),
    n_bars=st.integers(1, 9),
    tempo=st.sampled_from([40.0, 75.0, 130.0, 260.0]),
    style=st.sampled_from(STYLES),
    harmony=st.sampled_from(["every beat", "late", "none"]),
    rests=st.booleans(),
    seed=st.integers(0, 99),
)
def test_whatever_is_heard_can_be_played(
    bar: int, n_bars: int, tempo: float, style: str, harmony: str, rests: bool, seed: int
) -> None:
    rng, end = random.Random(seed), float(bar * n_bars)
    melody = [Note(float(b), 0.75, rng.randint(50, 90)) for b in range(int(end))]
    if rests:
        melody = [note for note in melody if not 0.2 * end < note.start < 0.8 * end]
    kinds = sorted(CHORDS.values())
    chords = {
        "every beat": [
            chord(b, 1.0, rng.randrange(12), rng.choice(kinds)) for b in range(int(end))
        ],
        "late": [chord(end / 2, end / 2, 0, (0, 4, 7))],
        "none": [],
    }[harmony]
    below = [Note(b + 0.03, 1.0, rng.randint(36, 60), 60) for b in range(int(end))]
    score = Score("x", tuple(melody), tuple(chords), Metres.steady(metre(bar, 4)), length=end)
    piece = Piece(score, tuple(sorted([*melody, *below])), tempo)
    piece = piece.scaled(metrical_level(piece, read_style(style)))
    made = cover(piece, ArrangementOptions(style, seed=seed))
    notes = [note for track in made.song.tracks for note in track.notes]
    assert notes
    assert all(0 <= n.start < n.end <= piece.score.n_beats + 1e-6 for n in notes)
    assert all(0 <= n.pitch <= 127 and 1 <= n.velocity <= 127 for n in notes)


@pytest.mark.parametrize("style", STYLES)
def test_where_the_recording_rests_the_players_rest(style: str) -> None:
    piece = transcribed(other(style))
    quiet = (16.0, 28.0)

    def sounding(notes: Sequence[Note]) -> tuple[Note, ...]:
        return tuple(n for n in notes if n.end <= quiet[0] or n.start >= quiet[1])

    piece = replace(
        piece,
        notes=sounding(piece.notes),
        score=replace(piece.score, melody=sounding(piece.score.melody)),
    )
    made = cover(piece, ArrangementOptions(style, keep_content=1.0))
    starts = [note.start for track in made.song.tracks for note in track.notes]
    assert not [start for start in starts if quiet[0] + 0.1 < start < quiet[1] - 0.6]
    assert [start for start in starts if start > quiet[1]]


@pytest.mark.parametrize("style", STYLES)
def test_loud_bars_are_played_louder(style: str) -> None:
    piece = transcribed(other(style))
    loud = tuple(replace(n, velocity=100 if n.start >= 32 else 50) for n in piece.notes)
    notes = played(cover(replace(piece, notes=loud), ArrangementOptions(style)))
    first, second = ([n.velocity for n in notes if (n.start >= 32) == late] for late in (0, 1))
    assert np.mean(second) > np.mean(first) + 10


def test_a_contour_follows_the_bars() -> None:
    notes = [Note(4.0 * k, 4.0, 60, 40 if k < 8 else 80) for k in range(16) if k != 3]
    found = contour(notes, FOUR, 16)
    assert found[:6] == pytest.approx(-20)
    assert found[10:] == pytest.approx(20)
    assert (np.diff(found) >= 0).all()
    assert not contour([], FOUR, 3).any()


def test_sections_that_come_again_are_found() -> None:
    score = tune()
    first = [n for n in score.melody if n.start < 32]
    again = [replace(n, start=n.start + 64) for n in first]
    chords = [*score.chords, *(replace(c, start=c.start + 64) for c in score.chords[:8])]
    whole = replace(score, melody=(*score.melody, *again), chords=tuple(chords))
    assert repetitions(whole)[:3] == [0, 0, 1]


def test_a_repeated_section_is_played_otherwise() -> None:
    piece = transcribed("classical")
    again = tuple(replace(n, start=n.start + 64) for n in piece.score.melody)
    chords = tuple(replace(c, start=c.start + 64) for c in piece.score.chords)
    score = replace(piece.score, melody=piece.score.melody + again, length=128.0,
                    chords=piece.score.chords + chords)  # fmt: skip
    tracks = cover(Piece(score, (), 120.0), ArrangementOptions("jazz")).song.tracks
    first, second = tracks[0], tracks[1]
    assert max(note.start for note in first.notes) < 64.1
    assert min(note.start for note in second.notes) > 63.0


# --- choices ------------------------------------------------------------------------------------


def test_players_suit_the_piece() -> None:
    rng = random.Random(0)
    assert default_groove(transcribed("classical"), JAZZ) == "swing"
    assert default_groove(transcribed("classical", tempo=70.0), JAZZ) == "ballad"
    assert default_groove(transcribed("classical", bar=3), JAZZ) == "jazz waltz"
    piece = transcribed("jazz")
    many = tuple(Note(b / 2, 3.0, 40 + k) for b in range(40) for k in range(0, 24, 6))
    assert default_ensemble(replace(piece, notes=many), CLASSICAL, rng) == "strings and harp"
    quick = replace(piece, beats_per_minute=240.0)
    assert default_ensemble(quick, CLASSICAL, rng) == "strings and harpsichord"


def test_a_note_that_was_louder_is_louder_and_its_place_counts() -> None:
    """The mean of the neighbours is what it stands out from; grace notes step back."""
    even = [Note(0.5 * k, 0.5, 60, 80) for k in range(16)]
    assert accents(even, FOUR, off_beats=True) == [0.0, 4.0] * 8
    assert accents(even, FOUR, off_beats=False) == ([4.0] + [0.0] * 7) * 2
    loud = [replace(note, velocity=127 if k == 8 else 80) for k, note in enumerate(even)]
    transcribed = accents(loud, FOUR, off_beats=True)
    assert transcribed[8] == MOST_ACCENT
    assert -MOST_ACCENT < transcribed[7] - 4 < 0
    assert accents([], FOUR, off_beats=True) == []


def test_a_recording_that_is_cut_off_is_no_ending_for_the_drums() -> None:
    piece = transcribed("classical")
    assert max(note.end for note in piece.notes) > piece.score.length - 1
    made = cover(piece, ArrangementOptions("jazz", "swing", 0.75, 1.0))
    (drums,) = (track for track in made.song.tracks if track.is_drums)
    assert max(note.start for note in drums.notes) > piece.score.length - 1.5


def test_a_swing_band_plays_off_the_beat_too_by_default() -> None:
    made = cover(transcribed("classical"), ArrangementOptions("jazz", "swing", 0.75, 1.0))
    (drums,) = (track for track in made.song.tracks if track.is_drums)
    off = [note for note in drums.notes if 0.2 < note.start % 1.0 < 0.8]
    assert len(off) > made.n_bars / 2


def test_a_jazz_group_counts_slow_pieces_double_and_fast_ones_half() -> None:
    piece = transcribed("classical")
    factors = [metrical_level(replace(piece, beats_per_minute=m), JAZZ) for m in (40, 120, 260)]
    assert factors == [2.0, 1.0, 0.5]
    assert metrical_level(replace(piece, beats_per_minute=40), CLASSICAL) == 1.0
    twice = piece.scaled(2.0)
    assert twice.beats_per_minute == 240
    assert twice.score.n_beats == 2 * piece.score.n_beats
    assert twice.scaled(0.5).score.melody == piece.score.melody


@pytest.mark.parametrize("style", STYLES)
def test_every_ensemble_can_be_asked_for(style: str) -> None:
    for bar in (3, 4):
        piece = transcribed(other(style), bar)
        in_metre = [name for name, groove in JAZZ.grooves.items() if groove.in_three == (bar == 3)]
        for name in (*CLASSICAL.ensembles, *DOUBLED) if style == "classical" else in_metre:
            made = cover(piece, ArrangementOptions(style, ensemble=name))
            assert name in (made.ensemble, made.groove)
            assert content_coverage(piece.score.melody, played(made), within=0.55) > 0.95


@pytest.mark.parametrize("name", DOUBLED)
def test_soft_strings_are_doubled_by_who_plays_more_softly_still(name: str) -> None:
    piece = transcribed("jazz")
    plain = cover(piece, ArrangementOptions("classical", ensemble="string orchestra")).song.tracks
    tracks = cover(piece, ArrangementOptions("classical", ensemble=name)).song.tracks
    assert tracks[: len(plain)] == plain
    for doubling, player in zip(DOUBLED[name].doublings, tracks[len(plain) :], strict=True):
        places = {"melody": 0, "bass": 3}
        doubled = [note for part in doubling.parts for note in plain[places[part]].notes]
        loudest: dict[tuple[float, int], int] = {}
        for note in doubled:
            where = note.start, note.pitch % 12
            loudest[where] = max(loudest.get(where, 1), note.velocity - doubling.softer)
        assert player.program == doubling.instrument.program
        assert {(n.start, n.pitch % 12) for n in player.notes} == set(loudest)
        for note in player.notes:
            assert doubling.instrument.lowest <= note.pitch <= doubling.instrument.highest
            assert 1 <= note.velocity <= loudest[note.start, note.pitch % 12]


@pytest.mark.parametrize("name", ["kazoo choir", "jazz waltz", "string quartet"])
def test_an_ensemble_that_does_not_suit_is_refused(name: str) -> None:
    with pytest.raises(ThirdstreamError, match=f"{name}: is nothing that plays jazz .* swing"):
        cover(transcribed("classical"), ArrangementOptions("jazz", ensemble=name))


def test_a_melody_stays_in_its_octave_where_it_can() -> None:
    melody = [Note(float(k), 1.0, 60 + k) for k in range(12)]
    assert list(placed(melody, 46, 76)) == melody
    assert {n.pitch - m.pitch for n, m in zip(placed(melody, 72, 96), melody, strict=True)} == {12}


def test_low_melodies_go_to_those_who_can_play_them() -> None:
    tenor = JAZZ.instruments["tenor saxophone"]
    low = [Note(float(k), 1.0, 48 + k % 8) for k in range(16)]
    assert soloists(low, JAZZ.grooves["swing"], JAZZ, random.Random(0))[0] == tenor


# --- rhythm -------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(beat=st.floats(0, 50), ratio=st.floats(1.0, 3.0))
def test_evening_undoes_swing(beat: float, ratio: float) -> None:
    assert evened(swung(beat, ratio), ratio) == pytest.approx(beat, abs=1e-9)


def test_swing_is_measured_and_triplets_are_none() -> None:
    rng = random.Random(0)
    even = [Note(k / 2 + rng.uniform(0, 0.03), 0.4, 60) for k in range(80)]
    assert swing_of(even) == 1.0
    assert swing_of([replace(n, start=swung(n.start, 2.0)) for n in even]) == pytest.approx(
        2.0, abs=0.3
    )
    assert swing_of([Note(k / 3, 0.3, 60) for k in range(90)]) == 1.0


def test_sources_are_used_once() -> None:
    melody = [Note(0.0, 1.0, 60), Note(1.0, 1.0, 60), Note(2.0, 1.0, 64)]
    notes = [Note(0.1, 0.8, 60), Note(0.5, 0.2, 62), Note(1.02, 0.9, 60)]
    assert sources(melody, notes) == [notes[0], notes[2], None]


@settings(deadline=None, max_examples=30)
@given(strength=st.floats(0, 1), seed=st.integers(0, 99), jazz=st.booleans())
def test_rests_in_the_melody_stay(strength: float, seed: int, jazz: bool) -> None:
    melody = [Note(float(k), 1.0, 60 + k % 7) for k in range(32) if not 8 <= k < 16]
    feel = Feel(1.0, 1.8 if jazz else 1.0, strength)
    phrasing = JAZZ.phrasing_of_recordings if jazz else Phrasing()
    line = performed(melody, melody, feel, phrasing, random.Random(seed))
    assert all(note.end <= 8.2 or note.start >= 15.4 for note in line)
    assert all(b.start >= a.end - 1e-6 for a, b in itertools.pairwise(line))


# --- what is kept -------------------------------------------------------------------------------


def test_loud_long_notes_of_the_harmony_are_missed_most() -> None:
    score = Score("x", (Note(0.0, 8.0, 76),), (chord(0.0, 8.0, 0, (0, 4, 7)),))
    loud, soft = Note(1.0, 1.0, 60, 90), Note(2.0, 1.0, 64, 40)
    short, foreign, above = Note(3, 0.2, 67, 90), Note(4, 1.0, 61, 90), Note(5, 1.0, 88, 90)
    ranked = by_salience([foreign, above, soft, short, loud], score)
    assert ranked[0] == loud
    assert ranked.index(short) < ranked.index(foreign)


def test_kept_notes_are_counted() -> None:
    notes = [Note(float(k), 1.0, 60) for k in range(4)]
    moved = [Note(0.2, 1.0, 72), Note(1.1, 1.0, 61), Note(2.0, 1.0, 48)]
    assert content_coverage(notes, moved, within=0.3) == 0.5
    assert mean_displacement(notes, moved) == pytest.approx((0.2 + 0.5 + 0.0 + 0.5) / 4)


def test_chords_are_replaced_only_as_far_as_asked_and_where_the_melody_agrees() -> None:
    score = tune()
    assert reharmonised(score, 0.0, tritone=True) == score.chords
    for style in STYLES:
        made = [reharmonised(score, s, tritone=style == "jazz") for s in SHARES]
        counts = [sum(a != b for a, b in zip(one, score.chords, strict=True)) for one in made]
        assert counts == sorted(counts)
        assert counts[-1] > 0
