"""Classifiers of style: what they say where the answer is known, their agreement, their files."""

import itertools
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

import tensorflow_writer
from thirdstream import checkpoint, registry
from thirdstream.audio import SR
from thirdstream.evaluation import Settings, classifiers, evaluate, measure
from thirdstream.evaluation.classifiers import Probe, agreement, style_scores
from thirdstream.evaluation.material import Item, Material, item_of
from thirdstream.evaluation.summary import summarise
from thirdstream.evaluation.tagger import MusiCNN, Tagger
from thirdstream.files import ThirdstreamError

RECIPES = Path(__file__).parents[1] / "recipes"
sys.path.insert(0, str(RECIPES))

import style_probe  # noqa: E402
import tagger_weights  # noqa: E402
from style_probe import Recording, fit, kept_aside  # noqa: E402

BOTH = ("classical", "jazz")
KNOWN = {"classical": "classical_ode_to_joy", "jazz": "jazz_oh_susanna"}
OTHER = {"classical": "classical_ode_to_joy", "jazz": "jazz_when_the_saints"}


def clip(name: str, style: str, pair: str) -> Item:
    paths = {one.stem: one for one in registry.bundled_clips()}
    return item_of(paths[name], style, pair=paths[pair])


def probe_of(path: Path) -> Path:
    """A probe of two labels: the mean of the first half of the dimensions says jazz."""
    direction = np.repeat([1.0, 0.0], 128)
    found = style_probe.Fit(
        list(BOTH), np.stack([0 * direction, direction]), np.zeros(2), np.zeros(256), np.ones(256)
    )
    style_probe.save(path, found, [], [True])
    return path


def test_every_classifier_rejects_the_original_and_noise_and_accepts_the_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of clips that all of them know: the original, another piece, the pair, and noise."""
    models = measure.EvaluationModels(Tagger(), classifiers=classifiers.read())
    monkeypatch.setattr(measure, "evaluation_models", lambda: models)
    tests = {
        style: [clip(KNOWN[style], style, KNOWN[other])] for style, other in (BOTH, BOTH[::-1])
    }
    found = Material("clips", BOTH, tests, {})
    entries = [one for one in evaluate.entries_of([], found) if one.name != "resynthesis"]
    settings = Settings(excerpt_s=12.0, references=2, examples=0)
    jobs = evaluate.plan(found, entries, settings)
    outcomes = list(evaluate.run(jobs, settings, tmp_path, n_jobs=1))
    results = summarise(outcomes, {}, found, entries, settings)
    rates = ("target_style_rate", "target_style_rate_vgg")
    wanted = {"copy-content": 0, "noise": 0, "copy-target": 1, "true-target": 1}
    for name, rate in wanted.items():
        for scores in results["scores"][name].values():
            assert [scores[one]["mean"] for one in rates] == [rate, rate], name
            assert scores["agreement"]["mean"] == 1
    assert results["evaluation_models"]["vgg"]["licence"] == "ISC"
    assert "target_style_rate_probe" not in results["scores"]["noise"]["classical_to_jazz"]


@pytest.mark.parametrize("seed", range(4))
def test_noise_is_below_vggs_threshold(seed: int) -> None:
    noise = measure.white_noise(12 * SR, seed=str(seed))
    values = classifiers.read().predict(noise, SR)["vgg"]
    assert values["jazz"] < values["classical"] < classifiers.threshold_of("vgg", "classical")


def test_agreement_is_of_pairs_and_by_chance_a_half() -> None:
    assert agreement([True, True]) == agreement([False] * 4) == 1
    assert agreement([True, False]) == 0
    assert agreement([True, True, False]) == approx(1 / 3)
    for n in (2, 3, 4):
        assert np.mean([agreement(one) for one in itertools.product([True, False], repeat=n)]) == (
            approx(0.5)
        )


@given(st.lists(st.booleans(), min_size=2, max_size=5), st.randoms())
def test_agreement_knows_neither_order_nor_which_answer_is_which(
    answers: list[bool], order: Any
) -> None:
    before = agreement(answers)
    order.shuffle(answers)
    assert 0 <= before <= 1
    assert agreement(answers) == approx(before) == agreement([not one for one in answers])


def test_a_classifier_counts_where_it_knows_both_styles() -> None:
    values = {
        "musicnn": {"classical": 0.1, "jazz": 0.24},
        "vgg": {"classical": 0.1, "jazz": 0.24},
        "probe": {"jazz": 0.4, "polka": 0.6},
    }
    row = style_scores(values, source="classical", target="jazz")
    assert row == {"target_style_rate_vgg": 1.0, "agreement": 0.0}  # 0.25 and 0.2 are the least
    row = style_scores(values, source="jazz", target="polka")
    assert row == {"target_style_rate_probe": 1.0}
    assert {f"target_style_rate_{name}" for name in values if name != "musicnn"} < (
        measure.METRICS.keys()
    )


def test_a_probe_predicts_as_the_regression_that_was_fitted(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    centres = {label: rng.standard_normal(256) for label in ("classical", "jazz", "polka")}
    recordings = [
        Recording(f"{label} {number}", label, centre + rng.standard_normal((4, 256)))
        for label, centre in centres.items()
        for number in range(5)
    ]
    assert kept_aside(recordings) == [one.label for one in recordings]
    for labels in (("classical", "jazz"), tuple(centres)):
        some = [one for one in recordings if one.label in labels]
        found = fit(some)
        style_probe.save(tmp_path / "probe.safetensors", found, some, [True])
        read = classifiers.read([str(tmp_path / "probe.safetensors")]).probe
        assert read and read.labels == sorted(labels)
        for one in some:
            answer = read.predict(one.embeddings.astype(np.float32))
            assert sum(answer.values()) == approx(1)
            assert max(answer, key=answer.__getitem__) == found.label(one.embeddings) == one.label


def test_labels_without_meaning_are_not_learnt() -> None:
    """Kept aside, recordings whose labels were drawn are right by chance."""
    rng = np.random.default_rng(1)
    recordings = [
        Recording(str(number), BOTH[rng.integers(2)], rng.standard_normal((3, 40)))
        for number in range(40)
    ]
    right = np.mean([a == b.label for a, b in zip(kept_aside(recordings), recordings, strict=True)])
    assert 0.2 < right < 0.8


def test_the_recipe_makes_a_probe_that_evaluate_asks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for one in registry.bundled_clips():
        folder = tmp_path / one.stem.partition("_")[0]
        folder.mkdir(exist_ok=True)
        (folder / one.name).write_bytes(one.read_bytes())
    out = tmp_path / "probe.safetensors"
    style_probe.main([f"{style}={tmp_path / style}" for style in BOTH], out)
    said = capsys.readouterr().out
    assert "classical_ode_to_joy.ogg: classical, predicted" in said
    assert "jazz: fewer than 20 recordings" in said
    models = measure.EvaluationModels(Tagger()).having([str(out)])
    about = models.about()
    assert set(about) == {"tagger", "vgg", "probe"} and models.classifiers
    fitted = r"linear probe \(2 of classical, 2 of jazz; [01]\.\d\d right, each by a probe of the"
    assert re.match(fitted, about["probe"]["package"])
    found = models.classifiers.predict(np.zeros(SR, np.float32), SR)
    assert found.keys() == {"vgg", "probe"} and sum(found["probe"].values()) == approx(1)


@pytest.mark.parametrize(
    ("sources", "says"),
    [(["jazz"], "is not LABEL=FOLDER"), (["jazz=nowhere"], "is not LABEL=FOLDER"),
     (["jazz={empty}"], "no recordings|has 0 recordings")],
)  # fmt: skip
def test_folders_that_make_no_probe_are_refused(
    tmp_path: Path, sources: list[str], says: str
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ThirdstreamError, match=says):
        style_probe.main(
            [one.format(empty=tmp_path / "empty") for one in sources], tmp_path / "out.safetensors"
        )
    assert not (tmp_path / "out.safetensors").exists()


def test_files_that_are_no_classifiers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ThirdstreamError, match=r"nowhere: .* style_probe.py .* --big FILE|--big"):
        classifiers.read(["nowhere"])
    with pytest.raises(ThirdstreamError, match="holds no classifier"):
        classifiers.read([str(classifiers.VGG_WEIGHTS)])
    (tmp_path / "text").write_text("no weights")
    with pytest.raises(ThirdstreamError, match="text: "):
        classifiers.read([str(tmp_path / "text")])
    first, second = (str(probe_of(tmp_path / f"{name}.safetensors")) for name in "ab")
    with pytest.raises(ThirdstreamError, match="is a second probe"):
        classifiers.read([first, second])
    assert isinstance(classifiers.read([first]).probe, Probe)


def test_a_probe_of_other_weights_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = probe_of(tmp_path / "probe.safetensors")
    monkeypatch.setattr(classifiers, "VGG_WEIGHTS", tagger_weights.WEIGHTS)
    with pytest.raises(ThirdstreamError, match="was fitted to other weights of VGG; make it again"):
        classifiers.read([str(path)])


def test_the_large_network_is_read_from_a_checkpoint_of_ones_own(tmp_path: Path) -> None:
    """Of random weights in the published form; the names of files are those of the repository."""
    with pytest.raises(ThirdstreamError, match="has no MSD_musicnn_big, as all releases on PyPI"):
        tagger_weights.main(tmp_path, tmp_path / "big.safetensors")
    rng = np.random.default_rng(0)
    kernels = {}
    for name, n_middle, n_dense in (("MTT_musicnn", 2, 3), ("MSD_musicnn_big", 4, 5)):
        tensors = published(MusiCNN(n_middle, n_dense), rng)
        tensorflow_writer.write(tmp_path / name / "x", tensors)
        for ending in tagger_weights.tensorflow_checkpoint.ENDINGS:
            (tmp_path / name / f"x{ending}").rename(tmp_path / name / ending)
        kernels[name] = tensors
    tagger_weights.main(tmp_path, tmp_path / "big.safetensors")
    big = classifiers.read([str(tmp_path / "big.safetensors")]).big
    assert big and checkpoint.read_header(big.weights)["classifier"] == "big"
    network, tags = big._networks["MSD"]
    theirs = kernels["MSD_musicnn_big"]
    assert isinstance(network, MusiCNN) and "jazz" in tags
    assert network.front[1].weight[3, 0, 2, 5] == theirs["conv2d_1/kernel"][2, 5, 0, 3]
    assert network.middle[0].weight[1, 300, 6] == theirs["conv2d_5/kernel"][6, 300, 0, 1]
    assert network.dense.weight[2, 7] == theirs["dense/kernel"][7, 2]
    assert network.norms[10].running_var[4] == theirs["batch_normalization_10/moving_variance"][4]
    values = big.predict(np.zeros(SR, np.float32), SR).styles()
    assert values.keys() == set(BOTH) and all(0 <= one <= 1 for one in values.values())


def published(network: MusiCNN, rng: np.random.Generator) -> dict[str, Any]:
    """Random variables by TensorFlow's names and in its order of axes."""
    tensors: dict[str, Any] = {}
    for number, layer in enumerate([*network.front, *network.middle]):
        n_out, n_in, *size = layer.weight.shape
        shape = (*size, n_in, n_out) if number < 5 else (*size, n_in, 1, n_out)
        name = tagger_weights.numbered("conv2d", number)
        tensors |= {f"{name}/kernel": np.zeros(shape), f"{name}/bias": np.zeros(n_out)}
    for number, layer in enumerate((network.dense, network.tags)):
        name = tagger_weights.numbered("dense", number)
        tensors |= {f"{name}/kernel": np.zeros(layer.weight.T.shape),
                    f"{name}/bias": np.zeros(len(layer.bias))}  # fmt: skip
    for number, norm in enumerate(network.norms):
        name = tagger_weights.numbered("batch_normalization", number)
        tensors |= {f"{name}/{part}": np.zeros(norm.num_features)
                    for part in tagger_weights.NORMS.values()}  # fmt: skip
    return {name: rng.random(one.shape).astype("<f4") for name, one in tensors.items()}
