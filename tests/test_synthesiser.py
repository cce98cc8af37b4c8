"""The synthesiser: notes sound when, as high, as loud and where they are written."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thirdstream.audio import SR, Wave
from thirdstream.files import ThirdstreamError
from thirdstream.notes.io.midi import write_midi
from thirdstream.notes.rendering import play
from thirdstream.notes.rendering import synthesiser as module
from thirdstream.notes.rendering.soundfont import Envelope, Generator, SoundFont, opened
from thirdstream.notes.rendering.synthesiser import BLOCK, Sampler, stream
from thirdstream.notes.rendering.tones import Tone, low_passed, made
from thirdstream.notes.timing import Timing, timed
from thirdstream.notes.types import Note, Song, Track

sys.path.append(str(Path(__file__).parents[1] / "recipes"))
from soundfont_writer import Preset, Sample, write

G = Generator
ABOUT = {"INAM": "a test"}
HZ = 441.0  # a hundred samples
SINE = Sample("sine", (0.5 * np.sin(2 * np.pi * np.arange(SR) / 100)).astype(np.float32), SR,
              (10_000, 20_000))  # fmt: skip
NOISE = Sample("noise", np.random.default_rng(0).normal(0, 0.2, SR).astype(np.float32), SR)
HELD = {G.SAMPLE: 0, G.ROOT: 69, G.LOOPS: 1}


def font(
    path: Path, *zones: dict[int, int], name: str = "one", more: tuple[Preset, ...] = ()
) -> Path:
    write(path, [Preset(0, 0, name, zones), *more], [SINE, NOISE], about=ABOUT, quality=0.9)
    return path


@pytest.fixture(scope="module")
def sine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A looped sine of 441 Hz at the key of A."""
    return font(tmp_path_factory.mktemp("font") / "sine.sf3", HELD)


def song(*notes: Note, tuning: float = 0.0, **track: object) -> Song:
    """At 60 quarter notes a minute: one a second."""
    return Song((replace(Track("one", 0, notes), **track),), 60.0, tuning=tuning)


def rms(wave: Wave) -> float:
    return float(np.sqrt(np.square(wave, dtype=np.float64).mean()))


def hz_of(wave: Wave) -> float:
    """Of the strongest partial, by the phase's advance over a tenth of a second."""
    n = 1 << 16
    bins = np.abs(np.fft.rfft(wave[:n] * np.hanning(min(n, len(wave))), 4 * n))
    return float(bins.argmax()) * SR / (4 * n)


@settings(max_examples=25)
@given(
    key=st.integers(45, 93),
    tuning=st.floats(-1.0, 1.0),  # A = 415 to 466 Hz
    length=st.floats(2.0, 6.0),
)
def test_a_key_sounds_at_its_pitch_for_as_long_as_it_is_held(
    key: int, tuning: float, length: float, sine: Path
) -> None:
    wave = play(song(Note(0.0, length, key, 100), tuning=tuning), sine, 7 * SR)
    wanted = HZ * 2 ** ((key - 69 + tuning) / 12)
    assert 1200 * np.log2(hz_of(wave[0, SR // 10 :]) / wanted) == pytest.approx(0, abs=5)
    n_on = round(length * SR)
    assert rms(wave[0, n_on - 4410 : n_on]) == pytest.approx(rms(wave[0, 4410:8820]), rel=0.05)
    assert not wave[:, n_on + SR // 10 :].any()


@settings(max_examples=25)
@given(velocity=st.integers(1, 127), pan=st.integers(0, 127))
def test_level_goes_with_the_square_of_velocity_and_power_stays_across_the_sides(
    velocity: int, pan: int, sine: Path
) -> None:
    one = play(song(Note(0.0, 1.0, 69, velocity), pan=pan), sine, SR)
    full = play(song(Note(0.0, 1.0, 69, 127)), sine, SR)
    power, most = (np.square([rms(side) for side in wave]).sum() for wave in (one, full))
    assert power == pytest.approx(most * (velocity / 127) ** 4, rel=1e-3)
    angle = np.arctan2(rms(one[1]), rms(one[0]))
    assert angle == pytest.approx(np.pi / 4 * (1 + np.clip((pan - 64) / 63, -1, 1)), abs=1e-3)


def test_a_release_falls_straight_in_decibels(tmp_path: Path) -> None:
    path = font(tmp_path / "a.sf3", HELD | {G.RELEASE: 1200})  # 2 s for 100 dB
    wave = play(song(Note(0.0, 1.0, 69, 127)), path, 3 * SR)[0]
    levels = [20 * np.log10(rms(wave[round(at * SR) :][:882])) for at in (0.95, 1.2, 1.4, 1.6)]
    assert np.diff(levels) == pytest.approx([-11.0, -10.0, -10.0], abs=0.7)


def test_a_tone_rises_and_falls_as_its_envelope_says(tmp_path: Path) -> None:
    said = {G.ATTACK: -1200, G.HOLD: -1200, G.DECAY: 1200, G.SUSTAIN: 200}  # 0.5, 0.5, 2 s; 20 dB
    path = font(tmp_path / "a.sf3", HELD | said)
    wave = made(SoundFont(path), Tone(SoundFont(path).regions(0, 0)[0], 69, 0.0), 3 * SR)
    level = [rms(wave[round(at * SR) :][:441]) * np.sqrt(2) / 0.5 for at in (0.25, 0.75, 1.2, 2.0)]
    assert level[0] == pytest.approx(0.51, abs=0.02)
    assert level[1] == pytest.approx(1.0, abs=0.02)
    assert 20 * np.log10(level[2]) == pytest.approx(-10.2, abs=0.5)
    assert 20 * np.log10(level[3]) == pytest.approx(-20.0, abs=0.5)


@pytest.mark.parametrize("cutoff_hz", [500.0, 3000.0])
def test_a_filter_is_a_butterworth_and_is_swept(cutoff_hz: float, tmp_path: Path) -> None:
    path = font(tmp_path / "a.sf3", {G.SAMPLE: 1})
    region = replace(SoundFont(path).regions(0, 0)[0], cutoff_hz=cutoff_hz)
    wave = NOISE.wave

    def gain_db(out: Wave, hz: float, at: slice = slice(None)) -> float:
        parts = wave[at], out[at]
        before, after = (np.abs(np.fft.rfft(part * np.hanning(len(part)))) for part in parts)
        near = np.abs(np.fft.rfftfreq(len(wave[at]), 1 / SR) / hz - 1) < 0.05
        return 10 * np.log10(np.square(after[near]).sum() / np.square(before[near]).sum())

    out = low_passed(wave, region)
    for octaves in (-2, 0, 1, 2):
        hz = cutoff_hz * 2.0**octaves
        # of the bilinear transform
        ratio = np.tan(np.pi * hz / SR) / np.tan(np.pi * cutoff_hz / SR)
        assert gain_db(out, hz) == pytest.approx(-10 * np.log10(1 + ratio**4), abs=0.8)
    sweep = Envelope(delay_s=0.0, attack_s=0.0, hold_s=0.5, decay_s=1e-3, sustain=1.0)
    swept = low_passed(wave, replace(region, sweep=sweep, sweep_cents=2400.0))
    early, late = slice(0, SR // 2 - 512), slice(SR // 2 + 512, SR)
    assert gain_db(swept, 4 * cutoff_hz, early) == pytest.approx(-3, abs=0.8)
    assert gain_db(swept, cutoff_hz, late) == pytest.approx(-3, abs=0.8)


def test_what_begins_slowly_is_begun_earlier_and_heard_on_time(tmp_path: Path) -> None:
    """A straight rise passes -12 dB after a quarter of it; drums and quick tones stay."""
    slow = font(tmp_path / "slow.sf3", HELD | {G.ATTACK: -2400})  # a quarter of a second
    sampler = Sampler(opened(slow), song(Note(1.0, 1.0, 69, 90)))
    assert sampler.voices[0].start == pytest.approx(SR - SR / 16, abs=SR * 0.006)
    assert sampler.voices[0].start + sampler.voices[0].n_held == 2 * SR
    quick = font(tmp_path / "quick.sf3", HELD)
    assert Sampler(opened(quick), song(Note(1.0, 1.0, 69, 90))).voices[0].start > SR - SR * 0.006
    kit = Preset(128, 0, "kit", [HELD | {G.ATTACK: -2400}])
    drums = font(tmp_path / "kit.sf3", HELD, more=(kit,))
    assert Sampler(opened(drums), song(Note(1.0, 1.0, 69, 90), is_drums=True)).voices[0].start == SR


def test_both_sides_of_a_stereo_sample_begin_together(tmp_path: Path) -> None:
    """Though one is heard later than the other."""
    sides = HELD | {G.PAN: 500}, HELD | {G.PAN: -500, G.ATTACK: -2400}
    voices = Sampler(opened(font(tmp_path / "a.sf3", *sides)), song(Note(1.0, 1.0, 69, 90))).voices
    assert len({voice.start for voice in voices}) == 1
    assert voices[0].sides[0] == pytest.approx(0.0, abs=1e-9)
    assert voices[1].sides[1] == pytest.approx(0.0, abs=1e-9)


def test_a_pedal_holds_notes_until_it_is_up(sine: Path) -> None:
    notes = Note(0.0, 0.5, 69, 90), Note(3.0, 0.5, 69, 90)
    wave = play(song(*notes, pedals=((0.25, 2.0),)), sine, 5 * SR)[0]
    assert rms(wave[round(1.8 * SR) : round(1.9 * SR)]) == pytest.approx(
        rms(wave[4410:8820]), rel=0.05
    )
    assert not wave[round(2.1 * SR) : round(2.9 * SR)].any()
    assert not wave[round(3.6 * SR) :].any()


def test_a_bend_bends_what_sounds_and_what_comes(sine: Path) -> None:
    notes = Note(0.0, 4.0, 69, 90), Note(4.0, 1.0, 69, 90)
    wave = play(song(*notes, bends=((2.0, 2.0), (4.5, 0.0))), sine, 6 * SR)[0]
    for at, semitones in ((0.5, 0.0), (2.5, 2.0), (4.05, 2.0), (4.55, 0.0)):
        part = wave[round(at * SR) :][: round(0.4 * SR)]
        assert hz_of(part) == pytest.approx(HZ * 2 ** (semitones / 12), abs=2.0)


def test_one_drum_ends_another_and_not_itself(tmp_path: Path) -> None:
    zones = [
        {G.SAMPLE: 1, G.KEYS: key | key << 8, G.CHOKE: choke, G.RELEASE: 6000, G.SCALE: 0}
        for key, choke in ((42, 1), (46, 1), (51, 0))
    ]
    path = font(tmp_path / "a.sf3", HELD, more=(Preset(128, 0, "kit", zones),))

    def last_s(*notes: Note) -> float:
        wave = play(song(*notes, is_drums=True), path, 2 * SR)[0]
        return float(np.flatnonzero(wave)[-1]) / SR

    assert last_s(Note(0.0, 0.1, 46, 90)) == pytest.approx(1.0, abs=0.01)
    ended = play(song(Note(0.0, 0.1, 46, 90), Note(0.5, 0.1, 51, 90), is_drums=True), path, SR)
    choked = play(song(Note(0.0, 0.1, 46, 127), Note(0.5, 0.1, 42, 1), is_drums=True), path, SR)
    assert rms(ended[0, SR // 4 : SR // 2]) > 0.01
    assert rms(choked[0, round(0.55 * SR) :]) < 1e-4
    assert rms(ended[0, round(0.55 * SR) :]) > rms(ended[0, SR // 4 : SR // 2])


def test_takes_go_by_turns_for_each_key(tmp_path: Path) -> None:
    other = Preset(1, 0, "one take 2", [HELD | {G.CENTS: 50}])
    sampler = Sampler(
        opened(font(tmp_path / "a.sf3", HELD, more=(other,))),
        song(*(Note(float(k), 0.5, key, 90) for k in range(4) for key in (60, 64))),
    )
    tunes = {
        key: [v.tone.region.tune for v in sampler.voices if v.tone.key == key] for key in (60, 64)
    }
    assert tunes == {60: [0.0, 0.5, 0.0, 0.5], 64: [0.0, 0.5, 0.0, 0.5]}


def test_an_instrument_that_is_not_there_is_played_by_the_nearest(tmp_path: Path) -> None:
    more = (
        Preset(0, 40, "violin", [HELD]),
        Preset(8, 41, "other bank", [HELD]),
        Preset(128, 16, "kit", [HELD]),
    )
    sampler = Sampler(opened(font(tmp_path / "a.sf3", HELD, more=more)), song())
    assert sampler.takes(Track("viola", 41, ())) == ((0, 40),)
    assert sampler.takes(Track("organ", 19, ())) == ((0, 0),)
    assert sampler.takes(Track("kit", 0, (), is_drums=True)) == ((128, 16),)
    assert sampler.takes(Track("kit", 40, (), is_drums=True)) == ((128, 16),)
    without = Sampler(
        opened(font(tmp_path / "b.sf3", HELD)), song(Note(0.0, 1.0, 40, 90), is_drums=True)
    )
    assert without.voices == []


def test_a_stream_in_blocks_is_the_whole_and_notes_before_the_start_are_cut(sine: Path) -> None:
    notes = tuple(Note(k / 3, 2.5, 60 + k % 7, 60 + k) for k in range(20))
    n_samples = 4 * BLOCK + 77
    blocks = list(stream(song(*notes), sine, n_samples))
    assert [block.shape[1] for block in blocks] == [BLOCK] * 4 + [77]
    whole = play(song(*notes), sine, n_samples)
    each = sum(play(song(note), sine, n_samples) for note in notes)
    np.testing.assert_allclose(np.concatenate(blocks, axis=1), whole)
    np.testing.assert_allclose(whole, each, atol=1e-5)


def test_tones_that_do_not_fit_the_memory_are_made_again(
    sine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = tuple(Note(k / 2, 0.5, 60 + k % 5, 90) for k in range(15))
    whole = play(song(*notes), sine, 8 * SR)
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    np.testing.assert_array_equal(play(song(*notes), sine, 8 * SR), whole)


def test_a_song_along_a_tempo_map_keeps_pedals_and_bends_in_time(tmp_path: Path) -> None:
    import mido

    one = song(Note(1.0, 1.0, 69), pedals=((1.0, 3.0),), bends=((2.0, 1.0),))
    along = timed(one, Timing((0.0, 1.0, 3.0, 3.5)), duration_s=9.0)
    (track,) = along.tracks
    assert track.pedals == ((1.0 * 4, 3.5 * 4),)  # at 240 quarter notes a minute
    assert track.bends == ((3.0 * 4, 1.0),)
    write_midi(tmp_path / "a.mid", one)
    now, said = 0, []
    for message in mido.MidiFile(tmp_path / "a.mid").tracks[1]:
        now += message.time
        if message.type == "control_change" and message.control == 64:
            said.append((now / 960, message.value))
        elif message.type == "pitchwheel":
            said.append((now / 960, message.pitch))
    assert said == [(1.0, 127), (2.0, round(8191 / 2)), (3.0, 0)]


def test_a_broken_soundfont_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.sf2").write_bytes(b"RIFF, but not really")
    with pytest.raises(ThirdstreamError, match=r"broken\.sf2: is no readable soundfont"):
        play(song(Note(0.0, 1.0, 60)), tmp_path / "broken.sf2", SR)
