from pathlib import Path

import pytest

from thirdstream import registry
from thirdstream.files import ThirdstreamError
from thirdstream.mel.training import history
from thirdstream.mel.training.history import Epoch


def test_what_was_written_is_read(tmp_path: Path) -> None:
    epochs = [
        Epoch(1, 10, {"reconstruction": 0.5}, {"reconstruction": 0.6}),
        Epoch(2, 20, {"reconstruction": 0.4}, {}, 0.7, "an alarm"),
    ]
    for epoch in epochs:
        history.append(epoch, tmp_path / history.NAME)
    assert history.read(tmp_path / history.NAME) == epochs


def test_an_epoch_done_again_takes_the_place_of_what_followed(tmp_path: Path) -> None:
    path = tmp_path / history.NAME
    epochs = [Epoch(number, 10 * number, {"reconstruction": 1.0}) for number in (1, 2, 3)]
    for epoch in (*epochs, epochs[1]):
        history.append(epoch, path)
    assert history.read(path) == epochs[:2]
    with path.open("a") as file:  # as a full disk leaves it
        file.write('{"epoch": 3, "st')
    with pytest.raises(ThirdstreamError, match=r"history.jsonl: line 3 tells of no epoch"):
        history.read(path)
    history.append(epochs[2], path)
    assert history.read(path) == epochs


@pytest.mark.parametrize("name", registry.bundled_names())
def test_every_bundled_model_tells_how_it_learnt(name: str) -> None:
    path = history.beside(registry.find(name))
    assert path is not None
    numbers = [epoch.epoch for epoch in history.read(path)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_run_has_its_own_and_a_lone_file_none(tmp_path: Path) -> None:
    assert history.beside(tmp_path / "best.safetensors") is None
    history.append(Epoch(1, 1, {"reconstruction": 1.0}), tmp_path / history.NAME)
    assert history.beside(tmp_path / "best.safetensors") == tmp_path / history.NAME


@pytest.mark.parametrize(
    ("content", "fault"),
    [(b"", "is empty"), (b"\xff\xfe\n", "line 1 tells of no epoch"), (b"[]\n", "line 1 tells")],
)
def test_what_is_no_history_is_named_and_written_over(
    content: bytes, fault: str, tmp_path: Path
) -> None:
    path = tmp_path / history.NAME
    path.write_bytes(content)
    with pytest.raises(ThirdstreamError, match=f"history.jsonl: {fault}"):
        history.read(path)
    history.append(Epoch(1, 1, {"reconstruction": 1.0}), path)
    assert [epoch.epoch for epoch in history.read(path)] == [1]
