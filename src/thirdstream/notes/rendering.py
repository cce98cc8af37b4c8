"""Arrangement -> sound: a synthesiser with a soundfont, a room and a microphone.

FluidSynth's library plays any soundfont (.sf2, .sf3), if it is installed; without it, symusic does,
with the small soundfont that comes inside the wheel of pretty-midi, or any other. Soundfonts are
loaded once a process. The synthesisers' own effects are off: the room is ours. `render` makes a
version of a pair, mono and whole; `stream` follows a recording, of any length, block by block.
"""

import ctypes
import ctypes.util
import math
import os
import random
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from thirdstream.audio import SR, Wave, ahead, exactly, level_of, limited, windows
from thirdstream.files import ThirdstreamError
from thirdstream.notes.arranging import Arrangement
from thirdstream.notes.midi import Song, timed, write_midi
from thirdstream.notes.timing import Timing

TAIL_S = 2.0  # after the last bar, for notes and room to die away
GAIN = 0.5  # of the synthesiser; the level is set at the end
PEAK = 0.84  # safe for lossy formats too
SOUNDFONT_FOLDERS = (
    Path("/usr/share/sounds/sf2"),
    Path("/usr/share/sounds/sf3"),
    Path("/usr/share/soundfonts"),
    Path("/usr/local/share/soundfonts"),
    Path("/opt/homebrew/share/soundfonts"),
    Path("~/.local/share/soundfonts"),
)
COLOUR_HZ = (60.0, 150.0, 400.0, 1000.0, 2500.0, 6000.0, 14000.0)
N_LAYERS = 8  # of loudness, where the synthesiser has none of its own
N_FIR = 2048  # taps of the microphone's colour
LOWEST_HZ = 20.0  # below it is nothing but what soundfonts have of DC
N_HIGH_PASS = SR // 4  # samples for which that filter rings
BLOCK = 1 << 16  # samples rendered at a time
ROOM_BLOCK = 1 << 18  # samples that go through the room at a time
FADE_S = 0.25  # at the end of a recording that is followed
RING_S = 0.3  # before that end, the last notes are let go
TURN_S = 30.0  # of notes that symusic renders at a time
BEST = ("FluidR3_GM.sf2", "MuseScore_General.sf2", "MuseScore_General.sf3", "default-GM.sf2")
fft: Any = scipy.fft  # its types are not those of arrays


@dataclass(frozen=True)
class Room:
    """A reverberant room. decay_s: until the sound is 60 dB weaker. wet: room against direct sound,
    as amplitudes. predelay_s: until the first echo. damping_hz: above it, decay is twice as fast.
    """

    decay_s: float
    wet: float
    predelay_s: float
    damping_hz: float


# From and to; halls for classical music, studios and clubs for jazz.
ROOMS: dict[str, tuple[Room, Room]] = {
    "classical": (Room(1.2, 0.25, 0.012, 3000.0), Room(2.4, 0.6, 0.03, 6000.0)),
    "jazz": (Room(0.3, 0.08, 0.004, 4000.0), Room(0.9, 0.25, 0.012, 8000.0)),
}


@dataclass(frozen=True)
class Scene:
    """Where and how a version is recorded: room, the microphone's gains in dB at COLOUR_HZ, and the
    seed of the room's echoes.
    """

    room: Room
    colour_db: tuple[float, ...]
    seed: int


def draw_scene(style: str, *, seed: str) -> Scene:
    """Draw a room that suits the style, and a microphone's gentle colour (3 dB at most)."""
    rng = random.Random(f"scene {style} {seed}")
    low, high = ROOMS[style]
    drawn = {name: round(rng.uniform(value, getattr(high, name)), 4)
             for name, value in vars(low).items()}  # fmt: skip
    colour = tuple(round(rng.uniform(-3.0, 3.0), 2) for _ in COLOUR_HZ)
    return Scene(Room(**drawn), colour, rng.getrandbits(32))


def render(arrangement: Arrangement, soundfont: Path, scene: Scene) -> Wave:
    """Play an arrangement: (n_samples,) at 44,100 Hz, -20 dB RMS, peaks within 0.84.

    n_samples is that of the bars and TAIL_S more, whatever is played in them. Same arguments on the
    same machine, same samples. Raises ThirdstreamError without a synthesiser or a readable
    soundfont.
    """
    n_samples = math.ceil((arrangement.seconds + TAIL_S) * SR)
    dry = play(arrangement.song, soundfont, n_samples).mean(axis=0)
    wave = recorded(dry, scene)
    n_fade = SR // 4
    wave[-n_fade:] *= np.linspace(1, 0, n_fade, dtype=np.float32)
    level = level_of([wave[None]])
    if level.silent:
        raise ThirdstreamError(f"{soundfont}: plays nothing; choose a General MIDI soundfont")
    return np.concatenate(list(limited([wave[None] * level.gain], ceiling=PEAK)), axis=1)[0]


def stream(
    song: Song, timing: Timing, soundfont: Path, scene: Scene, *, n_samples: int, n_channels: int
) -> Iterator[Wave]:
    """Play a song along a recording's tempo map: blocks (n_channels, n_samples) at 44,100 Hz.

    Quarter note k sounds when the recording's does; there are exactly `n_samples` in all, and the
    last notes die away within them. Two channels are stereo, others hear the same. The level is the
    synthesiser's. In flat memory. Raises ThirdstreamError as `render` does.
    """
    duration_s = n_samples / SR
    ending_s = max(duration_s - RING_S, duration_s / 2)
    following = timed(song, timing, duration_s=ending_s)
    if fluidsynth() is not None:
        players = [
            ahead(stream_fluidsynth(_midi(part), soundfont, n_samples))
            for part in halves(following)
        ]
        dry = (one + other for one, other in zip(*players, strict=True))
    else:
        dry = stream_symusic(following, soundfont, n_samples)
    wet = exactly(
        in_room(dry, scene, n_channels=n_channels),
        n_samples=n_samples,
        n_channels=n_channels,
    )
    n_fade, n_done = min(round(FADE_S * SR), n_samples), 0
    for block in wet:
        n_left = n_samples - n_done - np.arange(block.shape[1])
        n_done += block.shape[1]
        yield block * np.minimum(1.0, n_left / n_fade).astype(np.float32)


def halves(song: Song) -> tuple[Song, Song]:
    """Two songs that sound like one when they are played together, so that two cores play it.

    Keys go by turns to one and the other, so all notes of a key stay together: one may end another.
    Drums end one another across keys and stay whole.
    """

    def half(side: int) -> Song:
        tracks = (
            replace(
                t, notes=tuple(n for n in t.notes if (0 if t.is_drums else n.pitch % 2) == side)
            )
            for t in song.tracks
        )
        return replace(song, tracks=tuple(tracks))

    return half(0), half(1)


def in_room(dry: Iterable[Wave], scene: Scene, *, n_channels: int) -> Iterator[Wave]:
    """Stereo blocks (2, n_samples) in their room, through the microphones, by overlap-add.

    The direct sound keeps its side; each side hears echoes of its own, of what all play. Any other
    number of channels than two hears one microphone. Yields (n_channels, n_samples) blocks.
    """
    colour = _colour(scene.colour_db)
    n_sides = 2 if n_channels == 2 else 1
    echoes = np.stack([response(scene.room, seed=scene.seed + side) for side in range(n_sides)])
    n_tail = echoes.shape[1] + N_FIR + N_HIGH_PASS
    n_fft = fft.next_fast_len(ROOM_BLOCK + n_tail, real=True)
    direct = fft.rfft(colour, n_fft) * _high_pass(n_fft)
    echoes[:, 0] = 0.0  # without the direct sound
    tails = fft.rfft(echoes, n_fft, axis=1) * direct
    rest, n_early = np.zeros((n_sides, 0), np.float32), N_FIR // 2
    for block in windows(dry, size=ROOM_BLOCK, hop=ROOM_BLOCK):
        sides = fft.rfft(block, n_fft, axis=1)
        middle = sides.mean(axis=0)
        heard = sides if n_sides == 2 else middle[None]
        wet = fft.irfft(heard * direct + tails * middle, n_fft, axis=1).astype(np.float32)
        wet[:, : rest.shape[1]] += rest
        yield _spread(wet[:, n_early:ROOM_BLOCK], n_channels)
        rest, n_early = wet[:, ROOM_BLOCK : ROOM_BLOCK + n_tail], 0
    yield _spread(rest, n_channels)


def _high_pass(n_fft: int) -> NDArray[np.complex64]:
    """Response of a Butterworth high-pass of second order at 20 Hz: some soundfonts have DC.

    By the bilinear transform. It rings for N_HIGH_PASS samples at most, so it is a factor of what
    is convolved.
    """
    z = np.exp(-2j * np.pi * np.arange(n_fft // 2 + 1) / n_fft)
    k = math.tan(math.pi * LOWEST_HZ / SR)
    rest = math.sqrt(2) * k * (1 - z) * (1 + z) + (k * (1 + z)) ** 2
    return ((1 - z) ** 2 / ((1 - z) ** 2 + rest)).astype(np.complex64)


def _spread(wave: Wave, n_channels: int) -> Wave:
    return wave if len(wave) == n_channels else np.repeat(wave, n_channels, axis=0)


def recorded(dry: Wave, scene: Scene) -> Wave:
    """The sound in its room, through its microphone; (n_samples,), as long as it was."""
    echo = response(scene.room, seed=scene.seed)
    n_fft = fft.next_fast_len(len(dry) + len(echo) + N_FIR, real=True)
    through = fft.rfft(echo, n_fft) * fft.rfft(_colour(scene.colour_db), n_fft)
    wet = fft.irfft(fft.rfft(without_dc(dry), n_fft) * through, n_fft)
    return np.ascontiguousarray(wet[N_FIR // 2 : N_FIR // 2 + len(dry)], dtype=np.float32)


def without_dc(wave: Wave) -> Wave:
    """(n_samples,) through the same high-pass, as the published pairs were, to the last bit."""
    from scipy.signal import butter, sosfilt  # a second

    high_pass: Any = butter(2, LOWEST_HZ, "highpass", fs=SR, output="sos")
    return np.asarray(sosfilt(high_pass, wave))


def response(room: Room, *, seed: int) -> Wave:
    """Impulse response of a room: the direct sound, then noise that dies away.

    Noise as echoes is Moorer's (1979); the part above `damping_hz` dies twice as fast. Its energy
    is `wet` squared, the direct sound's is 1.
    """
    rng = np.random.default_rng(seed)
    t = np.arange(int(room.decay_s * SR), dtype=np.float32) / SR
    noise = rng.standard_normal(len(t), dtype=np.float32)
    spectrum = fft.rfft(noise)
    hz = fft.rfftfreq(len(t), 1 / SR)
    low = fft.irfft(spectrum / (1 + (hz / room.damping_hz) ** 2), len(t)).astype(np.float32)
    decay = np.exp(-math.log(1000) * t / room.decay_s)
    tail = low * decay + (noise - low) * decay**2
    tail *= room.wet / np.sqrt(np.square(tail).sum())
    start = round(room.predelay_s * SR)
    result = np.zeros(start + len(t), np.float32)
    result[start:] = tail
    result[0] += 1.0
    return result


def _colour(gains_db: tuple[float, ...]) -> Wave:
    """Linear-phase filter with these gains at COLOUR_HZ, and straight lines over log frequency."""
    hz = np.maximum(fft.rfftfreq(N_FIR, 1 / SR), 1.0)
    db = np.interp(np.log(hz), np.log(COLOUR_HZ), gains_db)
    taps = np.roll(fft.irfft(10 ** (db / 20), N_FIR), N_FIR // 2)
    return (taps * np.hanning(N_FIR + 1)[:-1]).astype(np.float32)


def best_soundfont() -> Path:
    """The soundfont that recordings are played with: one known to sound well, else the largest.

    Raises ThirdstreamError where there is none.
    """
    found = find_soundfonts()
    if fluidsynth() is None:  # symusic reads no compressed ones
        inside = pretty_midi_soundfont()
        found = [p for p in found if p.suffix.lower() == ".sf2"] or ([inside] if inside else [])
    if not found:
        raise ThirdstreamError(
            "there is no soundfont; install one (Debian: fluid-soundfont-gm), "
            "or pip install 'thirdstream[scores]'"
        )
    known = {path.name: path for path in found}
    named = next((known[name] for name in BEST if name in known), None)
    return named or max(found, key=lambda path: (path.stat().st_size, path.name))


def find_soundfonts() -> list[Path]:
    """Installed soundfonts, sorted, each once; without any, the one inside pretty-midi's wheel."""
    found = {
        path.resolve()
        for folder in SOUNDFONT_FOLDERS
        if (place := folder.expanduser()).is_dir()
        for path in place.iterdir()
        if path.suffix.lower() in (".sf2", ".sf3")
    }
    if not found and (inside := pretty_midi_soundfont()) is not None:
        found = {inside}
    return sorted(found, key=lambda path: (path.name, path))


def pretty_midi_soundfont() -> Path | None:
    """The soundfont inside the installed pretty-midi, which is not imported."""
    try:
        files = metadata.files("pretty_midi") or []
    except metadata.PackageNotFoundError:
        return None
    paths = [Path(str(file.locate())) for file in files if file.suffix == ".sf2"]
    return next((path for path in paths if path.is_file()), None)


def synthesiser() -> str:
    """Name and version of what plays. Raises ThirdstreamError where there is nothing."""
    library = fluidsynth()
    if library is not None:
        library.fluid_version_str.restype = ctypes.c_char_p
        return f"fluidsynth {library.fluid_version_str().decode()}"
    try:
        return f"symusic {metadata.version('symusic')}"
    except metadata.PackageNotFoundError:
        raise ThirdstreamError(
            "there is nothing to play scores with; install FluidSynth, "
            "or pip install 'thirdstream[scores]'"
        ) from None


@cache
def fluidsynth() -> Any:
    """FluidSynth's shared library (version 2 or newer), or None."""
    for name in (ctypes.util.find_library("fluidsynth"), "libfluidsynth.so.3"):
        try:
            library = ctypes.CDLL(name) if name else None
        except OSError:
            library = None
        if library is not None and hasattr(library, "fluid_player_add_mem"):
            for made in ("new_fluid_settings", "new_fluid_synth", "new_fluid_player"):
                getattr(library, made).restype = ctypes.c_void_p
            library.fluid_set_log_function(0, None, None)  # it would write to the terminal
            for level in range(1, 5):
                library.fluid_set_log_function(level, None, None)
            return library
    return None


class _Synth:
    """A FluidSynth with a soundfont; its samples are shared with others of the same soundfont."""

    def __init__(self, soundfont: Path) -> None:
        library = fluidsynth()
        self.settings = ctypes.c_void_p(library.new_fluid_settings())
        for key in (b"synth.reverb.active", b"synth.chorus.active", b"synth.lock-memory"):
            library.fluid_settings_setint(self.settings, key, 0)
        library.fluid_settings_setint(self.settings, b"synth.polyphony", 192)
        for key, value in ((b"synth.gain", GAIN), (b"synth.sample-rate", float(SR))):
            library.fluid_settings_setnum(self.settings, key, ctypes.c_double(value))
        library.fluid_settings_setstr(self.settings, b"player.timing-source", b"sample")
        self.synth = ctypes.c_void_p(library.new_fluid_synth(self.settings))
        if library.fluid_synth_sfload(self.synth, os.fsencode(soundfont), 1) < 0:
            self.close()
            raise _bad(soundfont)

    def close(self) -> None:
        fluidsynth().delete_fluid_synth(self.synth)
        fluidsynth().delete_fluid_settings(self.settings)


def _bad(soundfont: Path) -> ThirdstreamError:
    return ThirdstreamError(f"{soundfont}: is no readable soundfont; give an .sf2 or .sf3 file")


@lru_cache(maxsize=4)
def _kept(soundfont: Path) -> _Synth:
    """Never played: it keeps the soundfont's samples loaded."""
    return _Synth(soundfont)


def _midi(song: Song) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "song.mid"
        write_midi(path, song)
        return path.read_bytes()


def play(song: Song, soundfont: Path, n_samples: int) -> Wave:
    """A song at its own tempo through whichever synthesiser there is, dry: (2, n_samples).

    Raises ThirdstreamError without a synthesiser or a readable soundfont.
    """
    engine = play_fluidsynth if fluidsynth() is not None else play_symusic
    return engine(_midi(song), soundfont, n_samples)


def play_fluidsynth(midi: bytes, soundfont: Path, n_samples: int) -> Wave:
    """A MIDI file through FluidSynth: (2, n_samples)."""
    return np.concatenate(list(stream_fluidsynth(midi, soundfont, n_samples)), axis=1)


def stream_fluidsynth(midi: bytes, soundfont: Path, n_samples: int) -> Iterator[Wave]:
    """A MIDI file through FluidSynth: blocks (2, BLOCK), the last one shorter."""
    _kept(soundfont)
    library, one = fluidsynth(), _Synth(soundfont)
    player = ctypes.c_void_p(library.new_fluid_player(one.synth))
    try:
        library.fluid_player_add_mem(player, midi, ctypes.c_size_t(len(midi)))
        library.fluid_player_play(player)
        for start in range(0, n_samples, BLOCK):
            n = min(BLOCK, n_samples - start)
            sides = np.zeros((2, n), np.float32)
            left, right = (ctypes.c_void_p(side.ctypes.data) for side in sides)
            library.fluid_synth_write_float(one.synth, n, left, 0, 1, right, 0, 1)
            yield sides
    finally:
        library.delete_fluid_player(player)
        one.close()


@lru_cache(maxsize=4)
def _symusic(soundfont: Path) -> Any:
    try:
        from symusic import Synthesizer
    except ImportError as error:
        raise ThirdstreamError(
            "without FluidSynth, playing scores needs symusic; pip install 'thirdstream[scores]'"
        ) from error
    try:
        return Synthesizer(str(soundfont), SR)
    except Exception as error:  # its own errors are plain RuntimeErrors and ValueErrors
        raise _bad(soundfont) from error


def play_symusic(midi: bytes, soundfont: Path, n_samples: int) -> Wave:
    """A MIDI file through symusic: (2, n_samples).

    symusic plays every note equally loud, so notes are played in layers of like velocity, each
    weakened as FluidSynth does it: amplitude goes with the square of velocity.
    """
    synth = _symusic(soundfont)
    from symusic import Score

    result = np.zeros((2, n_samples), np.float32)
    width = 128 // N_LAYERS
    for layer in range(N_LAYERS):
        score: Any = Score.from_midi(midi)
        velocities = []
        for track in score.tracks:
            track.notes.filter(lambda n, layer=layer: n.velocity // width == layer, inplace=True)
            velocities += [note.velocity for note in track.notes]
        if velocities:
            gain = (np.mean(velocities) / 127) ** 2
            played = np.asarray(synth.render(score, stereo=True))[:, :n_samples]
            result[:, : played.shape[1]] += np.float32(gain) * played
    return result


def stream_symusic(song: Song, soundfont: Path, n_samples: int) -> Iterator[Wave]:
    """A song through symusic, the notes of TURN_S at a time: blocks (2, n_samples)."""
    beats = TURN_S * song.beats_per_minute / 60
    n_turn, rest = round(TURN_S * SR), np.zeros((2, 0), np.float32)
    for number in range(math.ceil(n_samples / n_turn)):
        tracks = []
        for track in song.tracks:
            turn = (n for n in track.notes if number * beats <= n.start < (number + 1) * beats)
            moved = (replace(note, start=note.start - number * beats) for note in turn)
            tracks.append(replace(track, notes=tuple(moved)))
        ends = [note.end for track in tracks for note in track.notes]
        n_long = round((max(ends, default=0.0) / beats * TURN_S + TAIL_S) * SR)
        midi = _midi(replace(song, tracks=tuple(tracks)))
        played = play_symusic(midi, soundfont, max(n_long, n_turn, rest.shape[1]))
        played[:, : rest.shape[1]] += rest
        yield played[:, :n_turn]
        rest = played[:, n_turn:]
