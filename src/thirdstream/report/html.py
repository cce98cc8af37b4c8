"""The HTML layer: Jinja2 templates, which escape whatever is put into them.

Templates that end in .md make Markdown: there nothing in a text makes a table, a link, a heading or
HTML. In both, what a terminal or an editor would obey is written out (see `shown`). Only Markup,
which code or a template made, is taken as it is.
"""

from functools import cache
from importlib.resources import files as resources
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup

from thirdstream.shown import in_markdown, shown

PACKAGE = "thirdstream.report"


def render(template: str, *, package: str = PACKAGE, **values: Any) -> Markup:
    """A template filled in; one of `package`, or of this package where that one has none so called.

    Raises jinja2.UndefinedError where a value that it uses is not given.
    """
    return Markup(_environment(package).get_template(template).render(**values))


def asset(name: str, package: str = PACKAGE) -> Markup:
    """A stylesheet or a script of a package, as it goes into a page; templates know it too."""
    return Markup((resources(package) / name).read_text(encoding="utf-8"))


@cache
def _environment(package: str) -> Environment:
    loaders = [PackageLoader(name) for name in dict.fromkeys([package, PACKAGE])]
    made = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=lambda name: name is None or not name.endswith(".md"),
        finalize=_printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"words": words, "clock": clock}
    made.globals["asset"] = asset
    return made


@pass_eval_context
def _printable(context: EvalContext, value: Any) -> Any:
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return shown(value) if context.autoescape else in_markdown(value)


def words(name: str) -> str:
    """A name of code as it is read: chroma_cosine is chroma cosine."""
    return name.replace("_", " ")


def clock(seconds: float) -> str:
    """Minutes and seconds, as players show them: 1:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
