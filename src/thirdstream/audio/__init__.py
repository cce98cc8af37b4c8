"""Recordings: read, measure, cut, join and write.

Conventions: a wave is float32, full scale 1.0, shaped (n_channels, n_samples) in blocks and
(n_samples,) where it is mono. Everything works on streams of blocks, so that a recording of any
length needs the memory of a few blocks. Inside the package the rate is 44,100 Hz.
"""

from thirdstream.audio.decoding import BLOCK, AudioError, Wave, info
from thirdstream.audio.level import TARGET_RMS_DB, Level, Meter, centred, level_of, limited
from thirdstream.audio.mixing import mixed
from thirdstream.audio.reading import (
    SUFFIXES,
    VIDEO_SUFFIXES,
    blocks,
    find_recordings,
    measure,
    measured,
    middle,
    middle_start,
    read,
    resampled,
)
from thirdstream.audio.streams import (
    SEGMENT,
    SR,
    Counted,
    ahead,
    channels_of,
    exactly,
    mapped,
    overlap_add,
    windows,
)
from thirdstream.audio.tags import title_of
from thirdstream.audio.writing import WRITERS, ceiling_of, write

__all__ = [
    "BLOCK", "SEGMENT", "SR", "SUFFIXES", "TARGET_RMS_DB", "VIDEO_SUFFIXES", "WRITERS",
    "AudioError", "Counted", "Level", "Meter", "Wave", "ahead", "blocks", "ceiling_of", "centred",
    "channels_of", "exactly", "find_recordings", "info", "level_of", "limited", "mapped",
    "measure", "measured", "middle", "middle_start", "mixed", "overlap_add", "read", "resampled",
    "title_of", "windows", "write",
]  # fmt: skip
