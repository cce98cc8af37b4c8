"""Arrangement -> recording: played by the synthesiser, in a room, through a microphone.

`render` makes a version of a pair, mono and whole; `stream` follows a recording, of any length,
block by block.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from thirdstream.audio import SR, Wave, ahead, exactly, level_of, limited
from thirdstream.files import ThirdstreamError
from thirdstream.notes.arranging import Arrangement
from thirdstream.notes.rendering import synthesiser
from thirdstream.notes.rendering.room import Scene, in_room
from thirdstream.notes.timing import Timing, timed
from thirdstream.notes.types import Song

TAIL_S = 2.0  # after the last bar, for notes and room to die away
PEAK = 0.84  # safe for lossy formats too
FADE_S = 0.25  # at the end
RING_S = 0.3  # before the end of a recording that is followed, the last notes are let go


def render(arrangement: Arrangement, soundfont: Path, scene: Scene) -> Wave:
    """Play an arrangement: (n_samples,) at 44,100 Hz, -20 dB RMS, peaks within 0.84.

    n_samples is that of the bars and TAIL_S more, whatever is played in them. Same arguments, same
    samples. Raises ThirdstreamError without a readable soundfont, and where it plays nothing.
    """
    n_samples = math.ceil((arrangement.seconds + TAIL_S) * SR)
    dry = synthesiser.stream(arrangement.song, soundfont, n_samples)
    wave = np.concatenate(list(_recorded(dry, scene, n_samples=n_samples, n_channels=1)), axis=1)
    level = level_of([wave])
    if level.silent:
        raise ThirdstreamError(f"{soundfont}: plays nothing; choose a General MIDI soundfont")
    return np.concatenate(list(limited([wave * level.gain], ceiling=PEAK)), axis=1)[0]


def stream(
    song: Song, timing: Timing, soundfont: Path, scene: Scene, *, n_samples: int, n_channels: int
) -> Iterator[Wave]:
    """Play a song along a recording's tempo map: blocks (n_channels, n_samples) at 44,100 Hz.

    Quarter note k sounds when the recording's does; there are exactly `n_samples` in all, and the
    last notes die away within them. Two channels are stereo, others are copies of one. The level is
    the synthesiser's. In flat memory. Raises ThirdstreamError without a readable soundfont.
    """
    duration_s = n_samples / SR
    following = timed(song, timing, duration_s=max(duration_s - RING_S, duration_s / 2))
    dry = ahead(synthesiser.stream(following, soundfont, n_samples))
    yield from ahead(_recorded(dry, scene, n_samples=n_samples, n_channels=n_channels))


def _recorded(
    dry: Iterator[Wave], scene: Scene, *, n_samples: int, n_channels: int
) -> Iterator[Wave]:
    """Exactly so many samples of a dry sound in its room, faded out at their end."""
    wet = in_room(dry, scene, n_channels=n_channels)
    n_fade, n_done = min(round(FADE_S * SR), n_samples), 0
    for block in exactly(wet, n_samples=n_samples, n_channels=n_channels):
        n_done += block.shape[1]
        if n_done <= n_samples - n_fade:
            yield block
            continue
        n_left = n_samples - n_done + np.arange(block.shape[1], 0, -1)
        yield block * np.minimum(1.0, n_left / n_fade).astype(np.float32)
