"""What sections 3 and 4 of the paper find, as statements that are tested on trained systems.

Which system the paper says it of is not told here: each statement is tested for every system, in
both directions. The statements are in our words. See `measuring` and `measures` for
what is measured.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any, Literal, NamedTuple

import numpy as np

from thirdstream.data.corpus import TEST
from thirdstream.report.reproduction import Finding
from thirdstream.research.measures import RELATED

# Test-time eq. 1 as printed in the paper, on its own corpus, in the paper's order.
PAPER_LOSSES = {
    "twin-cnn": 0.05073,
    "twin-vae": 0.05388,
    "twin-gan": 0.07116,
    "twin-variational-gan": 0.08146,
}
SECTIONS = dict(zip(PAPER_LOSSES, ("3.1", "3.2", "3.3", "3.4"), strict=True))
N_RESAMPLES = 2_000  # of the bootstrap

Verdict = Literal["holds", "does not hold", "holds in part", "not tested"]
Results = Sequence[Mapping[str, Any]]  # what `measure` gave, a seed each


class Criterion(NamedTuple):
    """A statement holds where a measure is above (or below) the threshold."""

    measure: str
    label: str
    above: bool
    threshold: float
    unit: str = ""


class Statement(NamedTuple):
    """of: "transfers" or "reconstructions". It holds where all criteria do, both ways."""

    text: str
    of: str
    criteria: tuple[Criterion, ...]


# fmt: off
STATEMENTS = (
    # 20 dB is a hundredth of the energy, and a quarter as loud. Energy alone would let a few loud
    # dots in a black picture pass for a full one: hence the area that sounds at all.
    Statement("transfers are empty: 20 dB below the source, and sounding in a tenth of its area",
              "transfers", (
        Criterion("level_db", "level", above=False, threshold=-20, unit=" dB"),
        Criterion("audible_ratio", "area", above=False, threshold=0.1))),
    # A copy gains about 0.9. Below 0.1 about a hundredth of the variance is explained. Lines that
    # are moved up or down as a whole are related.
    Statement("what transfers hold is unrelated to the source: wherever they are moved to, they "
              "correlate with it hardly more than with another recording", "transfers", (
        Criterion("correlation_gain", "correlation gained", above=False, threshold=RELATED),)),
    # A semitone, the smallest step of the music: 3.6 mels above 1 kHz.
    Statement("tones are raised in frequency: the spectral centroid, and lines that correlate with "
              "the source's, by a semitone or more", "transfers", (
        Criterion("centroid_octaves", "centroid", above=True, threshold=1 / 12, unit=" octaves"),
        Criterion("displacement_mels", "lines", above=True, threshold=3.5, unit=" mels"))),
    # 3 dB: twice the share. More than the source has, or it is what is left of it; a greater share
    # than in the target style, or it is that style's balance.
    Statement("high-frequency content is generated: more than in the source, with twice its share "
              "of the energy, and more than the target style's share", "transfers", (
        Criterion("level_above_4k_db", "level above 4 kHz", above=True, threshold=0, unit=" dB"),
        Criterion("above_4k_db", "share above 4 kHz", above=True, threshold=3, unit=" dB"),
        Criterion("above_4k_db_over_usual", "over the target's", above=True, threshold=0,
                  unit=" dB"),
        Criterion("above_8k_db", "share above 8 kHz", above=True, threshold=3, unit=" dB"),
        Criterion("above_8k_db_over_usual", "over the target's", above=True, threshold=0,
                  unit=" dB"))),
    # 3 dB: half of the share.
    Statement("upper harmonics are suppressed: half the source's share of partials above 1 kHz",
              "transfers", (
        Criterion("upper_partials_db", "partials above 1 kHz", above=False, threshold=-3,
                  unit=" dB"),)),
    # One more a second is what an ear counts at a moderate tempo.
    Statement("attacks are multiplied: one a second more than in the source, or more",
              "transfers", (
        Criterion("onsets_per_s", "onsets", above=True, threshold=1, unit="/s"),)),
    # Beauty is not measured. A copy gains about 0.4 in chroma similarity: 0.1 is a quarter.
    # Recordings have a dissonance of about 0.12: 0.03 more is a quarter more.
    Statement("harmony is lost: pitch classes are hardly more like the source's than another "
              "recording's, and dissonance is greater", "transfers", (
        Criterion("chroma_gain", "chroma similarity gained", above=False, threshold=0.1),
        Criterion("dissonance", "dissonance", above=True, threshold=0.03))),
    # Half of the differences between neighbouring mels is the middle between all and none.
    Statement("reconstructions lose detail: half of the fine structure or more, and relatively "
              "more above 4 kHz than below", "reconstructions", (
        Criterion("fine_error", "error of fine structure", above=True, threshold=0.5),
        Criterion("error_above_over_below", "error above 4 kHz less that below", above=True,
                  threshold=0))),
)
# fmt: on


def judge(results: Mapping[str, Results]) -> list[Finding]:
    """All statements of all systems. results: by system, what `measure` gave for each seed.

    A criterion is met where the 95 % interval of the mean (bootstrap over recordings) and the mean
    of each seed are beyond the threshold, missed where all are on its other side. A statement holds
    where all its criteria are met in both directions, does not where all are missed, and holds in
    part otherwise; without any value it is not tested. One recording alone has no interval.
    """
    found = [_order(results)]
    for name, seeds in results.items():
        found += [_judged(name, statement, seeds) for statement in STATEMENTS]
    return found


def _order(results: Mapping[str, Results]) -> Finding:
    """How many pairs of systems have the paper's order in how many seeds."""
    text = "eq. 1 is least for the twin CNN, then VAE, GAN and variational GAN"
    finding = partial(Finding, section="3, 4", statement=text)
    missing = [name for name in PAPER_LOSSES if not results.get(name)]
    if missing:
        return finding(verdict="not tested", measurement=f"not measured: {', '.join(missing)}")
    losses = {
        name: [float(np.mean(list(one["reconstruction"].values()))) for one in results[name]]
        for name in PAPER_LOSSES
    }
    agree = [
        first < second
        for one, other in combinations(PAPER_LOSSES, 2)
        for first, second in zip(losses[one], losses[other], strict=False)
    ]
    share = float(np.mean(agree))
    verdict = "holds" if share == 1 else "holds in part" if share > 0.5 else "does not hold"
    ours = sorted(losses, key=lambda name: float(np.mean(losses[name])))
    means = " < ".join(f"{name} {np.mean(losses[name]):.4f}{_spread(losses[name], 4)}"
                       for name in ours)  # fmt: skip
    n_seeds = min(map(len, losses.values()))
    measurement = (
        f"{means}; the paper's {' < '.join(map(str, PAPER_LOSSES.values()))}; {sum(agree)} of "
        f"{len(agree)} pairs of systems have its order ({_counted(n_seeds, 'seed')})"
    )
    return finding(verdict=verdict, measurement=measurement)


def _judged(name: str, statement: Statement, seeds: Results) -> Finding:
    """One statement of one system."""
    everything: list[bool | None] = []
    texts = []
    for direction in seeds[0][statement.of] if seeds else ():
        answers, parts = [], []
        for criterion in statement.criteria:
            values = list(_values(seeds, statement.of, direction, criterion.measure))
            answer, text = _tested(criterion, values) if values else (None, "")
            answers.append(answer)
            parts += [text] if values else []
        answers = answers if parts else []
        everything += answers
        texts.append(f"{direction} ({_verdict(answers)}): {', '.join(parts) or 'no value'}")
    return Finding(
        section=SECTIONS.get(name, ""), statement=f"{name}: {statement.text}",
        verdict=_verdict(everything), measurement="; ".join([*texts, _sizes(seeds)]),
    )  # fmt: skip


def _verdict(answers: Sequence[bool | None]) -> Verdict:
    """Of criteria that are met, missed, or cannot be told (None)."""
    if not answers:
        return "not tested"
    if all(answers):
        return "holds"
    return "does not hold" if set(answers) == {False} else "holds in part"


def _values(seeds: Results, of: str, direction: str, measure: str) -> Iterator[dict[str, float]]:
    """Of each seed with a value, those of the recordings."""
    for one in seeds:
        names = one["recordings"][direction.partition(" to ")[0]]
        by_recording = one[of][direction][measure]["by_recording"]
        known = {n: v for n, v in zip(names, by_recording, strict=True) if v is not None}
        if known:
            yield known


def _tested(criterion: Criterion, values: Sequence[Mapping[str, float]]) -> tuple[bool | None, str]:
    """Whether a criterion is met (None: cannot be told), and its measurement. values: by seed."""
    means = [float(np.mean(list(one.values()))) for one in values]
    names = dict.fromkeys(name for one in values for name in one)
    own = np.array([np.mean([one[name] for one in values if name in one]) for name in names])
    draws = np.random.default_rng(0).integers(len(own), size=(N_RESAMPLES, len(own)))
    low, high = np.quantile(own[draws].mean(1), [0.025, 0.975])
    sides = {bool(value > criterion.threshold) for value in (low, high, *means)}
    digits = 1 if criterion.unit in (" dB", "/s", " mels") else 2
    interval = f" [{low:.{digits}f}, {high:.{digits}f}]" if len(own) > 1 else ""
    text = (
        f"{criterion.label} {own.mean():.{digits}f}{criterion.unit}{interval}"
        f"{_spread(means, digits)}"
    )
    return (sides == {criterion.above} if len(sides) == 1 else None), text


def _spread(values: Sequence[float], digits: int) -> str:
    """The standard deviation over seeds."""
    return f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""


def _sizes(seeds: Results) -> str:
    """How much was measured."""
    if not seeds:
        return "no seed"
    first, parts = seeds[0], []
    for style, n_segments in first["segments"].items():
        recordings = _counted(len(first["recordings"][style]), "recording")
        split = "" if first["split"][style] == TEST else f" ({first['split'][style]})"
        parts.append(f"{style}: {_counted(n_segments, 'segment')} of {recordings}{split}")
    return "; ".join([*parts, _counted(len(seeds), "seed")])


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
