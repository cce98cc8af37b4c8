"""The page."""

import threading

import tyro

from thirdstream.cli.console import say, tell
from thirdstream.cli.interrupts import ignore_interrupts
from thirdstream.web.limits import Limits


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    models: tuple[str, ...] = (),
    limits: tyro.conf.OmitArgPrefixes[Limits] = Limits(),  # noqa: B008
    allow_host: tuple[str, ...] = (),
) -> None:
    """Serve the page, for your browser: transfer clips, compare systems, see the benchmark.

    Example: thirdstream serve

    It needs the extra `web` and no network. Recordings stay on this computer and are removed when
    the page ends (Ctrl-C), or when they have not been used for a while.

    Args:
        host: where it listens; 127.0.0.1 is this computer only. Whoever can reach it can use it.
        port: where it listens; 0 takes a free one.
        models: .safetensors files or run folders of your own, offered besides the bundled ones.
        limits: what it takes on.
        allow_host: names by which the page may be called, as the address bar has them: of a proxy
            in front of it, or of this computer in its network. Its numbers need not be given.
    """
    say("starting the page, which takes some seconds; its address follows")
    from thirdstream.web.server import running

    with running(host=host, port=port, limits=limits, models=models, names=allow_host) as address:
        tell(f"the page is at {address} (Ctrl-C ends it)")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            ignore_interrupts()
            tell("the page is closed")
