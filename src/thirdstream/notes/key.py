"""Keys, and how notes and chords are spelt in one: on the line of fifths, F is -1, C 0, G 1."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from thirdstream.notes.types import Chord, Note

LETTERS = "FCGDAEB"
NOTES = (-8, 1)  # from F flat, or up to B sharp: nothing is spelt with two signs
ROOTS = (-6, -1)  # from G flat, or up to A sharp: chords of F flat and B sharp are hard to read
BASSES = (-7, 11)  # from C flat to E sharp
# Fifths up to a chord's notes, by semitones above its root.
FIFTHS = {0: 0, 2: 2, 3: -3, 4: 4, 5: -1, 6: -6, 7: 1, 8: 8, 9: 3, 10: -2, 11: 5}
# How much of each degree a key has (Krumhansl and Kessler 1982).
PROFILES = (
    (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
)


class Key(NamedTuple):
    """A tonic's pitch class, and whether the key is minor."""

    tonic: int
    is_minor: bool

    @property
    def name(self) -> str:
        """Eb major, F# minor."""
        tonic = _named(sharps_of(self) + (3 if self.is_minor else 0))
        return f"{tonic} {'minor' if self.is_minor else 'major'}"


C_MAJOR = Key(0, False)


def key_of_notes(notes: Sequence[Note]) -> Key:
    """The key whose profile is nearest to how long each pitch class sounds; the last note, at
    least a beat of it, is likely the tonic."""
    sounding = np.zeros(12)
    for note in notes:
        sounding[note.pitch % 12] += note.length
    last = max(notes, key=lambda note: (note.start, -note.pitch))
    sounding[last.pitch % 12] += max(last.length, 1.0)
    keys = [Key(tonic, is_minor) for is_minor in (False, True) for tonic in range(12)]
    fits = [np.corrcoef(np.roll(PROFILES[k.is_minor], k.tonic), sounding)[0, 1] for k in keys]
    return keys[int(np.nan_to_num(fits).argmax())]


def sharps_of(key: Key) -> int:
    """Of its signature, from 6 to -5; flats are negative."""
    tonic = key.tonic + 3 if key.is_minor else key.tonic
    return (7 * tonic + 5) % 12 - 5


def _named(place: int) -> str:
    signs = (place + 1) // 7
    return LETTERS[(place + 1) % 7] + ("#" if signs > 0 else "b") * abs(signs)


def _place(pitch_class: int, flattest: int, allowed: tuple[int, int]) -> int:
    """Of a pitch class, within twelve fifths from `flattest` up, or the nearest allowed."""
    flattest = min(max(flattest, allowed[0]), allowed[1])
    return flattest + (7 * pitch_class - flattest) % 12


def root_name(pitch_class: int, key: Key) -> str:
    """Of a chord: in C from Db to F#, in A minor from Eb to G#, in other keys likewise."""
    return _named(_place_of_root(pitch_class, key))


def _place_of_root(pitch_class: int, key: Key) -> int:
    return _place(pitch_class, sharps_of(key) - (3 if key.is_minor else 5), ROOTS)


def bass_name(chord: Chord, key: Key) -> str:
    """Of a chord's bass: a note of the chord by its degree, D7/F# and C7/Bb in every key, where it
    can be read; any other note as a root."""
    root = _place_of_root(chord.root, key)
    fifths = FIFTHS | ({9: -9} if 6 in chord.intervals else {})
    interval = (chord.bass - chord.root) % 12
    place = root + fifths.get(interval, 0)
    is_spelt = interval in {*chord.intervals} & {*fifths} and BASSES[0] <= place <= BASSES[1]
    return _named(place if is_spelt else _place_of_root(chord.bass, key))


def spelt(pitch: int, key: Key) -> tuple[str, int]:
    """A MIDI pitch as name and octave, C# and 4: with the key's own notes and those that are usual
    beside them, in C from Ab to C#, in A minor from Eb to G#."""
    place = _place(pitch % 12, sharps_of(key) - (3 if key.is_minor else 4), NOTES)
    name = _named(place)
    natural = pitch + name.count("b") - name.count("#")  # B sharp lies in the octave below
    return name, natural // 12 - 1
