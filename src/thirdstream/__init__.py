"""Classical recordings into jazz and jazz into classical, with models small enough for a laptop."""

from thirdstream.files import ThirdstreamError
from thirdstream.systems import SYSTEMS, load

__version__ = "0.1.0"
__all__ = ["SYSTEMS", "ThirdstreamError", "__version__", "load"]
