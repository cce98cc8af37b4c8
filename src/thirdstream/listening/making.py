"""A listening test is made: sounds of systems and recordings, the page, the key.

OUT/page/index.html, OUT/page/audio/CODE.mp3     what listeners get
OUT/key.json                                     which system made which sound
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from thirdstream import audio, checkpoint, registry
from thirdstream.audio import SR, Wave
from thirdstream.files import ThirdstreamError, fault_of, is_style, sha256, write_json, write_text
from thirdstream.listening import page, sounds
from thirdstream.listening.design import (
    ANCHOR,
    AUDIO,
    HIDDEN,
    KEY,
    KEY_KIND,
    OTHER,
    PAGE,
    REFERENCE,
    VERSION,
    Settings,
    code_of,
    identity,
)
from thirdstream.system import System

MOST_SOUNDS = 26  # on a screen, a letter each
TRAINING_S = 3.0


@dataclass(frozen=True)
class Recording:
    """An original: its style, and the one that systems turn it into."""

    path: Path
    style: str
    to: str

    @property
    def is_original(self) -> bool:
        """Whether it is to be turned into another style."""
        return self.style != self.to

    @property
    def title(self) -> str:
        """The file's name without its style, as the bundled clips have it."""
        return self.path.stem.removeprefix(f"{self.style}_").replace("_", " ")


class Maker(Protocol):
    """What makes a sound of a recording: a system, or somebody else before."""

    def sound(self, recording: Recording, original: Wave, settings: Settings) -> Wave:
        """As long as the original (n_channels, n_samples), 44.1 kHz."""
        ...

    def source(self) -> dict[str, Any]:
        """What the key says of it."""
        ...


@dataclass(frozen=True)
class Transferring:
    """A system makes the sounds."""

    model: str

    @cached_property
    def system(self) -> System[Any]:
        """Loaded once."""
        return registry.load(self.model)

    def sound(self, recording: Recording, original: Wave, settings: Settings) -> Wave:
        """The transfer of the excerpt."""
        return self.system.transfer(original, SR, to=recording.to, source=recording.style)

    def source(self) -> dict[str, Any]:
        """Its sentence, the hash of its checkpoint, its parts."""
        path = self.system.checkpoint
        return {
            "kind": "model",
            "about": registry.SYSTEMS[self.system.name].about,
            "sha256": sha256(path) if path else "",
            "parts": list(self.system.parts()),
        }


@dataclass(frozen=True)
class Finished:
    """Results that are there, in a folder, called as their originals are."""

    folder: Path

    @cached_property
    def files(self) -> Mapping[str, Path]:
        """By the name without ending."""
        return {path.stem: path for path in audio.find_recordings(self.folder)}

    def sound(self, recording: Recording, original: Wave, settings: Settings) -> Wave:
        """The excerpt of the file."""
        if recording.path.stem not in self.files:
            raise ThirdstreamError(
                f"{self.folder}: has no result of {recording.path.name}; put it there as "
                f"{recording.path.stem}.wav, or leave the recording out"
            )
        return sounds.excerpt(self.files[recording.path.stem], settings.seconds)

    def source(self) -> dict[str, Any]:
        """Where it lay."""
        return {"kind": "files", "about": f"results from the folder {self.folder.name}"}


# --- what is asked for --------------------------------------------------------------------------


def recordings_of(given: Sequence[str], to: str) -> list[Recording]:
    """STYLE=FILE_OR_FOLDER, or nothing: the bundled clips.

    to: the target of them all; where two styles are given and it is empty, each other. Recordings
    of the target are no originals, and may be the other piece. Raises ThirdstreamError on what is
    no recording, and where the target is unknown.
    """
    pairs = [(path.stem.partition("_")[0], path) for path in registry.bundled_clips()]
    if given:
        pairs = [(style, path) for one in given for style, path in _found(one)]
    styles = list(dict.fromkeys(style for style, _ in pairs))
    if not to and len(styles) != 2:
        raise ThirdstreamError(
            f"which style {', '.join(styles)} is turned into is not known; give --to STYLE, or "
            "recordings of two styles"
        )
    if styles == [to]:
        raise ThirdstreamError(f"all recordings are {to} already; give some of another style")
    return [
        Recording(path, style, to or next(other for other in styles if other != style))
        for style, path in pairs
    ]


def _found(given: str) -> Iterator[tuple[str, Path]]:
    style, _, place = given.partition("=")
    path = Path(place)
    if not place or not is_style(style) or not path.exists():
        raise ThirdstreamError(f"{given}: is not STYLE=FILE or STYLE=FOLDER with a file in it")
    paths = audio.find_recordings(path) if path.is_dir() else [path]
    if not paths:
        raise ThirdstreamError(f"{path}: holds no recordings; check the folder")
    for one in paths:
        yield style, one


def makers_of(models: Sequence[str], results: Sequence[str]) -> dict[str, Maker]:
    """Names and what makes their sounds: MODEL, and NAME=FOLDER of results.

    Raises ThirdstreamError where a name comes twice or a folder is missing.
    """
    found: dict[str, Maker] = {}
    named: list[tuple[str, Maker]] = [
        (registry.label_of(model), Transferring(model)) for model in models
    ]
    for one in results:
        name, _, folder = one.partition("=")
        if not folder or not name or not Path(folder).is_dir():
            raise ThirdstreamError(f"{one}: is not NAME=FOLDER with a folder of results")
        named.append((name, Finished(Path(folder))))
    for name, maker in named:
        if name in found or name in HIDDEN:
            raise ThirdstreamError(f"{name}: is another's name too; rename one of them")
        found[name] = maker
    return found


def check(recordings: Sequence[Recording], makers: Mapping[str, Maker], settings: Settings) -> None:
    """Raise ThirdstreamError where a test cannot be made of these, before it takes time."""
    if settings.kind == "ab" and len(makers) < 2:
        raise ThirdstreamError("comparisons need two systems or more; give more --models")
    n_shown = len(HIDDEN) + min(settings.per_screen or len(makers), len(makers))
    if settings.kind == "rating" and n_shown > MOST_SOUNDS:
        raise ThirdstreamError(
            f"a screen would have {n_shown} sounds; give --per-screen, "
            f"{MOST_SOUNDS - len(HIDDEN)} at most"
        )
    names = [one.path.stem for one in recordings]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ThirdstreamError(f"{twice}: two recordings are called so; rename one of them")
    for maker in makers.values():
        if isinstance(maker, Transferring):
            maker.system.ready()
            for one in recordings:
                maker.system.choose(to=one.to, source=one.style if one.is_original else None)


# --- making it ----------------------------------------------------------------------------------


def make(
    recordings: Sequence[Recording],
    makers: Mapping[str, Maker],
    out: Path,
    settings: Settings,
    *,
    force: bool = False,
) -> Iterator[str]:
    """Write the test into the folder `out`; yields what was made after each sound of a system.

    Raises ThirdstreamError where a test is there and `force` is not given, and where a recording
    cannot be read or transferred.
    """
    check(recordings, makers, settings)
    if (out / KEY).exists() and not force:
        raise ThirdstreamError(
            f"{out / KEY}: exists already, and answers may belong to it; choose another --out, or "
            "add --force to replace it"
        )
    folder = out / PAGE / AUDIO
    originals = {one: _excerpt(one, settings) for one in recordings}
    order = random.Random(f"{settings.seed} systems").sample(sorted(makers), len(makers))
    items, shown = [], []
    for recording in filter(lambda one: one.is_original, originals):
        waves = _hidden(recording, originals, settings)
        for name in order:
            waves[name] = _made(makers[name], name, recording, originals[recording], settings)
            yield f"{recording.path.stem}, {name}"
        item, codes = _written(recording, originals[recording], waves, folder, settings)
        items.append(item)
        shown.append(page.item_of(item, codes, order, settings.kind))
    training = _training(originals, folder, settings)
    key = _key(items, makers, settings)
    used = {code for one in items for code in (one["code"], *one["sounds"])}
    _remove_others(folder, used | {one["code"] for one in training})
    text = page.render_page(key["test"], shown, training, settings)
    write_text(out / PAGE / "index.html", text)
    write_json(out / KEY, key)


def _excerpt(recording: Recording, settings: Settings) -> Wave:
    """The middle of a recording. Raises ThirdstreamError where nothing sounds there."""
    wave = sounds.excerpt(recording.path, settings.seconds)
    if audio.level_of([wave]).silent:
        raise ThirdstreamError(f"{recording.path}: is silent in its middle; leave it out")
    return wave


def _written(
    recording: Recording,
    original: Wave,
    waves: Mapping[str, Wave],
    folder: Path,
    settings: Settings,
) -> tuple[dict[str, Any], dict[str, str]]:
    """The key's item of an original, and codes by name, under which the sounds are written."""
    code = code_of("original", settings.seed, sounds.digest(original))
    codes = {name: code_of(name, code, sounds.digest(wave)) for name, wave in waves.items()}
    sounds.write(folder / f"{code}.mp3", original)
    for name, wave in waves.items():
        sounds.write(folder / f"{codes[name]}.mp3", wave)
    item = {
        "code": code, "title": recording.title, "style": recording.style, "to": recording.to,
        "sounds": {codes[name]: name for name in sorted(codes, key=lambda name: codes[name])},
    }  # fmt: skip
    return item, codes


def _made(
    maker: Maker, name: str, recording: Recording, original: Wave, settings: Settings
) -> Wave:
    """What a system makes of an original; a fault names both."""
    try:
        return maker.sound(recording, original, settings)
    except Exception as error:
        raise ThirdstreamError(f"{name}: {fault_of(recording.path, error)}") from error


def _hidden(
    recording: Recording, originals: Mapping[Recording, Wave], settings: Settings
) -> dict[str, Wave]:
    """The sounds whose answers are known beforehand, by name; two where two are compared."""
    original = originals[recording]
    found = {REFERENCE: original, ANCHOR: sounds.anchor(original)}
    if settings.kind == "ab":
        return found
    others = [
        one for one in originals if one.style == recording.to and one.title != recording.title
    ]
    if others:
        drawn = random.Random(f"{settings.seed} {recording.path.name}").choice(others)
        found[OTHER] = originals[drawn]
    return found


def _training(
    originals: Mapping[Recording, Wave], folder: Path, settings: Settings
) -> list[dict[str, str]]:
    """Three seconds each of an original, of it low-passed, and of the style it is turned into."""
    recording = next(one for one in originals if one.is_original)
    waves = _hidden(recording, originals, replace(settings, kind="rating"))
    found = []
    for name, wave in waves.items():
        start = max(0, (wave.shape[1] - round(TRAINING_S * SR)) // 2)
        short = sounds.faded(wave[:, start : start + round(TRAINING_S * SR)])
        code = code_of("training", name, sounds.digest(short))
        sounds.write(folder / f"{code}.mp3", short)
        found.append({"code": code, "name": name, "to": recording.to})
    return found


def _key(
    items: Sequence[Mapping[str, Any]], makers: Mapping[str, Maker], settings: Settings
) -> dict[str, Any]:
    hidden = {name: {"kind": "hidden", "about": about} for name, about in HIDDEN.items()}
    content = {
        "kind": KEY_KIND,
        "version": VERSION,
        "mode": settings.kind,
        "per_screen": settings.per_screen,
        "seed": settings.seed,
        "loudness_lufs": sounds.LOUDNESS_LUFS,
        "versions": checkpoint.versions(),
        "systems": {name: maker.source() for name, maker in makers.items()} | hidden,
        "items": list(items),
    }
    return {"test": identity(content), **content}


def _remove_others(folder: Path, codes: set[str]) -> None:
    """Sounds of a test that was here: they would be published with this one."""
    for path in folder.glob("*.mp3"):
        if path.stem not in codes:
            path.unlink()
