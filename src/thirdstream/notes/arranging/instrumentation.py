"""Instrumentation: who plays a recording's piece, chosen by what was transcribed of it.

The defaults are the ensembles that an independent style tagger takes for their style: string
quartet, string orchestra, wind quintet, organ or harpsichord for classical, but hardly a piano; a
wind instrument over a rhythm section for jazz, but hardly a big band, a piano trio or a bossa nova.
Of the former, those whose onsets are clear: strings with a harp or a harpsichord. The others are
there by name.
"""

import random
from collections.abc import Sequence

from thirdstream.files import ThirdstreamError
from thirdstream.nearest import meant
from thirdstream.notes.arranging.piece import Piece
from thirdstream.notes.arranging.pulse import Pulse, suits
from thirdstream.notes.styles.classical import ClassicalStyle
from thirdstream.notes.styles.entries import Instrument, Style
from thirdstream.notes.styles.jazz import Groove, JazzStyle
from thirdstream.notes.styles.learned import LearnedStyle, Source
from thirdstream.notes.types import Note, Score

MOST_NAMED = 8  # recordings in a message


def default_groove(piece: Piece, style: JazzStyle) -> str:
    """The groove that suits the piece, by metre and tempo."""
    if Pulse(piece.score).in_three:
        return style.defaults.in_three
    slow = piece.beats_per_minute < style.defaults.slow_below
    return style.defaults.slow if slow else style.defaults.groove


def default_ensemble(piece: Piece, style: ClassicalStyle, rng: random.Random) -> str:
    """The ensemble that suits the piece, by its density and quickness."""
    if piece.density >= style.defaults.dense_from:
        return style.defaults.dense
    if piece.quickness >= style.defaults.quick_from:
        return style.defaults.quick
    return rng.choice(style.defaults.ensembles)


def chosen(name: str | None, names: Sequence[str], score: Score, style: Style) -> str | None:
    """The ensemble or groove that is asked for, if any is. Raises ThirdstreamError that lists
    `names`, those that suit, if it is none of them.
    """
    if name is not None and name not in names:
        raise ThirdstreamError(
            f"{name}: is nothing that plays {style.style} in bars of "
            f"{score.metres.usual(score.n_beats).name}; choose one of: {', '.join(names)}"
        )
    return name


def check_name(name: str, style: ClassicalStyle | JazzStyle | LearnedStyle) -> None:
    """Raise ThirdstreamError where nobody in a style is called so, whatever the metre, and where a
    learned style has no others than who is called so."""
    if isinstance(style, LearnedStyle):
        recording_named(name, style)
        if len({_band(one) for one in style.recordings}) == 1:
            raise ThirdstreamError(
                f"{name}: has the players that all recordings of {style.name} have; "
                "leave --ensemble out"
            )
        return
    names = (*style.grooves,) if isinstance(style, JazzStyle) else (
        *style.ensembles, *style.doubled_ensembles
    )  # fmt: skip
    if name not in names:
        raise ThirdstreamError(
            f"{name}: is nothing that plays {style.style}; choose one of: {', '.join(names)}"
            + meant(name, names)
        )


def recording_named(name: str, style: LearnedStyle) -> int:
    """The number of the recording whose players are asked for by its name. Raises ThirdstreamError
    that lists some where there is none."""
    names = [one.name for one in style.recordings]
    if name not in names:
        more = f" and {len(names) - MOST_NAMED} others" if len(names) > MOST_NAMED else ""
        raise ThirdstreamError(
            f"{name}: is no recording of {style.name}; choose whose players play, one of: "
            f"{', '.join(names[:MOST_NAMED])}{more}"
        )
    return names.index(name)


def _band(recording: Source) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Who plays, role by role."""
    return tuple(sorted(
        ((one.role, one.programs) for one in recording.players), key=lambda one: one[0]
    ))  # fmt: skip


def suitable_grooves(style: JazzStyle, pulse: Pulse) -> list[str]:
    """Names of the grooves that go with the metre."""
    return [name for name, groove in style.grooves.items() if suits(groove, pulse)]


def soloists(
    melody: Sequence[Note], groove: Groove, style: JazzStyle, rng: random.Random
) -> tuple[Instrument, ...]:
    """Who plays the melody, and who plays it the second time: those in whose range it lies best."""
    able = [one for one in style.defaults.soloists if one in groove.soloists]
    if not able:
        return groove.soloists[:1] * 2
    ranked = sorted(
        able,
        key=lambda i: (round(5 * _out_of_range(melody, i)), able.index(i) // 2, rng.random()),
    )
    return tuple(ranked[:2])


def _out_of_range(melody: Sequence[Note], instrument: Instrument) -> float:
    """The share of a melody that an instrument cannot play where it is written."""
    lowest, highest = instrument.lowest + 2, instrument.highest
    return sum(not lowest <= n.pitch <= highest for n in melody) / max(len(melody), 1)
