"""Measures of section 2.2 by their closed forms."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import music
from thirdstream.audio import SEGMENT
from thirdstream.data.corpus import Corpus
from thirdstream.mel.vocoder.synthesis import Synthesiser
from thirdstream.research import claims, verdicts


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_the_effective_rank_of_equal_directions_is_their_number(rank: int) -> None:
    basis, _ = torch.linalg.qr(torch.randn(20, rank))
    assert claims.effective_rank(3.0 * basis @ basis.T) == pytest.approx(rank, rel=1e-5)
    assert claims.effective_rank(torch.zeros(4, 5)) == 0.0


@settings(deadline=None, max_examples=20)
@given(n=st.integers(1, 12), m=st.integers(1, 12), scale=st.floats(1e-3, 1e3))
def test_it_lies_between_1_and_the_rank_and_knows_no_scale(n: int, m: int, scale: float) -> None:
    matrix = torch.rand(n, m, generator=torch.Generator().manual_seed(n * m)) + 0.1
    found = claims.effective_rank(matrix)
    assert 1 - 1e-9 <= found <= min(n, m) + 1e-9
    assert claims.effective_rank(scale * matrix) == pytest.approx(found, rel=1e-4)


def test_near_zero_is_a_thousandth_of_the_largest() -> None:
    assert claims.near_zero(torch.tensor([-1000.0, 1.0, -1.0, 1.1])) == 0.5
    assert claims.near_zero(torch.zeros(3)) == 1.0


def test_convergence_of_the_same_wave_is_zero_and_of_silence_one() -> None:
    synthesiser, wave = Synthesiser(), torch.from_numpy(music(0, SEGMENT))[None]
    cut = wave[:, : 100 * 512]
    assert claims.convergence(cut, wave, synthesiser) < 0.02  # all but the last frames are equal
    assert claims.convergence(torch.zeros_like(cut), wave, synthesiser) == pytest.approx(1.0)


def test_the_leading_energy_is_that_of_the_largest_tenth() -> None:
    """Of 20 singular values, two: 3 and 2, where the others are 1: (9 + 4) / (9 + 4 + 18)."""
    assert claims.leading_energy(torch.diag(torch.tensor([1.0] * 9 + [3.0, 2.0] + [1.0] * 9))) == (
        pytest.approx(13 / 31)
    )
    assert claims.leading_energy(torch.ones(4, 5)) == pytest.approx(1.0)
    assert claims.leading_energy(torch.zeros(4, 5)) == 0.0


@pytest.mark.slow
def test_all_claims_are_measured_and_drawn(
    small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "N_MELS_TRIED", (64, 128, 256, 512))
    monkeypatch.setattr(claims, "N_ITERS_TRIED", (0, 32))
    monkeypatch.setattr(claims, "N_TIMINGS", 1)
    said: list[str] = []
    found = claims.check(small_corpus, n_segments=1, progress=said.append)
    assert len(said) == 8
    assert found["corpus"] == "corpus"
    found = json.loads(json.dumps(found, allow_nan=False))
    assert found["representations"]["mel power"]["n_values"] == 259 * 256
    assert found["representations"]["STFT power"]["n_values"] == 259 * 1025
    assert found["convergence_by_n_mels"]["64"] > found["convergence_by_n_mels"]["256"]
    assert found["convergence_by_n_iter"]["0"] > found["convergence_by_n_iter"]["32"]
    assert set(found["seconds"]) == {"network", "magnitudes", "griffin_lim"}
    assert min(found["seconds"].values()) >= 0
    page = verdicts.page(found)
    assert all(one.statement in page for one in verdicts.claims(found))
    assert len(verdicts.rows(found)) == 4
    assert [path.suffix for path in claims.draw(found, tmp_path)] == [".png", ".svg"]
