"""Small real files of every format the project reads, and how each is read.

A reader does what a user's command does with the file, so that what it accepts has been used.
"""

import csv
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile as sf
import torch

import mutation
from thirdstream import audio
from thirdstream.audio import SEGMENT, SR
from thirdstream.data import preparing
from thirdstream.data.corpus import Corpus, Pairs
from thirdstream.evaluation import VERSION, work_of
from thirdstream.evaluation.material import paired
from thirdstream.files import make_folder, write_json
from thirdstream.mel import system
from thirdstream.mel.models.cnn import CNNConfig, TwinCNN
from thirdstream.mel.system import MelSystem
from thirdstream.mel.training import loop as training
from thirdstream.mel.training import run
from thirdstream.notes.arranging import STYLES, arrange, draw_setting
from thirdstream.notes.io.midi import write_midi
from thirdstream.notes.io.score import read_score
from thirdstream.notes.rendering import play
from thirdstream.notes.rendering.soundfont import Generator
from thirdstream.notes.types import Note, Song, Track
from thirdstream.report import page as report

sys.path.append(str(Path(__file__).parents[1] / "recipes"))
from soundfont_writer import Preset, Sample, write

TINY = CNNConfig((2, 3), 2, 3, 1, patch=4, weights={"reconstruction": 1.0, "latent": 0.1})
SHORT = 11_025  # samples: a quarter of a second
SHEET = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN"
 "http://www.musicxml.org/dtds/partwise.dtd">
<score-partwise version="4.0"><work><work-title>A Tune</work-title></work>
<part-list><score-part id="P1"><part-name>Melody</part-name></score-part></part-list>
<part id="P1">{bars}</part></score-partwise>
"""
BAR = """<measure number="{number}">{attributes}
<harmony><root><root-step>{root}</root-step></root><kind text="7">dominant</kind></harmony>
{notes}</measure>"""
ATTRIBUTES = """<attributes><divisions>2</divisions><key><fifths>0</fifths></key>
<time><beats>4</beats><beat-type>4</beat-type></time><clef><sign>G</sign><line>2</line></clef>
</attributes><direction><sound tempo="120"/></direction>"""
NOTE = """<note><pitch><step>{step}</step><octave>{octave}</octave></pitch>
<duration>2</duration><voice>1</voice><type>quarter</type></note>"""

LOWER = """<note><pitch><step>C</step><octave>3</octave></pitch><duration>4</duration>
<tie type="start"/><voice>2</voice></note>"""
CUE = """<backup><duration>2</duration></backup><note><cue/><pitch><step>B</step>
<octave>5</octave></pitch><duration>2</duration></note>"""
ADDED = """<degree><degree-value>9</degree-value><degree-alter>-1</degree-alter>
<degree-type>add</degree-type></degree><offset>1</offset></harmony>"""
TRANSPOSED = "</divisions><transpose><chromatic>-7</chromatic></transpose><staves>2</staves>"
ENDING = '<barline location="{}"><ending number="{}" type="{}"/>{}</barline>'
BACK = '<repeat direction="backward" times="2"/>'
WORDS = "<direction><direction-type><words>{}</words></direction-type>{}</direction>"
MARKS = (  # of each bar, at its beginning and its end
    ('<barline location="left"><repeat direction="forward"/></barline>',
     WORDS.format("To Coda", '<sound tocoda="c"/>')),
    (ENDING.format("left", 1, "start", ""), ENDING.format("right", 1, "stop", BACK)),
    (ENDING.format("left", 2, "start", ""),
     ENDING.format("right", 2, "stop", "") + WORDS.format("D.C. al Coda", "")),
    (WORDS.format("Coda", '<sound coda="c"/>'), ""),
)  # fmt: skip


@dataclass(frozen=True)
class Format:
    """A kind of file: how a specimen is made, damaged and read; `weight` in how many are tried.

    make: writes into an empty folder and returns the file to damage. read: gets it afterwards.
    """

    make: Callable[[Path], Path]
    damage: mutation.Mutator
    read: Callable[[Path], object]
    weight: int = 10


@dataclass(frozen=True)
class Specimen:
    """A real file of a format, and the folder of all that lies with it."""

    name: str
    root: Path
    path: Path

    @classmethod
    def made(cls, name: str, root: Path) -> "Specimen":
        """One of the format `name`, in the empty folder `root`."""
        return cls(name, root, FORMATS[name].make(root))

    def damaged(self, number: int, seed: int) -> bytes:
        """The input of this number: the same for the same seed, whatever came before."""
        rng = random.Random(f"{seed} {self.name} {number}")
        return FORMATS[self.name].damage(self.path.read_bytes(), rng)

    def read(self, content: bytes) -> None:
        """Read `content` in the file's place, beside copies of all that lies with it."""
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(self.root, folder, dirs_exist_ok=True)
            path = Path(folder) / self.path.relative_to(self.root)
            path.write_bytes(content)
            FORMATS[self.name].read(path)


# --- recordings ---------------------------------------------------------------------------------


def _wave() -> np.ndarray:
    rng = np.random.default_rng(0)
    t = np.arange(SHORT) / SR
    return (0.2 * np.sin(2 * np.pi * 440 * t) + 0.01 * rng.standard_normal(SHORT)).astype("f4")


def _recording(name: str, **how: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        wave, sr = np.stack([_wave(), _wave()], axis=1), 48_000 if "format" in how else SR
        sf.write(folder / name, wave, sr, **how)
        return folder / name

    return make


def _joined(name: str) -> Callable[[Path], Path]:
    """Two recordings end to end, as a recorded radio stream has them."""

    def make(folder: Path) -> Path:
        sf.write(folder / name, _wave(), SR)
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data + data)
        return folder / name

    return make


def _crashed(folder: Path) -> Path:
    """A WAV whose recorder never wrote how long it is."""
    sf.write(folder / "a.wav", _wave(), SR)
    data = (folder / "a.wav").read_bytes()
    at = data.index(b"data") + 4
    (folder / "a.wav").write_bytes(data[:4] + bytes(4) + data[8:at] + bytes(4) + data[at + 4 :])
    return folder / "a.wav"


def _film(name: str, codec: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream(codec, rate=SR, layout="mono")
            frame = av.AudioFrame.from_ndarray(_wave()[None], format="fltp", layout="mono")
            frame.sample_rate = SR
            container.mux([*stream.encode(frame), *stream.encode(None)])
        return folder / name

    return make


def hear(path: Path) -> None:
    """As `transfer` and `prepare` do: once for the loudness, once at 44.1 kHz."""
    audio.measure(path, mono=False)
    audio.read(path)


# --- corpora and models -------------------------------------------------------------------------


def _corpus(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        rng = np.random.default_rng(0)
        for style in STYLES:
            make_folder(folder / style)
            for number in range(2):
                wave = 0.1 * rng.standard_normal(SEGMENT + number)
                sf.write(folder / style / f"{number}.wav", wave, SR)
        found = preparing.find([f"{style}={folder / style}" for style in STYLES])
        list(preparing.prepare(found, folder / "corpus", n_jobs=1))
        for style in STYLES:
            shutil.rmtree(folder / style)  # nobody reads them again
        opened = Corpus.open(folder / "corpus")
        return opened.path / (opened.of("jazz", "train")[0].features if name == "npy" else name)

    return make


def use_corpus(path: Path) -> None:
    """As `info` and `train` do."""
    opened = Corpus.open(path.parents[1] if path.suffix == ".npy" else path.parent)
    opened.summary()
    for style in opened.styles:
        for _ in opened.chunks(style, "train"):
            pass
    state = training.begin("twin-cnn", TINY, opened, training.TrainingConfig(batch_size=1))
    pairs = Pairs(opened, "train", seed=0)
    batch = {style: power[None] for style, power in pairs[0].items()}
    for style, power in batch.items():
        state.system.convert(power, source=style, target=style)


def model() -> MelSystem:
    """A tiny twin CNN, not trained."""
    torch.manual_seed(0)
    return MelSystem("twin-cnn", TwinCNN(STYLES, TINY))


def _checkpoint(folder: Path) -> Path:
    model().save(folder / "model.safetensors")
    return folder / "model.safetensors"


def use_model(path: Path) -> None:
    """As `transfer` does."""
    loaded = system.load(path)
    wave = np.tile(_wave(), 2)
    for style in loaded.styles:
        loaded.transfer(wave, SR, to=style)


def _unfinished(folder: Path) -> Path:
    config = training.TrainingConfig()
    state = training.with_optimizers(model(), config)
    for optimizer in state.optimizers.values():
        for group in optimizer.param_groups:
            for one in group["params"]:
                one.grad = torch.ones_like(one)
        optimizer.step()
    state.step = 1
    run.save_state(state, config, folder)
    return folder / "resume.safetensors"


def resume(path: Path) -> None:
    """As `train --resume` does."""
    state, _ = run.load_state(path.parent)
    for optimizer in state.optimizers.values():
        for group in optimizer.param_groups:
            for one in group["params"]:
                one.grad = torch.ones_like(one)
        optimizer.step()


# --- scores -------------------------------------------------------------------------------------


def sheet() -> str:
    """A lead sheet of four bars."""
    notes = [NOTE.format(step=step, octave=4) for step in "CEGA"]
    bars = [
        BAR.format(
            number=number + 1,
            root=root,
            notes="".join(notes),
            attributes=ATTRIBUTES if number == 0 else "",
        )
        for number, root in enumerate("CFGC")
    ]
    return SHEET.format(bars="".join(bars))


def full_sheet() -> str:
    """The sheet, with what else is read of scores: a lower voice, a cue, a transposing part of two
    staves, degrees, a repeat with endings, and a way to the coda."""
    text = sheet()
    lower = f"<backup><duration>8</duration></backup>{LOWER * 2}{CUE}"
    text = text.replace("</measure>", lower + "</measure>").replace("</harmony>", ADDED)
    for number, (left, right) in enumerate(MARKS, 1):
        before, start, after = text.partition(f'<measure number="{number}">')
        bar, end, rest = after.partition("</measure>")
        text = before + start + left + bar + right + end + rest
    part = text[text.index('<part id="P1">') : text.index("</part>")]
    second = part.replace("P1", "P2").replace("</divisions>", TRANSPOSED)
    second = second.replace("</voice>", "</voice><staff>2</staff>")
    heads = '<score-part id="P2"><part-name>Horn</part-name></score-part></part-list>'
    return text.replace("</part-list>", heads).replace("</part></", f"</part>{second}</part></")


def _musicxml(folder: Path) -> Path:
    path = folder / "sheet.musicxml"
    path.write_text(full_sheet(), encoding="utf-8")
    return path


def _mxl(folder: Path) -> Path:
    path = folder / "sheet.mxl"
    path.write_bytes(mutation.packed({mutation.CONTAINER: mutation.points_to("sheet.xml"),
                                      "sheet.xml": full_sheet()}))  # fmt: skip
    return path


def _midi(folder: Path) -> Path:
    tune = tuple(Note(float(beat), 1.0, pitch) for beat, pitch in enumerate([72, 76, 79, 81] * 4))
    bass = tuple(Note(4.0 * bar, 4.0, pitch) for bar, pitch in enumerate([48, 53, 55, 48]))
    song = Song((Track("tune", 0, tune), Track("bass", 32, bass)), 120.0)
    write_midi(folder / "song.mid", song)
    return folder / "song.mid"


def use_score(path: Path) -> None:
    """As `arrange` does, without the sound."""
    score = read_score(path)
    setting = draw_setting(score, seed="0")
    for style in STYLES:
        write_midi(path.with_name("made.mid"), arrange(score, style, setting).song)


def _soundfont(folder: Path) -> Path:
    every = {Generator.SAMPLE: 0, Generator.LOOPS: 1, Generator.CUTOFF: 9000}
    presets = [Preset(0, 0, "piano", [every]), Preset(128, 0, "kit", [every])]
    sample = Sample("sample", _wave(), SR, (100, SHORT - 100))
    write(folder / "font.sf3", presets, [sample], about={"INAM": "a font"})
    return folder / "font.sf3"


def use_soundfont(path: Path) -> None:
    """As a cover does: a note of an instrument, and one of drums."""
    note = (Note(0.0, 1.0, 60),)
    tracks = Track("piano", 0, note), Track("drums", 0, note, is_drums=True)
    wave = play(Song(tracks, 120.0), path, SR)
    assert np.isfinite(wave).all()


# --- tables -------------------------------------------------------------------------------------


def _score(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "n": 3}


def _results(folder: Path) -> Path:
    path = folder / "results.json"
    make_folder(work_of(path) / "audio")
    sf.write(work_of(path) / "audio" / "a.mp3", _wave(), SR)
    scores = {"chroma_cosine": _score(0.5), "tag_difference": _score(0.1)}
    knobs = {f"model+blend={at}": {"blend": at} for at in (0.25, 0.5)}
    about = {"kind": "model", "model": "model", "sha256": "", "parameters": 1}
    metric = {"group": "content", "better": "higher", "about": "harmony"}
    write_json(path, {
        "version": VERSION, "corpus": "c", "settings": {"excerpt_s": 3.0, "seed": 0},
        "versions": {"python": "3"}, "evaluation_models": {"tags": {"package": "a"}},
        "left_out": {"note_f1": "no ears"}, "styles": list(STYLES),
        "metrics": {"chroma_cosine": metric, "tag_difference": {**metric, "group": "style"}},
        "systems": {"copy-content": {"kind": "baseline"}, "model": {**about, "options": {}},
                    **{name: {**about, "options": one} for name, one in knobs.items()}},
        "recordings": [{"name": "a", "style": "classical"}], "references": {"jazz": 2},
        "skipped": [{"path": "x", "reason": "x: is bad"}], "floors": {"jazz": {"kad": 0.01}},
        "scores": {name: {"classical_to_jazz": scores}
                   for name in ("copy-content", "model", *knobs)},
        "examples": [{"name": "a", "style": "classical", "to": "jazz", "original": "audio/a.mp3",
                      "systems": {"model": {"sound": "audio/a.mp3", "chroma_cosine": 0.5}}}],
    })  # fmt: skip
    return path


def use_results(path: Path) -> None:
    """As `report` does; a page that could run a script would be a fault."""
    for name in ("page.html", "tables.md"):
        report.write(path, path.with_name(name))
    if "<script" in path.with_name("page.html").read_text(encoding="utf-8"):
        raise AssertionError("the page holds a script")


def _tracks(folder: Path) -> Path:
    make_folder(folder / "fma_small" / "000")
    for number in (2, 140):
        sf.write(folder / "fma_small" / "000" / f"{number:06}.mp3", _wave(), SR)
    with (folder / "tracks.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["", "set", "set", "track", "track"])
        table.writerow(["", "split", "subset", "genre_top", "title"])
        table.writerow(["track_id", "", "", "", ""])
        table.writerows([[2, "training", "small", "Jazz", "A, B"], [140, "test", "x", "Jazz", "C"]])
    return folder / "tracks.csv"


def use_tracks(path: Path) -> None:
    """As `prepare jazz=fma:FOLDER` does."""
    preparing.find_fma(path.parent, "jazz", genre="Jazz")


def _pairs(folder: Path) -> Path:
    for style in STYLES:
        make_folder(folder / style)
        sf.write(folder / style / "a.wav", _wave(), SR)
    record = {
        "format": "wav", "beats_per_minute": 120.0, "melody": [[0.0, 1.0, 60]], "n_bars": 1,
        "bar_s": 2.0, "chords": [[0.0, 4.0, 0, [0, 4, 7], None]],
    }  # fmt: skip
    write_json(folder / "pairs.json", {"pairs": {"a": record}, "left_out": []})
    return folder / "pairs.json"


def use_pairs(path: Path) -> None:
    """As `evaluate --corpus FOLDER` does."""
    paired(path.parent)


FORMATS = {
    "WAV": Format(_recording("a.wav"), mutation.of_bytes, hear),
    "WAV of a crash": Format(_crashed, mutation.of_bytes, hear, 5),
    "FLAC, joined": Format(_joined("a.flac"), mutation.of_bytes, hear, 5),
    "MP3, joined": Format(_joined("a.mp3"), mutation.of_bytes, hear, 5),
    "OGG, joined": Format(_joined("a.ogg"), mutation.of_bytes, hear, 5),
    "WAV, IMA ADPCM": Format(_recording("a.wav", subtype="IMA_ADPCM"), mutation.of_bytes, hear, 5),
    "AIFF": Format(_recording("a.aiff"), mutation.of_bytes, hear, 5),
    "AU": Format(_recording("a.au"), mutation.of_bytes, hear, 5),
    "CAF": Format(_recording("a.caf"), mutation.of_bytes, hear, 5),
    "FLAC": Format(_recording("a.flac"), mutation.of_bytes, hear),
    "OGG Vorbis": Format(_recording("a.ogg"), mutation.of_bytes, hear),
    "OGG Opus": Format(
        _recording("a.opus", format="OGG", subtype="OPUS"), mutation.of_bytes, hear, 5
    ),
    "MP3": Format(_recording("a.mp3"), mutation.of_bytes, hear),
    "M4A": Format(_film("a.m4a", "aac"), mutation.of_bytes, hear),
    "Matroska": Format(_film("a.mka", "aac"), mutation.of_bytes, hear, 5),
    "corpus.json": Format(_corpus("corpus.json"), mutation.of_json, use_corpus),
    "features (.npy)": Format(_corpus("npy"), mutation.of_npy, use_corpus),
    "model (.safetensors)": Format(_checkpoint, mutation.of_safetensors, use_model, 15),
    "resume.safetensors": Format(_unfinished, mutation.of_safetensors, resume),
    "MusicXML": Format(_musicxml, mutation.of_xml, use_score),
    "MusicXML, packed (.mxl)": Format(_mxl, mutation.of_mxl, use_score),
    "MIDI": Format(_midi, mutation.of_bytes, use_score, 20),
    "soundfont (.sf3)": Format(_soundfont, mutation.of_bytes, use_soundfont),
    "results.json": Format(_results, mutation.of_json, use_results, 15),
    "pairs.json": Format(_pairs, mutation.of_json, use_pairs),
    "tracks.csv": Format(_tracks, mutation.of_bytes, use_tracks),
}
