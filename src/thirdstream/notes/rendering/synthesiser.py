"""Song -> sound, dry: a sampler that plays soundfonts, of any length in flat memory.

A note is a voice for each region that its key and velocity choose: the region's sample at the pitch
of the key, which many notes share, with the note's own level, place and end. All that begins slowly
is begun earlier, so that its perceived onset is where it is written: that of a bowed string is when
it has grown to some 12 dB below its loudest (Vos and Rasch 1981: 6 to 15 dB).
"""

import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from thirdstream.audio import SR, Wave
from thirdstream.notes.rendering.soundfont import DRUM_BANK, Region, SoundFont, opened
from thirdstream.notes.rendering.tones import FALL_DB, Tone, made
from thirdstream.notes.types import Song, Track

ORCHESTRA = Path(__file__).with_name("orchestra.sf3")  # the one that comes along
TAKE = re.compile(r" take \d$")  # at the end of the name of a preset that is another one's take
VERSION = "sampler 2"  # raise it when the same song sounds otherwise
BLOCK = 1 << 16  # samples rendered at a time
GAIN = 0.25  # of a note at full velocity; the level is set at the end
AUDIBLE = 10 ** (-12 / 20)  # of a note's highest level
ONSET_S, LONGEST_LAG_S = 0.5, 0.12  # of a note that is looked at; the longest lag there is
SMOOTH = SR // 100  # samples over which levels are taken
ENOUGH_DB = 60.0  # after falling by so much, a note is over
CHOKE_S = 0.02  # in which one note ends another, and the shortest release
MAX_BYTES = 128_000_000  # of tones that are kept


@dataclass(frozen=True)
class Voice:
    """A tone that sounds: from `start` for n_held samples, then released over release_s (100 dB).

    gain: of its tone. sides: shares of the left and the right one. bends: samples after `start`,
    and semitones from then on.
    """

    start: int
    n_held: int
    tone: Tone
    gain: float
    sides: tuple[float, float]
    release_s: float
    bends: tuple[tuple[int, float], ...] = ()

    @property
    def n_release(self) -> int:
        """Samples from its release until it is over."""
        return round(self.release_s * SR * ENOUGH_DB / FALL_DB)

    @property
    def n_tone(self) -> int:
        """Samples of its tone that it takes; more than it sounds for, where it bends upwards."""
        highest = max((semitones for _, semitones in self.bends), default=0.0)
        return math.ceil((self.n_held + self.n_release) * max(2 ** (highest / 12), 1)) + 2


def play(song: Song, soundfont: Path, n_samples: int) -> Wave:
    """A song at its own tempo: (2, n_samples). Raises ThirdstreamError as `stream` does."""
    return np.concatenate(list(stream(song, soundfont, n_samples)), axis=1)


def stream(song: Song, soundfont: Path, n_samples: int) -> Iterator[Wave]:
    """A song at its own tempo: blocks (2, n), n_samples at 44,100 Hz in all.

    An instrument that the soundfont lacks is played by the one whose program number is nearest.
    Raises ThirdstreamError where the soundfont is not readable.
    """
    sampler = Sampler(opened(soundfont), song)
    voices, place = sampler.voices, 0
    lines: dict[tuple[float, float], _Line] = {}
    for start in range(0, n_samples, BLOCK):
        while place < len(voices) and voices[place].start < start + BLOCK:
            voice, place = voices[place], place + 1
            if voice.sides not in lines:
                lines[voice.sides] = _Line()
            line = lines[voice.sides]
            for at, wave in sampler.sounds(voice):
                line.add(voice.start + at - start, wave, voice.gain)
        both = np.zeros((2, BLOCK), np.float32)
        for sides, line in lines.items():
            block = line.taken()
            for number, share in enumerate(sides):
                both[number] += np.float32(share) * block
        yield both[:, : min(BLOCK, n_samples - start)]


class _Line:
    """The sum of all that sounds from one place between the sides, from the next block on."""

    def __init__(self) -> None:
        self._wave, self._n_samples = np.zeros(2 * BLOCK, np.float32), 0

    def add(self, first: int, wave: Wave, gain: float) -> None:
        """A wave so many samples later, or with so many of its own left out, if it is negative."""
        wave, first = wave[max(-first, 0) :], max(first, 0)
        end = first + len(wave)
        if end > len(self._wave):
            self._wave = np.pad(self._wave, (0, end))
        self._wave[first:end] += np.float32(gain) * wave
        self._n_samples = max(self._n_samples, end)

    def taken(self) -> Wave:
        """The next BLOCK samples."""
        block, n_left = self._wave[:BLOCK].copy(), max(self._n_samples - BLOCK, 0)
        self._wave[:n_left] = self._wave[BLOCK:][:n_left]
        self._wave[n_left:][:BLOCK] = 0
        self._n_samples = n_left
        return block


class Sampler:
    """A soundfont that plays a song; it keeps the tones that it has made, within MAX_BYTES.

    voices: all of the song, by their start.
    """

    def __init__(self, font: SoundFont, song: Song) -> None:
        self.font = font
        self.sounding = cache(self._sounding)
        self.lag = cache(self._lag)
        voices = [voice for track in song.tracks for voice in self._voices(track, song)]
        self.voices = sorted(voices, key=lambda voice: voice.start)
        self._longest: dict[Tone, int] = {}
        self._starts: dict[Tone, list[int]] = {}
        for voice in self.voices:
            self._longest[voice.tone] = max(voice.n_tone, self._longest.get(voice.tone, 0))
            self._starts.setdefault(voice.tone, []).append(voice.start)
        self._tones: dict[Tone, Wave] = {}
        self._n_bytes = 0

    def _voices(self, track: Track, song: Song) -> list[Voice]:
        """All voices of a track's notes, with takes by turns."""
        rate = 60 / song.beats_per_minute * SR
        takes, taken = self.takes(track), Counter[int]()
        tuning = 0.0 if track.is_drums else song.tuning
        result: list[Voice] = []
        for note in sorted(track.notes) if takes else ():
            preset = takes[taken[note.pitch] % len(takes)]
            taken[note.pitch] += 1
            end = max((up for down, up in track.pedals if down <= note.end < up), default=note.end)
            regions = self.sounding(preset, note.pitch, note.velocity)
            lag = 0 if track.is_drums else min(map(self.lag, regions), default=0)
            start = round(note.start * rate) - lag
            for region in regions:
                n_held = max(round(end * rate) - start, 0)
                release_s = max(region.release_s, CHOKE_S)
                over = start + n_held + round(release_s * SR)
                bends = _bends(track.bends, start=start, end=over, rate=rate)
                gain, sides = GAIN * (note.velocity / 127) ** 2, _sides(region, track.pan)
                tone = Tone(region, note.pitch, tuning)
                result.append(Voice(start, n_held, tone, gain, sides, release_s, bends))
        return _choked(result)

    def takes(self, track: Track) -> tuple[tuple[int, int], ...]:
        """The presets, (bank, program), that a track's notes go by turns to.

        They are the one that the track asks for, or the nearest there is, and those that are called
        like it, with "take 2" and so on behind. A kit that is not there is played by the first one.
        """
        whole = [place for place, name in self.font.presets.items() if not TAKE.search(name)]
        among = [place for place in whole if (place[0] == DRUM_BANK) == track.is_drums]
        if not among:
            return ()
        first = min(among, key=lambda place: _far(place, track.program))
        if track.is_drums and first[1] != track.program:
            first = min(among)
        names = {name: place for place, name in self.font.presets.items()}
        others = (names.get(f"{self.font.presets[first]} take {k}") for k in range(2, 9))
        return (first, *(place for place in others if place is not None))

    def _sounding(self, preset: tuple[int, int], key: int, velocity: int) -> tuple[Region, ...]:
        return self.font.struck(*preset, key=key, velocity=velocity)

    def _lag(self, region: Region) -> int:
        """Samples from the beginning of a region to its perceived onset."""
        wave = made(self.font, Tone(region, region.root, 0.0), round(ONSET_S * SR))
        sums = np.cumsum(np.pad(np.square(wave, dtype=np.float64), SMOOTH // 2))
        level = sums[SMOOTH:] - sums[:-SMOOTH]
        lag = int(np.argmax(level >= AUDIBLE**2 * level.max(initial=0.0))) if len(level) else 0
        return min(lag, round(LONGEST_LAG_S * SR))

    def tone(self, voice: Voice) -> Wave:
        """A voice's tone, held for as long as the song asks for, or until it is over."""
        tone = voice.tone
        if tone not in self._tones:
            while self._n_bytes > MAX_BYTES:  # forget what is asked for again the latest
                last = max(self._tones, key=lambda one: self._asked_after(voice.start, one))
                self._n_bytes -= self._tones.pop(last).nbytes
            self._tones[tone] = made(self.font, tone, self._longest[tone])
            self._n_bytes += self._tones[tone].nbytes
        return self._tones[tone]

    def _asked_after(self, place: int, tone: Tone) -> float:
        """Where it begins the next time."""
        starts = self._starts[tone]
        at = bisect_right(starts, place)
        return starts[at] if at < len(starts) else math.inf

    def sounds(self, voice: Voice) -> Iterator[tuple[int, Wave]]:
        """A voice without its gains: as it is held, and as it is released; each with the sample of
        it that is its first."""
        n_samples = voice.n_held + voice.n_release
        wave = self._bent(voice, n_samples) if voice.bends else self.tone(voice)[:n_samples]
        yield 0, wave[: voice.n_held]
        if len(released := wave[voice.n_held :]):
            yield voice.n_held, released * _release(voice.n_release)[: len(released)]

    def _bent(self, voice: Voice, n_samples: int) -> Wave:
        """The tone along its bends, by linear interpolation."""
        ratio = np.ones(n_samples)
        for after, semitones in voice.bends:
            ratio[max(after, 0) :] = 2 ** (semitones / 12)
        tone = self.tone(voice)
        places = np.cumsum(ratio) - ratio[:1]
        places = places[: np.searchsorted(places, len(tone) - 1)]
        return np.interp(places, np.arange(len(tone)), tone).astype(np.float32)


@cache
def _release(n_samples: int) -> Wave:
    """From 1 to ENOUGH_DB below it, straight in decibels, and to nothing at the end."""
    least = 10 ** (-ENOUGH_DB / 20)
    return ((np.geomspace(1, least, n_samples) - least) / (1 - least)).astype(np.float32)


def _sides(region: Region, pan: int) -> tuple[float, float]:
    """Shares of the left and the right side: equal power between them."""
    angle = (min(max(region.pan + (pan - 64) / 63, -1), 1) + 1) * math.pi / 4
    return math.cos(angle), math.sin(angle)


def _bends(
    bends: tuple[tuple[float, float], ...], *, start: int, end: int, rate: float
) -> tuple[tuple[int, float], ...]:
    """Those within a voice, by samples after its start; rate: samples a quarter note."""
    placed = [(round(beat * rate) - start, semitones) for beat, semitones in bends]
    return (*[p for p in placed if p[0] <= 0][-1:], *[p for p in placed if 0 < p[0] < end - start])


def _choked(voices: list[Voice]) -> list[Voice]:
    """The voices, each ended when a later one of its choke class begins."""
    result, following = [], {}  # by class: the first start from here on, and the next after it
    for voice in sorted(voices, key=lambda voice: -voice.start):
        choke = voice.tone.region.choke
        first, second = following.get(choke, (math.inf, math.inf))
        if voice.start < first:
            first, second = voice.start, first
            following[choke] = first, second
        if choke and second < voice.start + voice.n_held + voice.release_s * SR:
            n_held = min(voice.n_held, int(second) - voice.start)
            result.append(replace(voice, n_held=n_held, release_s=CHOKE_S))
        else:
            result.append(voice)
    return result


def _far(place: tuple[int, int], program: int) -> tuple[bool, int, int]:
    """How far a preset is from a program: other banks are farther."""
    bank, number = place
    return bank not in (0, DRUM_BANK), abs(number - program), number
