"""Arrangements: what holds of the notes, whatever was drawn."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thirdstream.files import ThirdstreamError
from thirdstream.notes.arranging import STYLES, Setting, arrange, draw_setting
from thirdstream.notes.arranging.bass import BassPlayer
from thirdstream.notes.arranging.comping import chord_type, comping_pitches
from thirdstream.notes.arranging.harmony import Change, changes
from thirdstream.notes.arranging.horns import block
from thirdstream.notes.arranging.lines import into_range
from thirdstream.notes.arranging.pulse import swung
from thirdstream.notes.arranging.voice_leading import PERFECT, lead_voices, slots
from thirdstream.notes.metre import Metres, metre
from thirdstream.notes.styles import classical_style, jazz_style
from thirdstream.notes.types import CHORDS, Chord, Note, Score, Track, without_gaps

ENSEMBLES, JAZZ = classical_style().ensembles, jazz_style()
GROOVES, VOICINGS, DOUBLE_BASS = JAZZ.grooves, JAZZ.voicings, JAZZ.bass.instrument
MAJOR, MINOR, DOMINANT, MINOR_7 = (0, 4, 7), (0, 3, 7), (0, 4, 7, 10), (0, 3, 7, 10)
# One chord a bar: C Am Dm G7 C F G7 C, twice; the second half by way of E7.
ROOTS = [(0, MAJOR), (9, MINOR), (2, MINOR_7), (7, DOMINANT), (0, MAJOR), (5, MAJOR),
         (7, DOMINANT), (0, MAJOR), (4, DOMINANT), (9, MINOR), (2, DOMINANT), (7, DOMINANT),
         (0, MAJOR), (9, DOMINANT), (2, MINOR), (0, MAJOR)]  # fmt: skip


def tune(bar: int = 4, seed: int = 0) -> Score:
    """Sixteen bars: a chord tone or its neighbour on every beat, some beats in eighths."""
    rng = random.Random(seed)
    chords = [
        Chord(float(bar * i), float(bar), root, kind, root) for i, (root, kind) in enumerate(ROOTS)
    ]
    melody: list[Note] = []
    for chord in chords:
        beat = 0.0
        while beat < bar:
            length = min(rng.choice([0.5, 1.0, 1.0, 2.0]), bar - beat)
            step = rng.choice(chord.intervals)
            pitch = 60 + (chord.root + step) % 12
            melody.append(Note(chord.start + beat, length, pitch))
            beat += length
    return Score("a tune", tuple(melody), tuple(chords), Metres.steady(metre(bar, 4)))


def setting(ensemble: str = "string quartet", groove: str = "swing", seed: str = "0") -> Setting:
    return Setting(seed, 0, 120.0, ensemble, groove)


def metre_of(groove: str) -> int:
    return 3 if GROOVES[groove].in_three else 4


def track_of(tracks: Sequence[Track], name: str) -> Track:
    return next(track for track in tracks if track.name == name)


@pytest.mark.parametrize("groove", GROOVES)
@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_both_versions_have_the_same_bars(ensemble: str, groove: str) -> None:
    score = tune(metre_of(groove))
    for style in STYLES:
        one = arrange(score, style, setting(ensemble, groove))
        assert one.n_bars == score.n_bars
        assert one.seconds == score.n_beats * 60 / 120
        assert one.song.beats_per_minute == 120.0
        assert one.song.beats_per_bar == score.beats_per_bar
        for track in one.song.tracks:
            assert all(note.start >= 0 and note.end <= score.n_beats + 1e-6 for note in track.notes)
            assert all(0 <= n.pitch <= 127 and 1 <= n.velocity <= 127 for n in track.notes)


@pytest.mark.parametrize("style", STYLES)
def test_same_seed_same_notes(style: str) -> None:
    score = tune()
    first = arrange(score, style, setting(seed="a"))
    assert first == arrange(score, style, setting(seed="a"))
    assert first != arrange(score, style, setting(seed="b"))


def test_settings_suit_metre_and_melody() -> None:
    for seed in range(40):
        in_four, in_three = (draw_setting(tune(bar), seed=str(seed)) for bar in (4, 3))
        assert not GROOVES[in_four.groove].in_three
        assert GROOVES[in_three.groove].in_three
        assert -5 <= in_four.semitones <= 6
    quick = replace(tune(), melody=tuple(Note(i / 4, 0.25, 60) for i in range(256)))
    assert all(draw_setting(quick, seed=str(s)).beats_per_minute <= 98 for s in range(20))
    drawn = [draw_setting(tune(), seed=str(seed)) for seed in range(60)]
    assert {one.ensemble for one in drawn} == set(ENSEMBLES)
    assert len({one.semitones for one in drawn}) == 12


@pytest.mark.parametrize("ensemble", ENSEMBLES)
@pytest.mark.parametrize("semitones", [-5, -2, 1, 6])
def test_ranges_are_kept(ensemble: str, semitones: int) -> None:
    score = tune(seed=semitones)
    one = arrange(score, "classical", replace(setting(ensemble), semitones=semitones))
    instruments = {i.name: i for i in ENSEMBLES[ensemble].parts}
    for track in one.song.tracks:
        if track.name in ("piano", "organ", "harpsichord"):
            lowest, highest = 24, 100
        elif track.name == "double basses":
            lowest, highest = 28, 55
        else:
            lowest, highest = instruments[track.name].lowest, instruments[track.name].highest
        assert lowest <= min(n.pitch for n in track.notes)
        assert max(n.pitch for n in track.notes) <= highest


@pytest.mark.parametrize("groove", GROOVES)
def test_the_bass_keeps_its_range(groove: str) -> None:
    for seed in "abc":
        one = arrange(tune(metre_of(groove)), "jazz", setting(groove=groove, seed=seed))
        pitches = [n.pitch for n in track_of(one.song.tracks, "double bass").notes]
        assert DOUBLE_BASS.lowest <= min(pitches)
        assert max(pitches) <= DOUBLE_BASS.highest


@pytest.mark.parametrize("ensemble", ENSEMBLES)
@pytest.mark.parametrize("seed", range(3))
def test_voices_are_led(ensemble: str, seed: int) -> None:
    """No parallels among all voices, melody included; no crossing; third and root are there."""
    score = tune(seed=seed)
    instruments = ENSEMBLES[ensemble].parts
    melody = into_range(score.melody, ENSEMBLES[ensemble].melody_lowest, instruments[0].highest)
    stretches = slots(score.chords, melody, score.metres)
    led = lead_voices(stretches, instruments[1:])
    for slot, pitches in zip(stretches, led, strict=True):
        assert slot.lowest is not None
        assert list(pitches) == sorted(pitches, reverse=True)
        assert pitches[0] <= slot.lowest
        assert pitches[-1] % 12 in (
            slot.chord.bass,
            (slot.chord.root + (slot.chord.third or 0)) % 12,
        )
        sounding = {(p - slot.chord.root) % 12 for p in (*pitches, slot.first or 0)}
        assert slot.chord.third in sounding
    for number in range(1, len(led)):
        before, after = stretches[number - 1], stretches[number]
        old, new = (before.last or 0, *led[number - 1]), (after.first or 0, *led[number])
        assert parallels(old, new) == 0


def parallels(before: Sequence[int], after: Sequence[int]) -> int:
    """How many pairs of voices move in parallel fifths or octaves from one chord to the next."""
    count = 0
    for a in range(len(before)):
        for b in range(a):
            interval = abs(before[a] - before[b]) % 12
            moved = before[a] != after[a] and before[b] != after[b]
            count += moved and interval in PERFECT and abs(after[a] - after[b]) % 12 == interval
    return count


@pytest.mark.parametrize(
    ("before", "after", "count"),
    [
        ((67, 60), (69, 62), 1),  # fifths
        ((72, 60), (74, 62), 1),  # octaves
        ((79, 60), (81, 62), 1),  # twelfths
        ((64, 60), (65, 62), 0),  # thirds
        ((67, 60), (67, 60), 0),  # nothing moves
        ((67, 60), (67, 62), 0),  # oblique
        ((76, 72, 67, 60), (77, 74, 69, 62), 2),
    ],
)
def test_parallels_are_found(before: tuple[int, ...], after: tuple[int, ...], count: int) -> None:
    assert parallels(before, after) == count


def test_the_melody_is_there_in_both_versions() -> None:
    score = tune()
    classes = [n.pitch % 12 for n in score.melody]
    quartet = arrange(score, "classical", setting()).song.tracks[0].notes
    assert [n.pitch % 12 for n in quartet] == classes
    assert all(abs(a.start - b.start) < 0.02 for a, b in zip(quartet, score.melody, strict=True))
    lead = iter(n.pitch % 12 for n in arrange(score, "jazz", setting()).song.tracks[0].notes)
    assert all(c in lead for c in classes)  # in this order, with ornaments in between


def test_given_parts_are_played_as_written() -> None:
    score = tune()
    voices = tuple(tuple(Note(c.start, c.length, p) for c in score.chords) for p in (57, 53, 41))
    tracks = arrange(replace(score, voices=voices), "classical", setting()).song.tracks
    assert [{n.pitch for n in t.notes} for t in tracks[1:]] == [{57}, {53}, {41}]


@settings(deadline=None, max_examples=25)
@given(ratio=st.floats(1.0, 3.0), beat=st.integers(0, 99))
def test_swing(ratio: float, beat: int) -> None:
    middle = swung(beat + 0.5, ratio)
    assert swung(float(beat), ratio) == beat
    assert (middle - beat) / (beat + 1 - middle) == pytest.approx(ratio)
    places = [swung(beat + k / 16, ratio) for k in range(17)]
    assert places == sorted(places)


def test_swing_evens_out_with_tempo() -> None:
    assert JAZZ.swing.ratio(80) == pytest.approx(2.2)
    assert JAZZ.swing.ratio(115) == pytest.approx(2.0)
    assert JAZZ.swing.ratio(260) == pytest.approx(1.2)


@pytest.mark.parametrize("groove", ["swing", "bossa nova"])
def test_off_beats_come_where_the_groove_has_them(groove: str) -> None:
    tracks = arrange(tune(), "jazz", setting(groove=groove)).song.tracks
    ratio = 1.0 if groove == "bossa nova" else JAZZ.swing.ratio(120)
    expected = ratio / (1 + ratio)
    cymbal = 42 if groove == "bossa nova" else 51
    off = [n.start % 1 for n in track_of(tracks, "drums").notes
           if n.pitch == cymbal and 0.3 < n.start % 1 < 0.9]  # fmt: skip
    assert len(off) > 8
    assert all(expected <= place <= expected + 0.021 for place in off)


@pytest.mark.parametrize("seed", range(4))
def test_walking_bass_leads_to_each_root(seed: int) -> None:
    harmony = changes(tune(seed=seed))
    line = {n.start: n.pitch for n in BassPlayer(JAZZ.bass, random.Random(seed)).walking(harmony)}
    assert sorted(line) == [float(beat) for beat in range(64)]
    for change in harmony:
        assert line[change.chord.start] % 12 == change.chord.bass
        if change.chord.start > 0 and change.chord.length > 1:
            step = abs(line[change.chord.start] - line[change.chord.start - 1])
            assert step in (0, 1, 2, 5, 7)


@pytest.mark.parametrize("groove", GROOVES)
def test_comping_has_every_third_and_seventh(groove: str) -> None:
    score = tune(metre_of(groove), seed=5)
    for seed in "ab":
        tracks = arrange(score, "jazz", setting(groove=groove, seed=seed)).song.tracks
        names = [t.name for t in tracks]
        comping = tracks[names.index("double bass") - 1].notes
        for chord in score.chords:  # what is struck an eighth early belongs to the new chord
            sounding = {
                n.pitch % 12 for n in comping if chord.start - 0.5 <= n.start < chord.end - 0.5
            }
            for interval in (chord.third, 10 if 10 in chord.intervals else chord.third):
                assert interval is not None
                assert (chord.root + interval) % 12 in sounding


@pytest.mark.parametrize("kind", VOICINGS)
def test_voicings_hold_third_and_seventh(kind: str) -> None:
    for form in VOICINGS[kind]:
        classes = {interval % 12 for interval in form}
        assert classes & {3, 4, 5}
        assert classes & {9, 10, 11}
        assert len(form) == 4
        assert list(form) == sorted(form)
        assert form[-1] - form[0] <= 12
    first, second = ({interval % 12 for interval in form} for form in VOICINGS[kind])
    assert first ^ second <= {8, 9, 4, 5, 6}  # fifth and thirteenth may change
    if "diminished" not in kind:
        assert (first & second) & {1, 2}  # the ninth


@settings(deadline=None, max_examples=25)
@given(root=st.integers(0, 11), kind=st.sampled_from(sorted(CHORDS.values())))
def test_comping_moves_little(root: int, kind: tuple[int, ...]) -> None:
    chord = Chord(0.0, 4.0, root, kind, root)
    before = comping_pitches(Change(Chord(0.0, 4.0, 0, DOMINANT, 0)), (), VOICINGS)
    after = comping_pitches(Change(chord), before, VOICINGS)
    assert abs(sum(after) - sum(before)) / 4 <= 7
    assert min(after) >= 48
    assert max(after) <= 80
    assert (root + (chord.third or 4)) % 12 in {p % 12 for p in after}


def test_kinds_of_chords() -> None:
    named = {
        (0, 4, 7): "major seventh", (0, 4, 7, 9): "sixth", (0, 3, 7): "minor seventh",
        (0, 4, 7, 10): "dominant", (0, 4, 8, 10): "augmented", (0, 3, 6, 10): "half-diminished",
        (0, 3, 6, 9): "diminished", (0, 5, 7, 10): "suspended", (0, 3, 7, 11): "minor major",
        (0, 1, 4, 7, 10): "dominant to minor", (0, 4, 6, 10): "flat fifth",
    }  # fmt: skip
    for intervals, kind in named.items():
        assert chord_type(Chord(0.0, 4.0, 0, intervals, 0)) == kind


def cadence(pitch: int) -> Score:
    """Two bars of C, a bar of G7, one of C, under one pitch."""
    chords = (
        Chord(0.0, 8.0, 0, MAJOR, 0),
        Chord(8.0, 4.0, 7, DOMINANT, 7),
        Chord(12.0, 4.0, 0, MAJOR, 0),
    )
    return Score("a cadence", tuple(Note(float(i), 1.0, pitch) for i in range(16)), chords)


def test_a_two_goes_before_a_five_that_resolves() -> None:
    roots = [(c.chord.start, c.chord.root) for c in changes(cadence(65))]
    assert roots == [(0.0, 0), (8.0, 2), (10.0, 7), (12.0, 0)]


def test_a_chord_that_comes_at_the_very_end_holds_for_all() -> None:
    late = replace(cadence(60), chords=(Chord(15.75, 0.25, 7, MAJOR, 7),))
    assert [(c.chord.start, c.chord.root) for c in changes(late)] == [(0.0, 7)]


def test_but_not_where_the_melody_objects() -> None:
    roots = [(c.chord.start, c.chord.root) for c in changes(cadence(61))]
    assert roots == [(0.0, 0), (8.0, 7), (12.0, 0)]


@settings(deadline=None, max_examples=25)
@given(semitones=st.integers(-11, 11), seed=st.integers(0, 20))
def test_harmony_moves_with_the_key(semitones: int, seed: int) -> None:
    here, there = changes(tune(seed=seed)), changes(tune(seed=seed).transposed(semitones))
    assert [(c.chord.root + semitones) % 12 for c in here] == [c.chord.root for c in there]
    assert [c.chord.intervals for c in here] == [c.chord.intervals for c in there]
    assert [c.to_minor for c in here] == [c.to_minor for c in there]


@settings(deadline=None, max_examples=25)
@given(
    pitch=st.integers(60, 84),
    root=st.integers(0, 11),
    kind=st.sampled_from([MAJOR, MINOR_7, (0, 7), (0, 3, 6)]),
)
def test_block_chords_hang_below_the_melody(pitch: int, root: int, kind: tuple[int, ...]) -> None:
    one = changes(replace(tune(), chords=without_gaps([Chord(0.0, 0.0, root, kind, root)], 64.0)))
    voices = block(pitch, one[0])
    assert voices[0] == pitch
    assert list(voices) == sorted(voices, reverse=True)
    assert len(set(voices)) >= 3  # an open fifth has no more


def test_what_cannot_be_arranged() -> None:
    with pytest.raises(ThirdstreamError, match="no such style; there are classical, jazz"):
        arrange(tune(), "rock", setting())
    with pytest.raises(ThirdstreamError, match="kazoo: cannot be arranged for; there are string"):
        arrange(tune(), "classical", setting("kazoo"))
    with pytest.raises(ThirdstreamError, match="bars of 4/4, which jazz waltz does not"):
        arrange(tune(), "jazz", setting(groove="jazz waltz"))
