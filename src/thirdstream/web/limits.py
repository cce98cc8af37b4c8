"""What the page takes on."""

from dataclasses import dataclass

from thirdstream.files import ThirdstreamError


@dataclass(frozen=True)
class Limits:
    """How long, how large and how many. Raises ThirdstreamError where they contradict."""

    max_minutes: float = 10.0
    """The longest clip."""
    max_mb: int = 200
    """The largest file."""
    jobs: int = 1
    """Transfers at a time; others wait in line."""
    keep_minutes: float = 60.0
    """How long files stay after they were last worked on."""
    session_mb: int = 2000
    """What uploads and results of one browser may take on disk."""
    total_mb: int = 10_000
    """What those of all browsers may take on disk."""
    memory_mb: int = 6000
    """What one transfer may take of memory; where it takes more, it ends."""
    job_minutes: float = 30.0
    """How long one transfer may take."""

    def __post_init__(self) -> None:
        if not (self.max_minutes > 0 and self.max_mb >= 1 and self.jobs >= 1):
            raise ThirdstreamError("max-minutes must be above 0, max-mb and jobs 1 or more")
        if not self.keep_minutes >= 1:
            raise ThirdstreamError("keep-minutes must be 1 or more: files are needed for a moment")
        if not self.max_mb <= self.session_mb <= self.total_mb:
            raise ThirdstreamError("session-mb must be max-mb or more, total-mb session-mb or more")
        if not (self.memory_mb >= 1 and self.job_minutes > 0):
            raise ThirdstreamError("memory-mb must be 1 or more, job-minutes above 0")
