"""Who may play a recording: each part is played by the instruments that it may be, and their sums
are compared with the recording (analysis by synthesis). Harmony may be several instruments'.

A small network's word on each part (timbre.py) says which instruments are tried, and counts a
little. What is compared is where the parts' notes sound: a note that was missed is nobody's fault.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

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
SHARED = ("harmony", "held harmony")  # parts that several may play together
Programs = tuple[int, ...]
"""General MIDI programs that play the same notes."""
Parts = Mapping[str, Sequence[Sounded]]
"""Notes by the part's name; those of drums by DRUMS."""

PART_S = 12.0  # of a recording that is compared, where its rarest part has most notes
STEP_S = 2.0  # between the beginnings of which that is chosen
N_FFT, HOP_LENGTH, N_MELS, F_MIN, F_MAX = 4096, 2048, 72, 40.0, 14_000.0
N_TRIED, N_TRIED_SHARED = 6, 8  # instruments a part; one that several may play
MOST_TOGETHER, N_LOUDEST = 3, 5  # that play a part together, of those that are loudest in it
TRUST = 0.015  # in the network: what a factor of e in a note's likelihood is worth in divergence
ANOTHER = 0.005  # divergence that one more instrument must be worth, and that a doubling must
SOUNDING = 0.03  # share of the parts' loudest moment from which a place in time and pitch counts
N_ROUNDS, N_STEPS, N_STEPS_LOUDEST = 2, 20, 150  # over the parts; of the gains
FLOOR = 1e-4  # of the mean, below which nothing counts


def costs_of(wave: Wave, parts: Parts, scene: Scene) -> dict[str, dict[Programs, float]]:
    """For each part but drums who may play it, alone or together, each with its cost: how unlike
    the recording the best sum with it is.

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
    costs: dict[str, dict[Programs, float]] = {
        name: {(one,): -TRUST * float(likely[name][one].mean()) for one in programs}
        for name, programs in tried.items()
    }
    costs |= _Fit(excerpt.magnitudes, stems, {DRUMS: {0: np.zeros(1)}, **likely}).costs()
    return {name: costs.get(name, {(0,): 0.0}) for name in likely}


def _tried(likely: Mapping[str, Mapping[int, Array]]) -> dict[str, list[int]]:
    """Of each part the programs of most of its notes, and those that are another's likeliest: a
    choir, strings or brass play all parts."""
    ordered = {name: sorted(found, key=lambda one: -np.exp(found[one]).mean())
               for name, found in likely.items() if found}  # fmt: skip
    leading = [max(likely[name], key=lambda one: likely[name][one].mean()) for name in ordered]
    tried = {}
    for name, programs in ordered.items():
        best = programs[: N_TRIED_SHARED if name in SHARED else N_TRIED]
        others = filter(likely[name].__contains__, leading)
        tried[name] = list(dict.fromkeys([*best, *others]))
    return tried


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

    prior: of each part and program, the log likelihoods (n_notes,) of notes.
    """

    magnitudes: Array
    stems: Mapping[str, Mapping[int, Array]]
    prior: Mapping[str, Mapping[int, Array]]

    def costs(self) -> dict[str, dict[Programs, float]]:
        """Of who may play each part: those of the others are the best sum's. That is found by each
        part in turn."""
        chosen: dict[str, Programs] = {
            name: (next(iter(tried)),) for name, tried in self.stems.items()
        }
        found: dict[str, dict[Programs, float]] = {}
        for _ in range(N_ROUNDS):
            for name in self.stems:
                able = self._able(name, chosen)
                found[name] = {one: self._cost({**chosen, name: one}) for one in able}
                chosen[name] = min(found[name], key=found[name].__getitem__)
        return {name: costs for name, costs in found.items() if name != DRUMS}

    def _able(self, name: str, chosen: Mapping[str, Programs]) -> Iterator[Programs]:
        """Each that is tried alone; where several may play, also the loudest together, of these the
        loudest first: those whose gains are highest when all play."""
        tried = tuple(self.stems[name])
        yield from combinations(tried, 1)
        if name not in SHARED:
            return
        others = self._chosen_stems({part: one for part, one in chosen.items() if part != name})
        stems = np.array([*others, *self._chosen_stems({name: tried})])
        gains = _gains(self._observed, stems, n_steps=N_STEPS_LOUDEST) * stems.sum(axis=1)
        order = np.argsort(-gains[len(others) :], kind="stable")
        loudest = [tried[at] for at in order[:N_LOUDEST]]
        for n_players in range(2, MOST_TOGETHER + 1):
            yield from combinations(loudest, n_players)

    def _cost(self, chosen: Mapping[str, Programs]) -> float:
        """Notes of a part that several play are anybody's of them."""
        likely = sum(
            (np.logaddexp.reduce([self.prior[name][one] for one in who]) - np.log(len(who))).mean()
            for name, who in chosen.items()
        )
        n_players = len({one for name, who in chosen.items() if name != DRUMS for one in who})
        n_doubling = sum(len(who) - 1 for who in chosen.values())
        more = ANOTHER * (n_players + n_doubling)
        return self.divergence(chosen) - TRUST * float(likely) + more

    def divergence(self, chosen: Mapping[str, Programs]) -> float:
        """Of the magnitudes from the best sum of these stems, where any part sounds."""
        return _divergence(self._observed, np.array(self._chosen_stems(chosen)))

    def _chosen_stems(self, chosen: Mapping[str, Programs]) -> list[Array]:
        return [self.stems[name][one][self._counts] for name, who in chosen.items() for one in who]

    @cached_property
    def _observed(self) -> Array:
        return self.magnitudes[self._counts]

    @cached_property
    def _counts(self) -> NDArray[np.bool_]:
        """Where the parts sound, whoever plays them; everywhere if all are silent."""
        parts = [np.mean([one / max(one.sum(), 1e-9) for one in tried.values()], axis=0)
                 for tried in self.stems.values()]  # fmt: skip
        loudness = np.sum(parts, axis=0)
        return loudness >= SOUNDING * loudness.max()


def _gains(observed: Array, stems: Array, *, n_steps: int = N_STEPS) -> Array:
    """(n_stems,) with which the sum of stems (n_stems, n) is nearest to what is observed (n,) by
    Kullback and Leibler's generalised divergence: by multiplicative updates (Lee and Seung 2000).
    """
    totals, floor = stems.sum(axis=1) + 1e-9, _floor(observed)
    gains = observed.sum() / totals / len(stems)
    for _ in range(n_steps):
        gains = gains * (stems @ (observed / (gains @ stems + floor))) / totals
    return gains


def _divergence(observed: Array, stems: Array) -> float:
    """Kullback and Leibler's, generalised, of what is observed (n,) from the best sum of stems
    (n_stems, n), in units of the former."""
    floor = _floor(observed)
    mixed = _gains(observed, stems) @ stems + floor
    terms = observed * np.log((observed + floor) / mixed) - observed + mixed
    return float(terms.sum() / (observed.sum() + floor))


def _floor(observed: Array) -> float:
    return float(FLOOR * observed.mean() + 1e-12)
