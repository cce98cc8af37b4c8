"""The form of README and docs: short lines, the field's words, no history, examples to listen to.

CHANGELOG.md and docs/experiments/ may tell history; pages that a command writes have its form.
"""

import re
from pathlib import Path

import pytest
import soundfile as sf

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
AUDIO = ROOT / "docs" / "audio"
EXPERIMENTS = ROOT / "docs" / "experiments"
PAGES = [
    README,
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted(one for one in (ROOT / "src").rglob("*.md") if one.parent.name != "templates"),
]
WRITTEN = ("benchmark-results.md", "leaderboard.md", "results.md", "claims.md")  # by commands
WRITTEN_BY_HAND = [one for one in PAGES if one.name not in WRITTEN]
# A word that no paper of the field has for it, and what to write. `memory` is a computer's.
METAPHORS = {
    r"hears?|heard|hearing|ears?": "embed, transcribe, analyse; audible",
    r"judg\w+": "evaluate, evaluator, tagger, selection metric",
    r"taken for": "assigned to, classified as; target-style classification rate",
    r"critics?": "discriminators",
    r"landmarks?": "chroma and onset features",
    r"remember\w*": "index, retrieve",
    r"weathered|worn": "augmented",
    r"strayed|adrift|drift": "travel loss, query noise",
    r"usual style": "mean style",
    r"corners?": "baselines",
    r"casting": "instrumentation",
    r"wish\w*|workshops?|desks?": "options, jobs, controller",
    r"knobs?": "options",
    r"carried phases?": "phase-vocoder propagation",
    r"orchestra in the box": "the bundled instruments",
}
HISTORY = r"now|at first|before|formerly|previously|no longer|not any ?more|used to be|so far"
PLACEHOLDERS = r"REPOSITORY|TODO|TBD|example\.(?:com|org)|github\.com/(?:thirdstream|USER|OWNER)"


def without_fences(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)


def prose(page: Path) -> str:
    """The page without code: options, file names and examples are the code's to name."""
    text = without_fences(page)
    text = re.sub(r"^    .*$", "", text, flags=re.M)
    text = re.sub(r"`[^`]*`", "", text)
    return re.sub(r"\]\([^)]*\)", "]", text)


def found(pattern: str, text: str) -> list[str]:
    return re.findall(rf"\b(?:{pattern})\b", text, re.I)


def of_the_present() -> list[Path]:
    return [page for page in PAGES if EXPERIMENTS not in page.parents]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("page", WRITTEN_BY_HAND, ids=name_of)
def test_no_line_is_long(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > 120] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_nothing_stands_for_an_address_that_is_not_known(page: Path) -> None:
    assert re.findall(PLACEHOLDERS, page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", of_the_present(), ids=name_of)
def test_pages_have_the_words_of_the_field_and_no_history(page: Path) -> None:
    text = prose(page)
    for pattern, better in METAPHORS.items():
        assert found(pattern, text) == [], f"write: {better}"
    assert found(HISTORY, text) == []


def test_a_visitor_can_play_two_pairs() -> None:
    """README links original and result of each; both are as long, and there is a licence."""
    linked = re.findall(r"\]\((docs/audio/[\w-]+\.mp3)\)", README.read_text(encoding="utf-8"))
    assert len(linked) == len(set(linked)) == 4
    for original, result in zip(linked[::2], linked[1::2], strict=True):
        assert Path(result).stem.startswith(f"{Path(original).stem}-to-")
        lengths = {sf.info(ROOT / name).frames for name in (original, result)}
        assert len(lengths) == 1
    assert {path.stem for path in AUDIO.glob("*.mp3")} == {Path(name).stem for name in linked}
    assert all(path.stat().st_size < 300_000 for path in AUDIO.glob("*.mp3"))
    assert "## Licence" in (AUDIO / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_to_files_have_their_files(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", without_fences(page))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_scripts_and_tests_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"\b(?:benchmarks|recipes|research|tests)/[\w/]+\.\w+", text)
    assert [name for name in named if not (ROOT / name).exists()] == []
