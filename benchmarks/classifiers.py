"""What each classifier of style says of `score`: python benchmarks/classifiers.py CORPUS

CORPUS is what `thirdstream evaluate` takes, or one split of the benchmark. Rows are the originals,
by their own style, and the results in the other one; with --originals the former alone; with
--ensembles, results of each ensemble and groove instead of the default ones. --classifiers FILE ...
asks further ones; --without NAME leaves one out, such as one that shall have no part in a choice.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from thirdstream import registry
from thirdstream.audio import SR, Wave
from thirdstream.evaluation import classifiers, metrics
from thirdstream.evaluation.classifiers import DEFAULT, Values, threshold_of
from thirdstream.evaluation.material import Material, excerpt, open_material
from thirdstream.evaluation.tagger import Tagger, is_target_style
from thirdstream.files import ThirdstreamError
from thirdstream.notes.styles import classical_style, jazz_style

Key = tuple[str, str]


def ensembles(style: str) -> list[str]:
    """Names of all that play a style."""
    if style == "jazz":
        return list(jazz_style().grooves)
    return [*classical_style().ensembles, *classical_style().doubled_ensembles]


def sounds(material: Material, given: argparse.Namespace) -> Iterator[tuple[Key, str, str, Wave]]:
    """(what it is and in which style, source, target, wave); one that cannot be is left out."""
    system = registry.load("score")
    for source, target in (material.styles, material.styles[::-1]):
        if given.to not in (None, target):
            continue
        for item in material.tests[source][:: given.every]:
            original = excerpt(item.path, given.excerpt_s)
            if not given.ensembles:
                yield ("original", source), target, source, original
            names = ensembles(target) if given.ensembles else [None]
            for name in names if not given.originals else ():
                try:
                    wave = system.transfer(
                        original, SR, to=target, source=source, seed=0, ensemble=name
                    )
                except ThirdstreamError:  # it plays in other metres
                    continue
                yield (name or "score", target), source, target, wave


def row(key: Key, answers: list[dict[str, bool]], tags: list[float]) -> str:
    """Shares with Wilson's 95 % intervals."""
    cells = [str(len(answers))]
    for name in answers[0]:
        share = metrics.proportion([float(one[name]) for one in answers])
        cells.append(f"{share.mean:.2f} [{share.low:.2f}, {share.high:.2f}]")
    agreed = [classifiers.agreement(list(one.values())) for one in answers if len(one) > 1]
    cells += [f"{np.mean(agreed):.2f}" if agreed else "", f"{np.mean(tags):.2f}"]
    return " | ".join(("", *reversed(key), *cells, "")).strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("corpus")
    parser.add_argument("--recordings", nargs=2, default=())
    parser.add_argument("--classifiers", nargs="*", default=())
    parser.add_argument("--without", nargs="*", default=())
    parser.add_argument("--ensembles", action="store_true")
    parser.add_argument("--to", help="results in this style alone, and their originals")
    parser.add_argument("--originals", action="store_true")
    parser.add_argument("--excerpt-s", type=float, default=20.0)
    parser.add_argument(
        "--every", type=int, default=1, help="1 takes all recordings, 2 every second one"
    )
    given = parser.parse_args()
    tagger, further = Tagger(), classifiers.read(given.classifiers)
    found: dict[Key, list[dict[str, bool]]] = defaultdict(list)
    tags: dict[Key, list[float]] = defaultdict(list)
    for key, source, target, wave in sounds(open_material(given.corpus, given.recordings), given):
        values: dict[str, Values] = dict(further.predict(wave, SR))
        if DEFAULT not in given.without:
            values = {DEFAULT: tagger.predict(wave, SR).styles(), **values}
        values = {name: one for name, one in values.items() if name not in given.without}
        answers = {}
        for name, one in values.items():
            least = threshold_of(name, target)
            answers[name] = is_target_style(target=one[target], other=one[source], threshold=least)
        found[key].append(answers)
        tags[key].append(float(np.mean([one[target] - one[source] for one in values.values()])))
    names = list(next(iter(found.values()))[0])
    head = ["style", "of", "n", *names, "agreement", "mean tag difference"]
    print(f"| {' | '.join(head)} |\n{'|---' * len(head)}|")
    for key, answers in found.items():
        print(row(key, answers, tags[key]))


if __name__ == "__main__":
    main()
