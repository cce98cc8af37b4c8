"""Jazz's style file: grooves, rhythms, drum patterns and voicings."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from thirdstream.notes.styles.entries import (
    Drawn,
    Entry,
    MidiNumber,
    Named,
    Phrasing,
    Pitch,
    Several,
    Share,
    Style,
    Tempo,
    found,
    known,
    named,
    table,
)

Beat = Annotated[float, Field(ge=0, lt=4)]
Length = Annotated[float, Field(gt=0, le=4)]
Velocity = Annotated[float, Field(ge=1, le=127)]
Rhythm = tuple[tuple[Beat, Length], ...]
NBeats = Annotated[int, Field(ge=1, le=4)]
# The rhythms to draw from, by the number of beats that they last.
Rhythms = Mapping[NBeats, Annotated[tuple[Rhythm, ...], Field(min_length=1)]]
Drum = Annotated[MidiNumber, named("drums")]
Voicing = tuple[int, int, int, int]
CHORD_TYPES = (
    "major seventh",
    "sixth",
    "minor seventh",
    "minor sixth",
    "minor major",
    "dominant",
    "dominant to minor",
    "augmented",
    "augmented major",
    "flat fifth",
    "suspended",
    "half-diminished",
    "diminished",
)


class Stroke(Entry):
    """A stroke of a drum pattern; of several values of `at` and `velocity` one is drawn.

    at: beats from the beat, or from the group of beats. beats: of a group, from its first, strong
    and weak in turn. bars: of every two.
    """

    drum: Drum
    velocity: Annotated[tuple[Velocity, ...], Several]
    at: Annotated[tuple[Beat, ...], Several] = (0.0,)
    chance: Share = 1.0
    beats: Literal["all", "strong", "weak"] = "all"
    bars: Literal["all", "first", "second"] = "all"


class DrumPattern(Entry):
    """What the drums play on each beat, and then once in each group of beats."""

    each_beat: tuple[Stroke, ...] = ()
    each_group: tuple[Stroke, ...] = ()


class Fills(Entry):
    """Drum fills: two beats at the end of every eighth bar, and of some fourth ones.

    strokes: six drums, of which one row is drawn. pedal: what marks the second beat. crash: what
    begins the next eight bars.
    """

    chance: Share
    crash: Drum
    pedal: Drum
    strokes: Annotated[tuple[tuple[Drum, Drum, Drum, Drum, Drum, Drum], ...], Field(min_length=1)]


def _merged(names: object, info: ValidationInfo) -> object:
    """For each number of beats the rhythms of the first of the named tables that has any."""
    if not isinstance(names, list):
        return names
    merged: dict[int, object] = {}
    for name in names:
        for length, rhythms in found(name, info, "rhythms").items():
            merged.setdefault(length, rhythms)
    if missing := sorted({1, 2, 3, 4} - set(merged)):
        raise ValueError(f"no rhythm lasts {missing[0]} beats; name a table that has one too")
    return merged


GroupRhythms = Annotated[Rhythms, BeforeValidator(_merged)]


class Comping(Entry):
    """Who plays the chords, in which rhythms and how loudly."""

    instruments: Annotated[tuple[Named, ...], Drawn, Field(min_length=1)]
    rhythms: GroupRhythms
    velocity: Velocity = 62.0


class Horns(Entry):
    """The sections of a big band: the melody in four saxophones, brass that answers."""

    saxophones: tuple[Named, Named, Named, Named]
    brass: tuple[Named, Named]
    rhythms: GroupRhythms


class Groove(Entry):
    """How the rhythm section plays.

    ensemble: what the group is called. tempo: beats a minute, from and to. weight: how often it is
    drawn, against the others. in_three: for bars of three. straight: even eighths instead of swung
    ones. kit: General MIDI drum kit. soloists: who may play the melody. melody_range: where it is
    put, if not into the soloist's own range. octaves: share of the longer notes that are doubled
    by the octave above. drums_outside_threes: the pattern in groups of other than three beats.
    crashes: whether a cymbal begins every eighth bar. trio: whether, in covers, bass and drums play
    in rhythms of real trios, and chords answer the melody.
    """

    ensemble: str
    tempo: tuple[Tempo, Tempo]
    weight: Annotated[float, Field(gt=0)] = 1.0
    in_three: bool = False
    straight: bool = False
    kit: MidiNumber = 0
    soloists: Annotated[tuple[Named, ...], Drawn] = ()
    melody_range: tuple[Pitch, Pitch] | None = None
    octaves: Share = 0.0
    horns: Horns | None = None
    comping: Comping
    bass: Literal["walking", "two-beat", "bossa nova", "waltz"]
    drums: Annotated[DrumPattern, named("drum_patterns")]
    drums_outside_threes: Annotated[DrumPattern | None, named("drum_patterns")] = None
    crashes: bool = True
    soft_fills: bool = False
    trio: bool = False

    @model_validator(mode="after")
    def _has_a_melody(self) -> Self:
        lowest, highest = self.melody_range or (0, 127)
        if not self.soloists and not (self.horns and self.melody_range):
            raise ValueError("nobody plays the melody; write soloists, or horns and melody_range")
        if highest - lowest < 12:
            raise ValueError("melody_range is less than an octave; set its notes further apart")
        return self


class Bass(Entry):
    """Who plays the bass line, and the pitch to which it is drawn back."""

    instrument: Named
    centre: Pitch


class Swing(Entry):
    """Length of a beat's first eighth over its second: `most` at `tempo` beats a minute, less by
    `slope` for each beat a minute more, never below `least`.
    """

    most: Annotated[float, Field(ge=1, le=4)]
    least: Annotated[float, Field(ge=1, le=4)]
    tempo: Tempo
    slope: Annotated[float, Field(ge=0)]

    def ratio(self, beats_per_minute: float) -> float:
        """At a tempo."""
        unbounded = self.most - (beats_per_minute - self.tempo) * self.slope
        return max(self.least, min(self.most, unbounded))


class SwingByTempo(Entry):
    """Swing ratios at tempi, in beats a minute, and between them in proportion."""

    tempo: Annotated[tuple[Tempo, ...], Field(min_length=1)]
    ratio: Annotated[tuple[Annotated[float, Field(ge=1, le=4)], ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if len(self.tempo) != len(self.ratio) or list(self.tempo) != sorted(set(self.tempo)):
            raise ValueError("write as many ratios as tempos, and the tempos from slow to fast")
        return self

    def at(self, beats_per_minute: float) -> float:
        """At a tempo."""
        return float(np.interp(beats_per_minute, self.tempo, self.ratio))


GrooveName = Annotated[str, known("grooves")]


class Defaults(Entry):
    """Which groove suits a recording, and how its beats are counted.

    slow_below, double_time_up_to, half_time_from: beats a minute. soloists: who plays the melody
    if it suits the range, the first two before the others.
    """

    groove: GrooveName
    in_three: GrooveName
    slow: GrooveName
    slow_below: Tempo
    double_time_up_to: Tempo
    half_time_from: Tempo
    soloists: Annotated[tuple[Named, ...], Field(min_length=1)]


def _complete(voicings: dict[str, tuple[Voicing, Voicing]]) -> Mapping[str, tuple[Voicing, ...]]:
    """Exactly those of the types of chords that comping knows."""
    for name in sorted(set(CHORD_TYPES) ^ set(voicings)):
        fault = "is no type of chord; remove it" if name in voicings else "is missing; write it"
        raise ValueError(f'"{name}" {fault}; the types are {", ".join(CHORD_TYPES)}')
    return voicings


class JazzStyle(Style):
    """The whole of jazz.toml."""

    melody_alone: Named
    drums: Annotated[dict[str, MidiNumber], table("drums")]
    rhythms: Annotated[dict[str, Rhythms], table("rhythms")]
    drum_patterns: Annotated[dict[str, DrumPattern], table("drum_patterns")]
    fills: Fills
    grooves: Annotated[
        dict[str, Groove],
        Field(min_length=1),
        table("grooves"),
    ]
    bass: Bass
    swing: Swing
    swing_of_recordings: SwingByTempo | None = None
    voicings: Annotated[dict[str, tuple[Voicing, Voicing]], AfterValidator(_complete)]
    phrasing_of_scores: Phrasing
    phrasing_of_recordings: Phrasing
    defaults: Defaults
