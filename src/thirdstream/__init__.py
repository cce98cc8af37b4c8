"""Classical recordings into jazz and jazz into classical, with models small enough for a laptop."""

import os
from typing import TYPE_CHECKING, Any

from thirdstream.files import ThirdstreamError

if TYPE_CHECKING:
    from thirdstream.registry import SYSTEMS, load

# Before torch is loaded: its threads spin while they wait, unless told otherwise, and take the
# cores from the very threads that they wait for where several processes share these.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
__all__ = ["SYSTEMS", "ThirdstreamError", "__version__", "load"]


def __getattr__(name: str) -> Any:
    """The rest is imported when it is asked for, so that the command line starts at once."""
    if name in __all__:
        from thirdstream import registry

        return getattr(registry, name)
    raise AttributeError(f"module 'thirdstream' has no attribute {name!r}")
