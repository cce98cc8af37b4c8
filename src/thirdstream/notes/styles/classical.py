"""The style file of classical music: ensembles, their textures and doublings."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from thirdstream.notes.styles.entries import (
    Drawn,
    Entry,
    Instrument,
    Named,
    Pitch,
    Share,
    Style,
    Tempo,
    known,
    named,
    table,
)

Texture = Literal["sustained", "pulse", "afterbeats", "alberti", "arpeggio", "chords", "spread"]


def _falling(parts: tuple[Instrument, ...]) -> tuple[Instrument, ...]:
    for higher, lower in pairwise(parts[1:]):
        if lower.lowest > higher.lowest or lower.highest > higher.highest:
            raise ValueError(
                f"{lower.name} has a higher range than {higher.name} before it; write the parts "
                "from high to low"
            )
    return parts


class Ensemble(Entry):
    """Who plays: the melody first, the bass last.

    octave_bass: plays the bass an octave lower. melody_lowest: leaves room for the voices below.
    textures: of which one is drawn for each section. ornaments: share of the melody's longer notes
    with a mordent.
    """

    parts: Annotated[tuple[Named, ...], Field(min_length=4, max_length=5), AfterValidator(_falling)]
    octave_bass: Named | None = None
    melody_lowest: Pitch
    textures: Annotated[tuple[Texture, ...], Drawn, Field(min_length=1)]
    ornaments: Share = 0.0

    @model_validator(mode="after")
    def _in_reach(self) -> Self:
        melody = self.parts[0]
        if melody.highest - self.melody_lowest < 11:
            raise ValueError(
                "there is less than an octave from melody_lowest to the highest note of "
                f"{melody.name}; write a lower melody_lowest"
            )
        return self


class Doubling(Entry):
    """Who plays along with parts of an ensemble, by so much velocity softer."""

    instrument: Named
    parts: Annotated[tuple[Literal["melody", "bass"], ...], Field(min_length=1)]
    softer: Annotated[int, Field(ge=0, le=126)]


class DoubledEnsemble(Entry):
    """An ensemble whose parts are doubled; for recordings alone."""

    ensemble: Annotated[Ensemble, named("ensembles")]
    doublings: Annotated[tuple[Doubling, ...], Field(min_length=1)]


EnsembleName = Annotated[str, known("doubled_ensembles", "ensembles")]


class Defaults(Entry):
    """Which ensemble suits a recording: `dense_from` notes at a time, `quick_from` melody notes a
    second; for others one of `ensembles` is drawn.

    calm_from: beats a minute from which some textures are left out.
    """

    dense: EnsembleName
    dense_from: Annotated[float, Field(gt=0)]
    quick: EnsembleName
    quick_from: Annotated[float, Field(gt=0)]
    ensembles: Annotated[tuple[EnsembleName, ...], Field(min_length=1)]
    calm_from: Tempo
    calm_leaves_out: tuple[Texture, ...]


class Voices(Entry):
    """Loudness in arrangements of scores: the velocity where a phrase begins, how much louder its
    middle is, and how much louder the melody.
    """

    velocity: Annotated[float, Field(ge=1, le=127)]
    swell: Annotated[float, Field(ge=0, le=60)]
    melody: Annotated[float, Field(ge=0, le=60)]


class ClassicalStyle(Style):
    """The whole of classical.toml."""

    ensembles: Annotated[dict[str, Ensemble], Field(min_length=1), table("ensembles")]
    doubled_ensembles: Annotated[dict[str, DoubledEnsemble], table("doubled_ensembles")]
    voices: Voices
    defaults: Defaults
