"""How notes and chords are spelt in a key, on the line of fifths: F is -1, C 0, G 1, F sharp 6."""

from thirdstream.notes.harmonising import Key

LETTERS = "FCGDAEB"
NOTES = (-8, 1)  # from F flat, or up to B sharp: nothing is spelt with two signs
ROOTS = (-6, -1)  # from G flat, or up to A sharp: chords of F flat and B sharp are hard to read


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


def tonic_name(key: Key) -> str:
    """Eb, F#."""
    return _named(sharps_of(key) + (3 if key.is_minor else 0))


def root_name(pitch_class: int, key: Key) -> str:
    """Of a chord: in C from Db to F#, in A minor from Eb to G#, in other keys likewise."""
    return _named(_place(pitch_class, sharps_of(key) - (3 if key.is_minor else 5), ROOTS))


def spelt(pitch: int, key: Key) -> tuple[str, int]:
    """A MIDI pitch as name and octave, C# and 4: with the key's own notes and those that are usual
    beside them, in C from Ab to C#, in A minor from Eb to G#."""
    place = _place(pitch % 12, sharps_of(key) - (3 if key.is_minor else 4), NOTES)
    name = _named(place)
    natural = pitch + name.count("b") - name.count("#")  # B sharp lies in the octave below
    return name, natural // 12 - 1
