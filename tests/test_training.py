import dataclasses
import json
import math
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import accelerate
import numpy as np
import pytest
import soundfile as sf
import torch
from accelerate.state import AcceleratorState

from conftest import STYLES, TINY, found_in, music
from thirdstream import checkpoint
from thirdstream.audio import SEGMENT, SR
from thirdstream.data import preparing
from thirdstream.data.corpus import Corpus
from thirdstream.files import Interrupted
from thirdstream.mel import system as systems
from thirdstream.mel.models.cnn import TwinCNN
from thirdstream.mel.models.gan import GANConfig, TwinGAN
from thirdstream.mel.models.melgan_vc import MelGANVCConfig
from thirdstream.mel.models.model import MODEL, Player
from thirdstream.mel.models.play_as_you_like import PlayAsYouLikeConfig
from thirdstream.mel.models.twin import size_of
from thirdstream.mel.models.vae import TwinVAE, VAEConfig
from thirdstream.mel.training import loop as training
from thirdstream.mel.training import run as runs
from thirdstream.mel.training.loop import State, Step, TrainingConfig, TrainingError

CONFIG = TrainingConfig(epochs=3, batch_size=2, lr=1e-2, schedule="cosine")


GAN = GANConfig(
    **size_of(TINY),
    weights=TwinGAN.PRESETS["paper"].weights,
    style_channels=(2, 2), style_size=3, discriminator_channels=(2,),
)  # fmt: skip
LIKE = PlayAsYouLikeConfig(
    n_channels=2, n_residual=1, n_hidden=4, patch=4, kernel_size=3,
    discriminator_channels=2, discriminator_layers=2, discriminator_scales=2, crop=64,
)  # fmt: skip
VAE = VAEConfig(**size_of(TINY), weights=TwinVAE.PRESETS["paper"].weights)
MELGAN = MelGANVCConfig(channels=2, critic_channels=2, embedding_size=3, slice_frames=8)
NETWORKS = {
    "twin-cnn": TINY, "twin-vae": VAE, "twin-gan": GAN, "twin-variational-gan": GAN,
    "melgan-vc": MELGAN, "play-as-you-like": LIKE,
}  # fmt: skip


def begin(corpus: Corpus, config: TrainingConfig = CONFIG, name: str = "twin-cnn") -> State:
    return training.begin(name, NETWORKS[name], corpus, config)


def run(state: State, corpus: Corpus, out: Path, config: TrainingConfig = CONFIG) -> list[Step]:
    return list(runs.train(state, corpus, config, out))


def same(first: State, second: State) -> bool:
    pairs = zip(
        first.system.state_dict().values(), second.system.state_dict().values(), strict=True
    )
    return all(torch.equal(one, other) for one, other in pairs)


def test_a_run_learns_and_leaves_what_it_promises(small_corpus: Corpus, tmp_path: Path) -> None:
    steps = run(begin(small_corpus), small_corpus, tmp_path)
    per_epoch = training.steps_per_epoch(begin(small_corpus).system.model, small_corpus, CONFIG)
    assert [step.step for step in steps] == list(range(1, 3 * per_epoch + 1))
    ends = [step for step in steps if step.validation is not None]
    assert [step.epoch for step in ends] == [1, 2, 3]
    assert ends[-1].validation["reconstruction"] < ends[0].validation["reconstruction"]
    for name in ("best.safetensors", "last.safetensors", "resume.safetensors"):
        assert (tmp_path / name).is_file()
    history = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in history] == [1, 2, 3]
    mean = np.mean([step.losses["latent"] for step in steps[:per_epoch]])
    assert history[0]["train"]["latent"] == pytest.approx(mean)
    assert not list(tmp_path.rglob("*.part*"))


def test_the_best_checkpoint_is_the_best(small_corpus: Corpus, tmp_path: Path) -> None:
    run(begin(small_corpus), small_corpus, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    lowest = min(row["validation"]["reconstruction"] for row in rows)
    best = systems.load(tmp_path / "best.safetensors")
    scores = training.validate(best, small_corpus, CONFIG)
    assert scores["reconstruction"] == pytest.approx(lowest, rel=1e-5)


def test_a_budget_of_processor_time_ends_a_run_with_an_epoch(
    small_corpus: Corpus, tmp_path: Path
) -> None:
    config = dataclasses.replace(CONFIG, cpu_hours=1e-9)
    state = begin(small_corpus, config)
    first = run(state, small_corpus, tmp_path, config)
    assert [step.epoch for step in first if step.validation is not None] == [1]
    spent = state.cpu_s
    assert spent > 0
    assert systems.load(tmp_path / "best.safetensors").card["cpu_s"] == pytest.approx(spent)
    state, config = runs.load_state(tmp_path)
    assert state.cpu_s == spent
    assert run(state, small_corpus, tmp_path, config) == []
    more = dataclasses.replace(config, cpu_hours=1.000001 * spent / 3600)
    rest = run(state, small_corpus, tmp_path, more)
    assert [step.epoch for step in rest if step.validation is not None] == [2]
    assert state.cpu_s > spent


def test_a_run_that_begins_with_a_model_counts_its_processor_time(
    small_corpus: Corpus, tmp_path: Path
) -> None:
    run(begin(small_corpus), small_corpus, tmp_path)
    first = systems.load(tmp_path / "last.safetensors")
    assert first.training_s() == first.card["cpu_s"] > 0
    assert training.begin_with(first, small_corpus, CONFIG).cpu_s == first.training_s()


def test_a_player_may_step_on_some_batches_alone(
    small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    players = TwinGAN.players
    monkeypatch.setattr(
        TwinGAN,
        "players",
        lambda model: {
            name: player._replace(every=2 if name == MODEL else 1)
            for name, player in players(model).items()
        },
    )
    state = begin(small_corpus, name="twin-gan")
    was = {name: value.clone() for name, value in state.system.model.named_parameters()}
    steps, still = [], []
    for step in runs.train(state, small_corpus, CONFIG, tmp_path):
        steps.append(step)
        now = dict(state.system.model.named_parameters())
        own = [name for name in was if not name.startswith("discriminators")]
        still.append(all(torch.equal(was[name], now[name]) for name in own))
        was = {name: value.clone() for name, value in now.items()}
    assert still == [bool(number % 2) for number in range(len(steps))]
    per_epoch = training.steps_per_epoch(state.system.model, small_corpus, CONFIG)
    told = [step.losses["content"] for step in steps[:per_epoch] if "content" in step.losses]
    history = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert 0 < len(told) < per_epoch
    assert history[0]["train"]["content"] == pytest.approx(np.mean(told))


def test_a_players_optimiser_is_as_it_asks(small_corpus: Corpus) -> None:
    state = begin(small_corpus)
    weight = next(state.system.model.parameters())
    player = Player([weight], betas=(0.5, 0.9), weight_decay=0.1, clip_value=0.25)
    state.system.model.players = lambda: {MODEL: player}  # type: ignore[method-assign]
    [optimizer] = training.with_optimizers(state.system, CONFIG).optimizers.values()
    [group] = optimizer.param_groups
    assert group["betas"] == (0.5, 0.9) and group["weight_decay"] == 0.1
    loss = 100 * weight.square().sum() + 100 * weight.sum()
    training._take_step(
        optimizer, loss, {"loss": loss}, player, 1e-3, accelerate.Accelerator(cpu=True), step=1
    )
    assert weight.grad is not None and weight.grad.abs().max() == 0.25


def test_without_a_metric_the_latest_epoch_is_kept(
    small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TwinCNN, "SELECTION_METRIC", None)
    run(begin(small_corpus), small_corpus, tmp_path)
    names = ("best.safetensors", "last.safetensors")
    best, last = (systems.load(tmp_path / name) for name in names)
    assert best.card["epoch"] == last.card["epoch"] == CONFIG.epochs


def test_tensorboard_has_losses_pictures_and_sound(small_corpus: Corpus, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(begin(small_corpus), small_corpus, tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    assert {"train/reconstruction", "train/latent", "validation/latent"} <= set(tags["scalars"])
    assert "jazz: original, to jazz, to classical" in tags["images"]
    assert set(tags["audio"]) == {"classical to jazz", "jazz to classical"}


def test_the_same_seed_is_the_same_run(small_corpus: Corpus, tmp_path: Path) -> None:
    first, second = begin(small_corpus), begin(small_corpus)
    losses = [[step.losses for step in run(state, small_corpus, tmp_path / str(k))]
              for k, state in enumerate((first, second))]  # fmt: skip
    assert losses[0] == losses[1]
    assert same(first, second)


@pytest.mark.parametrize(
    ("name", "stop_at", "ema"),
    [("twin-cnn", 1, 0.0), ("twin-cnn", 2, 0.9), ("twin-cnn", 5, 0.0), ("twin-vae", 2, 0.0),
     ("twin-gan", 4, 0.9), ("twin-variational-gan", 2, 0.0), ("melgan-vc", 2, 0.9),
     ("play-as-you-like", 2, 0.0)],
)  # fmt: skip
def test_a_resumed_run_equals_one_that_never_stopped(
    small_corpus: Corpus, tmp_path: Path, name: str, stop_at: int, ema: float
) -> None:
    settings = dataclasses.replace(CONFIG, ema=ema)
    whole = begin(small_corpus, settings, name)
    expected = run(whole, small_corpus, tmp_path / "whole", settings)
    done, half = [], begin(small_corpus, settings, name)
    with pytest.raises(Interrupted, match=rf"To go on: thirdstream train {name} .* --resume"):
        for step in runs.train(half, small_corpus, settings, tmp_path / "cut"):
            done.append(step)
            if step.step == stop_at:
                os.kill(os.getpid(), signal.SIGINT)
    state, config = runs.load_state(tmp_path / "cut")
    assert config == settings
    done += run(state, small_corpus, tmp_path / "cut", settings)
    assert [step.losses for step in done] == [step.losses for step in expected]
    assert [step.validation for step in done] == [step.validation for step in expected]
    assert same(state, whole)
    last = [systems.load(tmp_path / folder / "last.safetensors") for folder in ("whole", "cut")]
    for key, value in last[0].state_dict().items():
        assert torch.equal(value, last[1].state_dict()[key])
    histories = [(tmp_path / name / "history.jsonl").read_text() for name in ("whole", "cut")]
    assert histories[0] == histories[1]


def test_model_and_discriminators_are_trained_in_turn(small_corpus: Corpus, tmp_path: Path) -> None:
    state = begin(small_corpus, name="twin-gan")
    before = {name: value.clone() for name, value in state.system.model.named_parameters()}
    own, discriminators = ({id(p) for group in one.param_groups for p in group["params"]}
                      for one in state.optimizers.values())  # fmt: skip
    assert not own & discriminators
    assert len(own) + len(discriminators) == len(before)
    steps = run(state, small_corpus, tmp_path)
    unmoved = [name for name, value in state.system.model.named_parameters()
               if torch.equal(value, before[name])]  # fmt: skip
    assert unmoved == []
    assert {"discriminator", "gradient_penalty", "adversarial", "content", "style"} <= set(
        steps[0].losses
    )
    rows = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert all({"diversity", "alarm"} <= set(row) for row in rows)
    assert all("discriminator" in row["train"] for row in rows)


@pytest.mark.parametrize("early", [0, 10_000])
def test_a_collapsed_twin_is_reported_but_for_its_first_steps(
    small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, early: int
) -> None:
    monkeypatch.setattr(training, "EARLY", early)
    state = begin(small_corpus, name="twin-gan")
    for style in STYLES:  # decoders that say the same whatever they hear
        for parameter in state.system.model.decoders[style].parameters():
            torch.nn.init.zeros_(parameter)
    config = dataclasses.replace(CONFIG, lr=1e-12)
    steps = run(state, small_corpus, tmp_path, config)
    assert ("collapsed" in (steps[-1].alarm or "")) == (not early)


def test_the_average_lags_behind_the_weights(small_corpus: Corpus, tmp_path: Path) -> None:
    """By the definition of an exponential moving average that starts at the first step."""
    config = dataclasses.replace(CONFIG, ema=0.5)
    state = begin(small_corpus, config)
    parameter = next(state.system.model.parameters())
    expected = None
    for _ in runs.train(state, small_corpus, config, tmp_path):
        now = parameter.detach().clone()
        expected = now if expected is None else 0.5 * expected + 0.5 * now
    torch.testing.assert_close(next(state.shown.model.parameters()), expected)
    saved = systems.load(tmp_path / "last.safetensors")
    torch.testing.assert_close(next(saved.model.parameters()), expected)


def test_training_can_begin_with_a_models_weights(small_corpus: Corpus, tmp_path: Path) -> None:
    """The weights are the model's, the statistics the corpus's, and the model stays as it was."""
    model = begin(small_corpus).system
    model.log_mel("jazz").scale.fill_(99.0)
    config = dataclasses.replace(CONFIG, seed=5, ema=0.5)
    state = training.begin_with(model, small_corpus, config)
    for name, value in model.model.state_dict().items():
        assert torch.equal(value, state.system.model.state_dict()[name])
        assert torch.equal(value, state.shown.model.state_dict()[name])
    assert float(state.system.log_mel("jazz").scale) == pytest.approx(
        small_corpus.statistics["jazz"].scale
    )
    before = [value.clone() for value in model.model.parameters()]
    run(state, small_corpus, tmp_path, config)
    assert all(map(torch.equal, before, model.model.parameters()))


def test_no_epochs_order_of_pairs_outlives_it(small_corpus: Corpus) -> None:
    accelerator = accelerate.Accelerator()
    for _ in training.fit(begin(small_corpus), small_corpus, CONFIG, accelerator):
        assert len(accelerator._dataloaders) <= 1
    assert CONFIG.epochs > 1 and not accelerator._dataloaders


def test_what_begins_or_fills_a_network_comes_to_its_device(small_corpus: Corpus) -> None:
    """On "meta", which stands for any device but the processor."""
    system = begin(small_corpus).system.to("meta")
    batch = next(iter(training.some(system, small_corpus, 2, CONFIG)))
    assert {mel.device.type for mel in batch.values()} == {"meta"}


def test_a_second_ctrl_c_is_not_swallowed() -> None:
    with pytest.raises(KeyboardInterrupt), runs.interruptible() as interrupted:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupted.is_set()
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_training_works_outside_the_main_thread() -> None:
    seen = []

    def work() -> None:
        with runs.interruptible() as interrupted:
            seen.append(interrupted.is_set())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_nan_stops_and_keeps_the_last_good_model(
    small_corpus: Corpus, tmp_path: Path, where: str
) -> None:
    state = begin(small_corpus)
    good: dict[str, torch.Tensor] = {}
    with pytest.raises(TrainingError, match=r"not finite.*last good model") as caught:
        for step in runs.train(state, small_corpus, CONFIG, tmp_path):
            if step.epoch == 2 and not good:
                good = {k: v.clone() for k, v in state.system.state_dict().items()}
                parameter = next(state.system.model.parameters())
                if where == "loss":
                    state.system.log_mel("jazz").scale.fill_(math.nan)
                else:
                    parameter.register_hook(lambda gradient: gradient * math.nan)
    assert {"loss": "latent", "gradient": "gradient"}[where] in str(caught.value)
    kept = systems.load(tmp_path / "last.safetensors")
    assert all(torch.isfinite(value).all() for value in kept.state_dict().values())
    for key, value in state.system.model.state_dict().items():  # the bad step was not taken
        assert torch.equal(value, good[f"model.{key}"])


def test_a_corpus_too_small_for_a_batch_is_refused(small_corpus: Corpus, tmp_path: Path) -> None:
    config = TrainingConfig(batch_size=1000)
    with pytest.raises(TrainingError, match=r"too few training segments.*lower --batch-size"):
        run(begin(small_corpus, config), small_corpus, tmp_path, config)


def test_a_corpus_without_validation_recordings_still_trains(tmp_path: Path) -> None:
    folders = {style: tmp_path / style for style in STYLES}
    for number, folder in enumerate(folders.values()):
        folder.mkdir()
        sf.write(folder / "only.wav", music(number, 2 * SEGMENT), SR)
    list(preparing.prepare(found_in(folders), tmp_path / "corpus", n_jobs=1))
    corpus = Corpus.open(tmp_path / "corpus")
    steps = run(begin(corpus), corpus, tmp_path / "run")
    assert steps[-1].validation == {}
    assert (tmp_path / "run" / "best.safetensors").is_file()


def test_a_state_without_its_optimiser_is_not_resumed(small_corpus: Corpus, tmp_path: Path) -> None:
    """It would go on, but not as if it had never stopped."""
    run(begin(small_corpus), small_corpus, tmp_path)
    tensors, header = checkpoint.read(tmp_path / "resume.safetensors")
    bare = {name: value for name, value in tensors.items() if name.startswith("system.")}
    checkpoint.save(tmp_path / "resume.safetensors", bare, header)
    with pytest.raises(TrainingError, match="lacks the optimiser's state"):
        runs.load_state(tmp_path)


def test_a_run_that_was_killed_at_once_can_be_resumed(small_corpus: Corpus, tmp_path: Path) -> None:
    short = dataclasses.replace(CONFIG, epochs=1)
    steps = runs.train(begin(small_corpus, short), small_corpus, short, tmp_path)
    next(iter(steps))  # and nothing more: nothing has been learnt that could be kept
    state, config = runs.load_state(tmp_path)
    assert (state.step, config) == (0, short)
    run(state, small_corpus, tmp_path, config)
    whole = begin(small_corpus, short)
    run(whole, small_corpus, tmp_path / "whole", short)
    assert same(state, whole)


def test_there_must_be_a_run_to_resume(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="holds no run to resume"):
        runs.load_state(tmp_path)


@pytest.mark.parametrize(
    "change",
    [{"epochs": 0}, {"batch_size": 0}, {"lr": 0.0}, {"lr": math.nan}, {"ema": 1.0},
     *({"cpu_hours": hours} for hours in (0, -1, math.nan, math.inf))],
)  # fmt: skip
def test_training_that_cannot_be_is_refused(change: dict) -> None:
    with pytest.raises(
        TrainingError, match=r"must be (a number above 0|1 or more|at least 0 and less)"
    ):
        TrainingConfig(**change)


def test_the_cosine_ends_at_zero() -> None:
    config = TrainingConfig(lr=0.1, schedule="cosine")
    assert config.lr_at(0.0) == pytest.approx(0.1)
    assert config.lr_at(0.5) == pytest.approx(0.05)
    assert config.lr_at(1.0) == pytest.approx(0.0)
    assert TrainingConfig(lr=0.1).lr_at(0.7) == 0.1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # its compiler warns of itself
@pytest.mark.timeout(300)  # the compiler takes half a minute, on a busy machine minutes
@pytest.mark.skipif(shutil.which("c++") is None, reason="needs a C++ compiler (Debian: g++)")
def test_a_compiled_network_learns_the_same(small_corpus: Corpus, tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, epochs=1)
    usual, compiled = (
        run(begin(small_corpus, one), small_corpus, tmp_path / str(one.compile), one)
        for one in (config, dataclasses.replace(config, compile=True))
    )
    assert len(compiled) == len(usual)
    for one, other in zip(compiled, usual, strict=True):
        assert one.losses == pytest.approx(other.losses, rel=1e-3)


@pytest.fixture
def fresh_accelerator() -> Iterator[None]:
    """Accelerate keeps its first precision and device for the whole process; not from here on."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.usefixtures("fresh_accelerator")
def test_half_precision_learns_nearly_the_same(small_corpus: Corpus, tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, epochs=1)
    usual = run(begin(small_corpus, config), small_corpus, tmp_path / "whole", config)
    AcceleratorState._reset_state(reset_partial_state=True)
    half = dataclasses.replace(config, mixed_precision="bf16")
    state = begin(small_corpus, half)
    halved = run(state, small_corpus, tmp_path / "half", half)
    assert halved[0].losses != usual[0].losses  # or nothing was computed in halves
    for one, other in zip(halved, usual, strict=True):
        assert one.losses == pytest.approx(other.losses, rel=0.05)
    assert {p.dtype for p in state.system.model.players()["model"].parameters} == {torch.float32}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.usefixtures("fresh_accelerator")
@pytest.mark.parametrize("name", NETWORKS)
def test_a_gpu_learns_the_same_as_the_processor(
    name: str, small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = dataclasses.replace(CONFIG, epochs=1)
    state = begin(small_corpus, config, name)
    on_gpu = run(state, small_corpus, tmp_path / "gpu", config)
    assert state.system.device.type == "cuda"
    AcceleratorState._reset_state(reset_partial_state=True)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    on_cpu = run(begin(small_corpus, config, name), small_corpus, tmp_path / "cpu", config)
    if name == "twin-cnn":  # the others draw noise, which a GPU draws otherwise
        assert on_gpu[0].losses == pytest.approx(on_cpu[0].losses, rel=1e-3)
    made = systems.load(tmp_path / "gpu" / "best.safetensors")
    assert made.device.type == "cpu"
    assert np.isfinite(made.transfer(music(0, SEGMENT), SR, to="jazz")).all()
