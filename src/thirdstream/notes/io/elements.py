"""Text, numbers and steps in elements of MusicXML."""

from xml.etree.ElementTree import Element

STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


class FormatError(ValueError):
    """Something that is against the format; the text says what."""


def text_of(element: Element, tag: str) -> str:
    """The text in a child, without spaces around it; empty where there is none."""
    return (element.findtext(tag) or "").strip()


def number_of(element: Element, tag: str, *, most: float = 1e12) -> float | None:
    """The number in a child, None without one. Raises FormatError on what is none, or too large."""
    content = text_of(element, tag)
    try:
        value = float(content or 0)
    except ValueError:
        value = float("nan")
    if not abs(value) <= most:
        raise FormatError(f"the {tag} {content[:20]!r}")
    return value if content else None


def step_of(element: Element, tag: str) -> int:
    """The pitch class of the letter in a child. Raises FormatError on another letter."""
    letter = text_of(element, tag)
    if letter not in STEPS:
        raise FormatError(f"the {tag} {letter[:20]!r}")
    return STEPS[letter]
