"""What a dataclass says of its fields."""

import ast
import inspect
import textwrap
from dataclasses import fields
from functools import cache
from itertools import pairwise
from typing import Any


@cache
def attribute_docs(kind: type[Any]) -> dict[str, str]:
    """The text below each field of a dataclass, its own or inherited; "" where there is none."""
    texts = {}
    for one in reversed(kind.__mro__[:-1]):
        [definition] = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        for field, text in pairwise(getattr(definition, "body", ())):
            match field, text:
                case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(words))):
                    texts[name] = " ".join(words.split())
    return {one.name: texts.get(one.name, "") for one in fields(kind)}
