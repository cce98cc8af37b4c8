"""The options of all systems together, as the command line has them."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import MISSING, field, make_dataclass
from typing import Annotated, Any

import tyro

from thirdstream import registry
from thirdstream.system import Options, options_of


def options_of_all() -> type[Options]:
    """The options of all systems as one dataclass, for tyro, each with its --help."""
    kinds = {name: options_of(entry.options) for name, entry in registry.SYSTEMS.items()}
    common = {one.name for one in options_of(Options)}
    found = {one.name: one for kind in (*kinds.values(), options_of(Options)) for one in kind}
    fields = []
    for one in (*options_of(Options), *(found[name] for name in found if name not in common)):
        defaults = {name: other.default for name, kind in kinds.items()
                    for other in kind if other.name == one.name}  # fmt: skip
        if one.name not in common:
            text = f"For {_systems(defaults)}: {one.help[:1].lower()}{one.help[1:]}"
        elif one.default is None and any(value is not None for value in defaults.values()):
            text = f"{one.help} By default {_defaults(defaults)}."
        else:
            text = one.help
        kind = Annotated[one.type, tyro.conf.arg(help=text)]
        given = () if one.default is MISSING else (field(default=one.default),)
        fields.append((one.name, kind, *given))
    return make_dataclass("AllOptions", fields, bases=(Options,), frozen=True)


def _systems(names: Collection[str]) -> str:
    """These systems in words."""
    others = [name for name in registry.SYSTEMS if name not in names]
    if len(others) < len(names):
        return f"all but {' and '.join(others)}" if others else "all"
    return " and ".join(names)


def _defaults(of_systems: Mapping[str, Any]) -> str:
    """What an option is by default, where systems have defaults of their own."""
    given = {name: value for name, value in of_systems.items() if value is not None}
    [(usual, _)] = Counter(given.values()).most_common(1)
    special = (f", for {name} {value:g}" for name, value in given.items() if value != usual)
    return f"{usual:g}{''.join(special)}"
