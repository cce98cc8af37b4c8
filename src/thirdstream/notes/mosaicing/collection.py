"""A collection: what a style's recordings are made of, and their sound; all that an index holds."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thirdstream.notes.mosaicing.grains import Grains
from thirdstream.notes.mosaicing.sounds import Sounds
from thirdstream.notes.mosaicing.units import N_KEYS, N_MFCC, N_WINDOWS, Units

SHAPES = {  # of each row
    "units.recordings": (), "units.frames": (), "units.notes": (N_WINDOWS, N_KEYS),
    "units.attacks": (N_WINDOWS,), "units.levels": (N_WINDOWS,), "units.timbres": (N_MFCC,),
    "grains.recordings": (), "grains.starts": (), "grains.ends": (), "grains.pitches": (),
    "grains.costs": (), "tunings": (), "sounds": (), "ends": (),
}  # fmt: skip
KINDS: Mapping[str, Any] = {
    "units.recordings": np.int32, "units.frames": np.int32, "units.notes": np.uint8,
    "grains.recordings": np.int32, "grains.pitches": np.int32, "sounds": np.uint8,
    "ends": np.int64,
}  # fmt: skip

Arrays = Mapping[str, NDArray[Any]]


class Collection(NamedTuple):
    """tunings: (n_recordings,) semitones above A = 440 Hz."""

    units: Units
    grains: Grains
    tunings: NDArray[np.float32]
    sounds: Sounds

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it, by the names in SHAPES."""
        units = {f"units.{name}": rows for name, rows in self.units._asdict().items()}
        grains = {f"grains.{name}": rows for name, rows in self.grains._asdict().items()}
        sounds = {"sounds": self.sounds.data, "ends": self.sounds.ends}
        return {**units, **grains, "tunings": self.tunings, **sounds}


def from_arrays(arrays: Arrays) -> Collection:
    """What `Collection.arrays` gave. Raises ValueError where it cannot be that."""
    for name, shape in SHAPES.items():
        found, kind = arrays.get(name), KINDS.get(name, np.float32)
        if found is None or found.shape[1:] != shape or found.ndim < 1 or found.dtype != kind:
            raise ValueError(f"{name} is not what an index has")
        if found.dtype == np.float32 and not np.isfinite(found).all():
            raise ValueError(f"{name} is not finite")
    units = Units(**{name: arrays[f"units.{name}"] for name in Units._fields})
    grains = Grains(**{name: arrays[f"grains.{name}"] for name in Grains._fields})
    ends, n = arrays["ends"], len(arrays["tunings"])
    for part in (units, grains):
        lengths = {len(rows) for rows in part}
        inside = len(part[0]) == 0 or (part[0].min() >= 0 and part[0].max() < n)
        if len(lengths) != 1 or not inside:
            raise ValueError("its parts do not belong together")
    if (np.abs(arrays["tunings"]) > 1).any():
        raise ValueError("its tunings are no semitones")
    steps = np.diff(ends, prepend=0)
    if len(ends) != n or not len(units.frames) or (steps <= 0).any() or (
        ends[-1] != len(arrays["sounds"])
    ):  # fmt: skip
        raise ValueError("its recordings are not all there")
    return Collection(units, grains, arrays["tunings"], Sounds(arrays["sounds"], ends))


def joined(parts: Sequence[Arrays]) -> Collection:
    """Collections of one recording each, as one."""
    shifted = []
    at = 0
    for number, part in enumerate(parts):
        moved = {
            "units.recordings": part["units.recordings"] + np.int32(number),
            "grains.recordings": part["grains.recordings"] + np.int32(number),
            "ends": part["ends"] + at,
        }
        at += len(part["sounds"])
        shifted.append({**part, **moved})
    return from_arrays({name: np.concatenate([one[name] for one in shifted]) for name in SHAPES})
