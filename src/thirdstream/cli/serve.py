"""The page."""

import threading

from thirdstream.cli.console import tell


def serve(  # noqa: PLR0913  # a user writes these, by name
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    models: tuple[str, ...] = (),
    max_minutes: float = 10.0,
    max_mb: int = 200,
    jobs: int = 1,
    keep_minutes: float = 60.0,
    session_mb: int = 2000,
    total_mb: int = 10_000,
    memory_mb: int = 6000,
    job_minutes: float = 30.0,
    allow_host: tuple[str, ...] = (),
) -> None:
    """Open the page in a browser: transfer clips, compare systems, see the benchmark.

    Example: thirdstream serve

    It needs the extra `web` and no network. Recordings stay on this computer and are removed when
    the page ends (Ctrl-C), or when they have not been used for a while.

    Args:
        host: where it listens; 127.0.0.1 is this computer only. Whoever can reach it can use it.
        port: where it listens; 0 takes a free one.
        models: .safetensors files or run folders of your own, offered besides the bundled ones.
        max_minutes: the longest clip it takes.
        max_mb: the largest file it takes.
        jobs: transfers at a time; others wait in line.
        keep_minutes: how long files stay after they were last worked on.
        session_mb: what uploads and results of one browser may take on disk.
        total_mb: what those of all may take.
        memory_mb: what one transfer may take of memory; where it takes more, it ends.
        job_minutes: how long one transfer may take.
        allow_host: names by which the page may be called, as the address bar has them: of a proxy
            in front of it, or of this computer in its network. Its numbers need not be given.
    """
    from thirdstream.web.rooms import Limits
    from thirdstream.web.server import running

    limits = Limits(
        max_minutes, max_mb, jobs, keep_minutes, session_mb, total_mb, memory_mb, job_minutes
    )
    with running(host=host, port=port, limits=limits, models=models, names=allow_host) as address:
        tell(f"the page is at {address} (Ctrl-C ends it)")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            tell("the page is closed")
