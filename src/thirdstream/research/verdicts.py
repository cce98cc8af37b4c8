"""Verdicts on what the paper says of its representation (section 2.2), from what `claims` measured.

Statements are in our words. Each has conditions with thresholds, which are all here: it holds where
all of its conditions are met, holds in part where some are, and does not hold where none is.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from thirdstream.report.html import render

NEAR_ZERO = 1e-3  # of the largest value of a segment: what is at most that is near zero
SPARSE = 0.5  # the share of values near zero, at least
LEADING = 0.1  # of all singular values: the largest ones, whose energy is asked for
ENERGY = 0.95  # the share of the energy that these have, at least
LOW_RANK = 0.1  # the effective rank as a share of the full rank, at most
WORTH = 1 / 3  # by so much of itself a doubling of the mels lowers the error where it is needed
RESTORED = 0.1  # spectral convergence of a wave that is back, at most: -20 dB
MAJORITY = 0.5  # the share of the time, more than that
N_MELS, N_ITER = 256, 32  # mels of the paper; iterations of Griffin-Lim, librosa's default
STFT = (1_024, 259, 311_836)  # bins, frames and values of a segment, as the paper has them

HOLDS, IN_PART, NOT = "holds", "holds in part", "does not hold"
PAPER, OURS = "the paper", "ours"


class Claim(NamedTuple):
    """A statement, whose it is (PAPER or OURS), what came of it, and the numbers behind that."""

    source: str
    statement: str
    verdict: str
    measurement: str


def verdict(*conditions: bool) -> str:
    """Holds where all are met, does not hold where none is, else holds in part."""
    return HOLDS if all(conditions) else IN_PART if any(conditions) else NOT


def percent(share: float, digits: int = 0) -> str:
    """A share from 0 to 1 as it is read: 83 %."""
    return f"{100 * share:.{digits}f} %"


def claims(results: Mapping[str, Any]) -> list[Claim]:
    """All claims about the `results` of `claims.check`, as they are or read back from JSON."""
    found = results["representations"]
    mel, normalised = found["mel power"], found["normalised mel"]
    return [
        is_small(mel, wave=found["waveform power"], stft=found["STFT power"]),
        has_stft_size(int(found["STFT power"]["n_values"])),
        is_sparse(mel, "mel spectrogram", PAPER),
        is_low_rank(mel, "mel spectrogram", PAPER),
        needs_mels({int(n): error for n, error in results["convergence_by_n_mels"].items()}),
        brings_back({int(n): error for n, error in results["convergence_by_n_iter"].items()}),
        takes_most_time(results["seconds"]),
        matters_more(mel, normalised=normalised),
        is_sparse(normalised, "normalised mel spectrogram", OURS),
        is_low_rank(normalised, "normalised mel spectrogram", OURS),
    ]


def is_small(
    mel: Mapping[str, float], *, wave: Mapping[str, float], stft: Mapping[str, float]
) -> Claim:
    """Fewer values than the wave has, and than its STFT has."""
    n, of_wave, of_stft = (int(one["n_values"]) for one in (mel, wave, stft))
    return Claim(
        PAPER,
        "A mel spectrogram has fewer values than the wave and than the STFT.",
        verdict(n < of_wave, n < of_stft),
        f"{n:,} values: {n / of_wave:.2f} of the wave's {of_wave:,}, {n / of_stft:.2f} of the "
        f"STFT's {of_stft:,}",
    )


def has_stft_size(n_found: int, stated: tuple[int, int, int] = STFT) -> Claim:
    """The stated product is the stated number, and that is what an STFT has.

    n_found: values of a segment's STFT. stated: bins, frames, and how many values these are.
    """
    bins, frames, n = stated
    product, found_bins = bins * frames, n_found // frames
    return Claim(
        PAPER,
        f"The STFT of a segment has {bins} x {frames} = {n:,} values.",
        verdict(product == n, n_found == n),
        f"{bins} x {frames} is {product:,}, and {n / frames:g} x {frames} is {n:,}; an STFT "
        f"with n_fft {2 * (found_bins - 1)} has {found_bins} x {frames} = {n_found:,}",
    )


def is_sparse(values: Mapping[str, float], name: str, source: str) -> Claim:
    """Most values are near zero."""
    share = values["near_zero"]
    return Claim(
        source,
        f"A {name} is sparse.",
        verdict(share >= SPARSE),
        f"{percent(share)} of the values are near zero (threshold {percent(SPARSE)})",
    )


def is_low_rank(values: Mapping[str, float], name: str, source: str) -> Claim:
    """The effective rank is small, and few singular values have nearly all of the energy."""
    rank, full, energy = (values[key] for key in ("effective_rank", "full_rank", "leading_energy"))
    return Claim(
        source,
        f"A {name} is low-rank.",
        verdict(rank <= LOW_RANK * full, energy >= ENERGY),
        f"effective rank {rank:.1f} of {full:.0f} (threshold {LOW_RANK * full:.1f}); the first "
        f"{int(LEADING * full)} singular values have {percent(energy, 1)} of the energy (threshold "
        f"{percent(ENERGY)})",
    )


def needs_mels(errors: Mapping[int, float]) -> Claim:
    """Twice as few mels lose much, twice as many gain little. errors: by the number of mels."""
    half, whole, double = (errors[n] for n in (N_MELS // 2, N_MELS, 2 * N_MELS))
    gained, to_gain = 1 - whole / half, 1 - double / whole
    return Claim(
        PAPER,
        f"{N_MELS} mels are the fewest from which the sound comes back well.",
        verdict(gained >= WORTH, to_gain < WORTH),
        f"error {half:.3f} from {N_MELS // 2} mels, {whole:.3f} from {N_MELS}, {double:.3f} from "
        f"{2 * N_MELS}: doublings lower it by {percent(gained)} and {percent(to_gain)} (threshold "
        f"{percent(WORTH)}); no listening test",
    )


def brings_back(errors: Mapping[int, float]) -> Claim:
    """Iterations make most of the wave, and leave little error. errors: by their number."""
    before, after, last = errors[0], errors[N_ITER], max(errors)
    return Claim(
        PAPER,
        "Fast Griffin-Lim brings the sound back from a mel spectrogram.",
        verdict(after <= before / 2, after <= RESTORED),
        f"error {before:.3f} of random phases, {after:.3f} after {N_ITER} iterations (thresholds "
        f"{before / 2:.3f} and {RESTORED:.3f}), {errors[last]:.3f} after {last}",
    )


def takes_most_time(seconds: Mapping[str, float]) -> Claim:
    """Griffin-Lim has the larger share of network, magnitudes and Griffin-Lim together."""
    share = seconds["griffin_lim"] / sum(seconds.values())
    return Claim(
        PAPER,
        "Griffin-Lim takes the majority of the time of a transfer.",
        verdict(share > MAJORITY),
        f"{seconds['griffin_lim']:.3f} s a segment, {seconds['magnitudes']:.3f} s for magnitudes "
        f"from mels, {seconds['network']:.3f} s for the twin CNN of the preset paper: "
        f"{percent(share)} of the time (threshold {percent(MAJORITY)})",
    )


def matters_more(mel: Mapping[str, float], *, normalised: Mapping[str, float]) -> Claim:
    """Fewer values near zero, and a higher effective rank, than before the normalisation."""
    zeros, ranks = ((mel[key], normalised[key]) for key in ("near_zero", "effective_rank"))
    return Claim(
        OURS,
        "Normalisation makes more of the values matter.",
        verdict(zeros[1] < zeros[0], ranks[1] > ranks[0]),
        f"near zero: {percent(zeros[0])} of the mels, {percent(zeros[1])} of the normalised ones; "
        f"effective rank: {ranks[0]:.1f} and {ranks[1]:.1f}",
    )


def rows(results: Mapping[str, Any]) -> Sequence[tuple[str, ...]]:
    """The table of representations, as text: name, values, near zero, rank, leading energy."""
    return [
        (
            name,
            f"{row['n_values']:,.0f}",
            percent(row["near_zero"]),
            f"{row['effective_rank']:.1f}" if "effective_rank" in row else "",
            percent(row["leading_energy"], 1) if "leading_energy" in row else "",
        )
        for name, row in results["representations"].items()
    ]


def page(results: Mapping[str, Any]) -> Markup:
    """Markdown: every claim, all numbers, and what they are."""
    found = claims(results)
    by_source = {source: [one for one in found if one.source == source] for source in (PAPER, OURS)}
    return render(
        "claims.md", results=results, claims=by_source, rows=rows(results),
        near_zero=f"{1 / NEAR_ZERO:.0f}", leading=percent(LEADING),
    ) + "\n"  # fmt: skip
