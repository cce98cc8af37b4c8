"""Numbers that a recipe found, not a person: listening.json beside this file."""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PATH = Path(__file__).parent / "listening.json"


@lru_cache
def learned(of: str) -> dict[str, NDArray[np.float64]]:
    """The arrays of "chords" or "beats", by name; `recipes/listening_weights.py` writes them."""
    found = json.loads(PATH.read_text(encoding="utf-8"))[of]
    return {name: np.array(values) for name, values in found.items()}
