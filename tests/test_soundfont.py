"""Soundfonts: what is written is read, and what is damaged is named."""

import os
import signal
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import tone
from thirdstream.audio import SR
from thirdstream.files import ThirdstreamError
from thirdstream.notes.rendering import ORCHESTRA, soundfont
from thirdstream.notes.rendering.soundfont import ATTENUATED, Generator, Region, SoundFont, opened
from thirdstream.notes.rendering.tones import Tone, made

sys.path.append(str(Path(__file__).parents[1] / "recipes"))
from soundfont_writer import Preset, Sample, write

G = Generator
ABOUT = {"INAM": "a test"}
SINE = Sample("sine", tone(SR), SR, (1000, 30_000))
ZONES = st.fixed_dictionaries(
    {G.SAMPLE: st.just(0)},
    optional={
        G.KEYS: st.tuples(st.integers(0, 127), st.integers(0, 127)),
        G.VELOCITIES: st.tuples(st.integers(0, 127), st.integers(0, 127)),
        G.ROOT: st.integers(0, 127),
        G.CENTS: st.integers(-99, 99),
        G.SEMITONES: st.integers(-24, 24),
        G.ATTENUATION: st.integers(0, 1440),
        G.PAN: st.integers(-500, 500),
        G.ATTACK: st.integers(-11_999, 5000),
        G.RELEASE: st.integers(-11_999, 5000),
        G.SUSTAIN: st.integers(0, 1000),
        G.CUTOFF: st.integers(1500, 13_499),
        G.CHOKE: st.integers(0, 127),
        G.LOOPS: st.integers(0, 1),
    },
)


def font(path: Path, *zones: dict[int, int], samples: tuple[Sample, ...] = (SINE,)) -> SoundFont:
    write(path, [Preset(0, 7, "one", zones)], samples, about=ABOUT)
    return SoundFont(path)


def seconds(timecents: int) -> float:
    return 2 ** (timecents / 1200)


@settings(max_examples=40)
@given(drawn=st.lists(ZONES, min_size=1, max_size=4))
def test_regions_are_what_was_written(
    drawn: list[dict[int, object]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "drawn.sf3"
    ranges = (G.KEYS, G.VELOCITIES)
    zones = [
        {kind: int(v[0]) | int(v[1]) << 8 if kind in ranges else int(v) for kind, v in one.items()}
        for one in drawn
    ]
    kept = [one for one in drawn if all(a <= b for a, b in (one.get(k, (0, 1)) for k in ranges))]
    found = font(path, *zones).regions(0, 7)
    assert len(found) == len(kept)
    for region, zone in zip(found, kept, strict=True):
        assert region.keys == zone.get(G.KEYS, (0, 127))
        assert region.velocities == zone.get(G.VELOCITIES, (0, 127))
        assert region.root == zone.get(G.ROOT, 60)
        assert region.tune == pytest.approx(zone.get(G.SEMITONES, 0) + zone.get(G.CENTS, 0) / 100)
        assert region.gain_db == pytest.approx(-ATTENUATED * zone.get(G.ATTENUATION, 0) / 10)
        assert region.pan == pytest.approx(zone.get(G.PAN, 0) / 500)
        assert region.release_s == pytest.approx(
            seconds(zone[G.RELEASE]) if G.RELEASE in zone else 0
        )
        assert region.level.sustain == pytest.approx(zone.get(G.SUSTAIN, 0) / 1000)
        assert region.choke == zone.get(G.CHOKE, 0)
        assert region.loop == ((1000, 30_000) if zone.get(G.LOOPS) else None)
        if G.CUTOFF in zone:
            assert region.cutoff_hz == pytest.approx(
                440 * 2 ** (zone[G.CUTOFF] / 1200 - 5.75), rel=1e-3
            )
        else:
            assert region.cutoff_hz is None


def test_samples_are_decoded_to_where_they_are_asked_for(tmp_path: Path) -> None:
    one = font(tmp_path / "a.sf3", {G.SAMPLE: 0})
    whole = one.sample(0)
    assert whole.shape == (SR,)
    assert np.abs(whole - SINE.wave)[500:-500].max() < 0.02  # Vorbis
    np.testing.assert_array_equal(one.sample(0, 1234), whole[:1234])


@pytest.mark.parametrize("kept", [soundfont.MAX_BYTES, 0])
def test_what_is_kept_of_a_sample_does_not_change_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr(soundfont, "MAX_BYTES", kept)
    monkeypatch.setattr(soundfont, "USUAL_SAMPLES", 1000)
    low = Sample("low", 0.5 * tone(SR), SR, (1000, 30_000))
    one = font(tmp_path / "a.sf3", {G.SAMPLE: 0}, {G.SAMPLE: 1}, samples=(SINE, low))
    whole = [SoundFont(one.path).sample(number) for number in (0, 1)]
    for n_samples in (700, 1700, 1, 9000, SR, 2 * SR, 5):
        for number in (0, 1):
            np.testing.assert_array_equal(one.sample(number, n_samples), whole[number][:n_samples])


def test_a_ctrl_c_is_not_lost_in_the_decoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pressed(BytesIO):
        """Someone presses Ctrl-C once while these bytes are read."""

        presses = 1

        def readinto(self, *where: Any) -> int:
            if Pressed.presses:
                Pressed.presses -= 1
                os.kill(os.getpid(), signal.SIGINT)
            return super().readinto(*where)

    one = font(tmp_path / "a.sf3", {G.SAMPLE: 0})
    monkeypatch.setattr(soundfont, "BytesIO", Pressed)
    with pytest.raises(KeyboardInterrupt):
        one.sample(0)


def test_the_same_font_is_the_same_bytes(tmp_path: Path) -> None:
    """Encoders draw a number for each Ogg stream; the pages' checksums still hold."""
    noise = Sample("noise", np.random.default_rng(0).normal(0, 0.1, SR).astype(np.float32), SR)
    for name in ("a.sf3", "b.sf3"):
        font(tmp_path / name, {G.SAMPLE: 0}, {G.SAMPLE: 1}, samples=(SINE, noise))
    one, other = ((tmp_path / name).read_bytes() for name in ("a.sf3", "b.sf3"))
    assert one == other
    assert len(SoundFont(tmp_path / "a.sf3").sample(1)) == SR


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:0],
        lambda data: data[:40],
        lambda data: b"RIFF, but not really",
        lambda data: data.replace(b"phdr", b"xxxx"),
        lambda data: data.replace(b"smpl", b"xxxx"),
        lambda data: data[:-50],
    ],
)
def test_what_is_no_soundfont_is_named(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "some.sf2"
    font(path, {G.SAMPLE: 0})
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ThirdstreamError, match=r"some\.sf2: .*(no readable soundfont|cannot)"):
        SoundFont(path).regions(0, 7)


def test_what_leads_out_of_the_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lost.sf3"
    with pytest.raises(ThirdstreamError, match=r"lost\.sf3: .*preset 0:7 leads nowhere"):
        font(path, {G.SAMPLE: 9}).regions(0, 7)
    one = font(path, {G.SAMPLE: 0})
    data = path.read_bytes()
    path.write_bytes(data.replace(b"OggS", b"XXXX"))
    one = SoundFont(path)
    with pytest.raises(ThirdstreamError, match=r"lost\.sf3: .*sample sine is damaged"):
        one.sample(0)
    with pytest.raises(ThirdstreamError, match=r"none\.sf2: cannot be read"):
        SoundFont(tmp_path / "none.sf2")


def test_a_file_that_has_changed_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.sf3"
    font(path, {G.SAMPLE: 0, G.ROOT: 60})
    assert opened(path) is opened(path)
    assert opened(path).regions(0, 7)[0].root == 60
    font(path, {G.SAMPLE: 0, G.ROOT: 61}, {G.SAMPLE: 0})
    assert opened(path).regions(0, 7)[0].root == 61


@settings(max_examples=150)
@given(data=st.data())
def test_no_damage_does_more_than_be_named(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Bytes of the tables changed at random: a ThirdstreamError, or a tone that is finite."""
    path = tmp_path_factory.getbasetemp() / "fuzzed.sf3"
    font(path, {G.SAMPLE: 0, G.LOOPS: 1}, {G.SAMPLE: 0, G.CUTOFF: 9000, G.ATTENUATION: 10})
    content = bytearray(path.read_bytes())
    tables = content.index(b"pdta")
    for _ in range(data.draw(st.integers(1, 12))):
        content[data.draw(st.integers(tables, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    try:
        one = SoundFont(path)
        for place in one.presets:
            for region in one.regions(*place):
                wave = made(one, Tone(region, 60, 0.0), 2000)
                assert len(wave) <= 2000
                assert np.isfinite(wave).all()
    except ThirdstreamError as error:
        assert "fuzzed.sf3" in str(error)


def test_a_region_sounds_for_its_keys_and_velocities() -> None:
    region = SoundFont(ORCHESTRA).regions(0, 0)[0]
    assert isinstance(region, Region)
    low, high = region.keys
    soft, hard = region.velocities
    assert region.sounds(low, soft) and region.sounds(high, hard)
    assert not region.sounds(high + 1, soft) and not region.sounds(low, hard + 1)
