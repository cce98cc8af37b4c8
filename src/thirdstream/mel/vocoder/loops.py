"""The inner loops of synthesis, compiled. All numbers are float32, of one row of a batch.

Frames lie one after the other: spectra are (n_frames, 2 n_freqs), real and imaginary parts in turn,
magnitudes (n_frames, n_freqs), frames (n_frames, n_fft). A wave is (n_frames + n_fft / hop - 1,
hop), with half a frame before its first sample and after its last.
"""

import numpy as np

from thirdstream.mel.compiled import compiled

COLUMNS = 128  # of a spectrum that are updated together: they stay in a core's own memory
LEAST = np.float32(1e-30)  # of what is divided by
QUIET = np.float32(1e-12)  # a magnitude as good as none
TURN = np.float32(2 * np.pi)


@compiled
def update(spectrum, numerator, index, weight, n_mels, n_iter):
    """The multiplicative updates of Lee and Seung (2001), of power spectra in place.

    spectrum, numerator: (n_freqs, n_columns), the latter what `FilterBank.spread` makes of the mel
    power. index, weight: (few, n_freqs), those of the filter bank.
    """
    n_freqs, n_columns = spectrum.shape
    mel = np.empty((n_mels, COLUMNS), np.float32)
    denominator = np.empty(COLUMNS, np.float32)
    for first in range(0, n_columns, COLUMNS):
        n = min(COLUMNS, n_columns - first)
        own = spectrum[:, first : first + n].copy()
        wanted = numerator[:, first : first + n].copy()
        for _ in range(n_iter):
            mel[:] = 0
            for k in range(n_freqs):
                for f in range(len(index)):
                    share, into = weight[f, k], mel[index[f, k]]
                    if share > 0:
                        for c in range(n):
                            into[c] += share * own[k, c]
            for k in range(n_freqs):
                denominator[:] = 0
                for f in range(len(index)):
                    share, of = weight[f, k], mel[index[f, k]]
                    if share > 0:
                        for c in range(n):
                            denominator[c] += share * of[c]
                for c in range(n):
                    own[k, c] *= wanted[k, c] / max(denominator[c], LEAST)
        spectrum[:, first : first + n] = own


@compiled
def overlap(frames, window, scale, known, wave):
    """Fill `wave` from frames: windowed, added up, and divided by the sum of squared windows.

    scale: as the wave, by what samples are multiplied, 0 outside of it. known: its first samples,
    which are kept.
    """
    n_frames, n_fft = frames.shape
    hop = wave.shape[1]
    n_parts = n_fft // hop
    for j in range(len(wave)):
        row = wave[j]
        row[:] = 0
        for part in range(max(0, j - n_frames + 1), min(n_parts, j + 1)):
            of, shape = frames[j - part, part * hop :], window[part * hop :]
            for s in range(hop):
                row[s] += of[s] * shape[s]
        by = scale[j]
        for s in range(hop):
            row[s] *= by[s]
    samples = wave.reshape(-1)[n_fft // 2 :]
    for s in range(len(known)):
        samples[s] = known[s]


@compiled
def frame(wave, window, frames):
    """Fill `frames` with the windowed frames of a wave."""
    hop = wave.shape[1]
    samples = wave.reshape(-1)
    for t in range(len(frames)):
        into, of = frames[t], samples[t * hop :]
        for s in range(frames.shape[1]):
            into[s] = of[s] * window[s]


@compiled
def accelerate(projected, spectrum, before, ahead, magnitude, steps):
    """One step of accelerated Griffin-Lim, from what has been projected onto spectra of waves.

    projected: read. spectrum: set, to the phases found, with the wanted magnitudes. before, ahead:
    t and d of the last step, which become those of this one. steps: alpha, beta, gamma.
    """
    alpha, beta, gamma = steps
    tiny = np.float32(1e-32)
    for t in range(len(magnitude)):
        p, s, b, a, wanted = projected[t], spectrum[t], before[t], ahead[t], magnitude[t]
        for k in range(len(wanted)):
            re, im = p[2 * k], p[2 * k + 1]
            re = a[2 * k] + gamma * (re - a[2 * k])
            im = a[2 * k + 1] + gamma * (im - a[2 * k + 1])
            more_re, more_im = re - b[2 * k], im - b[2 * k + 1]
            b[2 * k], b[2 * k + 1] = re, im
            a[2 * k], a[2 * k + 1] = re + beta * more_re, im + beta * more_im
            re, im = re + alpha * more_re, im + alpha * more_im
            scale = wanted[k] / np.sqrt(max(re * re + im * im, tiny))
            s[2 * k], s[2 * k + 1] = scale * re, scale * im


@compiled
def propagate(magnitude, angle, units, advance, goes_on):
    """Phases that are propagated from frame to frame, see `phases`.

    angle: (n_freqs,) of the frame before, of its middle, which becomes the last one's. units: as a
    spectrum, filled with unit numbers. advance: by how much the phase of bin 1 grows in a hop.
    goes_on: whether there is a frame before; else the first frame's phases are `angle`.
    """
    n_frames, n_freqs = magnitude.shape
    peaks = np.empty(n_freqs, np.int64)
    grown = np.empty_like(angle)
    for t in range(n_frames):
        own = magnitude[t]
        n_peaks = _find_peaks(own, peaks)
        first = 0
        for number in range(n_peaks):
            peak, end = peaks[number], n_freqs
            if number + 1 < n_peaks:
                end = (peak + peaks[number + 1]) // 2 + 1
            if t > 0 or goes_on:
                turn = angle[peak] + advance * (np.float32(peak) + _offset(own, peak))
                grown[first:end] = turn - TURN * np.floor(turn / TURN)
            else:
                grown[first:end] = angle[first:end]
            re, im = np.cos(grown[peak]), np.sin(grown[peak])
            for k in range(first, end):
                sign = np.float32(1 - 2 * (k % 2))
                units[t, 2 * k], units[t, 2 * k + 1] = sign * re, sign * im
            first = end
        angle[:] = grown


@compiled
def _find_peaks(own, peaks):
    """The bins above both their neighbours, in `peaks`; how many. Without any, every bin is one."""
    n_peaks = 0
    for k in range(1, len(own) - 1):
        if own[k] >= own[k - 1] and own[k] > own[k + 1]:
            peaks[n_peaks] = k
            n_peaks += 1
    if n_peaks:
        return n_peaks
    peaks[:] = np.arange(len(own))
    return len(own)


@compiled
def _offset(own, peak):
    """How far above its bin a peak lies, from -0.5 to 0.5, by a parabola through logarithms."""
    if peak in (0, len(own) - 1):
        return np.float32(0)
    below, middle, above = (
        np.log(max(own[peak - 1], QUIET)),
        np.log(max(own[peak], QUIET)),
        np.log(max(own[peak + 1], QUIET)),
    )
    bend = below - 2 * middle + above
    if bend >= 0:
        return np.float32(0)
    return min(max((below - above) / 2 / min(bend, -QUIET), np.float32(-0.5)), np.float32(0.5))
