"""Names and foreign text as they may be printed: in a terminal and in Markdown."""

import re
import unicodedata

JOINERS = "\u200c\u200d"  # invisible, but part of words in Persian and Hindi, and of pictures
OURS = re.compile(r"[^ -~]")  # what may need care
MARKDOWN = re.compile(
    r"[\\`*{}\[\]<>|#~&$@+]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # within a word it is only itself
    r"|:(?=//)|(?<=www)\."  # some make links of these
)


def shown(text: str, *, keep: str = "") -> str:
    r"""The text with what a terminal would obey written out, as Python does: \x1b, \n, \u202e.

    That is every control character, line separator, surrogate and invisible sign of format, those
    for the direction of writing among them, but for the characters in `keep`.
    """
    return OURS.sub(lambda found: _written_out(found[0], keep), text)


def _written_out(sign: str, keep: str) -> str:
    harmless = unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
    if harmless or sign in JOINERS or sign in keep:
        return sign
    return sign.encode("unicode_escape").decode("ascii")


def in_markdown(text: str) -> str:
    """The text as Markdown shows it: nothing in it makes a table, a link, a heading or HTML."""
    return MARKDOWN.sub(lambda found: f"&#{ord(found[0])};", shown(text))
