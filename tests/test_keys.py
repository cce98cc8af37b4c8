"""The key of melody and chords, and where it changes."""

import re
from pathlib import Path

import pytest

from thirdstream.notes.io.lead_sheet import write_lead_sheet
from thirdstream.notes.key import Key, key_of_notes
from thirdstream.notes.transcription.keys import KEYS, features, key_of, keys_of
from thirdstream.notes.types import Chord, Note, Score

MAJOR, MINOR, SEVENTH = (0, 4, 7), (0, 3, 7), (0, 4, 7, 10)
HOME = {False: MAJOR, True: MINOR}


def piece(steps: list[tuple[int, tuple[int, ...]]], tonic: int = 0) -> Score:
    """A chord a bar, root and third of each sung above it."""
    roots = [(tonic + step) % 12 for step, _ in steps]
    chords = [
        Chord(4.0 * k, 4.0, root, kind, root)
        for k, (root, (_, kind)) in enumerate(zip(roots, steps, strict=True))
    ]
    melody = [
        Note(chord.start + at, 2.0, 60 + chord.root + interval)
        for chord in chords
        for at, interval in ((0.0, chord.intervals[1]), (2.0, 0))
    ]
    return Score("", tuple(melody), tuple(chords))


def cadence(is_minor: bool) -> list[tuple[int, tuple[int, ...]]]:
    return [(0, HOME[is_minor]), (5, HOME[is_minor]), (7, SEVENTH), (0, HOME[is_minor])]


@pytest.mark.parametrize("key", KEYS)
def test_a_cadence_is_in_its_key(key: Key) -> None:
    assert key_of(piece(cadence(key.is_minor), key.tonic)) == key


@pytest.mark.parametrize("tonic", [0, 3, 10])
def test_fifths_lead_home_though_home_is_short(tonic: int) -> None:
    """Two-five-ones, of which the dominant lasts as long as the tonic, from the sixth on."""
    turn = [(9, SEVENTH), (2, SEVENTH), (7, SEVENTH), (0, MAJOR)]
    assert key_of(piece(turn * 4, tonic)) == (tonic, False)


def test_the_key_does_not_hang_on_the_last_chord() -> None:
    """A recording that stops on the dominant."""
    assert key_of(piece(cadence(False) * 3 + [(2, MINOR), (7, SEVENTH)])) == (0, False)


def test_a_relative_minor_has_its_dominant() -> None:
    minor = [(9, MINOR), (2, MINOR), (4, SEVENTH), (9, MINOR)]
    assert key_of(piece(minor * 2)) == (9, True)


def test_features_are_shares() -> None:
    """Of chords and of the melody; the ends are one each."""
    found = features(piece(cadence(False) * 2))
    kinds, bass, melody, ends = found[:, :4], found[:, 4], found[:, 5], found[:, 8:]
    assert [part.sum() for part in (kinds, bass, melody, ends)] == pytest.approx([1, 1, 1, 2])
    assert kinds[0, 0] == pytest.approx(0.5)  # the tonic's


def test_without_chords_the_melody_has_a_key() -> None:
    melody = piece(cadence(False), 5).melody
    assert key_of(Score("", melody, ())) == key_of_notes(melody)
    assert keys_of(Score("", melody, ())) == ((0.0, key_of_notes(melody)),)


@pytest.mark.parametrize("step", [1, 3, 5, 8])
def test_a_change_of_key_is_found_at_its_bar(step: int) -> None:
    there = [((degree + step) % 12, kind) for degree, kind in cadence(False) * 4]
    (first, home), (start, other) = keys_of(piece([*cadence(False) * 4, *there]))
    assert (first, home) == (0.0, Key(0, False))
    assert other == Key(step, False)
    assert start == pytest.approx(64.0, abs=4.0)


def test_a_passing_dominant_changes_no_key() -> None:
    elsewhere = [(2, SEVENTH), (7, MAJOR), (2, SEVENTH), (7, SEVENTH)]
    steps = cadence(False) * 3 + elsewhere + cadence(False) * 3
    assert keys_of(piece(steps)) == ((0.0, Key(0, False)),)


def test_the_sheet_changes_its_signature(tmp_path: Path) -> None:
    """From C to A flat; the relative minor, F, needs no other."""
    score = piece([*cadence(False), *cadence(False)])
    changes = ((16.0, Key(8, False)), (24.0, Key(5, True)))
    write_lead_sheet(tmp_path / "a.musicxml", score, Key(0, False), changes=changes)
    bars = (tmp_path / "a.musicxml").read_text("utf-8").split("<measure ")[1:]
    found = {k: re.findall(r"<fifths>(-?\d+)", bar) for k, bar in enumerate(bars)}
    assert {k: signs for k, signs in found.items() if signs} == {0: ["0"], 4: ["-4"]}
