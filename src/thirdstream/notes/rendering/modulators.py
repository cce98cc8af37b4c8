"""Modulators of a soundfont: how key and velocity change what its zones say.

SoundFont 2.04, sections 8.2 to 8.4. Left out are those that a controller, a wheel or pressure moves
(all rest here), and the default by which a soft note is duller, as most synthesisers leave it out.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

RECORD = [("source", "<u2"), ("destination", "<u2"), ("amount", "<i2"), ("amount_source", "<u2"),
          ("transform", "<u2")]  # fmt: skip
NONE, VELOCITY, KEY = 0, 2, 3  # what may move one
CONTROLLER, DOWNWARDS, BIPOLAR = 0x80, 0x100, 0x200  # bits of a source; its curve lies above
LINEAR, CONCAVE, CONVEX, SWITCH = range(4)
ATTENUATION = 48
SOFTER = 0x502  # velocity, downwards, concave
SOFTER_BY = 960  # tenths of a decibel: the default, which is the square of the velocity


class Kind(NamedTuple):
    """What makes two modulators one, of which the later replaces the earlier."""

    source: int
    destination: int
    amount_source: int


Amounts = dict[Kind, int]
DEFAULTS: Amounts = {Kind(SOFTER, ATTENUATION, NONE): SOFTER_BY}


def amounts(records: Iterable[tuple[int, ...]]) -> Amounts:
    """Of a zone's records (RECORD)."""
    return {
        Kind(source, destination, amount_source): amount
        for source, destination, amount, amount_source, transform in records
        if not transform
    }


def together(*, instrument: Amounts, preset: Amounts) -> Amounts:
    """Of an instrument's zone, before which the defaults are, and a preset's, which is added."""
    found = DEFAULTS | instrument
    return found | {kind: found.get(kind, 0) + amount for kind, amount in preset.items()}


def added(amounts: Amounts, *, key: int, velocity: int) -> dict[int, float]:
    """What they add to generators, for a note; to the attenuation, beside the default."""
    found: dict[int, float] = {}
    for kind, amount in amounts.items():
        shares = [share(one, key=key, velocity=velocity) for one in (kind[0], kind[2])]
        by = amount * math.prod(one or 0.0 for one in shares)
        if by:
            found[kind.destination] = found.get(kind.destination, 0.0) + by
    default = SOFTER_BY * (share(SOFTER, key=key, velocity=velocity) or 0.0)
    found[ATTENUATION] = found.get(ATTENUATION, 0.0) - default
    return found


def share(source: int, *, key: int, velocity: int) -> float | None:
    """0 to 1, or -1 to 1, of an amount; None of a source that is not at hand."""
    index = source & 0x7F
    if source & CONTROLLER or index not in (NONE, VELOCITY, KEY):
        return None
    if index == NONE:
        return 1.0
    value = (velocity if index == VELOCITY else key) / 127
    value = 1 - value if source & DOWNWARDS else value
    curve = source >> 10
    if not source & BIPOLAR:
        return _curve(curve, value)
    return math.copysign(_curve(curve, abs(2 * value - 1)), 2 * value - 1)


def _curve(curve: int, value: float) -> float:
    if curve == CONCAVE:
        return 1.0 if value >= 1 else min(1.0, -40 / 96 * math.log10(1 - value))
    if curve == CONVEX:
        return 0.0 if value <= 0 else max(0.0, 1 + 40 / 96 * math.log10(value))
    if curve == SWITCH:
        return float(value >= 0.5)
    return value
