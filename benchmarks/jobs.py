"""The commands that make files, each on material small enough to be killed a hundred times.

Nothing they write depends on the clock, so that a run that was killed and resumed must equal one
that was left alone, byte for byte.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

import specimens
from thirdstream import checkpoint
from thirdstream.audio import SEGMENT, SR
from thirdstream.data import preparing
from thirdstream.evaluation import measure
from thirdstream.evaluation.tagger import Tagger
from thirdstream.files import ThirdstreamError, make_folder
from thirdstream.notes.arranging import STYLES

NETWORK = "--channels 2 3 --patch 4 --n-convs 1 --epochs 2 --batch-size 2".split()  # noqa: SIM905
QUICK = "--excerpt-s 3 --max-recordings 1 --references 2 --examples 1".split()  # noqa: SIM905


@dataclass(frozen=True)
class Job:
    """A command: its arguments for an output folder, the same again for one that is begun.

    varies: files that no two runs have alike.
    """

    arguments: Callable[[Path], list[str]]
    varies: tuple[str, ...] = ()


def material(place: Path) -> dict[str, Job]:
    """Make recordings, a corpus, a model and scores in an empty folder; returns jobs by command."""
    made, model = place / "corpus", place / "model.safetensors"
    sources = [f"{style}={place / 'recordings' / style}" for style in STYLES]
    _write_music(place)
    list(preparing.prepare(preparing.find(sources), made, n_jobs=1))
    specimens.model().save(model)
    results = specimens.Specimen.made("results.json", place).path

    def trained(out: Path) -> list[str]:
        begun = ["--resume"] if (out / "resume.safetensors").exists() else NETWORK
        return ["train", "twin-cnn", "--corpus", str(made), "--out", str(out), *begun]

    one = ["--n-jobs", "1", "--out"]
    return {
        "prepare": Job(lambda out: ["prepare", *sources, *one, str(out)]),
        "train": Job(trained),
        "transfer": Job(lambda out: [
            "transfer", str(place / "songs"), "--to", "jazz", "--model", str(model), "--out",
            str(out), "--skip-existing"]),
        "arrange": Job(lambda out: [
            "arrange", str(place / "scores"), *one, str(out)]),
        "evaluate": Job(lambda out: [
            "evaluate", "--corpus", str(made), "--models", f"{model}+blend=0.5", *QUICK, *one,
            str(out / "results.json")]),
        "listen": Job(lambda out: [
            "listen", str(place / "tune.wav"), "--force", "--out", str(out)],
            varies=("tune.musicxml",)),  # music21 numbers parts by chance
        "figures": Job(lambda out: ["figures", str(made), "--out", str(out)]),
        "claims": Job(lambda out: ["claims", str(made), "--n-segments", "1", "--out", str(out)]),
        "report": Job(lambda out: [
            "report", str(results), "--force", "--out", str(out / "page.html")]),
        "export": Job(lambda out: [
            "export", str(model), "--to", "jazz", "--force", "--out", str(out / "model.onnx")]),
        "tune": Job(lambda out: [
            "tune", "twin-cnn", "--corpus", str(made), "--trials", "1", "--epochs", "1", "--out",
            str(out)], varies=("study.log", "trials.json")),
        "demo": Job(lambda out: ["demo", "--force", "--out", str(out)]),
    }  # fmt: skip


def _write_music(place: Path) -> None:
    """Recordings of both styles, songs, a tune and scores."""
    rng = np.random.default_rng(0)
    for style in STYLES:
        make_folder(place / "recordings" / style)
        for number in range(4):
            wave = 0.1 * rng.standard_normal(SEGMENT + 9_000 * number)
            sf.write(place / "recordings" / style / f"{number}.wav", wave, SR)
    make_folder(place / "songs")
    for number in range(4):
        sf.write(place / "songs" / f"{number}.wav", 0.1 * rng.standard_normal(20_000), SR)
    _write_tune(place / "tune.wav")
    make_folder(place / "scores")
    for number in range(2):
        (place / "scores" / f"tune {number}.musicxml").write_text(specimens.sheet())


def _write_tune(path: Path) -> None:
    """A scale in C over a held fifth, 6 s."""
    t = np.arange(SR // 2) / SR
    hz = 261.63 * 2 ** (np.array([0, 2, 4, 5, 7, 9, 11, 12, 11, 9, 7, 5]) / 12)
    tones = [np.exp(-3 * t) * np.sin(2 * np.pi * one * t) for one in hz]
    whole = np.concatenate(tones)
    drone = np.sin(2 * np.pi * 130.81 * np.arange(len(whole)) / SR)
    sf.write(path, 0.2 * whole + 0.05 * drone, SR)


def without_transcriber() -> None:
    """From now on `evaluate` has no transcriber, which is slow, and what compiles itself when it is
    called first has been called."""
    models = measure.EvaluationModels(Tagger())
    measure.evaluation_models = lambda: models
    noise = 0.1 * np.random.default_rng(0).standard_normal(SR).astype("f4")
    found = measure.analyse(noise, models)
    measure.compare(original=found, output=found, source=STYLES[0], target=STYLES[1])
    measure.resynthesise(noise)


def visible(out: Path, varies: tuple[str, ...] = ()) -> dict[str, bytes]:
    """What is in an output folder for a reader: all files but hidden ones and TensorBoard's; of
    those that vary, that they are there; of models, not how much processor time they took."""
    found = _visible(out)
    models = {name: _of_model(out / name) for name in found if name.endswith(".safetensors")}
    return found | models | {name: b"" for name in found if name in varies}


def _of_model(path: Path) -> bytes:
    tensors, header = checkpoint.read(path)
    for place in (header, header["card"]):
        place.pop("cpu_s", None)
    parts = [tensor.numpy().tobytes() for _, tensor in sorted(tensors.items())]
    return b"".join([json.dumps(header).encode(), *parts])


def _visible(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not path.name.startswith((".", "events.out"))
    }


def faults(out: Path, whole: dict[str, bytes], varies: tuple[str, ...] = ()) -> Iterator[str]:
    """What is wrong in the folder of an unfinished run: files that are neither whole nor readable.

    Files that change on the way must be readable; all others are as in the finished run `whole`.
    """
    for name, content in _visible(out).items():
        if name in varies:
            if name.endswith(".json"):
                json.loads(content)
        elif name.endswith(".safetensors"):
            try:
                checkpoint.read(out / name)
            except ThirdstreamError as error:
                yield str(error)
        elif name == "history.jsonl":
            if not whole[name].startswith(content):
                yield f"{name}: is no beginning of the finished one"
        elif name == "pairs.json":  # of a run that left pairs out, it lists the others
            listed, all_of_them = (json.loads(text)["pairs"] for text in (content, whole[name]))
            if not listed.items() <= all_of_them.items():
                yield f"{name}: lists pairs that the finished one does not"
        elif content != whole.get(name):
            yield f"{name}: differs from the finished one"
