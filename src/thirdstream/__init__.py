"""Classical recordings into jazz and jazz into classical, with models small enough for a laptop."""

from typing import TYPE_CHECKING, Any

from thirdstream.files import ThirdstreamError

if TYPE_CHECKING:
    from thirdstream.registry import SYSTEMS, load

__version__ = "0.1.0"
__all__ = ["SYSTEMS", "ThirdstreamError", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """The rest is imported when it is asked for, so that the command line starts at once."""
    if name in __all__:
        from thirdstream import registry

        return getattr(registry, name)
    raise AttributeError(f"module 'thirdstream' has no attribute {name!r}")
