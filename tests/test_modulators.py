"""Modulators of soundfonts: what key and velocity add."""

import math
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import tone
from thirdstream.audio import SR
from thirdstream.notes.rendering import modulators
from thirdstream.notes.rendering.modulators import Kind, added, share, together
from thirdstream.notes.rendering.soundfont import Generator, SoundFont

sys.path.append(str(Path(__file__).parents[1] / "recipes"))
from soundfont_writer import Preset, Sample, write

G = Generator
HARDER, HIGHER = 0x002, 0x203  # velocity upwards; key upwards, from -1 to 1
MIDI = st.integers(1, 127)


@given(key=MIDI, velocity=MIDI)
def test_shares_follow_their_curves(key: int, velocity: int) -> None:
    at = {"key": key, "velocity": velocity}
    assert share(0, **at) == 1.0
    assert share(HARDER, **at) == pytest.approx(velocity / 127)
    assert share(0x102, **at) == pytest.approx(1 - velocity / 127)
    assert share(HIGHER, **at) == pytest.approx(2 * key / 127 - 1)
    assert share(0x0C02, **at) == float(velocity / 127 >= 0.5)
    softer = share(modulators.SOFTER, **at)
    assert softer == pytest.approx(min(1.0, 40 / 96 * math.log10(127 / velocity)))
    convex = share(0x0802, **at)
    assert convex == pytest.approx(max(0.0, 1 + 40 / 96 * math.log10(velocity / 127)))
    assert share(0x82, **at) is None  # a controller


@given(key=MIDI, velocity=MIDI)
def test_the_defaults_add_nothing(key: int, velocity: int) -> None:
    by = added(together(instrument={}, preset={}), key=key, velocity=velocity)
    assert by == {G.ATTENUATION: 0.0}


def test_an_instrument_replaces_and_a_preset_adds() -> None:
    softer, sweep = Kind(modulators.SOFTER, G.ATTENUATION, 0), Kind(HARDER, G.SWEEP, 0)
    found = together(instrument={softer: 0, sweep: 100}, preset={softer: 800, sweep: 50})
    assert found == {softer: 800, sweep: 150}


@pytest.fixture
def font(tmp_path: Path) -> SoundFont:
    """Louder when struck softly, as if all strokes were alike; a filter that hard strokes open."""
    moving = [(modulators.SOFTER, G.ATTENUATION, -960, 0, 0), (HARDER, G.SWEEP, 2540, 0, 0)]
    zone = {G.SAMPLE: 0, G.ATTENUATION: 100, G.SWEEP: -2000, G.CUTOFF: 6000}
    plain = Preset(0, 1, "plain", [zone])
    write(tmp_path / "a.sf3", [Preset(0, 0, "moved", [zone], moving), plain],
          [Sample("sine", tone(SR), SR, (1000, 30_000))], about={"INAM": "a test"})  # fmt: skip
    return SoundFont(tmp_path / "a.sf3")


@pytest.mark.parametrize("velocity", [16, 64, 96, 120])
def test_a_stroke_moves_a_region(font: SoundFont, velocity: int) -> None:
    (still,) = font.regions(0, 0)
    (moved,) = font.struck(0, 0, key=60, velocity=velocity)
    assert moved.sweep_cents == pytest.approx(-2000 + 2540 * velocity / 127)
    # beside the square of the velocity, which is the synthesiser's, the level is one
    assert moved.gain_db + 40 * math.log10(velocity / 127) == pytest.approx(still.gain_db)
    assert (moved.keys, moved.cutoff_hz) == (still.keys, still.cutoff_hz)


def test_a_preset_without_any_sounds_as_it_is_written(font: SoundFont) -> None:
    for velocity in (1, 64, 127):
        assert font.struck(0, 1, key=60, velocity=velocity) == font.regions(0, 1)
