"""The ladder of transfer: blocks -> array -> file -> folder, any length, any rate.

Each rung adds one thing. A system answers for blocks at 44.1 kHz and -20 dB; `System.transfer` adds
rate and loudness for an array; `transfer_file` reads and writes; `transfer_files` goes through
folders and says what became of each file.
"""

import math
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray

from thirdstream import audio
from thirdstream.audio import BLOCK, SR, Level, Wave, dynamics
from thirdstream.audio.decoding import MAX_CHANNELS, MAX_SR, MIN_SR
from thirdstream.audio.dynamics import Contour
from thirdstream.files import ThirdstreamError, apart, fault_of, make_folder, remove_orphans

N_MATCHES = 6  # times the result's loudness is measured and corrected
MATCHED_DB = 0.05  # near enough
REMARKED_DB = 1.0  # how much softer a result must be for that to be said
TARGET_RMS = 10 ** (audio.TARGET_RMS_DB / 20)
MAX_STEP_DB = 20.0  # the largest correction at once
OPTIONAL = ("style_from", "ensemble", "score", "soundfont")  # options for some systems only
THERE = "is there already"  # the remark on a recording that was skipped
Phase = Literal["content", "propagated", "noise"]
Progress = Callable[[float], None]  # is told the share that is done, 0 to 1


@dataclass(frozen=True)
class Options:
    """How to transfer."""

    to: str
    """The style to turn recordings into, such as jazz or classical."""
    source: str | None = None
    """The recording's own style; by default the model's other one. The same as the target gives the
    recording as the model hears it: the self-reconstruction."""
    phase: Phase | None = None
    """Where the search for phases starts: from the recording's own (content), from what each
    partial's was a frame before (propagated), or from noise, as in the paper. By default where the
    model's transfers sound best."""
    style_strength: float | None = None
    """From 0, the recording as the model hears it, to 1, the whole transfer. By default the model's
    own: 1 for twins, 0.75 for the score system."""
    keep_content: float | None = None
    """From 0 to 1: how much of the recording's own fine structure, which a twin does not see, is
    put back; for the score system, the share of the recording's own notes that are played. By
    default the model's own share: 0 for twins, 1 for the score system."""
    style_from: Path | None = None
    """A recording of the target style to take the style from, for models that tell style from
    content; without it the style is the usual one, or drawn by the seed."""
    seed: int = 0
    """Of noise and of styles that are drawn."""
    blend: float = 0.0
    """From 0 to 1: how much of the recording itself is mixed into the result, both equally loud."""
    ensemble: str | None = None
    """For the score system: an ensemble (strings and harp, strings and harpsichord, chamber
    orchestra, string quartet, string orchestra, wind quintet, piano, organ, harpsichord) or a
    groove (swing, trio swing, big band, bossa nova, ballad, jazz waltz, trio waltz); by default one
    that suits the recording."""
    score: Path | None = None
    """For the score system: a corrected lead sheet (MusicXML) that takes the place of what is heard
    in the recording; its first bar line is the recording's first."""
    soundfont: Path | None = None
    """For the score system: a soundfont (.sf2, .sf3) of your own to play with, instead of the one
    that comes along."""


class System(ABC):
    """Whatever transfers. `name` is its name in SYSTEMS; `styles` are those it knows; `takes` are
    the options, of OPTIONAL, that mean something to it; `strength` and `keep` are its own
    `style_strength` and `keep_content`; `follows`: what it makes is as loud as what it hears, at
    any moment, so that the recording's dynamics need not be brought back.
    """

    name: str
    styles: tuple[str, str]
    takes: tuple[str, ...]
    strength: float = 1.0
    keep: float = 0.0
    follows: bool = True

    def ready(self) -> None:  # noqa: B027  # most need nothing more than is always installed
        """Raise ThirdstreamError where a part that it needs is not installed."""

    def parts(self) -> tuple[str, ...]:
        """What its transfers depend on outside the package and its weights, with version or hash.

        Raises ThirdstreamError as `ready` does.
        """
        return ()

    @abstractmethod
    def stream(self, blocks: Iterable[Wave], options: Options) -> Iterator[Wave]:
        """Blocks (n_channels, n_samples), 44.1 kHz, -20 dB, into as many samples or a few more."""

    def check(self, options: Options) -> None:
        """Raise ThirdstreamError on styles this system does not know, on shares beyond 0 and 1, and
        on options that mean nothing to it.
        """
        for name in ("style_strength", "keep_content", "blend"):
            share = getattr(options, name)
            if share is not None and not 0 <= share <= 1:
                option = name.replace("_", "-")
                raise ThirdstreamError(f"--{option} must lie between 0 and 1 (got {share})")
        for name in OPTIONAL:
            if getattr(options, name) is not None and name not in self.takes:
                raise ThirdstreamError(
                    f"the model {self.name} takes no {name}; leave --{name.replace('_', '-')} out"
                )
        for style in (options.to, options.source or options.to):
            if style not in self.styles:
                raise ThirdstreamError(
                    f"the model {self.name} does not know the style {style!r}; "
                    f"it knows {' and '.join(self.styles)}"
                )

    def transfer(  # noqa: PLR0913  # a user writes these, by name
        self,
        wave: Wave,
        sr: int,
        *,
        to: str,
        source: str | None = None,
        phase: Phase | None = None,
        style_strength: float | None = None,
        keep_content: float | None = None,
        style_from: Path | None = None,
        seed: int = 0,
        blend: float = 0.0,
        ensemble: str | None = None,
        score: Path | None = None,
        soundfont: Path | None = None,
    ) -> Wave:
        """Transfer a whole wave, (n_samples,) or (n_channels, n_samples), of any rate `sr` in Hz.

        The other arguments are those of Options. Returns a wave of the same shape and rate, with
        the input's RMS and no sample beyond full scale; silence stays silence. Raises
        ThirdstreamError on a style the system does not know and on an empty or non-finite wave.
        """
        options = Options(
            to=to, source=source, phase=phase, style_strength=style_strength,
            keep_content=keep_content, style_from=style_from, seed=seed, blend=blend,
            ensemble=ensemble, score=score, soundfont=soundfont,
        )  # fmt: skip
        self.check(options)
        channels = _channels(wave, sr)
        stream = (channels[:, at : at + BLOCK] for at in range(0, channels.shape[1], BLOCK))
        level = audio.level_of([channels])
        stream = audio.centred(stream, level)
        parts = list(transfer_blocks(self, stream, options, sr=sr, level=level, ceiling=0.999))
        result = np.concatenate(parts, axis=1)
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


def transfer_blocks(
    system: System,
    stream: Iterable[Wave],
    options: Options,
    *,
    sr: int,
    level: Level,
    ceiling: float,
    spool_in: Path | None = None,
    progress: Progress = lambda share: None,
) -> Iterator[Wave]:
    """Transfer blocks of rate `sr` whose loudness is known, without DC offsets, and match it again.

    The result waits in a nameless file (in the folder `spool_in`, else the system's) until its own
    loudness is known: 10 MB a minute and channel. Yields exactly `level.n_samples` samples, no peak
    above `ceiling`. progress: a recording that was heard and not yet made is half done.
    """
    if level.silent:
        yield from (np.zeros_like(block) for block in stream)
        return
    first, stream = _peek(stream)
    n_channels, n_inside = first.shape[0], math.ceil(level.n_samples * SR / sr)
    counted = _counting(2 * n_inside, progress)
    inside = audio.resampled(stream, sr_in=sr, sr_out=SR, n_channels=n_channels)
    levelled = (block * np.float32(level.gain) for block in inside)
    with (
        tempfile.TemporaryFile(dir=spool_in) as spool,
        tempfile.TemporaryFile(dir=spool_in) as recording,
    ):
        theirs, ours = Contour(), Contour()
        heard = audio.exactly(levelled, n_samples=n_inside, n_channels=n_channels)
        whole = counted(theirs.of(heard))
        if options.blend:
            whole = _spooled(whole, recording)
        restyled = system.stream(whole, options)
        made = counted(audio.exactly(restyled, n_samples=n_inside, n_channels=n_channels))
        raw = audio.level_of(_spooled(ours.of(made), spool))
        for _ in whole:  # what the system did not ask for is kept too
            pass
        result = _Result(spool, recording, n_channels, sr, raw, level, options.blend, ceiling)
        if not system.follows:
            curve = dynamics.gains(recording=theirs.powers, made=ours.powers)
            result = result.following(curve)
            if not options.blend:
                share = dynamics.share(recording=theirs.powers, made=ours.powers * curve**2)
                result = replace(result, wanted=replace(level, rms=level.rms * math.sqrt(share)))
        yield from result.finished(result.matching_gain())


@dataclass(frozen=True)
class _Result:
    """What a system made, waiting in a file beside the recording, both at 44.1 kHz.

    made: its Level; wanted: the recording's, at `sr`; blend: the share of the recording. gains: of
    the recording's dynamics, if they are to be brought back.
    """

    spool: IO[bytes]
    recording: IO[bytes]
    n_channels: int
    sr: int
    made: Level
    wanted: Level
    blend: float
    ceiling: float
    gains: NDArray[np.float64] | None = None

    def following(self, gains: NDArray[np.float64]) -> "_Result":
        """With these gains (see `dynamics`), and the level that it has with them."""
        result = replace(self, gains=gains)
        return replace(result, made=audio.level_of(result._inside()))

    def _inside(self) -> Iterator[Wave]:
        stream = _unspool(self.spool, self.n_channels)
        if self.gains is None:
            return stream
        return dynamics.followed(stream, self.gains, n_samples=self.made.n_samples)

    def finished(self, gain: float) -> Iterator[Wave]:
        """Blended, at the recording's rate and length, `gain` times louder, its peaks limited."""
        inside = self._inside()
        if self.blend:
            inside = self._blended(inside)
        back = audio.resampled(inside, sr_in=SR, sr_out=self.sr, n_channels=self.n_channels)
        whole = audio.exactly(back, n_samples=self.wanted.n_samples, n_channels=self.n_channels)
        louder = (block * np.float32(gain) for block in whole)
        return audio.limited(louder, ceiling=self.ceiling, sr=self.sr)

    def _blended(self, made: Iterator[Wave]) -> Iterator[Wave]:
        """What was made, with a share of the recording, both at -20 dB."""
        gain = (1 - self.blend) * TARGET_RMS / self.made.rms if self.made.rms else 0.0
        recording = _unspool(self.recording, self.n_channels)
        for block, own in zip(made, recording, strict=True):
            yield (gain * block + self.blend * own).astype(np.float32)

    def matching_gain(self) -> float:
        """The gain that brings the finished result to the wanted level, found by listening to it.

        It starts from the level before the limiter, and ends there where the peak is known and no
        limiter is reached. Where one is, what it took is given back, by the secant method in
        decibels.
        """
        raw = Level(self.made.n_samples, TARGET_RMS) if self.blend else self.made
        if raw.rms == 0:
            return 0.0
        peak = raw.peak if self.sr == SR else math.inf
        if peak * self.wanted.rms <= self.ceiling * raw.rms:
            return self.wanted.rms / raw.rms
        gain_db, heard = self.wanted.rms_db - raw.rms_db, []
        for _ in range(N_MATCHES):
            rms_db = audio.level_of(self.finished(10 ** (gain_db / 20))).rms_db
            if abs(self.wanted.rms_db - rms_db) < MATCHED_DB or math.isinf(rms_db):
                break
            heard.append((gain_db, rms_db))
            slope = 1.0  # of the level heard over the gain: 1 without a limiter, less with one
            if len(heard) > 1 and heard[-1][0] != heard[-2][0]:
                (gain_0, rms_0), (gain_1, rms_1) = heard[-2:]
                slope = min(max((rms_1 - rms_0) / (gain_1 - gain_0), 0.1), 1.0)
            gain_db += min((self.wanted.rms_db - rms_db) / slope, MAX_STEP_DB)
        return 10 ** (gain_db / 20)


def _peek(stream: Iterable[Wave]) -> tuple[Wave, Iterator[Wave]]:
    iterator = iter(stream)
    first = next(iterator)

    def again() -> Iterator[Wave]:
        yield first
        yield from iterator

    return first, again()


def _counting(n_samples: int, progress: Progress) -> Callable[[Iterable[Wave]], Iterator[Wave]]:
    """What blocks pass through, of one stream or several, to be counted together."""
    n_done = 0

    def counted(blocks: Iterable[Wave]) -> Iterator[Wave]:
        nonlocal n_done
        for block in blocks:
            n_done += block.shape[1]
            progress(min(1.0, n_done / n_samples))
            yield block

    return counted


def _spooled(stream: Iterable[Wave], spool: IO[bytes]) -> Iterator[Wave]:
    """Pass blocks on, and keep them in the file."""
    for block in stream:
        spool.write(block.T.astype(np.float32).tobytes())
        yield block


def _unspool(spool: IO[bytes], n_channels: int) -> Iterator[Wave]:
    spool.seek(0)
    while data := spool.read(4 * n_channels * BLOCK):
        yield np.frombuffer(data, np.float32).reshape(-1, n_channels).T


def transfer_file(
    system: System,
    path: Path,
    out: Path,
    options: Options,
    *,
    force: bool = False,
    progress: Progress = lambda share: None,
) -> str | None:
    """Transfer one recording of any length into the file `out`, in flat memory.

    Rate, length, loudness and, for one or two channels, channels stay; more channels are mixed to
    one. Returns a remark for the user, or None. Raises AudioError if `path` cannot be read or `out`
    cannot be written, and ThirdstreamError if `out` exists and `force` is not given.
    """
    system.check(options)
    ceiling = audio.ceiling_of(out)
    header = audio.info(path)
    if out.exists() and out.samefile(path):
        raise ThirdstreamError(f"{out}: is the recording itself; choose another place")
    if out.exists() and not force:
        raise ThirdstreamError(f"{out}: exists already; add --force to replace it")
    mono = header.n_channels > 2
    n_channels = 1 if mono else header.n_channels
    level = audio.measure(path, mono=mono)
    heard = Contour()
    stream = heard.of(audio.centred(audio.blocks(path, sr=None, mono=mono), level))
    make_folder(out.parent)
    restyled = transfer_blocks(
        system,
        stream,
        options,
        sr=header.sr,
        level=level,
        ceiling=ceiling,
        spool_in=out.parent,
        progress=progress,
    )
    written = Contour()
    audio.write(out, written.of(restyled), sr=header.sr, n_channels=n_channels)
    return _remark(level, heard, written, n_mixed=header.n_channels if mono else 0)


def _remark(level: Level, heard: Contour, written: Contour, *, n_mixed: int) -> str | None:
    """What a user should know of a recording beside its result: "the recording ..."."""
    if level.silent:
        return "is silent, and so is the result"
    remarks = [f"had {n_mixed} channels, mixed to one"] if n_mixed else []
    share = dynamics.share(recording=heard.powers, made=written.powers)
    wanted = share * level.rms**2
    softer_db = 10 * math.log10(wanted / max(written.powers.mean(), 1e-12))
    if softer_db > REMARKED_DB:
        remarks.append(f"is {softer_db:.1f} dB louder than its result, whose peaks would clip")
    return " and ".join(remarks) or None


@dataclass(frozen=True)
class Outcome:
    """What became of one file: written, skipped (`remark` says why), or failed with `error`."""

    path: Path
    out: Path
    remark: str | None = None
    error: str | None = None


def plan(inputs: Sequence[Path], out: Path, *, suffix: str = ".wav") -> list[tuple[Path, Path]]:
    """Pair each recording, in the given files and folders, with its place below `out`.

    A folder keeps its inner folders; what lies below `out` itself, results of before, is left out.
    A single file may be given an `out` with an audio ending. Recordings that would get one name get
    two, see `apart`. Raises ThirdstreamError if there is nothing to do, or `out` is one of the
    folders or the name of a file.
    """
    if len(inputs) == 1 and inputs[0].is_file() and out.suffix.lower() in audio.WRITERS:
        return [(inputs[0], out)]
    if not inputs:
        raise ThirdstreamError("no recordings to transfer; give files or folders")
    if suffix and out.suffix.lower() in audio.SUFFIXES and not out.is_dir():
        audio.ceiling_of(out)
        raise ThirdstreamError(f"{out}: is one file for several recordings; give a folder")
    pairs: dict[Path, Path] = {}
    for path in inputs:
        if not path.is_dir():
            pairs[path] = out / (path.stem + suffix)
            continue
        if suffix and out.resolve() == path.resolve():
            raise ThirdstreamError(f"{out}: holds the recordings themselves; choose another folder")
        inside = [one for one in audio.find_recordings(path) if not _is_below(one, out, path)]
        if not inside:
            raise ThirdstreamError(f"{path}: holds no recordings; check the folder")
        pairs |= {one: out / one.relative_to(path).with_suffix(suffix) for one in inside}
    return list(zip(pairs, apart(list(pairs), list(pairs.values())), strict=True))


def _is_below(one: Path, out: Path, folder: Path) -> bool:
    """Whether a recording found in a folder lies in an inner one that is for results."""
    results = out.resolve()
    return folder.resolve() in results.parents and results in one.resolve().parents


def transfer_files(
    system: System,
    pairs: Sequence[tuple[Path, Path]],
    options: Options,
    *,
    force: bool = False,
    skip_existing: bool = False,
    progress: Callable[[Path, float], None] = lambda path, share: None,
) -> Iterator[Outcome]:
    """Transfer many recordings; a bad one does not stop the others. Yields each one's outcome."""
    system.check(options)
    for folder in {out.parent for _, out in pairs}:
        remove_orphans(folder)
    for path, out in pairs:
        yield outcome_of(
            system, path, out, options, force=force, skip_existing=skip_existing,
            progress=lambda share, path=path: progress(path, share),
        )  # fmt: skip


def outcome_of(
    system: System,
    path: Path,
    out: Path,
    options: Options,
    *,
    force: bool = False,
    skip_existing: bool = False,
    progress: Progress = lambda share: None,
) -> Outcome:
    """As `transfer_file`, but a fault is an outcome too."""
    try:
        if skip_existing and out.exists() and not out.samefile(path):
            return Outcome(path, out, remark=THERE)
        remark = transfer_file(system, path, out, options, force=force, progress=progress)
        return Outcome(path, out, remark)
    except Exception as error:  # whatever it is, the other recordings are transferred
        return Outcome(path, out, error=fault_of(path, error))
