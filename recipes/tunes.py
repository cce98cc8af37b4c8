"""Four tunes in the public domain, written out by hand: no clip is made of anything else.

A tune is a line of melody, `PITCH:BEATS` (`r` is a rest), and a line of chords, `NAME:BEATS`. A
beat is a quarter note. Chords begin at the first bar line: a pickup has none.
"""

from dataclasses import dataclass

HARP = 46


@dataclass(frozen=True)
class Tune:
    """A tune, and how its clip is played.

    pickup: quarter notes before the first bar line. played_by: an ensemble of the classical style,
    or a groove of the jazz one. seed: of what is drawn while arranging, and of the room.
    doubled_by: the General MIDI program that plays along with melody and bass.
    """

    style: str
    metre: tuple[int, int]
    pickup: float
    melody: str
    chords: str
    beats_per_minute: float
    played_by: str
    seed: int
    doubled_by: int | None = None


ODE_TO_JOY = Tune(  # Ludwig van Beethoven, Symphony No. 9, 1824
    "classical", (4, 4), 0.0,
    "F#4:1 F#4:1 G4:1 A4:1 A4:1 G4:1 F#4:1 E4:1 D4:1 D4:1 E4:1 F#4:1 F#4:1.5 E4:.5 E4:2 "
    "F#4:1 F#4:1 G4:1 A4:1 A4:1 G4:1 F#4:1 E4:1 D4:1 D4:1 E4:1 F#4:1 E4:1.5 D4:.5 D4:2",
    "D:4 A:4 D:4 D/A:2 A:2 D:4 A:4 D:2 Bm:2 A:2 D:2",
    168, "string orchestra", 3, HARP,
)  # fmt: skip

GREENSLEEVES = Tune(  # English, 16th century
    "classical", (3, 4), 1.0,
    "A4:1 C5:2 D5:1 E5:1.5 F5:.5 E5:1 D5:2 B4:1 G4:1.5 A4:.5 B4:1 "
    "C5:2 A4:1 A4:1.5 G#4:.5 A4:1 B4:2 G#4:1 E4:3",
    "Am:6 G:6 Am:6 E:6",
    132, "string orchestra", 2, HARP,
)  # fmt: skip

SAINTS = Tune(  # When the Saints Go Marching In, American spiritual, 19th century
    "jazz", (4, 4), 0.0,
    "r:1 C4:1 E4:1 F4:1 G4:4 r:1 C4:1 E4:1 F4:1 G4:4 r:1 C4:1 E4:1 F4:1 G4:2 E4:2 C4:2 E4:2 D4:4",
    "C:28 G7:4",
    172, "swing", 1,
)  # fmt: skip

OH_SUSANNA = Tune(  # Stephen Foster, 1848
    "jazz", (4, 4), 1.0,
    "C4:.5 D4:.5 E4:1 G4:1 G4:1.5 A4:.5 G4:1 E4:1 C4:1.5 D4:.5 E4:1 E4:1 D4:1 C4:1 D4:3 "
    "C4:.5 D4:.5 E4:1 G4:1 G4:1.5 A4:.5 G4:1 E4:1 C4:1.5 D4:.5 E4:1 E4:1 D4:1 D4:1 C4:4",
    "C:12 G7:4 C:8 C:2 G7:2 C:4",
    172, "trio swing", 1,
)  # fmt: skip

CLIPS = {
    "classical_ode_to_joy": ODE_TO_JOY,
    "classical_greensleeves": GREENSLEEVES,
    "jazz_when_the_saints": SAINTS,
    "jazz_oh_susanna": OH_SUSANNA,
}
