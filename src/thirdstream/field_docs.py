"""What a dataclass says of its fields."""

from dataclasses import fields
from functools import cache
from typing import Any

import docstring_parser


@cache
def field_docs(kind: type[Any]) -> dict[str, str]:
    """The text below each field of a dataclass, its own or inherited; "" where there is none."""
    texts = {
        one.arg_name: " ".join((one.description or "").split())
        for base in reversed(kind.__mro__[:-1])
        for one in docstring_parser.parse_from_object(base).params
    }
    return {one.name: texts.get(one.name, "") for one in fields(kind)}
