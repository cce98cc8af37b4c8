"""Verdicts on the paper's section 2.2: each follows from numbers, and other numbers refute it."""

import json
from pathlib import Path
from typing import Any

import pytest

from thirdstream.research import verdicts
from thirdstream.research.verdicts import HOLDS, IN_PART, NOT, OURS, PAPER

PAGE = Path(__file__).parents[1] / "docs" / "claims" / "claims.md"


def values(**other: float) -> dict[str, float]:
    """Of a mel spectrogram of which every claim holds."""
    known = {"n_values": 10.0, "near_zero": 0.9, "full_rank": 200.0, "effective_rank": 10.0}
    return known | {"leading_energy": 0.99} | other


def results(**other: Any) -> dict[str, Any]:
    """What every claim holds of but that of the STFT's size."""
    known = {
        "representations": {
            "waveform power": {"n_values": 131_072.0, "near_zero": 0.1},
            "STFT power": values(n_values=265_475.0),
            "mel power": values(),
            "normalised mel": values(near_zero=0.6, effective_rank=19.0),
        },
        "convergence_by_n_mels": {"64": 0.6, "128": 0.2, "256": 0.1, "512": 0.09},
        "convergence_by_n_iter": {"0": 0.6, "32": 0.1, "64": 0.05},
        "seconds": {"network": 0.013, "magnitudes": 0.028, "griffin_lim": 0.099},
    }
    return known | other


def test_a_verdict_says_how_many_conditions_are_met() -> None:
    assert verdicts.verdict(True, True) == HOLDS
    assert verdicts.verdict(True, False) == verdicts.verdict(False, True) == IN_PART
    assert verdicts.verdict(False, False) == NOT


def test_all_claims_hold_of_data_of_which_they_are_true_but_for_the_papers_product() -> None:
    found = verdicts.claims(results())
    assert {one.statement: one.verdict for one in found if one.verdict != HOLDS} == {
        "The STFT of a segment has 1024 x 259 = 311,836 values.": NOT
    }
    assert {one.source for one in found} == {PAPER, OURS}
    assert len({one.statement for one in found}) == len(found)


def test_normalisation_and_what_it_gives_are_our_claims_and_not_the_papers() -> None:
    for one in verdicts.claims(results()):
        assert (one.source == OURS) == ("normalis" in one.statement.lower())


@pytest.mark.parametrize(
    ("claim", "in_part", "fails"),
    [
        (
            lambda n: verdicts.is_small(
                values(n_values=n), wave=values(), stft=values(n_values=30)
            ),
            20.0, 40.0,
        ),
        (lambda share: verdicts.is_sparse(values(near_zero=share), "mel", PAPER), None, 0.49),
        (
            lambda numbers: verdicts.is_low_rank(
                values(effective_rank=numbers[0], leading_energy=numbers[1]), "mel", PAPER
            ),
            (20.1, 0.95), (20.1, 0.94),
        ),
        (
            lambda errors: verdicts.needs_mels(dict(zip((128, 256, 512), errors, strict=True))),
            (0.2, 0.1, 0.05), (0.12, 0.1, 0.05),
        ),
        (
            lambda errors: verdicts.brings_back(dict(zip((0, 32, 64), errors, strict=True))),
            (0.6, 0.2, 0.2), (0.6, 0.4, 0.2),
        ),
        (
            lambda s: verdicts.takes_most_time({"network": s, "magnitudes": 0, "griffin_lim": 1}),
            None, 1.1,
        ),
        (
            lambda numbers: verdicts.matters_more(
                values(), normalised=values(near_zero=numbers[0], effective_rank=numbers[1])
            ),
            (0.8, 9.0), (0.95, 9.0),
        ),
    ],
    ids=["small", "sparse", "low-rank", "mels", "back", "time", "matters"],
)  # fmt: skip
def test_every_verdict_can_fail(claim: Any, in_part: Any, fails: Any) -> None:
    assert claim(fails).verdict == NOT
    if in_part is not None:
        assert claim(in_part).verdict == IN_PART


def test_the_papers_product_is_computed() -> None:
    """1024 x 259 are 265,216 values, and the STFT has 1025 x 259; 311,836 would be 1204 x 259."""
    found = verdicts.has_stft_size(1025 * 259)
    assert found.verdict == NOT
    for number in ("265,216", "1204 x 259", "n_fft 2048", "1025 x 259 = 265,475"):
        assert number in found.measurement
    assert verdicts.has_stft_size(1025 * 259, (1024, 259, 265_216)).verdict == IN_PART
    assert verdicts.has_stft_size(1025 * 259, (1025, 259, 265_475)).verdict == HOLDS


def test_the_page_in_docs_is_that_of_its_numbers() -> None:
    kept = json.loads(PAGE.with_name("claims.json").read_text(encoding="utf-8"))
    assert kept["corpus"] == "corpus"
    assert PAGE.read_text(encoding="utf-8") == verdicts.page(kept)
