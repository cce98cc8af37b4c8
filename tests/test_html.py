"""Templates: what is put into them makes nothing of its own."""

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from thirdstream.report import html

EVIL = "<script>&'\"\x1b[31m\u202e"


def test_a_text_is_escaped_and_control_characters_are_written_out() -> None:
    made = html.render("player.html")
    assert made == ""  # of macros alone
    player = html._environment(html.PACKAGE).get_template("player.html").make_module()
    made = str(player.player({EVIL: EVIL}, 65.0, EVIL))
    assert "<script" not in made and "\x1b" not in made and "\u202e" not in made
    assert made.count("&lt;script&gt;&amp;&#39;&#34;\\x1b[31m\\u202e") == 3
    assert "1:05" in made


def test_markup_is_taken_as_it_is_and_a_missing_value_is_an_error() -> None:
    template = html._environment(html.PACKAGE).from_string("{{ a }}")
    assert template.render(a=Markup("<b>")) == "<b>"
    with pytest.raises(UndefinedError):
        template.render()
