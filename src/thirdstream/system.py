"""The contract of whatever transfers, and the options that every system takes.

A system restyles blocks at 44.1 kHz and -20 dB. `System.transfer` adds rate and loudness for an
array, `thirdstream.transfer` for files and folders. `thirdstream.registry` has all systems by name.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import docstring_parser
import numpy as np
from numpy.typing import NDArray

from thirdstream import audio
from thirdstream.audio import BLOCK, Wave
from thirdstream.audio.decoding import MAX_CHANNELS, MAX_SR, MIN_SR
from thirdstream.audio.loudness import match_loudness
from thirdstream.files import ThirdstreamError
from thirdstream.nearest import meant


@dataclass(frozen=True)
class Options:
    """The options that every system takes; a system's own are in a dataclass that inherits it.

    None stands for an option that is not given.
    """

    to: str
    """The style to turn recordings into, such as jazz or classical. With score also a .style file
    of `thirdstream learn-style`, or a folder of recordings to learn the style from."""
    source: str | None = None
    """The recording's own style; by default the system's other one. The same as the target gives
    the self-reconstruction: the recording as the system represents it."""
    style_strength: float | None = None
    """From 0, the recording as the system represents it, to 1, the whole transfer."""
    keep_content: float | None = None
    """From 0 to 1: how much is kept of what the system replaces otherwise: the recording's fine
    structure in models of mel spectrograms, its notes in score."""
    seed: int = 0
    """Of noise and of styles that are drawn."""
    blend: float = 0.0
    """From 0 to 1: how much of the recording itself is mixed into the result, both equally loud."""


class Option(NamedTuple):
    """A field of an options dataclass; help is the text below it."""

    name: str
    type: Any
    default: Any
    help: str


@cache
def options_of(kind: type[Any], *, own: bool = False) -> tuple[Option, ...]:
    """The fields of a dataclass, each with the text below it; own: without those of Options."""
    texts = {
        one.arg_name: " ".join((one.description or "").split())
        for base in reversed(kind.__mro__[:-1])
        for one in docstring_parser.parse_from_object(base).params
    }
    common = {one.name for one in fields(Options)} if own else ()
    return tuple(
        Option(one.name, one.type, one.default, texts.get(one.name, ""))
        for one in fields(kind)
        if one.name not in common
    )


class MelTrace(NamedTuple):
    """What a system computes on mel spectrograms, each (batch, n_frames, n_mels).

    mel: normalised input features; reconstruction: of the model, in their own style; requested: mel
    power of the transfer, as the vocoder gets it; achieved: mel power of the vocoder's output.
    """

    mel: NDArray[np.float32]
    reconstruction: NDArray[np.float32]
    requested: NDArray[np.float32]
    achieved: NDArray[np.float32]


Notes = NDArray[np.float64]  # (n_notes, 3): start and end in seconds, MIDI pitch


class Sheet(NamedTuple):
    """The music of a transfer on paper: a picture, the chords of each bar, and files by label."""

    picture: Path
    bars: tuple[str, ...]
    files: Mapping[str, Path]


class Notation(Protocol):
    """The music of a transfer, known by systems that go by way of notes."""

    def write(self, recording: Path, result: Path) -> Sheet:
        """Write it beside the result, under names made of both files' names."""
        ...

    def notes(self) -> Mapping[str, Mapping[str, Notes]]:
        """What has pitch, by stage of the transfer and by part, for a picture."""
        ...


OwnOptions = TypeVar("OwnOptions", bound=Options)


class System(ABC, Generic[OwnOptions]):
    """Whatever transfers.

    name: for messages. styles: those it knows, two or more. options: the dataclass of its options,
    with its own defaults. keeps_dynamics: whether its output is as loud as its input at any moment;
    where it is not, the recording's dynamics are restored afterwards. fades_ends: whether output
    that keeps them is faded in and out, because it may begin and end with a click. learns_styles:
    whether the target may be a learned style's file, too. refuses: options of all that have no
    meaning to it.
    checkpoint: the file it was loaded from, if any. on_notation: is called with the music of each
    transfer, before its first sound, by systems that know it.
    """

    name: str
    styles: tuple[str, ...]
    options: type[OwnOptions] = Options  # pyright: ignore[reportAssignmentType]
    keeps_dynamics: bool = True
    fades_ends: bool = False
    learns_styles: bool = False
    refuses: tuple[str, ...] = ()
    checkpoint: Path | None = None
    on_notation: Callable[[Notation], None] | None = None

    def ready(self) -> None:  # most need nothing more than is always installed
        """Raise ThirdstreamError where a part that it needs is not installed."""

    def parts(self) -> tuple[str, ...]:
        """What its transfers depend on outside the package and its weights, with version or hash.

        Raises ThirdstreamError as `ready` does.
        """
        return ()

    @property
    def terms(self) -> str:
        """The licence of weights that are not the package's own, for a command to say; or ""."""
        return ""

    def n_parameters(self) -> int | None:
        """Of the networks that a transfer uses; None where there are none to count."""
        return None

    def training_s(self) -> float | None:
        """Processor time that its training took, in seconds; None where it was not measured."""
        return None

    def trace(self, waves: Wave, *, source: str, target: str, seed: int) -> MelTrace | None:
        """What it computes for segments (batch, SEGMENT), 44.1 kHz, -20 dB; None without mels."""
        return None

    @abstractmethod
    def stream(self, blocks: Iterable[Wave], options: OwnOptions) -> Iterator[Wave]:
        """Blocks (n_channels, n_samples), 44.1 kHz, -20 dB, into as many samples or a few more."""

    def accept(self, options: Options) -> OwnOptions:
        """The same options as this system's own; what has its default gets this system's default.

        Raises ThirdstreamError as `choose` does.
        """
        given = {one.name: getattr(options, one.name) for one in fields(options)
                 if getattr(options, one.name) != one.default}  # fmt: skip
        return self.choose(**given)

    def choose(self, **given: Any) -> OwnOptions:
        """This system's options, some of them given by name.

        Raises ThirdstreamError on an option that it does not take, a style that it does not know,
        and a share that is not between 0 and 1.
        """
        given = {name: value for name, value in given.items() if value is not None}
        for name in given:
            if name not in {one.name for one in fields(self.options)}:
                raise self.takes_no(name)
        for name in {"to", "source"} & set(given):
            if isinstance(given[name], Path):  # of a learned style
                given[name] = str(given[name])
        options = self.options(**given)
        self.check(options)
        return options

    def check(self, options: OwnOptions) -> None:
        """Raise ThirdstreamError on a value that no transfer of this system can use."""
        for name in ("style_strength", "keep_content", "blend"):
            share = getattr(options, name)
            if share is not None and not 0 <= share <= 1:
                option = name.replace("_", "-")
                raise ThirdstreamError(f"--{option} must lie between 0 and 1 (got {share})")
        for style in (options.to, options.source or options.to):
            self.check_style(style)

    def check_length(self, options: OwnOptions, duration_s: float) -> None:  # most have no such
        """Raise ThirdstreamError on a value that no recording of this length can be meant by."""

    def check_style(self, style: str) -> None:
        """Raise ThirdstreamError on a style that it does not know."""
        if style not in self.styles:
            raise ThirdstreamError(
                f"the model {self.name} does not know the style {style!r}; "
                f"it knows {', '.join(self.styles[:-1])} and {self.styles[-1]}"
                + meant(str(style), self.styles)
            )

    def takes_no(self, option: str) -> ThirdstreamError:
        """What is said of an option that means nothing to it."""
        flag = option.replace("_", "-")
        return ThirdstreamError(f"the model {self.name} takes no {option}; leave --{flag} out")

    def transfer(self, wave: Wave, sr: int, *, to: str, **options: Any) -> Wave:
        """Transfer a whole wave, (n_samples,) or (n_channels, n_samples), of any rate `sr` in Hz.

        to, options: the fields of `Options` and of the system's own, by name. Returns a wave of the
        same shape and rate, with the input's RMS and no sample beyond full scale; silence stays
        silence. Raises ThirdstreamError as `choose` does, and on an empty or non-finite wave.
        """
        chosen = self.choose(to=to, **options)
        channels = _channels(wave, sr)
        level = audio.level_of([channels])
        self.check_length(chosen, level.n_samples / sr)
        blocks = (channels[:, at : at + BLOCK] for at in range(0, channels.shape[1], BLOCK))
        matched = match_loudness(
            lambda inside: self.stream(inside, chosen),
            audio.centred(blocks, level),
            sr=sr,
            n_channels=len(channels),
            level=level,
            ceiling=0.999,
            keeps_dynamics=self.keeps_dynamics,
            fades_ends=self.fades_ends,
            blend=chosen.blend,
        )
        result = np.concatenate(list(matched), axis=1)
        return result[0] if np.ndim(wave) == 1 else result


def _channels(wave: Wave, sr: int) -> Wave:
    """A user's wave as (n_channels, n_samples). Raises ThirdstreamError where it is none."""
    if not MIN_SR <= sr <= MAX_SR:
        raise ThirdstreamError(f"sr must lie between {MIN_SR:,} and {MAX_SR:,} Hz (got {sr})")
    channels = np.atleast_2d(np.asarray(wave, dtype=np.float32))
    if channels.ndim == 2 and channels.shape[0] > MAX_CHANNELS:
        raise ThirdstreamError(
            f"the wave has {channels.shape[0]} channels; it must be (n_channels, n_samples), "
            "so give wave.T of what soundfile reads"
        )
    if channels.ndim != 2 or channels.shape[1] == 0 or not np.isfinite(channels).all():
        raise ThirdstreamError(
            f"the wave must be (n_samples,) or (n_channels, n_samples), not empty and without "
            f"NaN (got shape {np.shape(wave)}); check how it was read"
        )
    return channels
