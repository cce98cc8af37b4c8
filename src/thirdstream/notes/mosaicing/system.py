"""The system of concatenative synthesis: a recording is played by units of a collection's
recordings, and its melody by their notes."""

from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from pathlib import Path

from threadpoolctl import threadpool_limits

from thirdstream import audio
from thirdstream.audio import Wave
from thirdstream.files import ThirdstreamError, is_style
from thirdstream.notes.mosaicing.collection import Collection, from_arrays
from thirdstream.notes.mosaicing.grains import melody
from thirdstream.notes.mosaicing.indexing import INDEXING, NAME
from thirdstream.notes.mosaicing.options import ConcatenativeOptions
from thirdstream.notes.mosaicing.selection import choose, choose_grains, wanted
from thirdstream.notes.mosaicing.synthesis import (
    Event,
    lead_event,
    leads_of,
    run_event,
    runs_of,
    summed,
)
from thirdstream.notes.transcription.features import FrameFeatures, frame_features
from thirdstream.notes.transcription.transcriber import Transcriber
from thirdstream.system import System

HOW = f"thirdstream index STYLE=FOLDER --out {NAME}.safetensors"
MOST_LEVEL = 2.0


class Concatenative(System[ConcatenativeOptions]):
    """Transfers into the styles of its collections; without any, into none."""

    name = NAME
    options = ConcatenativeOptions
    keeps_dynamics = False
    refuses = ("style_strength", "keep_content")

    def __init__(self, collections: Mapping[str, Collection]) -> None:
        self.collections, self.styles = dict(collections), tuple(collections)

    def ready(self) -> None:
        """Raise ThirdstreamError without recordings, or without the transcriber."""
        if not self.styles:
            raise ThirdstreamError(
                f"{NAME}: has no recordings to play with; give a folder of some as --to, or make "
                f"an index: {HOW}"
            )
        Transcriber()

    def check(self, options: ConcatenativeOptions) -> None:
        """As every system does; and raise ThirdstreamError on a level that is none."""
        self.ready()
        for name in self.refuses:
            if getattr(options, name) is not None:
                raise self.takes_no(name)
        if not 0 <= options.melody_level <= MOST_LEVEL:
            raise ThirdstreamError(
                f"--melody-level must lie between 0 and {MOST_LEVEL:g} (got {options.melody_level})"
            )
        super().check(options)

    def check_style(self, style: str) -> None:
        """Raise ThirdstreamError on a style that it has no recordings of."""
        if style not in self.styles:
            raise ThirdstreamError(
                f"this index has no recordings of {style!r}; it has some of "
                f"{' and '.join(self.styles)}; make one of all styles that you want with: {HOW}"
            )

    def stream(self, blocks: Iterable[Wave], options: ConcatenativeOptions) -> Iterator[Wave]:
        """Blocks (n_channels, n_samples), 44.1 kHz, -20 dB, into exactly as many samples.

        The whole recording is transcribed before the first block comes. Two channels come back as
        stereo, any other number as copies of one. Raises ThirdstreamError where no notes are found.
        """
        recording = audio.Counted(blocks)
        with threadpool_limits(1, "blas"):
            features = frame_features(recording)
            played = 2 if recording.n_channels == 2 else 1
            events = self._events(features, options, played)
        for block in summed(events, n_samples=recording.n_samples, n_channels=played):
            yield (
                block
                if played == recording.n_channels
                else block.repeat(recording.n_channels, axis=0)
            )

    def _events(
        self, features: FrameFeatures, options: ConcatenativeOptions, n_channels: int
    ) -> Iterator[Event]:
        """What sounds, in the order in which it begins."""
        collection, tune = self.collections[options.to], melody(features)
        if not len(tune.pitches):
            raise ThirdstreamError("no notes are found in it; give music with pitches")
        query = wanted(features)
        chosen = choose(query, collection.units, seed=options.seed)
        runs = runs_of(chosen, query, collection, features.tuning)
        leads = leads_of(tune, choose_grains(tune, collection.grains))
        if not options.melody_level:
            leads = []
        return merge(
            (run_event(run, collection, n_channels) for run in runs),
            (lead_event(one, features, collection, n_channels, options.melody_level)
             for one in leads),
            key=lambda event: event[0],
        )  # fmt: skip


def to_be_indexed(style: str) -> Concatenative:
    """The system of an index of this style that is yet to be made: it checks options."""
    system = Concatenative({})
    system.styles = (style,)
    return system


def load(path: Path | None = None) -> Concatenative:
    """The system of an index; without one, a system that says how to make it.

    Raises CheckpointError where the file is none, or of another version.
    """
    if path is None:
        return Concatenative({})
    from thirdstream import checkpoint

    tensors, header = checkpoint.read(path)
    try:
        if header["version"] != INDEXING:
            raise ValueError(f"its version is {header['version']!r:.20}, and not {INDEXING}")
        styles = list(header["styles"])
        if not styles or not all(isinstance(one, str) and is_style(one) for one in styles):
            raise ValueError("its styles have no names")
        found = {}
        for style in styles:
            own = checkpoint.below(f"{style}/", tensors)
            found[style] = from_arrays({name: tensor.numpy() for name, tensor in own.items()})
    except (KeyError, TypeError, ValueError) as error:
        raise checkpoint.CheckpointError(
            f"{path}: is no index of this version ({error}); make it again with: {HOW}"
        ) from error
    return Concatenative(found)
