"""The bundled instruments: all that arrangers may choose is there, in tune, and without clicks."""

import sys
from pathlib import Path

import librosa
import numpy as np
import pytest

from thirdstream.audio import SR, Wave
from thirdstream.notes.rendering import ORCHESTRA, play
from thirdstream.notes.rendering.soundfont import DRUM_BANK, Region, SoundFont
from thirdstream.notes.rendering.synthesiser import Sampler
from thirdstream.notes.rendering.tones import Tone, made
from thirdstream.notes.styles import classical_style, instrument, jazz_style
from thirdstream.notes.styles.entries import Instrument
from thirdstream.notes.types import Note, Song, Track

sys.path.append(str(Path(__file__).parents[1] / "recipes"))
from orchestra import NEAR_DB, lufs
from soundfont_mends import heard_db

FONT = SoundFont(ORCHESTRA)
REGIONS = {place: FONT.regions(*place) for place in FONT.presets}
PITCHED = [place for place in REGIONS if place[0] != DRUM_BANK]
DRUMS = range(35, 82)  # General MIDI's


def choosable() -> list[Instrument]:
    """Every instrument of the styles that come along, with every range it plays in."""
    classical, jazz = classical_style(), jazz_style()
    named = [*classical.instruments.values(), *jazz.instruments.values()]
    parts = [part for one in classical.ensembles.values() for part in (*one.parts, one.octave_bass)]
    return named + [part for part in parts if part]


def held(region: Region, key: int, seconds: float) -> Wave:
    return made(FONT, Tone(region, key, 0.0), round(seconds * SR))


def cents_off(program: int, key: int) -> float:
    """By how much a note of two seconds lies beside its key: the median over its frames."""
    track = Track("one", program, (Note(0.0, 2.0, key, 80),))
    wave = play(Song((track,), 60.0), ORCHESTRA, 2 * SR)[0]
    hz = 440 * 2 ** ((key - 69) / 12)
    found = librosa.yin(wave[SR // 20 :], fmin=hz / 1.4, fmax=hz * 1.4, sr=SR, frame_length=4096)
    return float(1200 * np.log2(np.median(found) / hz))


def test_all_instruments_of_general_midi_are_there_but_for_noises() -> None:
    assert {program for bank, program in PITCHED if bank == 0} == set(range(119))
    assert len({instrument(program).name for program in range(119)}) == 119
    assert instrument(105).name == "banjo"


@pytest.mark.parametrize(
    ("kit", "played"),
    [(0, (0, 1)), (1, (0, 1)), (16, (0, 1)), (24, (24,)), (25, (25,)), (40, (40, 41)),
     (48, (0, 1))],
)  # fmt: skip
def test_kits_but_for_brushes_and_electronic_ones_are_the_standard_one_with_both_its_takes(
    kit: int, played: tuple[int, ...]
) -> None:
    takes = Sampler(FONT, Song((), 60.0)).takes(Track("drums", kit, (), is_drums=True))
    assert takes == tuple((DRUM_BANK, one) for one in played)


def rms_db(wave: Wave) -> float:
    return float(10 * np.log10(np.square(wave).mean()))


def test_electronic_drums_sound_otherwise_than_those_that_are_struck() -> None:
    """Snare and toms, each as loud within 6 dB, by another spectrum."""
    for key in (38, 43, 45, 48):
        ours, theirs = (
            play(
                Song((Track("one", kit, (Note(0.0, 0.2, key, 90),), is_drums=True),), 60.0),
                ORCHESTRA,
                SR,
            )[0]
            for kit in (24, 0)
        )
        assert abs(rms_db(ours) - rms_db(theirs)) < 6
        assert abs(np.corrcoef(np.abs(np.fft.rfft(ours)), np.abs(np.fft.rfft(theirs)))[0, 1]) < 0.5


def test_it_is_small() -> None:
    assert ORCHESTRA.stat().st_size <= 20_000_000


def test_all_that_arrangers_choose_is_there_for_all_they_may_play() -> None:
    instruments = choosable()
    assert len({one.program for one in instruments}) > 20
    asked = [((0, one.program), range(one.lowest, one.highest + 1)) for one in instruments]
    asked += [((DRUM_BANK, groove.kit), DRUMS) for groove in jazz_style().grooves.values()]
    asked += [(place, DRUMS) for place in REGIONS if place[0] == DRUM_BANK]
    for place, keys in asked:
        for key in keys:
            layers = [r for r in REGIONS[place] if r.keys[0] <= key <= r.keys[1]]
            for velocity in range(1, 128):
                assert any(r.sounds(key, velocity) for r in layers), (place, key, velocity)


def test_a_note_is_one_voice() -> None:
    """Layers and keys do not overlap: none is heard twice."""
    for place, regions in REGIONS.items():
        for key in range(128):
            for velocity in (1, 48, 49, 64, 65, 74, 84, 85, 92, 93, 98, 99, 127):
                n_sounding = sum(region.sounds(key, velocity) for region in regions)
                assert n_sounding <= 1, (place, key, velocity)


@pytest.mark.parametrize(
    ("program", "bank", "n_layers"),
    [(0, 0, 4), (32, 0, 2), (0, DRUM_BANK, 3), (40, DRUM_BANK, 3), (48, 0, 3)],
)
def test_the_trio_and_the_strings_have_layers_that_grow_brighter(
    program: int, bank: int, n_layers: int
) -> None:
    key = 42 if bank == DRUM_BANK else 52
    of_key = (one for one in REGIONS[bank, program] if one.keys[0] <= key <= one.keys[1])
    layers = sorted({region.velocities for region in of_key})
    assert len(layers) == n_layers

    def share_above_4k(velocity: int) -> float:
        keys = (42, 49, 51, 53) if bank == DRUM_BANK else (36, 48, 60, 72)
        notes = tuple(Note(float(n), 0.8, key, velocity) for n, key in enumerate(keys))
        track = Track("one", program, notes, is_drums=bank == DRUM_BANK)
        power = np.square(np.abs(np.fft.rfft(play(Song((track,), 60.0), ORCHESTRA, 4 * SR)[0])))
        return float(power[4 * 4000 :].sum() / power.sum())

    assert share_above_4k(127) > 1.05 * share_above_4k(layers[0][1])
    if program != 48:
        names = FONT.presets
        takes = [place for place, name in names.items() if name == f"{names[bank, program]} take 2"]
        assert len(takes) == 1
        one, other = (
            next(r.sample for r in REGIONS[at] if r.sounds(key, 60))
            for at in ((bank, program), *takes)
        )
        assert one != other


RANGES = {one.program: (one.lowest, one.highest) for one in choosable()}


@pytest.mark.parametrize("program", RANGES)
def test_it_is_in_tune(program: int) -> None:
    lowest, highest = RANGES[program]
    for quarter in (1, 2, 3):
        key = lowest + quarter * (highest - lowest) // 4
        assert abs(cents_off(program, key)) < 15, key


@pytest.mark.parametrize("place", REGIONS, ids=lambda place: f"{place[0]}-{place[1]}")
def test_samples_are_sound_and_loops_do_not_click(place: tuple[int, int]) -> None:
    for region in REGIONS[place]:
        n_loop = region.loop[1] if region.loop else SR
        wave = FONT.sample(region.sample, n_loop + 64)
        assert np.isfinite(wave).all()
        assert 0.0 < np.abs(wave).max() < 1.0
        assert abs(wave.mean()) < 0.03 * np.abs(wave).max()
        if region.loop is not None:
            start, end = region.loop
            assert end <= len(wave)
            seam = np.concatenate([wave[end - 2 : end], wave[start : start + 2]])
            corners = [np.abs(np.diff(part, 2)).max() for part in (seam, wave[start:end])]
            assert corners[0] < 1.5 * corners[1], region


def test_velocity_layers_meet_without_a_step() -> None:
    """Where one layer ends and the next begins, loudness hardly changes."""
    for place, regions in REGIONS.items():
        middle = sorted({r.keys for r in regions})
        for keys in (middle[len(middle) // 2],) if place[0] != DRUM_BANK else middle:
            layers = sorted((r for r in regions if r.keys == keys), key=lambda r: r.velocities)
            levels = [heard_db(held(r, min(max(r.root, keys[0]), keys[1]), 0.5)) for r in layers]
            assert np.abs(np.diff(levels)).max(initial=0) < 2.0, (place, keys)


def test_no_preset_is_far_from_the_others_in_loudness() -> None:
    """The same passage, velocity 80; the recipe brings all near the median of the source's."""
    levels = {place: lufs(place, ORCHESTRA) for place in PITCHED
              if place[0] == 0 and " as " not in FONT.presets[place]}  # fmt: skip
    assert max(levels.values()) - min(levels.values()) < 2 * NEAR_DB + 0.5, levels
    kits = [lufs((DRUM_BANK, kit), ORCHESTRA) for kit in (0, 40)]
    assert np.median(list(levels.values())) - 9 < min(kits) <= max(kits) < max(levels.values())
