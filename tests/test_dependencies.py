"""Work of `evaluate` is done again where what it depends on has changed, and only there."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import thirdstream
from thirdstream import registry
from thirdstream.evaluation import analyses, dependencies, evaluate
from thirdstream.files import sha256

CHANGES = {  # whether it concerns what measures, what hears for it, twin-cnn, and score
    "web/page.py": (False, False, False, False),
    "report/page.py": (False, False, False, False),
    "cli/main.py": (False, False, False, False),
    "research/claims.py": (False, False, False, False),
    "evaluation/metrics.py": (True, True, False, False),
    "evaluation/timing.py": (True, False, False, False),
    "evaluation/tagger.py": (True, True, False, False),
    "evaluation/evaluate.py": (True, False, False, False),
    "evaluation/benchmark-results.json": (False, False, False, False),
    "mel/networks/blocks.py": (False, False, True, False),
    "mel/models/cnn.py": (False, False, True, False),
    "mel/models/gan.py": (False, False, False, False),
    "notes/arranging/comping.py": (False, False, False, True),
    "notes/transcription/weights.onnx": (True, True, False, True),  # the transcriber measures, too
    "audio/decoding.py": (True, True, True, True),
    "mel/features/logmel.py": (True, False, True, False),
}


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the package's code, to change."""
    package = shutil.copytree(
        dependencies.PACKAGE, tmp_path / "thirdstream", ignore=lambda folder, names: [
            name for name in names if "." in name and not name.endswith(".py")
        ],
    )  # fmt: skip
    monkeypatch.setattr(dependencies, "PACKAGE", package)
    forget()
    yield package
    forget()


def forget() -> None:
    for cached in (dependencies.source, dependencies.imported, evaluate.measuring_code,
                   analyses.hearing_code, sha256):  # fmt: skip
        cached.cache_clear()


def test_a_change_concerns_what_imports_it(copied: Path) -> None:
    codes = (evaluate.measuring_code, analyses.hearing_code)
    systems = [registry.load(name) for name in ("twin-cnn", "score")]

    def digests() -> tuple[str, ...]:
        for one in (*codes, sha256):
            one.cache_clear()
        return (*(code() for code in codes), *map(dependencies.code_of, systems))

    before = digests()
    for name, expected in CHANGES.items():
        with (copied / name).open("a", encoding="utf-8") as file:
            file.write("\n# changed\n")
        after = digests()
        assert tuple(a != b for a, b in zip(before, after, strict=True)) == expected, name
        before = after


def test_imports_within_functions_and_of_packages_count(copied: Path) -> None:
    (copied / "outer.py").write_text(
        "def f():\n    from thirdstream.inner import g\n    import json\n    return g\n"
    )
    inner = copied / "inner"
    inner.mkdir()
    (inner / "__init__.py").write_text("from thirdstream.inner.deep import g\n")
    (inner / "deep.py").write_text("g = 1\n")
    first = dependencies.digest("thirdstream.outer")
    alone = dependencies.digest(alone=["thirdstream.outer"])
    (inner / "deep.py").write_text("g = 2\n")
    forget()
    assert dependencies.digest("thirdstream.outer") != first
    assert dependencies.digest(alone=["thirdstream.outer"]) == alone


def test_the_modules_that_are_named_exist() -> None:
    for name in (
        *analyses.HEARING,
        *analyses.TAKING,
        *evaluate.MEASURING,
        *evaluate.DRAWING,
        *evaluate.TRANSFERRING,
    ):
        assert dependencies.source(name) is not None, name
    assert Path(thirdstream.__file__).parent == dependencies.PACKAGE
