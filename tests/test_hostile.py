"""Files from strangers: used, or refused with one clear sentence, and nothing else."""

import ast
import json
import os
import re
import resource
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from thirdstream import audio, checkpoint, registry
from thirdstream.audio import AudioError
from thirdstream.checkpoint import CheckpointError
from thirdstream.data import preparing
from thirdstream.data.corpus import Corpus, CorpusError
from thirdstream.files import ThirdstreamError, read_json
from thirdstream.mel.models.twin import TwinConfig
from thirdstream.mel.system import MelSystem, load
from thirdstream.notes.io.score import read_score
from thirdstream.notes.types import ScoreError
from thirdstream.report import page as report

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
import mutation
import specimens

ROOT = Path(__file__).parents[1]
N_DAMAGED = 14  # of each format; benchmarks/fuzz.py tries thousands
MORE_BYTES = 1_000_000_000  # that reading a small file may take


@pytest.fixture
def little_memory() -> Iterator[None]:
    """So much more than now and no more: what would take all there is fails at once."""
    if not Path("/proc/self/statm").is_file():
        pytest.skip("memory can be limited on Linux only")
    size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + MORE_BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


# --- damaged files ------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=list(specimens.FORMATS))
def specimen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return specimens.Specimen.made(request.param, tmp_path_factory.mktemp("specimen"))


def test_whole_files_are_used(specimen: Any) -> None:
    specimen.read(specimen.path.read_bytes())


def test_damaged_files_are_used_or_refused(specimen: Any, little_memory: None) -> None:
    for number in range(N_DAMAGED):
        content = specimen.damaged(number, seed=7)
        try:
            specimen.read(content)
        except ThirdstreamError as error:
            assert str(error)


# --- recordings ---------------------------------------------------------------------------------


def wav_header(*, sr: int = 44_100, n_channels: int = 1, n_bytes: int) -> bytes:
    """Of 16-bit WAV that promises so many bytes."""
    rate, width = sr * 2 * n_channels, 2 * n_channels
    form = struct.pack("<HHIIHH", 1, n_channels, sr, rate & 0xFFFF_FFFF, width, 16)
    return b"".join([
        b"RIFF", struct.pack("<I", min(n_bytes + 36, 2**32 - 1)), b"WAVEfmt ",
        struct.pack("<I", 16), form, b"data", struct.pack("<I", n_bytes),
    ])  # fmt: skip


def flac_header(n_samples: int) -> bytes:
    """Of FLAC in eight channels that promises so many samples."""
    rate, channels, bits = 44_100, 8, 16
    packed = rate << 44 | (channels - 1) << 41 | (bits - 1) << 36 | n_samples
    info = struct.pack(">HH", 4096, 4096) + bytes(6) + packed.to_bytes(8, "big") + bytes(16)
    return b"fLaC" + bytes([0x80, 0, 0, 34]) + info


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("hours.wav", wav_header(n_bytes=2**32 - 2) + bytes(1000)),
        ("hours.flac", flac_header(2**36 - 1) + bytes(1000)),
        ("slow.wav", wav_header(sr=1, n_bytes=1000) + bytes(1000)),
        ("fast.wav", wav_header(sr=2**31 - 1, n_bytes=1000) + bytes(1000)),
        ("wide.wav", wav_header(n_channels=1000, n_bytes=2000) + bytes(2000)),
    ],
)
def test_a_header_that_claims_hours_takes_no_memory(
    tmp_path: Path, name: str, content: bytes, little_memory: None
) -> None:
    (tmp_path / name).write_bytes(content)
    try:
        wave, _ = audio.read(tmp_path / name)
        assert wave.size < 10_000  # libsndfile itself has corrected the header
    except AudioError as error:
        assert name in str(error)


# --- models -------------------------------------------------------------------------------------


def saved(system: MelSystem, path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A model with another header."""
    header = json.loads(json.dumps(system.header()))
    change(header)
    checkpoint.save(path, system.state_dict(), header)
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header["config"].update(channels=[4096] * 2, n_convs=64, patch=1),
        lambda header: header["config"].update(channels=[10**9] * 2),
        lambda header: header["config"].update(n_convs=10**9),
        lambda header: header["config"].update(kernel_size=10**9 + 1),
        lambda header: header["config"].update(latent_channels=10**12),
        lambda header: header["mel"].update(n_fft=2**40, hop_length=2**30),
        lambda header: header["mel"].update(n_mels=2**40),
        lambda header: header["mel"].update(hop_length=0),
        lambda header: header["mel"].update(f_max="high"),
        lambda header: header["mel"].update(f_max=3),
        lambda header: header.update(styles=["../../up", "jazz"]),
        lambda header: header.update(styles=["jazz", "jazz"]),
        lambda header: header.update(styles=["C:\\up", "jazz"]),
        lambda header: header.update(styles=[1, 2]),
        lambda header: header.update(styles=["CON", "jazz"]),
    ],
)
def test_a_model_cannot_ask_for_more_than_it_has(
    system: MelSystem, tmp_path: Path, change: Callable, little_memory: None
) -> None:
    path = saved(system, tmp_path / "m.safetensors", change)
    with pytest.raises(CheckpointError, match="does not fit this version"):
        load(path)


@pytest.mark.parametrize("size", [2**40, 2**62])
def test_shapes_that_the_file_does_not_hold_are_refused(
    system: MelSystem, tmp_path: Path, size: int, little_memory: None
) -> None:
    path = tmp_path / "m.safetensors"
    system.save(path)
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    one = next(name for name in header if name != "__metadata__")
    header[one] |= {"shape": [size], "data_offsets": [0, 4 * size]}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])
    with pytest.raises(CheckpointError, match=r"m\.safetensors"):
        load(path)
    path.write_bytes((2**62).to_bytes(8, "little") + text)  # a header longer than the file
    with pytest.raises(CheckpointError, match="is not a thirdstream model"):
        load(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", '{"twin": NaN}', "", "7"])
def test_a_header_that_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "m.safetensors", {checkpoint.HEADER: text})
    with pytest.raises(CheckpointError, match="is not a thirdstream model"):
        load(tmp_path / "m.safetensors")


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    torch.save({"state": Bomb()}, tmp_path / "m.safetensors")
    (tmp_path / "run").mkdir()
    torch.save({"state": Bomb()}, tmp_path / "run" / "best.safetensors")
    for model in ("m.safetensors", "run"):
        with pytest.raises(CheckpointError, match="is not a thirdstream model"):
            registry.load(tmp_path / model)
    assert not (tmp_path / "ran").exists()


def test_the_package_opens_no_pickle() -> None:
    """Nothing that can run code as it is read: torch.load, pickle, joblib.load, object arrays."""
    forbidden = {"torch.load", "joblib.load", "np.load", "numpy.load", "pd.read_pickle"}
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in forbidden, path
                assert "allow_pickle=True" not in ast.unparse(node), path
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
                assert not names & {"pickle", "dill", "shelve", "cloudpickle", "marshal"}, path


def test_a_name_finds_no_model_outside_its_folders(
    system: MelSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").mkdir()
    monkeypatch.setenv("THIRDSTREAM_MODELS", str(tmp_path / "own"))
    system.save(tmp_path / "outside.safetensors")
    with pytest.raises(ThirdstreamError, match="is no model"):
        registry.find("../outside")


def test_sizes_of_a_twin_have_bounds() -> None:
    for change in ({"n_convs": 65}, {"kernel_size": 4097}, {"channels": (4097,) * 2}):
        with pytest.raises(ValueError, match=r"must be from 1 to (64|4096)"):
            TwinConfig(**{"latent_channels": 2, **change})


# --- corpora ------------------------------------------------------------------------------------


@pytest.fixture
def copied(small_corpus: Corpus, tmp_path: Path) -> Path:
    """A corpus to damage: its manifest; the features are those of the other."""
    (tmp_path / "features").symlink_to(small_corpus.path / "features")
    (tmp_path / "corpus.json").write_bytes((small_corpus.path / "corpus.json").read_bytes())
    return tmp_path / "corpus.json"


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one["recordings"][0].update(features="../../secret.npy"),
        lambda one: one["recordings"][0].update(features="/etc/passwd"),
        lambda one: one["recordings"][0].update(features="features/../x.npy"),
        lambda one: one["recordings"][0].update(n_segments=10**12),
        lambda one: one["recordings"][0].update(n_segments="9"),
        lambda one: one["recordings"][0].update(gain=-1.0),
        lambda one: one["recordings"][0].update(style="../up"),
        lambda one: one["recordings"].clear(),
        lambda one: one["statistics"].pop("jazz"),
        lambda one: one["statistics"]["jazz"].update(mel_std=["a"] * 256),
        lambda one: one["statistics"]["jazz"].update(mel_std=[1.0]),
        lambda one: one["mel"].update(n_mels=10**9),
    ],
)
def test_a_manifest_cannot_lead_outside_or_claim_anything(copied: Path, change: Callable) -> None:
    content = json.loads(copied.read_text())
    change(content)
    copied.write_text(json.dumps(content))
    with pytest.raises(CorpusError, match="has a damaged manifest"):
        Corpus.open(copied.parent)


def test_features_of_another_type_are_refused(small_corpus: Corpus, tmp_path: Path) -> None:
    one = small_corpus.recordings[0]
    moved = Corpus(tmp_path, small_corpus.mel, small_corpus.statistics, small_corpus.recordings)
    array = small_corpus.features(one)
    (tmp_path / "features").mkdir()
    for other in (array.astype(np.float64), np.asfortranarray(array)):
        np.save(tmp_path / one.features, other)
        with pytest.raises(CorpusError, match="prepare the corpus again"):
            moved.features(one)
    np.save(tmp_path / one.features, np.array([{}]), allow_pickle=True)
    with pytest.raises(CorpusError, match="cannot be read"):
        moved.features(one)


def test_a_damaged_record_is_made_again(recordings: dict[str, Path], tmp_path: Path) -> None:
    found = preparing.find([f"{style}={folder}" for style, folder in recordings.items()])
    list(preparing.prepare(found, tmp_path, n_jobs=1))
    whole = (tmp_path / "corpus.json").read_bytes()
    for number, record in enumerate(sorted((tmp_path / "recordings").iterdir())):
        record.write_text(["", "{}", "[" * 100_000, '{"size": "x"}', "7"][number % 5])
    list(preparing.prepare(found, tmp_path, n_jobs=1))
    assert (tmp_path / "corpus.json").read_bytes() == whole


# --- scores -------------------------------------------------------------------------------------

BOMB = """<?xml version="1.0"?><!DOCTYPE score-partwise [<!ENTITY a "aaaaaaaaaaaaaaaa">{lines}]>
<score-partwise><work><work-title>&{last};</work-title></work></score-partwise>"""
LINES = "".join(
    f'<!ENTITY {name} "{f"&{before};" * 16}">'
    for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB.format(lines=LINES, last="j"),
        BOMB.format(lines='<!ENTITY x SYSTEM "file:///etc/passwd">', last="x"),
        BOMB.format(lines='<!ENTITY x SYSTEM "http://127.0.0.1:9/x">', last="x"),
        BOMB.format(lines='<!ENTITY % x SYSTEM "file:///etc/passwd">%x;', last="a"),
    ],
)
@pytest.mark.parametrize("suffix", [".musicxml", ".mxl", ".xml"])
def test_entities_are_refused(tmp_path: Path, text: str, suffix: str, little_memory: None) -> None:
    path = tmp_path / f"bomb{suffix}"
    path.write_bytes(mutation.packed({"a.xml": text}) if suffix == ".mxl" else text.encode())
    with pytest.raises(ScoreError, match="declares the entity"):
        read_score(path)


def test_an_archive_that_unpacks_to_gigabytes_is_refused(
    tmp_path: Path, little_memory: None
) -> None:
    text = specimens.sheet().replace("A Tune", " " * 40_000_001)
    (tmp_path / "bomb.mxl").write_bytes(mutation.packed({"a.xml": text}))
    assert (tmp_path / "bomb.mxl").stat().st_size < 100_000
    with pytest.raises(ScoreError, match="holds more than 40 MB"):
        read_score(tmp_path / "bomb.mxl")


@pytest.mark.parametrize("name", ["../../up.xml", "/tmp/up.xml", "C:\\up.xml"])
def test_an_archive_writes_nothing_whatever_its_names(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    files = {mutation.CONTAINER: mutation.points_to(name), name: specimens.sheet()}
    (folder / "sheet.mxl").write_bytes(mutation.packed(files))
    assert len(read_score(folder / "sheet.mxl").melody) == 16  # it is there, in the archive
    assert sorted(tmp_path.rglob("*.*")) == [folder / "sheet.mxl"]
    files[mutation.CONTAINER] = mutation.points_to("/etc/passwd")
    (folder / "sheet.mxl").write_bytes(mutation.packed(files))
    with pytest.raises(ScoreError, match="is a damaged archive"):
        read_score(folder / "sheet.mxl")


DIRECTION = "<direction><direction-type><words>D.C.</words></direction-type></direction>"
CHORD = "<harmony><root><root-step>C</root-step></root><kind>major</kind></harmony>"
ENDING = '<barline><ending type="start" number="1"/><repeat direction="backward"/></barline>'
NOTE = specimens.NOTE.format(step="C", octave=5)
MANY = {  # what stands in the place of a bar, how often, and what is said
    "bars": ("<measure/>", 20_001, "10000 bars are read, cut it"),
    "bars in all": ("<measure/>", 50_001, "more than 50000 elements <measure>"),
    "notes": (f"<measure>{NOTE * 50}</measure>", 1001, "more than 50000 elements <note>"),
    "directions": (f"<measure>{DIRECTION * 50}</measure>", 1001, "50000 elements <direction>"),
    "chord symbols": (f"<measure>{CHORD * 50}</measure>", 1001, "50000 elements <harmony>"),
    "barlines": (f"<measure>{ENDING * 50}</measure>", 1001, "50000 elements <barline>"),
    "elements": (f"<measure>{'<a/>' * 1000}</measure>", 1500, "more than 1500000 elements"),
    "endings": (f"<measure>{NOTE}{ENDING}</measure>", 9_000, "with its repeats played out"),
    "jumps": (f"<measure>{NOTE}<sound dacapo='yes'/></measure>", 9_000, "with its repeats played"),
    "parts": ("</part><part>", 200, "more than 200 elements <part>"),
}


@pytest.mark.parametrize("what", list(MANY))
def test_more_elements_than_a_score_has(what: str, tmp_path: Path, little_memory: None) -> None:
    """Packed, they are a few thousand bytes."""
    one, times, fault = MANY[what]
    text = specimens.sheet().replace("</part>", one * times + "</part>")
    (tmp_path / "a.mxl").write_bytes(mutation.packed({"a.xml": text}))
    with pytest.raises(ScoreError, match=rf"a\.mxl: .*{re.escape(fault)}"):
        read_score(tmp_path / "a.mxl")


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_archives_are_packed_as_the_format_has_it(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.mxl", "w", method) as archive:
        archive.writestr("a.xml", specimens.sheet())
    with pytest.raises(ScoreError, match=r"is a damaged archive \(it is packed in a way"):
        read_score(tmp_path / "a.mxl")


def test_an_archive_of_more_than_a_score_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "a.mxl").write_bytes(bytes(20_000_000) + mutation.packed({"a.xml": "x"}))
    with pytest.raises(ScoreError, match="has more than 20 MB; no score we read is so long"):
        read_score(tmp_path / "a.mxl")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("<beats>4</beats>", "<beats>99999999</beats>", "has bars of 99999999 beats"),
        ("<duration>2</duration>", "<duration>1e9</duration>", "quarter notes; at most"),
        ("<work>", "<work>" + "<a>" * 1000 + "</a>" * 1000, "deep in one another"),
        ("score-partwise", "score-other", "is no score by parts"),
    ],
)
def test_numbers_that_no_score_has(tmp_path: Path, old: str, new: str, fault: str) -> None:
    text = specimens.sheet()
    (tmp_path / "a.musicxml").write_text(text.replace(old, new))
    with pytest.raises(ScoreError, match=fault):
        read_score(tmp_path / "a.musicxml")


def test_scores_are_kept_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """music21's own way keeps pickles of what it has read in a folder that others may write to."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "never read.musicxml").write_text(specimens.sheet())
    read_score(tmp_path / "never read.musicxml")
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"MThd\xff\xff\xff\xff\0\0\0\1\1\xe0",
        b"MThd\0\0\0\6\0\1\x7f\xff\1\xe0MTrk\xff\xff\xff\xff",
        b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk\0\xf0\0\0" + b"\xff" * 900_000,
        b"MThd\0\0\0\6\0\0\0\1\0\0MTrk\0\0\0\4\0\xff\x2f\0",
        b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk\0\0\0\x0b\0\xff\x51\3\0\0\0\0\xff\x2f\0",
    ],
    ids=["huge header", "huge track", "endless number", "no ticks", "no tempo"],
)
def test_midi_that_claims_anything(tmp_path: Path, content: bytes, little_memory: None) -> None:
    (tmp_path / "a.mid").write_bytes(content)
    with pytest.raises(ScoreError, match=r"a\.mid: is no readable MIDI file"):
        read_score(tmp_path / "a.mid")


# --- tables -------------------------------------------------------------------------------------


def test_a_report_plays_nothing_from_elsewhere_and_runs_no_script(tmp_path: Path) -> None:
    whole = specimens.Specimen.made("results.json", tmp_path)
    content = json.loads(whole.path.read_text())
    content["examples"][0]["original"] = "../../secret.mp3"
    whole.path.write_text(json.dumps(content))
    with pytest.raises(ThirdstreamError, match=r"examples: 0: original: .* not '../../secret"):
        report.write(whole.path, tmp_path / "page.html")
    content["examples"] = []
    evil = "<script>alert(1)</script>"
    content |= {"corpus": evil, "styles": [evil, "jazz"], "versions": {evil: evil}}
    content |= {"left_out": {evil: evil}, "skipped": [{"reason": evil}], "references": {evil: 1}}
    content["evaluation_models"] = {evil: {"package": evil}}
    content["metrics"] = {evil: {"group": "content", "better": evil, "about": evil}}
    directions = {f"{evil}_to_{evil}": {evil: {"mean": 1.0}}}
    content["scores"], content["systems"] = {evil: directions}, {evil: {"kind": evil}}
    whole.path.write_text(json.dumps(content))
    report.write(whole.path, tmp_path / "page.html")
    assert "<script" not in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_json_that_goes_too_deep_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[" * 100_000)
    with pytest.raises(ThirdstreamError, match="it goes too deep"):
        read_json(tmp_path / "a.json", kind="test")
