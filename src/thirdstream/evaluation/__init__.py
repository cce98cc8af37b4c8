"""Metrics, the published networks that measure, and the command `evaluate`.

Nothing in here is trained against: a network that measures is never part of a loss. This module
needs nothing that is not always installed; the others need the extra `evaluate`.
"""

from dataclasses import dataclass
from pathlib import Path

from thirdstream.files import ThirdstreamError

VERSION = 3  # of results


@dataclass(frozen=True)
class Settings:
    """What is measured, and how long it takes."""

    excerpt_s: float = 30.0
    """Seconds from the middle of each recording."""
    max_recordings: int = 0
    """At most so many test recordings a style, drawn by the seed; 0 is all."""
    references: int = 40
    """At most so many recordings a style that sets are compared with; 2 or more."""
    examples: int = 2
    """Recordings a style whose sound is kept for the page."""
    seed: int = 0
    """Of everything that is drawn."""
    classifiers: tuple[str, ...] = ()
    """Files of further style classifiers: a probe, the large musicnn (docs/benchmark.md)."""

    def __post_init__(self) -> None:
        if not self.excerpt_s >= 3:
            raise ThirdstreamError(f"an excerpt must last 3 s or more (got {self.excerpt_s})")
        if self.references < 2 or self.examples < 0 or self.max_recordings < 0:
            raise ThirdstreamError("references must be 2 or more, the other counts not negative")


def work_of(out: Path) -> Path:
    """The folder that belongs to a results file."""
    return out.with_suffix(".work")
