"""What a user knows of a recording's beats: tempo, metre, where a bar begins.

    Known(tempo=220, metre="3/4", start_bar_s=1.84)

A beat is what musicians call one. Of compound metres (6/8, 9/8, 12/8, the same in sixteenths) it is
the dotted note; of all others it is the note of the lower number: a quarter of 3/4, a half of 2/2,
an eighth of 3/8 and 7/8. Without a metre it is a quarter.
"""

import math
import re
from dataclasses import dataclass
from functools import cached_property
from numbers import Real

from thirdstream.files import ThirdstreamError
from thirdstream.notes.metre import Metre, metre

SLOWEST, FASTEST = 10.0, 600.0  # beats a minute
UNITS = (1, 2, 4, 8, 16, 32)  # notes that a metre may be counted in
MOST_COUNTS = 32  # in a bar
SIGNATURE = re.compile(r"([0-9]{1,3}(?:\+[0-9]{1,3})*)/([0-9]{1,3})")
SHORTEST_PULSE_S = 0.05
TEMPO, METRE, START_BAR = (  # what messages call them
    f"{flag} (in Python {flag[2:].replace('-', '_')}=)"
    for flag in ("--tempo", "--metre", "--start-bar")
)


def _check_types(tempo: object, metre: object, start_bar_s: object) -> None:
    """Raise ThirdstreamError on what is neither None nor of its type; a command has read them."""
    for name, value in (("tempo", tempo), ("start_bar", start_bar_s)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, Real)):
            raise ThirdstreamError(f"{name}= must be a number (got {value!r})")
    if metre is not None and not isinstance(metre, str):
        raise ThirdstreamError(f'metre= must be a text such as "3/4" (got {metre!r})')


@dataclass(frozen=True)
class Known:
    """What a user says of the beats, which overrides what is detected; None is what is not known.

    tempo: beats a minute, 10 to 600, about which the recording's own tempo may sway. metre: a time
    signature such as 3/4 or 6/8; 2+2+3/8 says how its notes go together. start_bar_s: seconds in
    the recording at which a bar begins, any of them.
    Raises ThirdstreamError on values that no recording has.
    """

    tempo: float | None = None
    metre: str | None = None
    start_bar_s: float | None = None

    def __post_init__(self) -> None:
        _check_types(self.tempo, self.metre, self.start_bar_s)
        if self.tempo is not None and not SLOWEST <= self.tempo <= FASTEST:
            raise ThirdstreamError(
                f"{TEMPO} must lie between {SLOWEST:g} and {FASTEST:g} beats a minute "
                f"(got {self.tempo:g})"
            )
        start_s = self.start_bar_s
        if start_s is not None and not (start_s >= 0 and math.isfinite(start_s)):
            raise ThirdstreamError(
                f"{START_BAR} must be seconds from the recording's beginning, 0 or more "
                f"(got {start_s:g})"
            )
        pulse_s = self.signature and self.pulse_s
        if pulse_s and pulse_s < SHORTEST_PULSE_S - 1e-9:
            raise ThirdstreamError(
                f"{TEMPO} is too fast for beats of {self.metre} (got {self.tempo:g}); "
                "give beats a minute, not shorter notes"
            )

    @cached_property
    def signature(self) -> Metre | None:
        """The metre, read. Raises ThirdstreamError where it is none."""
        return None if self.metre is None else read_metre(re.sub(r"\s", "", self.metre))

    @property
    def pulse(self) -> float:
        """Quarter notes from one tracked beat to the next: the beats of the metre; where these are
        not equally long, as in 7/8, or longer than quarters, as in 2/2, what they consist of."""
        one = self.signature
        if one is None:
            return 1.0
        return one.beats[0] if one.is_even else 4 / one.unit

    @property
    def pulse_s(self) -> float | None:
        """Seconds from one tracked beat to the next, where the tempo is known."""
        if self.tempo is None:
            return None
        one = self.signature
        beat = self.pulse if one is None or one.unit > 4 else 4 / one.unit
        return 60 / self.tempo * self.pulse / beat

    @property
    def pulses_per_bar(self) -> int | None:
        """Tracked beats of a bar, where the metre is known."""
        return None if self.signature is None else round(self.signature.length / self.pulse)

    @property
    def is_compound(self) -> bool:
        """Whether beats are dotted notes, which are divided by three."""
        one = self.signature
        return one is not None and is_dotted(self.pulse)

    def check_within(self, duration_s: float) -> None:
        """Raise ThirdstreamError where the bar begins after the recording's end."""
        if self.start_bar_s is not None and self.start_bar_s >= duration_s:
            raise ThirdstreamError(
                f"{START_BAR} lies beyond the recording's end, {duration_s:.2f} s "
                f"(got {self.start_bar_s:g}); give the seconds at which one of its bars begins"
            )


NOTHING = Known()


def read_metre(text: str) -> Metre:
    """A time signature such as 3/4, 6/8, 2+2+3/8. Raises ThirdstreamError where it is none."""
    match = SIGNATURE.fullmatch(text)
    groups = [int(count) for count in match[1].split("+")] if match else []
    unit = int(match[2]) if match else 0
    if unit not in UNITS or not all(groups) or not 0 < sum(groups) <= MOST_COUNTS:
        raise ThirdstreamError(
            f"{METRE} must be a time signature such as 3/4, 6/8 or 2+2+3/8: up to {MOST_COUNTS} "
            f"notes of the kinds {', '.join(map(str, UNITS))} (got {text!r})"
        )
    return metre(sum(groups), unit, groups if len(groups) > 1 else ())


def is_dotted(length: float) -> bool:
    """Whether so many quarter notes are a dotted note's: three of a half, a quarter, ..."""
    return math.log2(length / 3).is_integer()
