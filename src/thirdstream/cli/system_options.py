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
    kinds = {
        system: {one.name: one for one in options_of(entry.options)}
        for system, entry in registry.SYSTEMS.items()
    }
    common = {one.name: one for one in options_of(Options)}
    own = {name: one for kind in kinds.values() for name, one in kind.items() if name not in common}
    made = []
    for name, one in (common | own).items():
        defaults = {system: kind[name].default for system, kind in kinds.items() if name in kind}
        text, hint = one.help, None
        if name in own:
            text = f"For {_systems(defaults)}: {text[:1].lower()}{text[1:]}"
        if one.default is None:
            hint = _defaults(defaults)
        kind = Annotated[one.type, tyro.conf.arg(help=text, help_behavior_hint=hint)]
        given = () if one.default is MISSING else (field(default=one.default),)
        made.append((name, kind, *given))
    return make_dataclass("AllOptions", made, bases=(Options,), frozen=True)


def _systems(names: Collection[str]) -> str:
    """These systems in words."""
    others = [name for name in registry.SYSTEMS if name not in names]
    if len(others) < len(names):
        return f"all but {_listed(others)}" if others else "all"
    return _listed([*names])


def _listed(names: list[str]) -> str:
    """One, two and three."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _defaults(of_systems: Mapping[str, Any]) -> str:
    """What an option is by default, where systems have defaults of their own."""
    given = {name: value for name, value in of_systems.items() if value is not None}
    if not given:
        return "(optional)"
    [(common, _)] = Counter(given.values()).most_common(1)
    special = (f", for {name} {value:g}" for name, value in given.items() if value != common)
    return f"(default: {common:g}{''.join(special)})"
