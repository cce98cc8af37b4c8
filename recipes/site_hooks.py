"""For mkdocs: pages that lie elsewhere in the repository, and links as GitHub follows them.

A link in a page is relative to where its file lies, also where it leaves `docs`. On the site these
files have other places: OUTSIDE.
"""

import re
from pathlib import Path
from posixpath import relpath
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
OUTSIDE = {
    "src/thirdstream/models/README.md": "models.md",
    "src/thirdstream/clips/README.md": "clips.md",
    "src/thirdstream/notes/rendering/orchestra.md": "instruments.md",
    "src/thirdstream/evaluation/tagger.md": "tagger.md",
    "src/thirdstream/data/benchmark.csv": "benchmark.csv",
    "src/thirdstream/notes/styles/classical.toml": "classical.toml",
    "src/thirdstream/notes/styles/jazz.toml": "jazz.toml",
    "src/thirdstream/notes/styles/trios.md": "trios.md",
    "src/thirdstream/evaluation/benchmark-results.json": "benchmark-results.json",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "LICENSE": "LICENSE.txt",
}
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")


def on_files(files: Files, config: Any) -> Files:
    """Add the files of OUTSIDE."""
    for source, name in OUTSIDE.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Let links go to where their targets are on the site; mkdocs checks them afterwards."""
    folder = Path(page.file.abs_src_path).parent
    start = str(Path(page.file.src_uri).parent)

    def moved(match: re.Match[str]) -> str:
        target = (folder / match[1]).resolve()
        if not target.is_relative_to(ROOT):
            return match[1]
        name = target.relative_to(ROOT).as_posix()
        if name in OUTSIDE:
            return relpath(OUTSIDE[name], start)
        if target.is_relative_to(DOCS):
            return relpath(target.relative_to(DOCS).as_posix(), start)
        return match[1]

    return LINK.sub(moved, markdown)
