"""What systems with a published network have in common."""

from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from thirdstream.files import ThirdstreamError, is_style
from thirdstream.pretrained import weights
from thirdstream.pretrained.options import PretrainedOptions
from thirdstream.pretrained.weights import Published
from thirdstream.system import System

Own = TypeVar("Own", bound=PretrainedOptions)


class PretrainedSystem(System[Own]):
    """A system whose network is somebody else's.

    own: the folder that is looked at before what is published. It knows no style of its own: any
    word is one.
    """

    published: ClassVar[Published]
    refuses = ("style_strength", "keep_content")
    styles = ("classical", "jazz")

    def __init__(self, own: Path) -> None:
        self.own = own

    @property
    def terms(self) -> str:
        """The licence of the weights, in a sentence."""
        one = self.published
        return f"{self.name}: the weights {one.repository} are under {one.licence}"

    def ready(self) -> None:
        """Raise ThirdstreamError without transformers, or without weights on disk."""
        self.folder()

    def folder(self, given: Path | None = None) -> Path:
        """Where the weights are. Raises ThirdstreamError where they are not on disk."""
        folder = weights.on_disk(self.published, own=self.own, given=given)
        if folder is None:
            raise weights.missing(self.published, self.own, fault="are not fetched for this")
        return folder

    def network(self, given: Path | None = None) -> Any:
        """The network of transformers; where its weights are not on disk, they are fetched.

        Raises ThirdstreamError where they cannot be, and where they are damaged.
        """
        return weights.load(
            weights.found(self.published, own=self.own, given=given), self.published
        )

    def parts(self) -> tuple[str, ...]:
        """transformers, the weights, and their licence. Raises ThirdstreamError as `ready` does."""
        return (
            weights.identity(self.folder(), self.published),
            f"licence of the weights: {self.published.licence}",
            f"transformers {version('transformers')}",
        )

    def n_parameters(self) -> int:
        """Of the whole network. Raises ThirdstreamError as `ready` does."""
        return weights.n_parameters(self.folder(), self.published)

    def check(self, options: Own) -> None:
        """As every system does; and raise ThirdstreamError on shares that have no meaning here, and
        where the weights are not on disk and cannot be fetched: before any recording is read."""
        super().check(options)
        for name in self.refuses:
            if getattr(options, name) is not None:
                raise self.takes_no(name)
        weights.found(self.published, own=self.own, given=options.weights)

    def check_style(self, style: str) -> None:
        """Any word is a style."""
        if not is_style(style):
            raise ThirdstreamError(f"{style!r} is no name of a style; use letters, digits, - and _")
