"""A listening test of tones, and listeners who answer it as they are told to."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from conftest import STYLES, music
from thirdstream.audio import SR
from thirdstream.listening import making
from thirdstream.listening.design import QUESTIONS, Settings, read_key

N_SAMPLES = 3 * SR + 777


def made_in(folder: Path, *, names: tuple[str, ...] = ("one", "two", "three"), **how: Any) -> Path:
    """The folder of a test on two recordings of each style; results of systems are noisier."""
    for number, name in enumerate(("original", *names)):
        for style in STYLES:
            for k in range(2):
                place = folder / name / (style if name == "original" else "")
                place.mkdir(parents=True, exist_ok=True)
                wave = music(10 * k + len(style), N_SAMPLES)
                noise = 0.01 * number * np.random.default_rng(number).standard_normal(N_SAMPLES)
                sf.write(place / f"{style}_tune{k}.wav", 0.1 * (number + 1) * wave + noise, SR)
    recordings = making.recordings_of([f"{one}={folder / 'original' / one}" for one in STYLES], "")
    makers = making.makers_of([], [f"{name}={folder / name}" for name in names])
    out = folder / "test"
    list(making.make(recordings, makers, out, Settings(**{"seconds": 3.0, **how})))
    return out


def rated(test: Path, values: Callable[[str, str], int], *, number: int = 0) -> dict[str, Any]:
    """Answers of a listener who rates all; values: (system, question) -> 0 to 100."""
    key = read_key(test)
    screens = [
        {"item": item.code, "order": list(item.sounds), "seconds": 1.5,
         "ratings": {code: {question: values(system, question) for question in QUESTIONS}
                     for code, system in item.sounds.items()}}
        for item in key.items
    ]  # fmt: skip
    return answers_of(key.test, screens, number)


def compared(test: Path, better: Mapping[str, float], *, number: int = 0) -> dict[str, Any]:
    """Answers of a listener who prefers the system that is higher in `better`, everywhere."""
    key, screens = read_key(test), []
    for item in key.items:
        codes = {system: code for code, system in item.sounds.items()}
        names = sorted(better)
        for k, first in enumerate(names):
            for second in names[k + 1 :]:
                pair = [first, second] if (number + k) % 2 else [second, first]
                difference = better[pair[0]] - better[pair[1]]
                choice = "a" if difference > 0 else "b" if difference else "none"
                order, choices = [codes[one] for one in pair], dict.fromkeys(QUESTIONS, choice)
                screen = {"item": item.code, "order": order, "seconds": 1, "choices": choices}
                screens.append(screen)
    return answers_of(key.test, screens, number)


def answers_of(test: str, screens: list[dict[str, Any]], number: int) -> dict[str, Any]:
    return {
        "kind": "thirdstream listening test: answers", "version": 1, "test": test,
        "listener": f"{number:016x}", "seed": number, "playback": "headphones",
        "n_screens": len(screens), "screens": screens,
    }  # fmt: skip


def written(folder: Path, *answers: dict[str, Any]) -> list[Path]:
    """A file each."""
    paths = []
    for number, one in enumerate(answers):
        paths.append(folder / f"answers-{number}.json")
        paths[-1].write_text(json.dumps(one))
    return paths
