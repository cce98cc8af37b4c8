"""What README, docs and the registry say of the paper is true of the bundled models."""

import importlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from thirdstream import audio, registry
from thirdstream.audio import SEGMENT
from thirdstream.mel.models import FAMILIES
from thirdstream.mel.system import MelSystem
from thirdstream.web.description import describe

ROOT = Path(__file__).parents[1]
TWINS = ("twin-cnn", "twin-vae", "twin-gan", "twin-variational-gan")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), registry.MODELS / "README.md"]


def sentences(page: Path) -> list[str]:
    """Without line ends."""
    text = " ".join(page.read_text(encoding="utf-8").split())
    return re.split(r"(?<=[.:]) ", text)


@torch.inference_mode()
def transferred(
    system: MelSystem, style: str, clip: Path, *, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalised mels of a clip's first two segments, and of their transfer."""
    other, level = system.model.other(style), audio.measure(clip)
    windows = audio.windows(audio.centred(audio.blocks(clip), level), size=SEGMENT, hop=SEGMENT)
    wave = torch.from_numpy(np.concatenate([next(windows) for _ in range(2)])[:, :SEGMENT])
    mel = system.log_mel(style)(wave)
    condition = system.model.default_condition(other, generator=torch.Generator().manual_seed(seed))
    return mel, system.model.transfer(mel, source=style, target=other, condition=condition)


def correlation(system: MelSystem, style: str, clip: Path) -> float:
    """Of a clip's normalised mels with those of its transfer; 0 where that is constant."""
    both = torch.stack([one.flatten() for one in transferred(system, style, clip)])
    return float(torch.corrcoef(both)[0, 1]) if both[1].std() > 0 else 0.0


@pytest.fixture(scope="module")
def correlations() -> Callable[[str], list[float]]:
    def found(name: str) -> list[float]:
        system = registry.load(name)
        assert isinstance(system, MelSystem)
        clips = [Path(str(clip)) for clip in registry.bundled_clips()]
        return [correlation(system, clip.stem.split("_")[0], clip) for clip in clips]

    return found


def test_the_redesign_passes_mels_on_unchanged_and_the_papers_network_does_not(
    correlations: Callable[[str], list[float]],
) -> None:
    assert min(correlations("twin-cnn")) > 0.95
    assert max(correlations("twin-cnn-paper")) < 0.5


def test_another_draw_of_the_style_changes_much() -> None:
    """So no page says that it does not: six draws, the mean difference in terms of the mean."""
    system = registry.load("twin-variational-gan")
    assert isinstance(system, MelSystem)
    clip = Path(str(registry.bundled_clips()[0]))
    style = clip.stem.split("_")[0]
    made = torch.stack([transferred(system, style, clip, seed=seed)[1] for seed in range(6)])
    distances = torch.cdist(made.flatten(1)[None], made.flatten(1)[None], p=1)[0]
    assert distances.sum() / (6 * 5) / made[0].numel() > 0.1 * made.mean()
    for page in PAGES:
        text = " ".join(page.read_text(encoding="utf-8").split())
        assert re.findall("another seed changes little|ignores the style it", text) == [], page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_says_of_the_paper_what_is_true_of_our_redesign(page: Path) -> None:
    text = " ".join(page.read_text(encoding="utf-8").split())
    for claim in (r"twin CNN (?:passes|hands) \S+(?: \S+)? on", r"author found the same",
                  r"systems of the paper change", r"exact baseline"):  # fmt: skip
        assert re.findall(claim, text) == []
    for sentence in sentences(page):
        if "almost unchanged" in sentence:
            before = text[: text.index(sentence)]
            assert "`default`" in before[-200:] + sentence, sentence


@pytest.mark.parametrize("name", TWINS)
def test_the_registry_says_what_the_preset_of_the_paper_does(name: str) -> None:
    assert "preset paper" in FAMILIES[name].remark
    assert "of the paper" in describe(f"{name}-paper", f"{name}-paper").about


def test_the_ratio_to_the_published_has_its_terms_beside_it() -> None:
    """Wherever a page says it: parameters, and the domain of the test."""
    said = 0
    for page in PAGES:
        text = " ".join(page.read_text(encoding="utf-8").split())
        for found in re.finditer(r"ratio is 0\.\d+ on|so the ratio is", text):
            near = text[max(0, found.start() - 400) : found.end() + 400]
            assert "77 times the parameters" in near and "the domain" in near, page
            said += 1
    assert said > 0
    sizes = [registry.load(name).n_parameters() for name in ("twin-cnn", "twin-cnn-paper")]
    assert sizes[0] is not None and sizes[1] is not None
    assert round(sizes[0] / sizes[1]) == 77


def test_the_readme_leads_to_the_paper_its_code_and_its_recordings() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for link in ("github.com/FlorSanders/AutoStyleTransfer", "zenodo.org/records/5120004",
                 "github.com/mdeff/fma", "docs/reproduction.md"):  # fmt: skip
        assert link in text


def test_the_table_of_errors_has_the_parameters_beside_the_ratio(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "recipes"))
    score = importlib.import_module("score")
    published = [
        score.Row("published-cnn", "twin-cnn", "paper", 100, {"a": 0.2, "b": 0.4}, 0.0),
        score.Row("published-2", "twin-cnn", "paper", 10, {"a": 0.9, "b": 0.9}, 0.0),
    ]
    ours = score.Row("twin-cnn", "twin-cnn", "other", 7_700, {"a": 0.1, "b": 0.1}, 0.0)
    assert score.of_the_published(ours, published) == "0.333x, with 77x the parameters"
    assert score.of_the_published(ours, []) == ""
    assert "this corpus's" in score.HEAD and "domain that they are tested on" in score.HEAD


def switches(heading: str) -> dict[str, list[str]]:
    """Of docs/how.md's table whose head contains `heading`: each switch, and its other cells."""
    text = (ROOT / "docs" / "how.md").read_text(encoding="utf-8")
    table = next(one for one in text.split("\n\n") if heading in one.splitlines()[0])
    rows = (line.strip("| ").split(" | ") for line in table.splitlines()[2:])
    return {name.strip("`"): cells for name, *cells in rows}


def test_the_switches_in_the_page_are_those_of_the_presets() -> None:
    """Strict ones, remedies and slips: wherever a family has the switch."""
    remedies = switches("| switch | `paper` | `paper-stable` |")
    slips = switches("| switch | the paper, and our presets |")
    assert set(remedies) == {"start", "warm_up", "gradient_penalty"}
    assert set(slips) == {"latent_pairs", "sigma", "adain", "style_losses"}
    seen = set()
    for name in TWINS:
        presets = {key: vars(one) for key, one in FAMILIES[name].kind.PRESETS.items()}
        for switch, cells in (remedies | slips).items():
            if switch not in presets["paper"]:
                continue
            seen.add(switch)
            strict, other = (re.split("[`: ]+", cell.strip("`"))[0] for cell in cells)
            assert str(presets["paper"][switch]).removesuffix(".0") == strict
            if switch in remedies:
                assert str(presets["paper-stable"][switch]) == other
                assert str(presets["default"][switch]) == other
            else:
                assert {str(one[switch]) for one in presets.values()} == {strict}
    assert seen == {*remedies, *slips}
