import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch

from conftest import but_for_cpu_s, music
from thirdstream import audio, registry
from thirdstream.audio import SR
from thirdstream.cli import main, training
from thirdstream.cli.system_options import _listed
from thirdstream.data.corpus import Corpus
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.system import MelSystem
from thirdstream.notes.system import ScoreSystem
from thirdstream.packages import MissingPackage


def run(*arguments: object) -> int:
    """The exit code of a command."""
    try:
        main.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_the_commands_are_listed_without_what_they_need(tmp_path: Path) -> None:
    code = (
        "import sys; from thirdstream.cli import main; main.main(['--help']); "
        "assert not {'torch', 'librosa', 'scipy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for command in main.COMMANDS:
        summary = (main.function_of(command).__doc__ or "").partition("\n")[0]
        assert summary.endswith("."), f"{command}: the first line is not a sentence"
        assert f"{command} {summary}" in " ".join(done.stdout.split())


def test_a_twin_is_there_without_what_it_does_not_use() -> None:
    code = (
        "import sys; from thirdstream import registry; registry.load('twin-paired'); "
        "assert not {'librosa', 'numba', 'scipy', 'sklearn', 'torch._dynamo'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # these take a second to import


def test_a_transfer_begins_without_what_it_does_not_use(tmp_path: Path) -> None:
    code = (
        "import sys; from thirdstream import registry; from thirdstream.cli import main; "
        "main._parsed_command('transfer', sys.argv[1:]); registry.load('score'); "
        "assert 'thirdstream.notes.io.score' not in sys.modules"
    )
    given = ["song.wav", "--to", "jazz", "--out", str(tmp_path)]
    subprocess.run([sys.executable, "-c", code, *given], check=True)


@pytest.mark.parametrize("command", main.COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    text = capsys.readouterr().out
    assert "--help" in text
    assert "default: )" not in text  # an empty list is required, or optional
    assert len(text.splitlines()) > 5


def test_the_help_of_train_leads_to_a_systems_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", "--help") == 0
    assert "train SYSTEM --help" in " ".join(capsys.readouterr().out.replace("│", "").split())
    assert run("train", "twin-cnn", "--help") == 0
    told = capsys.readouterr().out
    assert "--channels" in told and "--discriminator-channels" not in told
    assert run("train", "--corpus", "x", "twin-gan", "--help") == 0  # wherever its name stands
    assert "--discriminator-channels" in capsys.readouterr().out


def test_the_whole_way(
    recordings: dict[str, Path], song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, out = tmp_path / "corpus", tmp_path / "run"
    assert (
        run("prepare", *(f"{s}={f}" for s, f in recordings.items()), "--out", corpus, "--n-jobs", 1)
        == 0
    )
    assert run("info", corpus) == 0
    assert "classical" in capsys.readouterr().out
    small = ["--channels", 2, 3, "--patch", 4, "--n-convs", 1, "--epochs", 1, "--batch-size", 2]
    assert run("train", "twin-cnn", "--corpus", corpus, "--out", out, *small) == 0
    assert run("transfer", song, "--to", "jazz", "--out", tmp_path / "o", "--model", out) == 0
    assert sf.info(tmp_path / "o" / "song.wav").frames == 20_000
    capsys.readouterr()
    assert run("info", out) == 0
    printed = capsys.readouterr().out
    header = json.loads(printed[printed.index("{") :])
    assert header["config"]["channels"] == [2, 3]
    assert header["card"]["training"]["batch_size"] == 2


def test_prepare_tells_of_bad_files_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, style in enumerate(("classical", "jazz")):
        (tmp_path / style).mkdir()
        sf.write(tmp_path / style / "a.wav", music(number, 140_000), SR)
    (tmp_path / "jazz" / "text.wav").write_text("no music")
    sources = [f"{style}={tmp_path / style}" for style in ("classical", "jazz")]
    assert run("prepare", *sources, "--out", tmp_path / "corpus", "--n-jobs", 1) == 1
    errors = capsys.readouterr().err.replace("\n", "")
    assert "text.wav: is not audio" in errors
    assert "1 of 3 files could not be used" in errors


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (
            ["transfer", "{song}", "--to", "polka", "--model", "{model}"],
            "does not know the style 'polka'",
        ),
        (
            ["transfer", "nowhere.wav", "--to", "jazz", "--model", "{model}"],
            "there is no such file",
        ),
        (["transfer", "{song}", "--to", "jazz", "--model", "nonesuch"], "is no model; give"),
        (["transfer", "{song}", "--to", "jazz", "--model", "{song}"], "is not a thirdstream model"),
        (["prepare", "jazz=nowhere"], "there is no such folder"),
        (["train", "twin-cnn", "--corpus", "nowhere"], "holds no corpus"),
    ],
)
def test_faults_are_one_clear_sentence_and_exit_code_1(
    arguments: list[str], fault: str, song: Path, model: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    filled = [argument.format(song=song, model=model) for argument in arguments]
    assert run(*filled, "--out", tmp_path / "out") == 1
    errors = capsys.readouterr().err
    assert fault in errors.replace("\n", "")
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["transfer", "", "--to", "jazz", "--out", "o"], "an argument: is empty"),
        (["transfer", "a.wav", "--to", "jazz", "--out=o", ""], "an argument: is empty"),
        (["transfer", "a.wav", "--to", "jazz", "--style-file", "", "--out", "o"], "--style-file: "),
        (["transfer", "a.wav", "--model=", "--to", "jazz", "--out", "o"], "--model: is empty"),
        (["evaluate", "--corpus", "", "--out", "o.json"], "--corpus: is empty"),
        (["report", "a.json", "--out", "o.html", "--test="], "--test: is empty"),
        (["prepare", "classical=", "jazz=b", "--out", "o"], "classical=: is not STYLE=DIR"),
        (["prepare", "a=musicnet:", "b=b", "--out", "o"], "musicnet:: there is no such folder"),
        (["index", "jazz=", "--out", "o.safetensors"], "jazz=: is not STYLE=FOLDER"),
        (["listen-test", "jazz=", "--out", "o"], "jazz=: is not STYLE=FILE or STYLE=FOLDER"),
        (["listen-test", "--results", "mine=", "--out", "o"], "mine=: is not NAME=FOLDER"),
    ],
)  # fmt: skip
def test_a_name_with_nothing_in_it_is_not_the_working_folder(
    arguments: list[str], fault: str, song: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    (tmp_path / "song.wav").write_bytes(song.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 1
    assert fault in capsys.readouterr().err.replace("\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["song.wav"]


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["listen"], "out.mid"),
        (["listen"], "out.WAV"),
        (["transfer", "--to", "jazz"], "out.mid"),
        (["transfer", "--to", "{folder}"], "out.pdf"),
        (["transfer", "--to", "{folder}", "--force"], "out.pdf"),
        (["arrange"], "out.wav"),
        (["prepare"], "out.json"),
        (["train", "twin-cnn", "--corpus"], "out.safetensors"),
    ],
)
def test_no_folder_has_the_name_of_a_file(
    song: Path, tmp_path: Path, capsys, command: list[str], name: str
) -> None:
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "song.wav").write_bytes(song.read_bytes())
    filled = [argument.format(folder=tmp_path / "songs") for argument in command]
    assert run(*filled, song, "--out", tmp_path / name) == 1
    refused = "cannot write '.*'; end" if command[0] == "transfer" else "is the name of a file;"
    assert re.search(f"{name}: {refused}", capsys.readouterr().err.replace("\n", ""))
    assert {path.name for path in tmp_path.iterdir()} == {"songs", song.name}


@pytest.mark.parametrize("weights", [("reconstruction", 1), ("nonsense", 1)])
def test_train_refuses_weights_of_other_losses_and_begins_no_run(
    small_corpus, tmp_path, capsys, weights
) -> None:
    train = ("train", "twin-gan", "--corpus", small_corpus.path, "--out", tmp_path / "run")
    assert run(*train, "--weights", *weights) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "each loss of a twin-gan, no other: adversarial content reconstruction style" in said
    assert not (tmp_path / "run" / "resume.safetensors").exists()


def test_train_refuses_what_it_does_not_know(small_corpus, tmp_path, capsys) -> None:
    common = ["--corpus", small_corpus.path, "--out", tmp_path / "run"]
    for arguments, fault in (
        (["polka"], "no such system to train; there are twin-cnn"),
        (
            ["twin-cnn", "--preset", "huge"],
            "has no preset 'huge'; it has paper, paper-stable, default",
        ),
        (
            ["twin-cnn", "--kernel-size", 4],
            "--kernel-size must be odd (got 4); choose another, or leave",
        ),
        (["twin-cnn", "--patch", 48], "--patch must be a divisor of 256"),
        (["twin-cnn", "--resume"], "holds no run to resume"),
        (["twin-cnn", "--epochs", 0], "--epochs must be 1 or more (got 0)"),
    ):
        assert run("train", *arguments, *common) == 1, arguments
        assert fault in capsys.readouterr().err.replace("\n", ""), arguments


def test_a_run_is_neither_overwritten_nor_changed_on_resuming(
    small_corpus, tmp_path, capsys
) -> None:
    small = ["--channels", 2, 3, "--patch", 4, "--n-convs", 1]
    common = ["train", "twin-cnn", "--corpus", small_corpus.path, "--out", tmp_path / "run"]
    assert run(*common, *small, "--epochs", 1, "--batch-size", 2) == 0
    kept = (tmp_path / "run" / "best.safetensors").read_bytes()
    assert run(*common) == 1
    assert "go on with --resume" in capsys.readouterr().err.replace("\n", "")
    assert run(*common, "--resume", "--lr", 0.5) == 1
    assert "was begun with lr 0.001, not 0.5" in capsys.readouterr().err.replace("\n", "")
    assert run(*common, "--resume", "--kernel-size", 7) == 1
    assert "was begun with another network" in capsys.readouterr().err.replace("\n", "")
    assert run(*common, "--resume", "--preset", "default") == 1
    assert "was begun with another network" in capsys.readouterr().err.replace("\n", "")
    assert run(*common, "--resume", "--batch-size", 16) == 1
    assert "was begun with batch_size 2, not 16" in capsys.readouterr().err.replace("\n", "")
    assert run("train", "twin-vae", *common[2:], "--resume") == 1
    assert "was begun with twin-cnn, not twin-vae" in capsys.readouterr().err.replace("\n", "")
    for same in ([], small):
        assert run(*common, *same, "--resume") == 0
        assert (tmp_path / "run" / "best.safetensors").read_bytes() == kept
    assert run(*common[:-1], tmp_path / "other", "--init", "twin-cnn", "--preset", "paper") == 1
    assert "leave --preset out" in capsys.readouterr().err.replace("\n", "")


def test_a_run_that_goes_on_for_longer_is_as_one_begun_so(small_corpus, tmp_path, capsys) -> None:
    small = ["--channels", 2, 3, "--patch", 4, "--n-convs", 1, "--batch-size", 2, "--ema", 0.5]
    train = ["train", "twin-cnn", "--corpus", small_corpus.path, "--out"]
    assert run(*train, tmp_path / "whole", *small, "--epochs", 2) == 0
    assert run(*train, tmp_path / "longer", *small, "--epochs", 1) == 0
    assert run(*train, tmp_path / "longer", "--resume", "--epochs", 2) == 0
    assert "the learning rate stays 0.001" in capsys.readouterr().err.replace("\n", " ")
    whole, longer = (tmp_path / one for one in ("whole", "longer"))
    assert (whole / "history.jsonl").read_bytes() == (longer / "history.jsonl").read_bytes()
    for name in ("last.safetensors", "best.safetensors"):
        assert but_for_cpu_s(whole / name) == but_for_cpu_s(longer / name), name
    assert run(*train, tmp_path / "longer", "--resume", "--epochs", 1) == 1
    told = capsys.readouterr().err.replace("\n", " ")
    assert "has been trained for 2 epochs already" in told
    assert run(*train, tmp_path / "longer", "--resume") == 0


def test_a_cosine_is_laid_out_anew_over_more_epochs(small_corpus, tmp_path, capsys) -> None:
    small = ["--channels", 2, 3, "--patch", 4, "--n-convs", 1, "--batch-size", 2]
    train = ["train", "twin-cnn", "--corpus", small_corpus.path, "--out", tmp_path / "run"]
    assert run(*train, *small, "--epochs", 1, "--schedule", "cosine") == 0
    assert run(*train, "--resume", "--epochs", 2) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "follows its cosine over all 2 epochs from here on: it is 0.0005 now, not 0" in told
    assert len((tmp_path / "run" / "history.jsonl").read_text().splitlines()) == 2
    assert run(*train, "--resume", "--schedule", "constant") == 1  # the default, but asked for
    assert "schedule cosine, not constant" in " ".join(capsys.readouterr().err.split())


def test_a_run_goes_on_with_its_own_styles_alone(small_corpus, tmp_path, capsys) -> None:
    small = ["--channels", 2, 3, "--patch", 4, "--n-convs", 1, "--epochs", 1, "--batch-size", 2]
    run_there = ["train", "twin-cnn", "--out", tmp_path / "run", "--corpus"]
    assert run(*run_there, small_corpus.path, *small) == 0
    shutil.copytree(small_corpus.path, tmp_path / "corpus")
    about = tmp_path / "corpus" / "corpus.json"
    about.write_text(about.read_text().replace('"jazz"', '"rock"'))
    assert run(*run_there, tmp_path / "corpus", "--resume") == 1
    told = capsys.readouterr().err.replace("\n", "")
    assert "was begun with classical and jazz, not classical and rock" in told


def test_transfer_of_a_folder_with_a_bad_file(
    song: Path, model: Path, tmp_path: Path, capsys
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.wav").write_text("no music")
    song.rename(tmp_path / "in" / "song.wav")
    common = [
        "transfer",
        tmp_path / "in",
        "--to",
        "jazz",
        "--out",
        tmp_path / "o",
        "--model",
        model,
    ]
    assert run(*common, "--format", "flac") == 1
    assert "1 of 2 recordings failed" in capsys.readouterr().err.replace("\n", "")
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["song.flac"]
    assert run(*common, "--format", "flac") == 1
    assert "exists already; add --force" in capsys.readouterr().err.replace("\n", "")


@pytest.mark.parametrize(
    "command", ["export no-model --to jazz", "evaluate --corpus no-corpus --models no-model"]
)
def test_a_result_that_exists_is_said_before_anything_is_loaded(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").write_text("{}")
    assert run(*command.split(), "--out", tmp_path / "mine") == 1
    assert f"{tmp_path / 'mine'}: exists" in capsys.readouterr().err.replace("\n", "")


def test_unexpected_faults_show_a_traceback_only_with_debug(monkeypatch, capsys) -> None:
    def broken() -> None:
        """Break."""
        raise RuntimeError("inner detail")

    monkeypatch.setattr("thirdstream.cli.systems.list_systems", broken)
    assert run("systems") == 1
    assert "run it with --debug" in capsys.readouterr().err.replace("\n", "")
    with pytest.raises(RuntimeError, match="inner detail"):
        main.main(["systems", "--debug"])


def test_misuse_exits_with_2(capsys) -> None:
    assert run("transfer") == 2
    assert run("train", "twin-cnn", "--epohcs", 3) == 2


def test_systems_are_listed_with_their_sizes(capsys) -> None:
    assert run("systems") == 0
    text = capsys.readouterr().out
    assert "8,054" in text
    assert all(f" {name} " in text for name in registry.bundled_names())  # whole, at 80 columns


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "thirdstream", "systems"]
    assert "twin-cnn" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "says"),
    [(signal.SIGINT, 130, "interrupted; run the same command again"), (signal.SIGTERM, 143, "")],
)
def test_a_signal_ends_it_without_traceback_and_leaves_nothing(
    tmp_path: Path, model: Path, number: int, code: int, says: str
) -> None:
    sf.write(tmp_path / "long.wav", np.tile(music(0, 10 * SR), 60), SR)
    command = ["transfer", tmp_path / "long.wav", "--to", "jazz", "--out", tmp_path / "o"]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "thirdstream", *map(str, command), "--model", str(model)],
        stderr=subprocess.PIPE, text=True, env=os.environ | {"FORCE_COLOR": "1"},
    )  # fmt: skip
    assert process.stderr is not None
    text = process.stderr.read(1)  # the bar: it is at work
    process.send_signal(number)
    text += process.communicate(timeout=60)[1]
    assert process.returncode == code
    assert says in text
    assert "Traceback" not in text
    assert not (tmp_path / "o").exists() or not list((tmp_path / "o").iterdir())


TWICE = """
import atexit, signal, sys
from contextlib import contextmanager
from thirdstream.cli import main, serve, systems

def press(*said):
    print(*said, flush=True)
    signal.raise_signal(signal.SIGINT)

@contextmanager
def running(**given):
    yield "http://nowhere"
    press("closing")

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
atexit.register(press, "ending")
if sys.argv[1] == "serve":
    from thirdstream.web import server
    server.running = running
    serve.threading.Event.wait = lambda self: press("serving")
    main.main()
else:
    systems.options_of = lambda *given, **named: press("listing")
    complain = main._complain
    main._complain = lambda text: (press("complaining"), complain(text))
    main.main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "code", "out", "err"),
    [("systems", 130, "listing complaining ending",
      "thirdstream: interrupted; run the same command again to go on"),
     ("serve", 0, "the page is at http://nowhere (Ctrl-C ends it) serving the page is closed "
      "closing ending", "starting the page, which takes some seconds; its address follows")],
)  # fmt: skip
def test_a_second_ctrl_c_shows_no_traceback(command: str, code: int, out: str, err: str) -> None:
    """While the message is written, while it is cleaned up, and while the interpreter ends."""
    done = subprocess.run(
        [sys.executable, "-c", TWICE, command], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split(), done.stderr.strip()) == (code, out.split(), err)


def test_ctrl_c_is_as_before_where_python_code_called_a_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("thirdstream.cli.systems.options_of", interrupted)
    before = signal.getsignal(signal.SIGINT)
    assert run("systems") == 130
    assert signal.getsignal(signal.SIGINT) is before


# --- the bundled model --------------------------------------------------------------------------


def test_the_bundled_model_and_clips_are_there() -> None:
    assert "twin-cnn" in registry.bundled_names()
    styles = [clip.stem.partition("_")[0] for clip in registry.bundled_clips()]
    assert styles == ["classical", "classical", "jazz", "jazz"]


def test_the_default_is_score_or_says_why_not(
    tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ("transfer", tmp_path / "song.wav", "--to", "jazz", "--out", tmp_path / "out")
    sf.write(tmp_path / "song.wav", np.zeros(2_000), 44_100)
    monkeypatch.setattr(ScoreSystem, "ready", lambda self: None)
    assert registry.default_system() == ("score", "")
    reason = "the drums are missing; type: pip"

    def lacking(self: ScoreSystem) -> None:
        raise MissingPackage(reason)

    monkeypatch.setattr(ScoreSystem, "ready", lacking)
    assert run(*given) == 0
    said = capsys.readouterr().err.replace("\n", "")
    assert "twin-cnn" in said and reason in said


def test_what_the_score_system_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Path:
        raise MissingPackage(f"{name} is missing; type: pip")

    monkeypatch.setattr("thirdstream.notes.transcription.transcriber.folder_of", missing)
    with pytest.raises(MissingPackage, match="onnxruntime is missing; type: pip"):
        ScoreSystem().ready()


@pytest.mark.parametrize("name", registry.bundled_names())
def test_bundled_models_reconstruct_their_clips(name: str) -> None:
    """The clips are of no piece that they were trained on. Silence would be at 1."""
    model = registry.load(name)
    assert isinstance(model, MelSystem)
    errors = []
    for clip in registry.bundled_clips():
        style = clip.stem.partition("_")[0]
        wave, _ = audio.read(clip)
        segment = torch.from_numpy(wave[: audio.SEGMENT] * audio.level_of([wave[None]]).gain)[None]
        mel = model.log_mel(style)(segment)
        errors.append(float((model.model.reconstruct(mel, style) - mel).abs().mean() / mel.mean()))
    # The code of twin-paired is a third as large as the others'. travel, trained for 7 minutes,
    # knows FluidSynth's sound alone; the clips are the sampler's.
    most = {"twin-paired": 0.35, "travel": 0.35}.get(name, 0.25)
    assert np.mean(errors) < (0.6 if "paper" in name else most)


@pytest.mark.parametrize("name", registry.bundled_names())
def test_bundled_models_transfer_both_ways(name: str) -> None:
    model = registry.load(name)
    for clip in registry.bundled_clips()[::2]:
        wave, _ = audio.read(clip)
        wave = wave[: 2 * SR]
        for to in model.styles:
            made = model.transfer(wave, SR, to=to)
            levels = [audio.level_of([x[None]]).rms_db for x in (wave, made)]
            assert levels[1] == pytest.approx(levels[0], abs=0.5)


@pytest.mark.slow
def test_figures_of_a_corpus_and_of_a_model(small_corpus: Corpus, tmp_path: Path, capsys) -> None:
    out = tmp_path / "figures"
    assert run("figures", small_corpus.path, "twin-cnn", "--out", out) == 0
    assert (out / "figure-07-twin-cnn.svg").is_file()
    assert str(out / "figure-04-statistics.png") in capsys.readouterr().out.replace("\n", "")
    assert run("figures", "no-such-model", "--out", out) == 1
    assert "is no model" in capsys.readouterr().err


@pytest.mark.slow
def test_diagrams_of_a_model_and_of_the_paper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr("thirdstream.cli.research.DRAWN", ("twin-gan",))
    assert run("figures", "twin-cnn", "--diagrams", "--out", tmp_path) == 0
    assert run("figures", "--diagrams", "--out", tmp_path) == 0
    assert sorted(path.name for path in tmp_path.glob("*.svg")) == [
        "figure-05-twin-cnn.svg", "figure-05-twin-gan-paper.svg",
        "figure-06-twin-cnn.svg", "figure-10-twin-gan-paper.svg",
    ]  # fmt: skip
    assert run("figures", "travel", "--diagrams", "--out", tmp_path) == 1
    assert "travel: is no twin autoencoder" in capsys.readouterr().err


def test_a_model_of_another_kind_is_no_beginning(
    small_corpus: Corpus, model: Path, tmp_path: Path, capsys
) -> None:
    given = ("--corpus", small_corpus.path, "--out", tmp_path / "run", "--init", model)
    assert run("train", "twin-vae", *given) == 1
    assert "not a twin-vae of classical and jazz" in capsys.readouterr().err.replace("\n", "")
    assert run("train", "twin-cnn", *given, "--n-convs", 3) == 1
    assert "leave --n-convs out" in capsys.readouterr().err.replace("\n", "")


@pytest.mark.slow
def test_a_search_from_the_command_line(
    small_corpus: Corpus, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thirdstream.research.tuning.BATCH_SIZES", (2,))
    monkeypatch.setattr("thirdstream.research.tuning.WIDTHS", (0.1,))
    given = ("--corpus", small_corpus.path, "--out", tmp_path / "search", "--epochs", 1)
    assert run("tune", "twin-cnn", *given, "--trials", 1) == 0
    assert "complete" in capsys.readouterr().out
    assert run("tune", "no-such", *given) == 1
    assert "no such system to train" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["listen"], ["transfer", "--to", "jazz"]])
@pytest.mark.parametrize("name", ["bad.wav", "missing.wav"])
def test_the_fault_of_a_single_recording_is_said_once_and_not_counted(
    tmp_path: Path, capsys, command: list[str], name: str
) -> None:
    (tmp_path / "bad.wav").write_text("no music")
    assert run(*command, tmp_path / name, "--out", tmp_path / "out") == 1
    said = " ".join(capsys.readouterr().err.split())
    assert said.count(name) == 1 and f"thirdstream: {tmp_path / name}: " in said
    assert " of 1 " not in said
    (tmp_path / "worse.wav").write_text("no music")
    both = [tmp_path / name, tmp_path / "worse.wav"]
    assert run(*command, *both, "--out", tmp_path / "out") == 1
    said = " ".join(capsys.readouterr().err.split())
    assert said.count(name) == said.count("worse.wav") == 1 and "2 of 2 recordings" in said


def test_the_help_says_which_system_has_which_preset() -> None:
    said = " ".join((training.train.__doc__ or "").split())
    having = {
        preset: [name for name, one in FAMILIES.items() if preset in one.kind.PRESETS]
        for preset in ("paper", "paper-stable")
    }
    without = [name for name in FAMILIES if name not in having["paper"]]
    assert f"paper, as published (not of {_listed(without)})" in said
    assert f"of {_listed(having['paper-stable'])} also paper-stable" in said


def test_systems_are_listed_as_english_lists_them() -> None:
    assert [_listed([*"abc"[:n]]) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]
