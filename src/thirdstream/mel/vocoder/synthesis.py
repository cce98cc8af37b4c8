"""Mel power back to sound: magnitudes by non-negative least squares, phases by Griffin-Lim.

Conventions: mel power (batch, n_frames, n_mels); magnitude (batch, n_freqs, n_frames) with
n_freqs = 1 + n_fft // 2; wave (batch, n_samples). Frame t is centred on sample t * hop_length.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from thirdstream import audio
from thirdstream.mel.features.filters import FilterBank
from thirdstream.mel.features.logmel import MelConfig
from thirdstream.mel.threads import in_threads
from thirdstream.mel.vocoder.phases import propagated
from thirdstream.mel.vocoder.search import (
    FROM_CONTENT,
    FROM_NOISE,
    FROM_PROPAGATED,
    Search,
    Steps,
    searched,
)

MOST_DETAIL = 32.0  # +30 dB over what the mel power tells
OVERLAP = 16  # frames a chunk of a stream shares with the one before
N_FADE = 256  # samples in which what was held back gives way to what came of it
HELD_BACK = 4  # frames at a chunk's end whose samples still lack neighbours


class Chunk(NamedTuple):
    """Some frames of a long spectrogram.

    power: mel power (batch, n_mels, n_frames).
    start: complex (batch, n_freqs, n_frames), the phases from which to search, where there are any.
    detail: (batch, n_freqs, n_frames), a factor to the magnitudes that the power has, or None.
    """

    power: Tensor
    start: Tensor | None
    detail: Tensor | None = None

    def split(self, n: int) -> list["Chunk"]:
        """Its batch in `n` equal parts."""
        parts = [[None] * n if one is None else one.chunk(n) for one in self]
        return [Chunk(*of_one) for of_one in zip(*parts, strict=True)]

    def joined(self, after: "Chunk") -> "Chunk":
        """These frames and then those."""
        return Chunk(
            torch.cat([self.power, after.power], dim=2),
            _cat(self.start, after.start),
            _cat(self.detail, after.detail),
        )

    def last(self, n_frames: int) -> "Chunk":
        """The last frames, all if there are fewer."""
        start, detail = (
            None if part is None else part[:, :, -n_frames:] for part in (self.start, self.detail)
        )
        return Chunk(self.power[:, :, -n_frames:], start, detail)

    def magnitude(self, synthesiser: "Synthesiser", *, n_iter: int) -> Tensor:
        """(batch, n_freqs, n_frames)."""
        told = synthesiser.magnitude(self.power.transpose(1, 2), n_iter=n_iter)
        return told if self.detail is None else told * self.detail


def overlap_add(windows: Iterable[Chunk], *, hop: int, margin: int) -> Iterator[Chunk]:
    """Windows of a long spectrogram, cross-faded: `audio.overlap_add` of each of their parts."""

    def joined(place: int, stream: Iterator[Chunk]) -> Iterator[Tensor | None]:
        first = next(stream, None)
        if first is None:
            return
        if first[place] is None:
            yield from itertools.chain([None], (None for _ in stream), itertools.repeat(None))
        windows = (cast(Tensor, one[place]) for one in itertools.chain([first], stream))
        arrays = (window.numpy() for window in windows)
        yield from map(torch.from_numpy, audio.overlap_add(arrays, hop=hop, margin=margin))

    parts = itertools.tee(windows, len(Chunk._fields))
    for power, start, detail in zip(*map(joined, itertools.count(), parts), strict=False):
        assert power is not None
        yield Chunk(power, start, detail)


class Synthesiser(nn.Module):
    """mel power -> wave. Without learnt parts; filter bank and pseudo-inverse are derived."""

    inverse: Tensor
    window: Tensor

    def __init__(self, config: MelConfig | None = None) -> None:
        super().__init__()
        self.config = config or MelConfig()
        filters = torch.from_numpy(self.config.filters())
        inverse = torch.linalg.pinv(filters.double()).float()
        self.filters = FilterBank(filters)
        self.register_buffer("inverse", inverse, persistent=False)
        self.register_buffer("window", torch.hann_window(self.config.n_fft), persistent=False)

    def magnitude(self, power: Tensor, *, n_iter: int = FROM_NOISE.n_updates) -> Tensor:
        """Least-squares magnitudes: (batch, n_frames, n_mels) -> (batch, n_freqs, n_frames).

        Starts from the clipped pseudo-inverse and refines by the multiplicative updates of Lee and
        Seung (2001), which keep every value at or above zero and never raise the error.
        """
        from thirdstream.mel.vocoder import loops  # numba takes a third of a second

        bank = self.filters
        index, weight = (one.cpu().numpy() for one in (bank.index, bank.weight[..., 0]))
        found = torch.empty(*power.shape[:2], len(self.inverse))  # each frame's bins in a row

        def work(row: int) -> None:
            target = power[row].T.contiguous()
            numerator = bank.spread(target)
            # A bin clipped to 0 would stay 0 for ever: give it a trace of what its filters hold.
            floor = numerator * (1e-2 / bank.energy.add(1e-12))
            spectrum = torch.maximum(self.inverse @ target, floor)
            own, of = (one.cpu().numpy() for one in (spectrum, numerator))
            loops.update(own, of, index, weight, bank.n_mels, n_iter)
            np.sqrt(own.T, out=found[row].numpy())

        in_threads(work, len(power))
        return found.mT.to(power.device)

    def detail(self, power: Tensor, spectrum: Tensor) -> Tensor:
        """What a recording's magnitudes have that its mel power does not tell, as a factor.

        power: (batch, n_frames, n_mels); spectrum: complex (batch, n_freqs, n_frames), of the same
        recording. Returns (batch, n_freqs, n_frames) in [0, MOST_DETAIL].
        """
        told = self.magnitude(power)
        return (spectrum.abs() / told.clamp(min=1e-12)).clamp_(max=MOST_DETAIL)

    def stft(self, wave: Tensor) -> Tensor:
        """(batch, n_samples) -> complex (batch, n_freqs, 1 + n_samples // hop_length)."""
        return self.config.stft(wave, self.window)

    def griffin_lim(
        self,
        magnitude: Tensor,
        *,
        start: Tensor,
        n_iter: int = FROM_NOISE.n_iter,
        known: Tensor | None = None,
        steps: Steps = FROM_NOISE.steps,
    ) -> Tensor:
        """Find a wave with these magnitudes: fast Griffin-Lim (Perraudin et al. 2013, alg. 2).

        start: complex, shaped as `magnitude`; only its phase counts.
        known: (batch, n_known) first samples that are already fixed, kept as they are.
        steps: FAST, or ACCELERATED (Nenov et al. 2023), which comes as near in fewer iterations.

        Returns (batch, (n_frames - 1) * hop_length).
        """
        return searched(
            magnitude,
            start=start,
            known=known,
            window=self.window,
            hop=self.config.hop_length,
            n_iter=n_iter,
            steps=steps,
        )

    def noise(self, shape: torch.Size | tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Random phases, complex, from the generator: where Griffin-Lim starts in the paper."""
        angle = torch.rand(shape, generator=generator, device=generator.device) * (2 * torch.pi)
        return torch.polar(torch.ones_like(angle), angle).to(self.window.device)

    def forward(
        self, power: Tensor, *, generator: torch.Generator, content: Tensor | None = None
    ) -> Tensor:
        """(batch, n_frames, n_mels) -> (batch, (n_frames - 1) * hop_length).

        content: (batch, n_samples) recording whose phases to start from; without it, noise.
        """
        magnitude = self.magnitude(power)
        if content is None:
            return self.griffin_lim(magnitude, start=self.noise(magnitude.shape, generator))
        n_samples = (magnitude.shape[2] - 1) * self.config.hop_length
        padded = nn.functional.pad(content, (0, max(0, n_samples - content.shape[1])))
        start, (n_iter, _, steps) = self.stft(padded[:, :n_samples]), FROM_CONTENT
        return self.griffin_lim(magnitude, start=start, n_iter=n_iter, steps=steps)

    def stream(
        self, chunks: Iterable[Chunk], *, search: Search = FROM_NOISE, propagation: float = 0.0
    ) -> Iterator[np.ndarray]:
        """Synthesise mel power that comes in chunks, without seams, in the memory of three of them.

        Every chunk is computed from OVERLAP frames before its own first: there the samples found
        before are held fixed, so that the phases go on from them. A cross-fade would cancel where
        two independent solutions meet; this cannot.

        propagation: from 0 to 1, how much of the phases to search from are those that are
            propagated from frame to frame (see `phases`). At 1 chunks need none, and few
            iterations will do.

        Yields (batch, n_samples) blocks, together (n_frames - 1) * hop_length samples.
        """
        hop, reach = self.config.hop_length, self.config.n_fft // (2 * self.config.hop_length)
        found = torch.zeros(1, 0, 0)  # spectrum of the repeated frames whose samples are all known
        known = held = torch.zeros(1, 0)
        search = FROM_PROPAGATED if propagation == 1 else search
        wholes = self._wholes(chunks, n_updates=search.n_updates)
        for number, (whole, magnitude) in enumerate(audio.ahead(wholes, n_items=2)):
            given = whole.start
            start = self._start(magnitude, given=given, found=found, propagation=propagation)
            wave = self.griffin_lim(
                magnitude,
                start=start,
                n_iter=search.n_iter,
                steps=search.steps,
                known=known if number else None,
            )
            n_final = max(known.shape[1], wave.shape[1] - HELD_BACK * hop)
            new = wave[:, known.shape[1] : n_final]
            _fade(new, held)
            yield new.numpy()
            if propagation:
                end = wave[:, -(OVERLAP + reach) * hop :]
                found = self.stft(end)[:, :, -OVERLAP : -HELD_BACK - reach]
            n_repeated = (min(OVERLAP, magnitude.shape[2]) - 1) * hop
            known, held = wave[:, wave.shape[1] - n_repeated : n_final], wave[:, n_final:]
        yield held.numpy()

    @torch.inference_mode()
    def _wholes(self, chunks: Iterable[Chunk], *, n_updates: int) -> Iterator[tuple[Chunk, Tensor]]:
        """Each chunk behind the last OVERLAP frames of the one before, and its magnitudes."""
        before: Chunk | None = None
        for chunk in chunks:
            whole = chunk if before is None else before.joined(chunk)
            yield whole, whole.magnitude(self, n_iter=n_updates)
            before = whole.last(OVERLAP)

    def _start(
        self, magnitude: Tensor, *, given: Tensor | None, found: Tensor, propagation: float
    ) -> Tensor:
        """Phases of frames, of the first of which the spectrum has been found before: those given,
        and a share of those that go on from there.
        """
        if given is not None and propagation == 0:
            return given
        n_found = found.shape[2]
        fresh = propagated(
            magnitude[:, :, n_found:],
            n_fft=self.config.n_fft,
            hop_length=self.config.hop_length,
            before=found[:, :, -1] if n_found else None,
        )
        phases = torch.cat([torch.sgn(found), fresh], dim=2) if n_found else fresh
        return phases if given is None else torch.lerp(torch.sgn(given), phases, propagation)


def _fade(new: Tensor, held: Tensor) -> None:
    """From what was held back into new samples, (batch, n_samples), which begin in the same place:
    there both ways on from what is known are alike."""
    n_fade = min(N_FADE, held.shape[1], new.shape[1])
    seam = new[:, :n_fade]
    seam.copy_(torch.lerp(held[:, :n_fade], seam, torch.linspace(0, 1, n_fade)))


def _cat(before: Tensor | None, after: Tensor | None) -> Tensor | None:
    """Along time; None where there is neither."""
    return None if before is None or after is None else torch.cat([before, after], dim=2)
