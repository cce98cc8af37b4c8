"""The sound of a collection: its recordings, coded as FLAC in one array.

Not as Ogg Vorbis, a quarter as large: libsndfile does not find every place in it again.
"""

import io
from collections import OrderedDict

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from thirdstream.audio import BLOCK, SR, Wave
from thirdstream.files import ThirdstreamError

HEADROOM = 0.5  # of what is coded: recordings are of -20 dB, and their peaks may pass full scale
N_OPEN = 32  # recordings that are open at a time

Bytes = NDArray[np.uint8]


class Sounds:
    """Recordings at 44.1 kHz, of one or two channels. data: all files, one after the other; ends:
    (n,), where each ends in it."""

    def __init__(self, data: Bytes, ends: NDArray[np.int64]) -> None:
        self.data, self.ends = data, ends
        self._opened: OrderedDict[int, sf.SoundFile] = OrderedDict()

    def read(self, recording: int, start: int, n_samples: int) -> Wave:
        """(n_channels, n_samples) of a recording; what lies outside of it is silence. Raises
        ThirdstreamError where the data are damaged."""
        try:
            file = self._file(recording)
            first = min(max(start, 0), file.frames)
            last = min(max(start + n_samples, first), file.frames)
            file.seek(first)
            found = file.read(last - first, dtype="float32", always_2d=True).T / HEADROOM
        except sf.SoundFileError as error:
            raise ThirdstreamError(
                f"a recording of the index cannot be decoded ({error}); make the index again"
            ) from error
        before = min(max(-start, 0), n_samples)
        after = n_samples - before - found.shape[1]
        return np.pad(found, ((0, 0), (before, after))).astype(np.float32)

    def _file(self, recording: int) -> sf.SoundFile:
        if recording in self._opened:
            self._opened.move_to_end(recording)
            return self._opened[recording]
        start = int(self.ends[recording - 1]) if recording else 0
        file = sf.SoundFile(io.BytesIO(self.data[start : int(self.ends[recording])].tobytes()))
        self._opened[recording] = file
        if len(self._opened) > N_OPEN:
            self._opened.popitem(last=False)[1].close()
        return file


def coded(wave: Wave) -> Bytes:
    """A wave (n_channels, n_samples) at 44.1 kHz, of -20 dB, as a file of `Sounds`."""
    buffer = io.BytesIO()
    with sf.SoundFile(buffer, "w", SR, len(wave), "PCM_16", format="FLAC") as file:
        for at in range(0, wave.shape[1], BLOCK):
            file.write(np.clip(HEADROOM * wave[:, at : at + BLOCK], -1, 1).T)
    return np.frombuffer(buffer.getvalue(), np.uint8)
