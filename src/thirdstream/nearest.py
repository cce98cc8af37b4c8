"""What may have been meant by a name that there is not."""

import difflib
from collections.abc import Iterable

CUTOFF = 0.6  # share of the letters that two names have in common


def meant(name: str, known: Iterable[str]) -> str:
    """`; did you mean jazz?` with the known names that are like this one, in any case of letters;
    empty where none is."""
    by_case = {one.casefold(): one for one in known if one != name}
    near = difflib.get_close_matches(name.casefold(), by_case, n=3, cutoff=CUTOFF)
    return f"; did you mean {' or '.join(by_case[one] for one in near)}?" if near else ""
