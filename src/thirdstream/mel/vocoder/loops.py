"""The inner loops of synthesis, compiled. All numbers are float32, of one row of a batch.

Frames lie one after the other: spectra are (n_frames, 2 n_freqs), real and imaginary parts in turn,
magnitudes (n_frames, n_freqs), frames (n_frames, n_fft). A wave is (n_frames + n_fft / hop - 1,
hop), with half a frame before its first sample and after its last.
"""

import numpy as np

from thirdstream.mel.compiled import compiled

COLUMNS = 128  # of a spectrum that are updated together: they stay in a core's own memory
LEAST = np.float32(1e-30)  # of what is divided by


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
