"""What a reading is, and the rules it must keep.

A reading says: at `ts` (epoch milliseconds, UTC) `device_id` measured `metrics`. The rules live
here once, as one function an attribute; `protocols` turns bytes into readings with them.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Annotated, Final, Self

import msgspec

from weir.identity import EVERY_DEVICE, Scope

NOT_COVERED: Final = "device_not_covered"
"""The code of a reading for whose device the sender's key does not speak."""

MAX_METRICS: Final = 64
MAX_NAME_LENGTH: Final = 128
RESERVED_NAME: Final = "*"
MAX_TAGS: Final = 16
MAX_TAG_VALUE_LENGTH: Final = 256

_DEVICE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

type AwareDatetime = Annotated[datetime, msgspec.Meta(tz=True)]


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One measurement: `metrics` of `device_id` at `ts` (epoch milliseconds, UTC)."""

    device_id: str
    ts: int
    metrics: Mapping[str, float]
    tags: Mapping[str, str] | None = None


class Rejection(msgspec.Struct, frozen=True):
    """Why the reading at place `index` of a request was not taken."""

    index: int
    code: str
    detail: str


class Window(msgspec.Struct, frozen=True):
    """The event times that are taken: from `earliest` to `latest`, both epoch milliseconds."""

    earliest: int
    latest: int

    @classmethod
    def around(cls, now_ms: int, *, past_ms: int, future_ms: int) -> Self:
        """The window that reaches `past_ms` back from `now_ms` and `future_ms` ahead of it."""
        return cls(now_ms - past_ms, now_ms + future_ms)


class InvalidReading(ValueError):
    """A reading breaks a rule; `code` is for machines, the message names field, kind and rule."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def kind(value: object) -> str:
    """Name the JSON kind of `value`, as an error message says it."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int() | float():
            return "a number"
        case Mapping():
            return "an object"
        case _:
            return "an array"


def check_device_id(value: object, scope: Scope = EVERY_DEVICE) -> str:
    """Return `value` if it is a device id in `scope`; raise `InvalidReading` otherwise."""
    if not isinstance(value, str):
        raise InvalidReading("wrong_type", f"device_id is {kind(value)}; it must be a string")
    if _DEVICE_ID.fullmatch(value) is None:
        raise InvalidReading(
            "invalid_device_id",
            f"device_id is a string of {len(value)} characters; it must be 1 to 128 of "
            "A-Z a-z 0-9 . _ : -",
        )
    if not scope.covers(value):
        raise InvalidReading(
            NOT_COVERED,
            f"device_id is {value}, for which the device key does not speak; it speaks for {scope}",
        )
    return value


def to_epoch_ms(moment: datetime) -> int:
    """Milliseconds from the epoch to `moment` (with an offset), finer digits cut off."""
    since = moment - _EPOCH
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def check_ts(value: object, window: Window) -> int:
    """Return `value` (RFC 3339 with an offset, or integer epoch milliseconds) as epoch ms."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InvalidReading(
            "wrong_type",
            f"ts is {kind(value)}; it must be an RFC 3339 time with an offset or integer epoch "
            "milliseconds",
        )
    if isinstance(value, str):
        try:
            ts = to_epoch_ms(msgspec.convert(value, AwareDatetime))
        except (msgspec.ValidationError, OverflowError, UnicodeEncodeError) as error:
            raise InvalidReading(
                "invalid_ts",
                "ts is a string that is no RFC 3339 time with an offset, such as "
                "2026-01-31T12:00:00Z",
            ) from error
    else:
        ts = value
    if not window.earliest <= ts <= window.latest:
        raise ts_out_of_window(ts, window)
    return ts


def ts_out_of_window(ts: int, window: Window) -> InvalidReading:
    """The refusal of a time outside the window."""
    side = "before" if ts < window.earliest else "after"
    return InvalidReading(
        "ts_out_of_window",
        f"ts lies {side} the times taken now: it must be from {format_ts(window.earliest)} to "
        f"{format_ts(window.latest)}",
    )


def check_metric_name(name: str) -> None:
    """Raise `InvalidReading` unless `name` is printable, of 1 to 128 characters, and not "*"."""
    if name == RESERVED_NAME:
        raise InvalidReading(
            "invalid_metric_name",
            'metrics has the name "*"; it stands for the device as a whole and can be no metric',
        )
    if not 1 <= len(name) <= MAX_NAME_LENGTH or not name.isprintable():
        raise InvalidReading(
            "invalid_metric_name",
            f"metrics has the name {show(name)}, a string of {len(name)} characters; it must "
            f"be 1 to {MAX_NAME_LENGTH} printable characters",
        )


def check_metric_names(names: Iterable[str]) -> None:
    """Raise `InvalidReading` unless `names` are 1 to 64 printable names."""
    count = 0
    for name in names:
        count += 1
        check_metric_name(name)
    if not count:
        raise InvalidReading("no_metrics", "metrics is an empty object; it must name 1 to 64")
    if count > MAX_METRICS:
        raise InvalidReading(
            "too_many_metrics",
            f"metrics is an object of {count} names; it must have 1 to {MAX_METRICS}",
        )


def check_metrics(value: object) -> dict[str, float]:
    """Return `value` as metric names to finite floats; raise `InvalidReading` otherwise."""
    if not isinstance(value, Mapping):
        raise InvalidReading(
            "wrong_type", f"metrics is {kind(value)}; it must be an object of names to numbers"
        )
    check_metric_names(value)
    return {name: _check_number(name, number) for name, number in value.items()}


def _check_number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidReading(
            "wrong_type", f"metrics.{show(name)} is {kind(value)}; it must be a finite number"
        )
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if not isfinite(number):
        raise InvalidReading(
            "not_finite",
            f"metrics.{show(name)} is NaN, infinite or past the range of a double; it must be a "
            "finite number",
        )
    return number


def check_tags(value: object) -> dict[str, str] | None:
    """Return `value` as tag names to strings, or None for none."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise InvalidReading(
            "wrong_type", f"tags is {kind(value)}; it must be an object of names to strings"
        )
    if len(value) > MAX_TAGS:
        raise InvalidReading(
            "too_many_tags", f"tags is an object of {len(value)} names; it may have {MAX_TAGS}"
        )
    for name, text in value.items():
        if not 1 <= len(name) <= MAX_NAME_LENGTH or not name.isprintable():
            raise InvalidReading(
                "invalid_tag_name",
                f"tags has the name {show(name)}, a string of {len(name)} characters; it must be "
                f"1 to {MAX_NAME_LENGTH} printable characters",
            )
        if not isinstance(text, str):
            raise InvalidReading(
                "wrong_type", f"tags.{show(name)} is {kind(text)}; it must be a string"
            )
        if len(text) > MAX_TAG_VALUE_LENGTH or not text.isprintable():
            raise InvalidReading(
                "invalid_tag_value",
                f"tags.{show(name)} is a string of {len(text)} characters; it must be at most "
                f"{MAX_TAG_VALUE_LENGTH} printable characters",
            )
    return dict(value) or None


def show(name: str) -> str:
    """A name that came from outside, safe and short enough for a message."""
    short = name if len(name) <= MAX_NAME_LENGTH else f"{name[:MAX_NAME_LENGTH]}…"
    return short if short.isprintable() and short else ascii(short)


def format_ts(ts: int) -> str:
    """Epoch milliseconds as RFC 3339 in UTC with milliseconds: 2026-01-31T12:00:00.000Z."""
    moment = _EPOCH + timedelta(milliseconds=ts)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
