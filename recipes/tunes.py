"""Four tunes in the public domain, written out by hand: no clip is made of anything else.

A tune is a line of melody, `PITCH:BEATS` (`r` is a rest), and a line of chords, `NAME:BEATS`.
"""

ODE_TO_JOY = (  # Ludwig van Beethoven, Symphony No. 9, 1824
    "F#4:1 F#4:1 G4:1 A4:1 A4:1 G4:1 F#4:1 E4:1 D4:1 D4:1 E4:1 F#4:1 F#4:1.5 E4:.5 E4:2 "
    "F#4:1 F#4:1 G4:1 A4:1 A4:1 G4:1 F#4:1 E4:1 D4:1 D4:1 E4:1 F#4:1 E4:1.5 D4:.5 D4:2",
    "D:4 A:4 D:4 A:4 D:4 A:4 D:2 Bm:2 A:2 D:2",
)

GREENSLEEVES = (  # English, 16th century; in three, written here in quavers of a beat
    "A4:1 C5:2 D5:1 E5:1.5 F5:.5 E5:1 D5:2 B4:1 G4:1.5 A4:.5 B4:1 C5:2 A4:1 A4:1.5 G#4:.5 A4:1 "
    "B4:2 G#4:1 E4:2 A4:1 C5:2 D5:1 E5:1.5 F5:.5 E5:1 D5:2 B4:1 G4:1.5 A4:.5 B4:1 "
    "C5:1.5 B4:.5 A4:1 G#4:1.5 F#4:.5 G#4:1 A4:3 A4:2",
    "Am:4 Am:3 G:3 G:3 Am:3 Am:3 E:3 E:3 Am:3 Am:3 G:3 G:3 Am:3 E:3 Am:5",
)

SAINTS = (  # When the Saints Go Marching In, American spiritual, 19th century
    "r:1 C4:1 E4:1 F4:1 G4:4 r:1 C4:1 E4:1 F4:1 G4:4 r:1 C4:1 E4:1 F4:1 G4:2 E4:2 C4:2 E4:2 D4:4 "
    "r:1 E4:1 E4:1 D4:1 C4:3 C4:1 E4:2 G4:2 G4:1 F4:3 r:1 E4:1 F4:1 E4:1 G4:2 E4:2 C4:2 D4:2 C4:4",
    "C:4 C:4 C:4 C:4 C:4 C:4 C:4 G7:4 G7:4 C:4 C7:4 F:4 F:4 C:4 G7:4 C:4",
)

OH_SUSANNA = (  # Stephen Foster, 1848
    "C4:.5 D4:.5 E4:1 G4:1 G4:1.5 A4:.5 G4:1 E4:1 C4:1.5 D4:.5 E4:1 E4:1 D4:1 C4:1 D4:3 "
    "C4:.5 D4:.5 E4:1 G4:1 G4:1.5 A4:.5 G4:1 E4:1 C4:1.5 D4:.5 E4:1 E4:1 D4:1 D4:1 C4:4 "
    "F4:2 F4:2 A4:1 A4:2 A4:1 G4:1 G4:1 E4:1 C4:1 D4:3",
    "C:1 C:4 C:4 C:4 G7:4 C:4 C:4 C:2 G7:2 C:4 F:4 F:4 C:4 G7:3",
)

CLIPS = {  # name: style, tune, beats a minute, seed
    "classical_ode_to_joy": ("classical", ODE_TO_JOY, 126, 1),
    "classical_greensleeves": ("classical", GREENSLEEVES, 120, 2),
    "jazz_when_the_saints": ("jazz", SAINTS, 190, 3),
    "jazz_oh_susanna": ("jazz", OH_SUSANNA, 176, 4),
}
