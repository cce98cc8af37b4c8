"""Checkpoints are read as they were written; of damaged ones nothing is believed."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

import tensorflow_writer
from thirdstream.files import ThirdstreamError
from thirdstream.research import tensorflow_checkpoint

TENSORS = {
    f"coder{style}/encoder/layer-{block}/{kind}": np.full(shape, block, np.float32)
    for style in "XY"
    for block in range(6)
    for kind, shape in (("kernel", (5, 5, 1, 2)), ("bias", (2,)))
} | {"steps": np.array(7, np.int64)}
KINDS = st.sampled_from(["<f4", "<f8", "<i4", "<i8"])
VALUES = KINDS.flatmap(
    lambda kind: arrays(kind, array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)
NAMES = st.text("ab/é", min_size=1) | st.text(min_size=1, max_size=5)
NAMES = NAMES.filter(lambda name: name.isprintable())


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """Where a checkpoint of TENSORS is."""
    tensorflow_writer.write(tmp_path / "model", TENSORS)
    return tmp_path / "model"


def same(ours: Mapping[str, NDArray], theirs: Mapping[str, NDArray]) -> bool:
    return ours.keys() == theirs.keys() and all(
        ours[name].dtype == one.dtype
        and ours[name].shape == one.shape
        and ours[name].tobytes() == one.tobytes()
        for name, one in theirs.items()
    )


def test_the_check_sum_is_the_standards() -> None:
    """RFC 3720, appendix B.4, and the usual check value."""
    assert tensorflow_writer.crc32c(b"123456789") == 0xE3069283
    assert tensorflow_writer.crc32c(bytes(32)) == 0x8A9136AA


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, VALUES, max_size=12), st.integers(1, 9), st.integers(1, 9))
def test_what_was_written_is_read(
    tmp_path: Path, tensors: dict[str, NDArray], a_block: int, a_run: int
) -> None:
    """Whatever the names share, and in one block or many."""
    tensorflow_writer.write(tmp_path / "model", tensors, a_block=a_block, a_run=a_run)
    assert same(tensorflow_checkpoint.read(tmp_path / "model"), tensors)


@pytest.mark.parametrize("ending", tensorflow_checkpoint.ENDINGS)
def test_no_changed_byte_is_believed(prefix: Path, ending: str) -> None:
    path = prefix.with_name(prefix.name + ending)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for at in rng.choice(len(whole), 60, replace=False):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ rng.integers(1, 256)]) + whole[at + 1 :])
        try:
            assert same(tensorflow_checkpoint.read(prefix), TENSORS)  # it was no part of anything
        except ThirdstreamError as error:
            assert str(prefix) in str(error)


@pytest.mark.parametrize("ending", tensorflow_checkpoint.ENDINGS)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99, None])
def test_a_file_cut_short_or_missing_is_refused(
    prefix: Path, ending: str, share: float | None
) -> None:
    path = prefix.with_name(prefix.name + ending)
    whole = path.read_bytes()
    path.unlink() if share is None else path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ThirdstreamError, match=r"no readable TensorFlow checkpoint .* again"):
        tensorflow_checkpoint.read(prefix)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80), st.binary(min_size=40, max_size=40))
def test_other_files_are_refused(tmp_path: Path, body: bytes, places: bytes) -> None:
    (tmp_path / "model.data-00000-of-00001").write_bytes(b"")
    footer = places + tensorflow_checkpoint.MAGIC.to_bytes(8, "little")
    (tmp_path / "model.index").write_bytes(body + footer)
    with pytest.raises(ThirdstreamError, match=r"model\.index: is no readable"):
        tensorflow_checkpoint.read(tmp_path / "model")


def test_of_other_types_nothing_is_read(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts, such as the graph of objects that every checkpoint has."""
    monkeypatch.setitem(tensorflow_writer.TYPES, "<i8", 7)
    tensorflow_writer.write(prefix, TENSORS)
    assert tensorflow_checkpoint.read(prefix).keys() == TENSORS.keys() - {"steps"}
