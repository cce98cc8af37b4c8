"""Names that there are not, and what may have been meant by them."""

from pathlib import Path

import pytest

from thirdstream import ThirdstreamError, registry
from thirdstream.nearest import meant


@pytest.mark.parametrize(
    ("name", "said"),
    [("Jazz", "; did you mean jazz?"), ("jaz", "; did you mean jazz?"), ("rock", ""), ("", ""),
     ("classic", "; did you mean classical?"), ("jazz", ""), ("x" * 300, "")],
)  # fmt: skip
def test_names_that_are_like_another(name: str, said: str) -> None:
    assert meant(name, ("classical", "jazz")) == said


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        (lambda: registry.load("twin-cnnn"), "twin-cnn"),
        (lambda: registry.load("score").choose(to="Jazz"), "jazz"),
        (lambda: registry.load("twin-cnn").choose(to="Jazz"), "jazz"),
        (lambda: registry.load("score").choose(to="jazz", ensemble="Swing"), "swing"),
    ],
)
def test_systems_say_what_may_have_been_meant(asked, near: str) -> None:
    with pytest.raises(ThirdstreamError, match=rf"; did you mean {near}[ ?]"):
        asked()


def test_styles_of_your_own_are_known_where_they_lie(tmp_path: Path) -> None:
    (tmp_path / "tangos.style").touch()
    with pytest.raises(ThirdstreamError, match=r"did you mean .*tangos\.style\?"):
        registry.load("score").choose(to=str(tmp_path / "tangoss"))
