"""The contract that every model of mel spectrograms keeps; nothing else is asked of one."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, ClassVar, Literal, NamedTuple, get_args, get_origin

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from thirdstream.data.corpus import Corpus, Pairs
from thirdstream.files import ThirdstreamError
from thirdstream.mel.features.logmel import MelConfig
from thirdstream.mel.options import MelOptions, Phase

MODEL, DISCRIMINATOR = "model", "discriminator"  # the players of a training
RECONSTRUCTION = "reconstruction"  # eq. 1 goes by this name in every model
WINDOW_FRAMES = 259  # a long recording is transferred in windows of a segment's frames
HOP_FRAMES = 224  # from one window to the next
COLLAPSED = 0.1  # diversity below which an alarm is raised
SILENT = 1e-6  # deviation of normalised mels below which they are all the same
MAX_SIZE, MAX_LAYERS = 4_096, 64  # far above what is useful: a configuration may come from a file

Mels = Mapping[str, Tensor]  # by style, (batch, n_frames, n_mels)
Losses = dict[str, Tensor]  # by name: unweighted scalars
TrainingMels = Callable[[int], Iterable[Mels]]  # so many segments of each style, in batches


class Batch(NamedTuple):
    """Normalised mels of a training step, by style.

    mels: the recordings. inputs: what the encoders get: the same, or augmented (see
    `MelModel.augment`). aligned: (batch,), 1 where the mels of both styles are versions of one
    piece, 0 elsewhere; None where all are.
    """

    mels: Mels
    inputs: Mels
    aligned: Tensor | None = None


class Player(NamedTuple):
    """Parameters with an optimiser of their own, Adam.

    lr_scale: times the learning rate of the run. betas: decays of Adam's moments. weight_decay:
    added to the gradient, times the weight. every: it steps on the first of so many batches.
    clip_value: no element of the gradient is larger than this; None: as it is.
    """

    parameters: list[nn.Parameter]
    lr_scale: float = 1.0
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    every: int = 1
    clip_value: float | None = None


class MelModel(nn.Module, ABC):
    """Mels of one style into mels of another, and what is lost in training.

    Mels are normalised, (batch, n_frames, n_mels), and travel by style name. A family is a subclass
    with a frozen dataclass `Config` of its own and an entry in `thirdstream.mel.models`. A `Config`
    has a field `weights`, by loss name.
    """

    Config: ClassVar[type[Any]]
    PRESETS: ClassVar[Mapping[str, Any]]  # instances of Config; one is called "default"
    SELECTION_METRIC: ClassVar[str | None] = RECONSTRUCTION  # the validation loss that chooses the
    # epoch; None: the latest is the best, where no loss says which is
    TRAINING_ONLY: ClassVar[tuple[str, ...]] = ()  # its modules that no transfer uses
    EAGER: ClassVar[tuple[str, ...]] = ()  # its methods that are never compiled
    REMEDY: ClassVar[str] = "lower the learning rate"  # where it has collapsed
    PHASE: ClassVar[Phase] = "content"  # where the search for phases starts by default
    FOLLOWS_DYNAMICS: ClassVar[bool] = True  # whether transfers are as loud, at any moment
    OPTIONS: ClassVar[type[MelOptions]] = MelOptions  # of its transfers, as in the registry

    config: Any

    def __init__(self, styles: tuple[str, str], config: Any) -> None:
        super().__init__()
        self.styles, self.config = styles, config

    # --- transfer ---------------------------------------------------------------------------------

    @abstractmethod
    def transfer(
        self, mel: Tensor, *, source: str, target: str, condition: Tensor | None = None
    ) -> Tensor:
        """Mel of `source` -> mel of `target`, of the same shape.

        With `source` equal to `target` this is the self-reconstruction. condition: (1, n), see
        `default_condition`; without it, what the mel itself has.
        """

    def reconstruct(self, mel: Tensor, style: str) -> Tensor:
        """The self-reconstruction."""
        return self.transfer(mel, source=style, target=style)

    def default_condition(self, target: str, *, generator: torch.Generator) -> Tensor | None:
        """(1, n), what transfers into `target` are given by default besides the mel; None: nothing.

        generator: of models that draw it.
        """
        return None

    def style_code(self, mel: Tensor, style: str) -> Tensor | None:
        """(batch, n), a condition that is taken from mels of `style`; None where there is none."""
        return None

    def check_mels(self, n_mels: int) -> None:
        """Raise OptionError where the networks take no mels of so many bands."""
        own = getattr(self.config, "n_mels", n_mels)
        if n_mels != own:
            raise OptionError("n_mels", own, f"{n_mels}, as many as the mels have")

    def other(self, style: str) -> str:
        """The style that is not `style`. Raises ValueError on an unknown one."""
        first, second = self.styles
        if style not in self.styles:
            raise ValueError(f"unknown style {style!r}; this model knows {first} and {second}")
        return second if style == first else first

    # --- training ---------------------------------------------------------------------------------

    @abstractmethod
    def training_losses(self, batch: Batch, player: str = MODEL) -> Losses:
        """Named, unweighted scalars of a batch, which `player` minimises.

        Works without gradients too, in validation.
        """

    def forward(self, batch: Batch, player: str = MODEL) -> Losses:
        """What a training step calls for each player, distributed, compiled or not."""
        return self.training_losses(batch, player)

    def validation_losses(self, batch: Batch) -> Losses:
        """What is measured of validation recordings; the SELECTION_METRIC among it, if any."""
        return self.training_losses(batch)

    def loss_weights(self, player: str) -> Mapping[str, float]:
        """How much each loss of a player counts."""
        return self.config.weights

    def players(self) -> dict[str, Player]:
        """What is trained, in the order in which they step."""
        return {MODEL: Player(list(self.parameters()))}

    @classmethod
    def training_set(
        cls, corpus: Corpus, split: str, *, seed: int = 0, epoch: int = 0
    ) -> Dataset[dict[str, Tensor]]:
        """Mel power of an epoch, by style: random pairs of segments, one of each style.

        Raises ThirdstreamError where the corpus lacks what the model learns from.
        """
        return Pairs(corpus, split, seed=seed, epoch=epoch)

    def augment(self, power: Tensor, config: MelConfig) -> Tensor:
        """Mel power as the encoders get it in training; as it is by default."""
        return power

    def initialise(self, training_mels: TrainingMels) -> None:
        """Before the first step: weights that can be computed from some training mels."""

    def end_epoch(self, training_mels: TrainingMels) -> None:
        """After the last step of an epoch: what is computed anew from training mels."""

    def transfers(self, mels: Mels) -> dict[str, Tensor]:
        """Both styles' mels restyled as they are by default, by the style that they are in then."""
        generator, found = torch.Generator().manual_seed(0), {}
        for style, mel in mels.items():
            to = self.other(style)
            condition = self.default_condition(to, generator=generator)
            found[to] = self.transfer(mel, source=style, target=to, condition=condition)
        return found

    @torch.no_grad()
    def diversity(self, batch: Batch) -> float | None:
        """See `diversity_of`, of the transfers of a batch; nothing is learnt from them."""
        training = self.training
        fake = self.eval().transfers(batch.mels)
        self.train(training)
        return diversity_of(real=batch.mels, fake=fake)

    def alarm(self, losses: Mapping[str, float], diversity: float | None) -> str | None:
        """A sentence where an epoch's mean losses or its diversity say that training has failed."""
        if diversity is None or diversity >= COLLAPSED:
            return None
        return (
            f"the transfers hardly differ from one another (diversity {diversity:.3f}): the model "
            "is silent or makes one sound of all; if the next epochs do not change that, it has "
            f"collapsed: {self.REMEDY}"
        )


def diversity_of(*, real: Mels, fake: Mels) -> float | None:
    """How much transfers differ from one another, as recordings of their style do: 1 or so.

    The deviation over the batch, averaged over frames and mels, of the transfers divided by that of
    the recordings; the lesser of both styles. Near 0 the model has collapsed: it is silent, or
    makes one thing of all. In a batch of one, the deviation over its frames. None where recordings
    do not differ either, as where all are silent.
    """
    over = 0 if len(next(iter(real.values()))) > 1 else 1
    spreads = {style: (fake[style].std(over).mean(), mel.std(over).mean())
               for style, mel in real.items()}  # fmt: skip
    shares = [float(made / own) for made, own in spreads.values() if own > SILENT]
    return min(shares, default=None)


def weighted_sum(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """The scalar that a player minimises. Raises ValueError unless both have the same names."""
    if set(weights) != set(losses):
        raise ValueError(f"weights {sorted(weights)} do not match losses {sorted(losses)}")
    return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()


def as_image(mel: Tensor) -> Tensor:
    """(batch, n_frames, n_mels) -> (batch, 1, n_frames, n_mels), channels last."""
    return mel[:, None].contiguous(memory_format=torch.channels_last)


def mean_over(values: list[Tensor]) -> Tensor:
    """The mean of one scalar per style."""
    return torch.stack(values).mean()


class OptionError(ThirdstreamError, ValueError):
    """An option of a network that cannot be. name: of the field. allowed: after "must be"."""

    def __init__(self, name: str, value: Any, allowed: str) -> None:
        super().__init__(name, value, allowed)
        given = (" ".join(map(str, value)) or "none") if isinstance(value, tuple) else value
        self.name, self.fault = name, f"must be {allowed} (got {given})"

    def __str__(self) -> str:
        return f"{self.name} {self.fault}"


class Rule(NamedTuple):
    """What an option of a network must be. holds: whether it is so."""

    name: str
    holds: bool
    allowed: str


def check_config(
    config: Any, rules: Iterable[Rule], *, sizes: Iterable[str], layers: Iterable[str] = ()
) -> None:
    """Raise OptionError on the first option that cannot be, words that its Literal has not too.

    sizes, layers: names of options that are numbers from 1 to MAX_SIZE, or to MAX_LAYERS, or tuples
    of such; None is none of them.
    """
    for most, names in ((MAX_SIZE, sizes), (MAX_LAYERS, layers)):
        for name in names:
            value = getattr(config, name)
            many = value if isinstance(value, tuple) else (value,)
            if len(many) not in range(1, MAX_LAYERS + 1):
                raise OptionError(name, value, f"1 to {MAX_LAYERS} numbers")
            if not all(one is None or 1 <= one <= most for one in many):
                raise OptionError(name, value, f"from 1 to {most}")
    for name, weight in (config.weights or {}).items():
        if not 0 <= weight < math.inf:
            raise OptionError("weights", (name, weight), "a number from 0 up")
    for one in fields(config):
        if get_origin(one.type) is Literal and getattr(config, one.name) not in get_args(one.type):
            allowed = f"one of {', '.join(get_args(one.type))}"
            raise OptionError(one.name, getattr(config, one.name), allowed)
    for rule in rules:
        if not rule.holds:
            raise OptionError(rule.name, getattr(config, rule.name), rule.allowed)
