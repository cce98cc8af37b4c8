"""By which names the page may be called, against pages that call this computer by theirs."""

from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "::1")
USUAL_PORTS = {"http": 80, "https": 443}


class Hosts:
    """The page's own names.

    host: where it listens. names: given to it besides, with a port where it is not the usual one of
    http or https. Where it listens on more than this computer, any number is a name, too: a foreign
    page has none.
    """

    def __init__(self, host: str, names: Sequence[str] = ()) -> None:
        self.local = host in LOOPBACK
        self.names = {*LOOPBACK, host.lower(), *(_split(name)[0] for name in names)}
        self.origins = {name.lower() for name in names}

    def known(self, host: str) -> bool:
        """Whether a request may have this as its Host."""
        name, _ = _split(host)
        return name in self.names or (not self.local and _is_number(name))

    def own(self, origin: str, host: str) -> bool:
        """Whether a page of this Origin may ask, with this Host: it is the page itself."""
        try:
            parts = urlsplit(origin)
            name, port = parts.hostname or "", parts.port
            usual = USUAL_PORTS[parts.scheme]
        except (ValueError, KeyError):
            return False
        port = port or usual
        own_name, own_port = _split(host)
        if (name, port) == (own_name, own_port or usual):
            return True
        name = f"[{name}]" if ":" in name else name
        return (name if port == usual else f"{name}:{port}") in self.origins


def _split(host: str) -> tuple[str, int | None]:
    """Name, in small letters and without brackets, and port of a Host."""
    with suppress(ValueError):
        parts = urlsplit(f"//{host}")
        if not (parts.path or parts.query or parts.fragment or "@" in host):
            return (parts.hostname or "").rstrip("."), parts.port
    return "", None


def _is_number(name: str) -> bool:
    with suppress(ValueError):
        return bool(ip_address(name))
    return False
