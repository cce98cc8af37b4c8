"""MusicGen with melody (Copet et al. 2023): music anew, from a recording's chroma and a prompt.

Of the recording, only the strongest pitch class of each eighth of a second is kept; the rest is
what the text says. The network plays mono: all channels of a result are the same.
"""

import math
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from thirdstream import audio
from thirdstream.audio import SR, Wave
from thirdstream.files import ThirdstreamError
from thirdstream.pretrained import weights
from thirdstream.pretrained.chroma import melody
from thirdstream.pretrained.options import MusicgenOptions
from thirdstream.pretrained.system import PretrainedSystem
from thirdstream.pretrained.weights import Published

PUBLISHED = Published(
    repository="facebook/musicgen-melody", kind="musicgen_melody",
    network="MusicgenMelodyForConditionalGeneration", extra="musicgen", size="about 6 GB",
    licence="CC BY-NC 4.0, so not for commercial use",
    needs=("tokenizer.json",),  # without it transformers would make an empty tokenizer
)  # fmt: skip
# The network was trained on 30 s. A window begins with the last 12 s of tokens of the one before it
# and goes on from there: 18 s a step, as the authors' own code does for longer music.
WINDOW_S, PROMPT_S = 30, 12
FADE_S = 1  # amid the 12 s, where both windows sound from the same tokens
GUIDANCE_SCALE, TEMPERATURE, TOP_K = 3.0, 1.0, 250  # Copet et al. 2023, section 3
UNKNOWN = 10**9  # the limit of a tokenizer that knows none is above this
PROMPTS = {
    "jazz": "A swinging jazz trio with piano, double bass and brushed drums, recorded live.",
    "classical": "Classical music, played by a chamber orchestra with strings and woodwinds.",
}


def prompt_of(options: MusicgenOptions) -> str:
    """The text that a result is made from."""
    if options.prompt is not None:
        return options.prompt
    words = options.to.replace("_", " ").replace("-", " ")
    return PROMPTS.get(
        options.to, f"{words[:1].upper()}{words[1:]} music, played by a small group."
    )


def tokens_of(prompt: str, folder: Path) -> dict[str, Tensor]:
    """What the network in a folder gets of a prompt, whole.

    Raises ThirdstreamError where it is longer than the network's text encoder was made for, as the
    tokenizer says, or else the encoder's configuration.
    """
    transformers = weights.import_transformers(PUBLISHED)
    with weights.reading(folder), weights.quietly():
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        text = tokenizer(prompt, return_tensors="pt")
    n_tokens, most = text["input_ids"].shape[1], tokenizer.model_max_length
    if most > UNKNOWN:  # T5 itself has no limit: its positions are relative
        encoder = weights.configuration(folder, PUBLISHED).text_encoder
        most = getattr(encoder, "n_positions", math.inf)
    if n_tokens > most:
        raise ThirdstreamError(
            f"the prompt is {n_tokens} tokens long (words and parts of words), and the network "
            f"takes {most}; give a --prompt that is shorter by {n_tokens - most} or more"
        )
    return {name: text[name] for name in ("input_ids", "attention_mask")}


class Musicgen(PretrainedSystem[MusicgenOptions]):
    """Plays to the melody of a recording; see the module."""

    name = "musicgen-melody"
    options = MusicgenOptions
    published = PUBLISHED
    keeps_dynamics = False

    def check(self, options: MusicgenOptions) -> None:
        """As every system does; and raise ThirdstreamError on values that nothing is sampled by,
        and on a prompt that says nothing, or too much."""
        least = {"guidance_scale": 1, "temperature": 0.01, "top_k": 1}
        for name, low in least.items():
            value = getattr(options, name)
            if value is not None and not low <= value < math.inf:
                flag = name.replace("_", "-")
                raise ThirdstreamError(f"--{flag} must be {low:g} or more (got {value:g})")
        if not prompt_of(options).strip():
            raise ThirdstreamError("--prompt is empty; say what is played, or leave it out")
        super().check(options)
        tokens_of(prompt_of(options), self.folder(options.weights))

    def stream(self, blocks: Iterable[Wave], options: MusicgenOptions) -> Iterator[Wave]:
        """Blocks (n_channels, n_samples), 44.1 kHz, -20 dB, into as many samples or a few more."""
        player = Player.of(self, options)
        n_channels, blocks = audio.channels_of(blocks)
        mono = (audio.mixed(block) for block in blocks)
        inside = audio.resampled(mono, sr_in=SR, sr_out=player.sr, n_channels=1)
        played = player.played(inside)
        for block in audio.resampled(played, sr_in=player.sr, sr_out=SR, n_channels=1):
            yield np.repeat(block, n_channels, axis=0)


@dataclass(frozen=True)
class Player:
    """A network with what it plays by. text: of the tokenizer. frame: samples of a token."""

    network: Any
    text: dict[str, Tensor]
    options: MusicgenOptions

    @classmethod
    def of(cls, system: Musicgen, options: MusicgenOptions) -> "Player":
        """Load what is needed. Raises ThirdstreamError as `PretrainedSystem.network` does."""
        network = system.network(options.weights)
        folder = system.folder(options.weights)
        if network.decoder.config.audio_channels != 1:
            raise ThirdstreamError(
                f"{folder}: is a MusicGen that plays stereo; give {PUBLISHED.repository}"
            )
        text = tokens_of(prompt_of(options), folder)
        text = {name: value.to(network.device) for name, value in text.items()}
        return cls(network, text, options)

    @property
    def sr(self) -> int:
        """Of the music, in Hz."""
        return self.network.config.audio_encoder.sampling_rate

    @property
    def frame(self) -> int:
        """Samples of a token."""
        return self.network.config.audio_encoder.hop_length

    def played(self, recording: Iterable[Wave]) -> Iterator[Wave]:
        """Music to a recording, blocks (1, n_samples) of rate `sr`, as long and a little more."""
        n_frames, n_prompt = (seconds * self.sr // self.frame for seconds in (WINDOW_S, PROMPT_S))
        size, hop = n_frames * self.frame, (n_frames - n_prompt) * self.frame
        n_read = 0

        def counted() -> Iterator[Wave]:
            nonlocal n_read
            for block in recording:
                n_read += block.shape[1]
                yield block

        def windows() -> Iterator[Wave]:
            tokens = None
            for number, window in enumerate(audio.windows(counted(), size=size, hop=hop)):
                n_samples = min(size, n_read - number * hop)  # the last one ends with zeros
                last = None if tokens is None else tokens[:, -n_prompt:]
                wave, tokens = self.generated(window[0, :n_samples], number=number, tokens=last)
                yield np.pad(wave, (0, max(0, size - len(wave))))[None, :size]

        margin = max(0, size - hop - FADE_S * self.sr) // 2
        yield from audio.overlap_add(windows(), hop=hop, margin=margin)

    def generated(
        self, recording: Wave, *, number: int, tokens: Tensor | None
    ) -> tuple[Wave, Tensor]:
        """A window: its wave (n_samples,), and its tokens (n_codebooks, n_frames).

        recording: (n_samples,), what it is played to. tokens: those that it begins with. number: of
        the window, which with the seed says what is drawn.
        """
        network, options = self.network, self.options
        n_codebooks = network.decoder.num_codebooks
        n_frames = max(n_codebooks, math.ceil(len(recording) / self.frame))
        wave = torch.from_numpy(recording).to(network.device)
        chroma = melody(wave, sr=self.sr)
        drawn = _Drawn()
        given = {} if tokens is None else {"decoder_input_ids": tokens}
        devices = [network.device] if network.device.type == "cuda" else []
        with torch.random.fork_rng(devices), weights.quietly():
            torch.manual_seed(zlib.crc32(f"{options.seed} {number}".encode()))
            made = network.generate(
                **self.text,
                **given,
                input_features=chroma[None],
                # Each codebook comes a step after the one before it.
                max_length=n_frames + n_codebooks,
                do_sample=True,
                guidance_scale=options.guidance_scale or GUIDANCE_SCALE,
                temperature=options.temperature or TEMPERATURE,
                top_k=options.top_k or TOP_K,
                streamer=drawn,
            )
        return made[0, 0].cpu().numpy(), drawn.tokens(n_codebooks, n_frames).to(network.device)


class _Drawn:
    """What is told of each step of a generation: the tokens that are drawn."""

    def __init__(self) -> None:
        self.steps: list[Tensor] = []

    def put(self, value: Tensor) -> None:
        self.steps.append(value)

    def end(self) -> None:
        """Nothing more comes."""

    def tokens(self, n_codebooks: int, n_frames: int) -> Tensor:
        """(n_codebooks, n_frames), each codebook's taken from its delay on."""
        drawn = torch.cat([step.reshape(n_codebooks, -1) for step in self.steps], dim=1)
        return torch.stack([row[1 + k : 1 + k + n_frames] for k, row in enumerate(drawn)])
