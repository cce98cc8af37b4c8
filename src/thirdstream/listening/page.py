"""The page on which listeners rate: one HTML file beside its sounds, which fetches nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from thirdstream.listening.design import (
    ANCHOR,
    ANSWERS_KIND,
    HIDDEN,
    QUESTIONS,
    REFERENCE,
    VERSION,
    Settings,
)
from thirdstream.report.html import render

PACKAGE = "thirdstream.listening"


def item_of(
    item: Mapping[str, Any], codes: Mapping[str, str], order: Sequence[str], kind: str
) -> dict[str, Any]:
    """What the page knows of a recording: codes, and of no code what it stands for.

    order: systems, the same for all recordings, so that they can be drawn evenly.
    """
    always = (REFERENCE, ANCHOR) if kind == "ab" else HIDDEN
    return {
        **{name: item[name] for name in ("code", "style", "to")},
        "always": sorted(codes[name] for name in always if name in codes),
        "drawn": [codes[name] for name in order],
    }


def render_page(
    test: str,
    items: Sequence[Mapping[str, Any]],
    training: Sequence[Mapping[str, str]],
    settings: Settings,
) -> Markup:
    """index.html. items: as `item_of` has them. training: code and name of each sound."""
    n_drawn = min(settings.per_screen or len(items[0]["drawn"]), len(items[0]["drawn"]))
    data = {
        "kind": ANSWERS_KIND,
        "version": VERSION,
        "test": test,
        "mode": settings.kind,
        "per_screen": settings.per_screen,
        "questions": [
            {"name": name, "text": one.choice if settings.kind == "ab" else one.rating,
             "low": one.low, "high": one.high}
            for name, one in QUESTIONS.items()
        ],
        "items": list(items),
        "training": [one["code"] for one in training],
    }  # fmt: skip
    return render(
        "listen_test.html", package=PACKAGE, data=data, training=training, mode=settings.kind,
        questions=QUESTIONS,
        n_screens=len(items) * (n_drawn // 2) + 1 if settings.kind == "ab" else len(items),
        n_sounds=n_drawn + max(len(one["always"]) for one in items),
    )  # fmt: skip
