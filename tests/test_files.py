from pathlib import Path

import pytest

from thirdstream.files import ThirdstreamError, read_json, whole_file, write_json


def test_a_file_that_fails_halfway_leaves_the_old_one_and_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})
    with pytest.raises(RuntimeError), whole_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert read_json(path, kind="test") == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_visible_before_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "inner" / "a.txt"
    with whole_file(path) as temporary:
        temporary.write_text("all")
        assert not path.exists()
    assert path.read_text() == "all"


def test_a_disk_fault_names_file_and_remedy(tmp_path: Path) -> None:
    expected = pytest.raises(ThirdstreamError, match=r"a\.txt: cannot be written \(No space")
    with expected as caught, whole_file(tmp_path / "a.txt"):
        raise OSError(28, "No space left on device")
    assert "free some space" in str(caught.value)


def test_a_place_that_is_not_ours_needs_no_space(tmp_path: Path) -> None:
    with pytest.raises(ThirdstreamError) as caught, whole_file(tmp_path / "a.txt"):
        raise PermissionError(13, "Permission denied")
    assert "see who may write there" in str(caught.value)
    assert "space" not in str(caught.value)


def test_a_folder_that_cannot_be_is_explained(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file")
    with pytest.raises(ThirdstreamError, match="cannot be made a folder"):
        write_json(tmp_path / "a" / "b.json", 1)


def test_nan_is_not_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", float("nan"))
    assert not (tmp_path / "a.json").exists()


def test_broken_json_says_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ThirdstreamError, match="is not a readable corpus manifest"):
        read_json(tmp_path / "a.json", kind="corpus manifest")
