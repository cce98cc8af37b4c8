"""The orchestra in the box: all that arrangers may choose is there, in tune, and without clicks."""

import numpy as np
import pytest

from thirdstream.audio import SR, Wave
from thirdstream.notes.arranging import ensembles
from thirdstream.notes.arranging.ensembles import Instrument
from thirdstream.notes.midi import Song, Track
from thirdstream.notes.rendering import ORCHESTRA, play
from thirdstream.notes.rendering.soundfont import DRUM_BANK, Region, SoundFont
from thirdstream.notes.rendering.tones import Tone, made
from thirdstream.notes.score import Note

FONT = SoundFont(ORCHESTRA)
REGIONS = {place: FONT.regions(*place) for place in FONT.presets}
PITCHED = [place for place in REGIONS if place[0] != DRUM_BANK]
DRUMS = range(35, 60)  # General MIDI's usual ones


def choosable() -> list[Instrument]:
    """Every instrument that is named in the arrangers' lists."""
    found: list[Instrument] = []

    def look(value: object) -> None:
        if isinstance(value, Instrument):
            found.append(value)
        elif isinstance(value, dict):
            look(tuple(value.values()))
        elif isinstance(value, (tuple, list)):
            for one in value:
                look(one)
        elif isinstance(value, (ensembles.Doubling, ensembles.Groove)):
            look(tuple(vars(value).values()))

    look(vars(ensembles))
    return found


def held(region: Region, key: int, seconds: float) -> Wave:
    return made(FONT, Tone(region, key, 0.0), round(seconds * SR))


def cents_off(wave: Wave, key: int) -> float:
    """By how much the strongest of the first partials lies beside the key's."""
    n_fft = 1 << 19
    power = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), n_fft))
    best = (0.0, 0.0)
    for partial in (1, 2, 3):
        hz = partial * 440 * 2 ** ((key - 69) / 12)
        low, high = (round(hz * 2 ** (c / 1200) * n_fft / SR) for c in (-60, 60))
        at = low + int(power[low:high].argmax())
        best = max(best, (float(power[at]), float(1200 * np.log2(at * SR / n_fft / hz))))
    return best[1]


def test_it_is_small() -> None:
    assert ORCHESTRA.stat().st_size <= 20_000_000


def test_all_that_arrangers_choose_is_there_for_all_they_may_play() -> None:
    instruments = choosable()
    assert len({one.program for one in instruments}) > 20
    for one in instruments:
        for key in range(one.lowest, one.highest + 1):
            for velocity in (1, 40, 64, 65, 92, 93, 127):
                assert any(r.sounds(key, velocity) for r in REGIONS[0, one.program]), one
    kits = {groove.kit for groove in ensembles.GROOVES.values()}
    for kit in kits:
        for key in DRUMS:
            for velocity in range(1, 128):
                assert any(r.sounds(key, velocity) for r in REGIONS[DRUM_BANK, kit])


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
    regions = REGIONS[bank, program]
    layers = sorted({region.velocities for region in regions})
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
        key = 42 if bank == DRUM_BANK else 52
        one, other = (
            next(r.sample for r in REGIONS[at] if r.sounds(key, 60))
            for at in ((bank, program), *takes)
        )
        assert one != other


@pytest.mark.parametrize("place", PITCHED, ids=lambda place: f"{place[0]}-{place[1]}")
def test_it_is_in_tune(place: tuple[int, int]) -> None:
    for region in REGIONS[place][:: max(len(REGIONS[place]) // 4, 1)]:
        key = min(max(region.root, region.keys[0]), region.keys[1])
        if 36 <= key <= 84:
            assert abs(cents_off(held(region, key, 1.2)[SR // 10 :], key)) < 25, region


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
            jump = abs(wave[start] - wave[end - 1])
            assert jump < 2 * np.abs(np.diff(wave[start:end])).max(), region


def test_velocity_layers_meet_without_a_step() -> None:
    """Where one layer ends and the next begins, the level hardly changes; nor between keys."""
    for (bank, program), regions in REGIONS.items():
        if bank == DRUM_BANK:
            continue
        middle = sorted({r.root for r in regions})
        key = middle[len(middle) // 2]
        for edge in sorted({r.velocities[1] for r in regions})[:-1]:
            levels = []
            for velocity in (edge, edge + 1):
                region = next(r for r in regions if r.sounds(key, velocity))
                wave = held(region, key, 0.5)
                levels.append(10 * np.log10(np.square(wave, dtype=np.float64).mean()))
            assert abs(levels[1] - levels[0]) < 4.0, (bank, program, edge)
