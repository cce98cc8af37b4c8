"""What plays scores and comes from PyPI: python benchmarks/players.py FONT.sf2 [PLAYER ...]

A minute of piano, eight notes a second, and what becomes of velocity, pan and the pitch wheel. The
others are not installed with thirdstream: pip install tinysoundfont symusic midirenderer pysfizz.
"""

import io
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
import tyro

from tables import show
from thirdstream.audio import SR, Wave
from thirdstream.notes.io.midi import write_midi
from thirdstream.notes.rendering import synthesiser
from thirdstream.notes.rendering.soundfont import SoundFont
from thirdstream.notes.types import Note, Song, Track

SECONDS = 60


def thirdstream(song: Song, font: Path, n_samples: int) -> Wave:
    return synthesiser.play(song, font, n_samples)


def tinysoundfont(song: Song, font: Path, n_samples: int) -> Wave:
    from tinysoundfont import Sequencer, Synth

    with TemporaryDirectory() as folder:
        write_midi(Path(folder) / "song.mid", song)
        synth = Synth(samplerate=SR)
        synth.sfload(str(font))
        sequencer = Sequencer(synth)
        sequencer.midi_load(str(Path(folder) / "song.mid"))
        blocks = []
        for start in range(0, n_samples, 512):
            sequencer.process(512 / SR)
            blocks.append(np.frombuffer(synth.generate(min(512, n_samples - start)), np.float32))
    return np.concatenate(blocks).reshape(-1, 2).T


def symusic(song: Song, font: Path, n_samples: int) -> Wave:
    from symusic import Score, Synthesizer

    with TemporaryDirectory() as folder:
        write_midi(Path(folder) / "song.mid", song)
        score = Score(str(Path(folder) / "song.mid"))
    return np.asarray(Synthesizer(str(font), SR).render(score, stereo=True))[:, :n_samples]


def midirenderer(song: Song, font: Path, n_samples: int) -> Wave:
    import midirenderer

    with TemporaryDirectory() as folder:
        write_midi(Path(folder) / "song.mid", song)
        midi = (Path(folder) / "song.mid").read_bytes()
    wav = midirenderer.render_wave_from(font.read_bytes(), midi)
    wave, sr = soundfile.read(io.BytesIO(wav), dtype="float32")  # 16 bits, 48,000 Hz
    return np.repeat(wave.T, 2, axis=0)[:2] if wave.ndim == 1 else wave.T[:, : n_samples * sr // SR]


def pysfizz(song: Song, font: Path, n_samples: int) -> Wave:
    from pysfizz import Synth

    events = []
    for note in song.tracks[0].notes:
        start, end = (round(at * 60 / song.beats_per_minute * SR) for at in (note.start, note.end))
        events += [(start, True, note), (end, False, note)]
    events.sort(key=lambda event: event[:2])
    with TemporaryDirectory() as folder:
        synth = Synth(SR, 1024)
        synth.load_sfz_file(sfz(SoundFont(font), Path(folder)))
        synth._synth.set_sample_quality(2)
        synth._synth.set_num_voices(256)
        synth._synth.cc(0, 10, song.tracks[0].pan)
        synth._synth.pitch_wheel(0, round(song.tuning / 2 * 8191))
        blocks = []
        for start in range(0, n_samples, 1024):
            while events and events[0][0] < start + 1024:
                at, on, note = events.pop(0)
                strike = synth._synth.note_on if on else synth._synth.note_off
                strike(at - start, note.pitch, note.velocity)
            blocks.append(np.array(synth._synth.render_block()))
    return np.concatenate(blocks, axis=1)[:, :n_samples]


def sfz(font: SoundFont, folder: Path) -> Path:
    """The piano of a soundfont as an SFZ instrument."""
    lines = ["<global> bend_up=200 bend_down=-200 ampeg_release=0.3"]
    for region in font.regions(0, 0):
        wav = folder / f"{region.sample}.wav"
        if not wav.exists():
            soundfile.write(wav, font.sample(region.sample), font.rate(region.sample))
        loop = region.loop or (0, 0)
        lines.append(
            f"<region> sample={wav.name} lokey={region.keys[0]} hikey={region.keys[1]} "
            f"lovel={region.velocities[0]} hivel={region.velocities[1]} "
            f"pitch_keycenter={region.root} pan={100 * region.pan} volume={region.gain_db} "
            f"loop_mode={'loop_continuous' if region.loop else 'no_loop'} "
            f"loop_start={loop[0]} loop_end={loop[1] - 1}"
        )
    path = folder / "piano.sfz"
    path.write_text("\n".join(lines))
    return path


PLAYERS: list[Callable[[Song, Path, int], Wave]] = [
    thirdstream, tinysoundfont, symusic, midirenderer, pysfizz,
]  # fmt: skip


def measured(player: Callable[[Song, Path, int], Wave], font: Path) -> list[str]:
    def one(velocity: int = 100, pan: int = 64, tuning: float = 0.0) -> Wave:
        track = Track("piano", 0, (Note(0.0, 2.0, 69, velocity),), pan=pan)
        return player(Song((track,), 60.0, tuning=tuning), font, 2 * SR)

    def rms_db(wave: Wave) -> float:
        return float(10 * np.log10(np.square(wave, dtype=np.float64).mean() + 1e-12))

    def hz(wave: Wave) -> float:
        power = np.abs(np.fft.rfft(wave.mean(axis=0) * np.hanning(wave.shape[1]), 1 << 19))
        power[: round(400 / SR * (1 << 19))] = power[round(500 / SR * (1 << 19)) :] = 0
        return float(power.argmax())

    rng = np.random.default_rng(0)
    notes = tuple(
        Note(k / 8, 1.0, int(rng.integers(40, 80)), int(rng.integers(40, 110)))
        for k in range(8 * (SECONDS - 2))
    )
    song = Song((Track("piano", 0, notes),), 60.0)
    player(song, font, SR)  # what is loaded once a process
    start = time.perf_counter()
    player(song, font, SECONDS * SR)
    took = time.perf_counter() - start
    side, plain = one(pan=0), one()
    return [
        player.__name__,
        f"{SECONDS / took:.0f}",
        f"{rms_db(plain) - rms_db(one(velocity=50)):.1f}",
        f"{rms_db(side[0]) - rms_db(side[1]):.0f}",
        f"{1200 * np.log2(hz(one(tuning=0.5)) / hz(plain)):.0f}",
        f"{rms_db(plain):.0f}",
    ]


def main(font: Path, *names: str) -> None:
    rows = []
    for player in PLAYERS:
        if not names or player.__name__ in names:
            try:
                rows.append(measured(player, font))
            except Exception as error:  # others' may be missing, or fail as they like
                rows.append([player.__name__, type(error).__name__, *[""] * 4])
    show(
        f"Players of {font.name}",
        ["player", "times real time", "velocity 100 against 50, dB", "pan left, dB",
         "wheel of 50 cents", "level, dB"],
        rows,
    )  # fmt: skip


if __name__ == "__main__":
    tyro.cli(main, description=__doc__, config=(tyro.conf.Positional,))
