"""Who may play a recording: each part is played by the instruments that it may be, and their sums
are compared with the recording (analysis by synthesis).

A small network's word on each part (timbre.py) says which instruments are tried, and counts a
little. What is compared is where the parts' notes sound: a note that was missed is nobody's fault.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from thirdstream.audio import SR, Wave
from thirdstream.notes.learning.spectra import mel_magnitudes
from thirdstream.notes.learning.timbre import Sounded, likelihoods
from thirdstream.notes.rendering import ORCHESTRA, Scene, play
from thirdstream.notes.rendering.room import in_room
from thirdstream.notes.types import Note, Song, Track

Array = NDArray[np.float64]
DRUMS = "drums"
Parts = Mapping[str, Sequence[Sounded]]
"""Notes by the part's name; those of drums by DRUMS."""

PART_S = 12.0  # of a recording that is compared, where its rarest part has most notes
STEP_S = 2.0  # between the beginnings of which that is chosen
N_FFT, HOP_LENGTH, N_MELS, F_MIN, F_MAX = 4096, 2048, 72, 40.0, 14_000.0
N_TRIED = 6  # instruments a part
TRUST = 0.015  # in the network: what a factor of e in a note's likelihood is worth in divergence
ANOTHER = 0.005  # divergence that one more instrument must be worth
SOUNDING = 0.03  # share of the parts' loudest moment from which a place in time and pitch counts
N_ROUNDS, N_STEPS = 2, 20  # over the parts; of the gains
FLOOR = 1e-4  # of the mean, below which nothing counts


def costs_of(wave: Wave, parts: Parts, scene: Scene) -> dict[str, dict[int, float]]:
    """For each part but drums the General MIDI programs that may play it, each with its cost: how
    unlike the recording the best sum with it is.

    wave: mono, at 44,100 Hz. scene: the recording's room. A part without an instrument that is able
    to play it, or a recording too short to tell, has a piano.
    """
    likely = {name: likelihoods(wave, notes) for name, notes in parts.items() if name != DRUMS}
    tried = _tried(likely)
    excerpt = _Excerpt.of(wave, parts, scene)
    stems = {
        name: {one: excerpt.stem(name, one) for one in programs}
        for name, programs in tried.items()
        if excerpt.notes[name]
    }
    if excerpt.notes.get(DRUMS):
        stems[DRUMS] = {0: excerpt.stem(DRUMS, 0)}
    costs = {name: {one: -TRUST * likely[name][one] for one in programs}
             for name, programs in tried.items()}  # fmt: skip
    costs |= _Fit(excerpt.magnitudes, stems, {DRUMS: {0: 0.0}, **likely}).costs()
    return {name: costs.get(name, {0: 0.0}) for name in likely}


def _tried(likely: Mapping[str, Mapping[int, float]]) -> dict[str, list[int]]:
    """Of each part the likeliest programs, and those that are another's likeliest: a choir, strings
    or brass play all parts."""
    ordered = {name: sorted(found, key=lambda one: -found[one])
               for name, found in likely.items() if found}  # fmt: skip
    leading = [programs[0] for programs in ordered.values()]
    return {
        name: list(
            dict.fromkeys([*programs[:N_TRIED], *filter(likely[name].__contains__, leading)])
        )
        for name, programs in ordered.items()
    }


def _densest(parts: Parts, duration_s: float) -> float:
    """Where the stretch of PART_S begins in which the pitched part with fewest notes has most."""
    starts = np.arange(0, max(duration_s - PART_S, 0) + STEP_S / 2, STEP_S)
    onsets = [np.array([note.start_s for note in notes])
              for name, notes in parts.items() if name != DRUMS]  # fmt: skip
    if not onsets:
        return 0.0
    n_notes = [
        min(int(((start <= of) & (of < start + PART_S)).sum()) for of in onsets) for start in starts
    ]
    return float(starts[int(np.argmax(n_notes))])


@dataclass(frozen=True)
class _Excerpt:
    """A stretch of a recording: its magnitudes (N_MELS, n_frames), and the notes of each part from
    its beginning on."""

    magnitudes: Array
    notes: dict[str, tuple[Note, ...]]
    scene: Scene
    n_samples: int

    @classmethod
    def of(cls, wave: Wave, parts: Parts, scene: Scene) -> "_Excerpt":
        start_s = _densest(parts, len(wave) / SR)
        part = wave[round(start_s * SR) : round((start_s + PART_S) * SR)]
        notes = {
            name: tuple(
                Note(one.start_s - start_s, max(one.end_s - one.start_s, 0.05), *one[2:])
                for one in some
                if start_s <= one.start_s < start_s + len(part) / SR
            )
            for name, some in parts.items()
        }
        return cls(_magnitudes(part), notes, scene, len(part))

    def stem(self, name: str, program: int) -> Array:
        """A part as an instrument plays it in the recording's room: (N_MELS, n_frames)."""
        track = Track(name, program, self.notes[name], is_drums=name == DRUMS)
        dry = play(Song((track,), 60.0), ORCHESTRA, self.n_samples)
        wet = np.concatenate(list(in_room([dry], self.scene, n_channels=1)), axis=1)[0]
        return _magnitudes(wet[: self.n_samples])


def _magnitudes(wave: Wave) -> Array:
    return mel_magnitudes(
        wave, n_fft=N_FFT, hop_length=HOP_LENGTH, n_mels=N_MELS, f_min=F_MIN, f_max=F_MAX
    )


@dataclass(frozen=True)
class _Fit:
    """A recording's magnitudes as a sum of stems, by part and program, each with a gain.

    prior: of each part and program, a note's mean log likelihood.
    """

    magnitudes: Array
    stems: Mapping[str, Mapping[int, Array]]
    prior: Mapping[str, Mapping[int, float]]

    def costs(self) -> dict[str, dict[int, float]]:
        """Of each part's programs: those of the others are the best sum's. That is found by each
        part in turn."""
        chosen = {name: next(iter(tried)) for name, tried in self.stems.items()}
        found: dict[str, dict[int, float]] = {}
        for _ in range(N_ROUNDS):
            for name, tried in self.stems.items():
                found[name] = {one: self._cost({**chosen, name: one}) for one in tried}
                chosen[name] = min(found[name], key=found[name].__getitem__)
        return {name: costs for name, costs in found.items() if name != DRUMS}

    def _cost(self, chosen: Mapping[str, int]) -> float:
        likely = sum(self.prior[name][one] for name, one in chosen.items())
        n_players = len({one for name, one in chosen.items() if name != DRUMS})
        return self.divergence(chosen) - TRUST * likely + ANOTHER * n_players

    def divergence(self, chosen: Mapping[str, int]) -> float:
        """Of the magnitudes from the best sum of these stems, where any part sounds."""
        stems = np.array([self.stems[name][one][self._counts] for name, one in chosen.items()])
        return _divergence(self.magnitudes[self._counts], stems)

    @cached_property
    def _counts(self) -> NDArray[np.bool_]:
        """Where the parts sound, whoever plays them; everywhere if all are silent."""
        parts = [np.mean([one / max(one.sum(), 1e-9) for one in tried.values()], axis=0)
                 for tried in self.stems.values()]  # fmt: skip
        loudness = np.sum(parts, axis=0)
        return loudness >= SOUNDING * loudness.max()


def _divergence(observed: Array, stems: Array) -> float:
    """Kullback and Leibler's, generalised, of what is observed (n,) from the best sum of stems
    (n_stems, n), in units of the former: gains by multiplicative updates (Lee and Seung 2000).
    """
    floor = FLOOR * observed.mean() + 1e-12
    totals = stems.sum(axis=1) + 1e-9
    gains = observed.sum() / totals / len(stems)
    for _ in range(N_STEPS):
        gains = gains * (stems @ (observed / (gains @ stems + floor))) / totals
    mixed = gains @ stems + floor
    terms = observed * np.log((observed + floor) / mixed) - observed + mixed
    return float(terms.sum() / (observed.sum() + floor))
