"""SenML JSON (RFC 8428, `application/senml+json`): a pack of records into readings.

A pack's base fields hold from their record on. A record's name is the base name and its own name
together, and says which device measured what:

- with both `bn` and `n`, `bn` is the device and `n` the metric;
- with one of them, it is the device, and the metric is called as the unit is, or `value`.

A device is named without the separators (`: / . _ -`) that its name ends in. A "/" within is
refused: written as anything else, two devices could come to share one id. So a gateway that
forwards for others keeps `bn` and `n` apart; the resolved form of RFC 8428, section 4.6, no
longer tells where the device ends.

Units are those of RFC 8428 and RFC 8798, and values stay in the unit in which they came. A metric
that is called by `n` has its unit in the tag `<metric>.unit`, as far as tags reach.

`v` and `vb` (1 or 0) are values; `vs` and `vd` are refused, and so is a sum that comes without a
value: an integral can be neither scored nor compared with values. Beside a value, the sum is kept
in the tag `<metric>.sum`. `ut` is not used. A record of base fields alone is no entry.

Times before 2**28 seconds are relative to now, which is when the request came. A pack of such
times that is sent again is therefore measured anew; who may have to send again gives `bt`.

Records of one device and time become one reading, unless they repeat a metric.
"""

import re
import sys
from decimal import ROUND_FLOOR, Context, Decimal
from math import isfinite
from typing import Any, Final, NamedTuple

from weir.protocols.interface import MAX_READINGS, Parsed, Request, TooManyReadings, UnreadableBody
from weir.protocols.json_text import JsonObject, loads
from weir.protocols.own import OwnAnswers
from weir.protocols.senml_units import UNITS
from weir.readings import (
    MAX_METRICS,
    MAX_NAME_LENGTH,
    MAX_TAGS,
    InvalidReading,
    Reading,
    Rejection,
    check_device_id,
    check_metric_name,
    check_ts,
    kind,
    show,
)

VERSION: Final = 10
SECONDARY_UNITS: Final = VERSION + 2**4
"""The version of a pack that says it uses secondary units (RFC 9100, section 4)."""

ABSOLUTE_FROM: Final = 2**28
"""Seconds from the epoch; less is relative to now (RFC 8428, section 4.5.3)."""

UNNAMED_METRIC: Final = "value"

_BASE: Final = frozenset({"bn", "bt", "bu", "bv", "bs", "bver"})
_VALUES: Final = frozenset({"v", "vb", "vs", "vd"})
_REGULAR: Final = _VALUES | {"n", "u", "s", "t", "ut"}
_SEPARATORS: Final = ":/._-"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9:./_-]*")
_LONGEST_NAME: Final = 512
"""Characters; a device and a metric have 128 each, and separators may stand between."""
_LARGEST: Final = sys.float_info.max
_EXACT: Final = Context(prec=1000)
"""Digits enough for the sum of any two doubles, which have some 650 between them."""


class SenmlJson(OwnAnswers):
    """A SenML pack in JSON."""

    media_types = frozenset({"application/senml+json"})
    max_inflated = 8 * 1024 * 1024

    def parse(self, request: Request) -> Parsed:
        """Read a pack. Raises `UnreadableBody` or `TooManyReadings`; a bad record is refused."""
        base = _Base()
        merger = _Merger()
        rejected: list[Rejection] = []
        accepted = 0
        for index, record in enumerate(_records(request.body)):
            try:
                measured = _resolve(record, base, request)
            except InvalidReading as error:
                rejected.append(Rejection(index, error.code, error.detail))
                continue
            if measured is not None:
                merger.add(measured)
                accepted += 1
        return Parsed(merger.readings(), rejected, accepted)


# ------------------------------------------------------------------ the pack


def _records(body: bytes) -> list[Any]:
    """The pack's records, whatever they are. Raises `UnreadableBody` or `TooManyReadings`."""
    pack = loads(body)
    if not isinstance(pack, list):
        raise UnreadableBody(f"the body is {kind(pack)}; a SenML pack is an array of records")
    if not pack:
        raise UnreadableBody("the pack holds no record; it must hold at least one")
    if len(pack) > MAX_READINGS:
        raise TooManyReadings(
            f"the pack holds {len(pack)} records; a request may hold {MAX_READINGS}"
        )
    for record in pack:
        if isinstance(record, JsonObject) and "bver" in record:
            _check_version(record)
    return pack


def _check_version(record: JsonObject) -> None:
    """Raise `UnreadableBody` unless the version is one that is understood (section 4.4).

    A pack should have one version throughout; of those that are understood any may stand, since
    they all read the same.
    """
    version = record["bver"]
    if "bver" in record.duplicates:
        raise UnreadableBody("bver stands twice in one record; the pack's version cannot be told")
    if isinstance(version, bool) or not isinstance(version, int | float):
        raise UnreadableBody(f"bver is {kind(version)}; it must be a positive integer")
    if version not in range(1, VERSION + 1) and version != SECONDARY_UNITS:
        raise UnreadableBody(
            f"bver is {show(str(version))}; the versions 1 to {VERSION} and {SECONDARY_UNITS} are "
            "understood"
        )


class _Base:
    """The base fields that hold for a record: its own, and those of the records before it.

    A field is looked at where it is needed, so that one of the wrong type costs the records that
    would use it and no others.
    """

    def __init__(self) -> None:
        self._fields: dict[str, Any] = {}
        self._ambiguous: set[str] = set()
        self.unknown: str | None = None
        """A label that must be understood, and is not: what follows cannot be resolved."""

    def hold(self, record: JsonObject) -> None:
        """Let the record's base fields hold from here on."""
        for label, value in record.items():
            if label in _BASE:
                self._fields[label] = value
                if label in record.duplicates:
                    self._ambiguous.add(label)
                else:
                    self._ambiguous.discard(label)
            elif label.startswith("b") and label.endswith("_"):
                self.unknown = self.unknown or label

    def has(self, label: str) -> bool:
        """Whether the field is given."""
        return label in self._fields

    def get(self, label: str, default: object) -> object:
        """The field's value. Raises `InvalidReading` if it was given twice in one record."""
        if label in self._ambiguous:
            raise InvalidReading(
                "duplicate_name",
                f"{label}, which holds for this record, was given twice in one; it may stand once",
            )
        return self._fields.get(label, default)


# ------------------------------------------------------------------ a record


class _Measured(NamedTuple):
    """A record once resolved (section 4.6)."""

    device_id: str
    ts: int
    metric: str
    value: float
    unit: str
    total: str
    """The sum, if the record has one beside its value, or ""."""


def _resolve(record: object, base: _Base, request: Request) -> _Measured | None:
    """Resolve a record; None if all it does is to set base fields."""
    if not isinstance(record, JsonObject):
        raise InvalidReading("wrong_type", f"the record is {kind(record)}; it must be an object")
    base.hold(record)
    if record.duplicates:
        raise InvalidReading(
            "duplicate_name",
            f"the record has the name {show(record.duplicates[0])} more than once; a name may "
            "stand once",
        )
    _check_understood(record, base)
    # A base sum by itself may be all that a meter has to say, so it is not passed over.
    if _REGULAR.isdisjoint(record) and "bs" not in record and not _BASE.isdisjoint(record):
        return None
    _check_has_value(record, base)
    unit = _unit(record, base)
    device_id, metric = _place(record, base, unit)
    check_device_id(device_id, request.scope)
    check_metric_name(metric)
    ts = check_ts(_ts(record, base, request.now_ms), request.window)
    total = _total(record, base)
    if total and len(_sum_tag(metric)) > MAX_NAME_LENGTH:
        raise InvalidReading(
            "unsupported_sum", "the record has a sum, and n is too long to keep it beside the value"
        )
    return _Measured(device_id, ts, metric, _value(record, base), unit, total)


def _check_understood(record: JsonObject, base: _Base) -> None:
    """Refuse what a label demands that is not understood: sections 4.4 and 12.2."""
    label = next((label for label in record if label.endswith("_")), base.unknown)
    if label is not None:
        raise InvalidReading(
            "unknown_label",
            f'{show(label)} is a label that must be understood, since it ends in "_", and it is '
            "not",
        )


def _check_has_value(record: JsonObject, base: _Base) -> None:
    """Raise `InvalidReading` unless the record has one value, of a sort that is taken."""
    given = record.keys() & _VALUES
    if len(given) > 1:
        raise InvalidReading(
            "several_values",
            f"the record has {', '.join(sorted(given))}; it must have one value",
        )
    if "vs" in given or "vd" in given:
        raise InvalidReading(
            "unsupported_value",
            "the record's value is a string or data; only numbers (v) and booleans (vb) are taken",
        )
    if not given and ("s" in record or base.has("bs")):
        raise InvalidReading(
            "unsupported_sum",
            "the record has a sum and no value; sums are not taken, send v or vb",
        )
    if not given:
        raise InvalidReading("missing_field", "the record has no value; it must have v or vb")


def _place(record: JsonObject, base: _Base, unit: str) -> tuple[str, str]:
    """The device and the metric that the record's name stands for (section 4.5.1)."""
    before, own = _text("bn", base.get("bn", "")), _text("n", record.get("n", ""))
    length = len(before) + len(own)
    if not length:
        raise InvalidReading("missing_field", "n is missing, and there is no bn; give one of them")
    # The length comes first: a long base name, joined to each of many names, would take minutes.
    if length > _LONGEST_NAME or _NAME.fullmatch(before + own) is None:
        raise InvalidReading(
            "invalid_name",
            f"bn and n make a name of {length} characters; it must be 1 to {_LONGEST_NAME} of "
            "A-Z a-z 0-9 - : . / _ and begin with a letter or digit",
        )
    device = (before or own).rstrip(_SEPARATORS)
    metric = own if before and own else unit or UNNAMED_METRIC
    if "/" in device:
        raise InvalidReading(
            "invalid_device_id",
            'the device\'s name has a "/", which no device id can have; the part of the name that '
            "belongs to the metric goes into n, and that of the device into bn",
        )
    return device, metric


def _unit(record: JsonObject, base: _Base) -> str:
    """The record's unit, or "" (section 4.5.2)."""
    label = "u" if "u" in record else "bu"
    unit = _text(label, record["u"] if "u" in record else base.get("bu", ""))
    if unit and unit not in UNITS:
        raise InvalidReading(
            "unknown_unit",
            f"{label} is {show(unit)}, which is no unit of RFC 8428 or RFC 8798; their names are "
            "case-sensitive, and a unit may be left out",
        )
    return unit


def _ts(record: JsonObject, base: _Base, now_ms: int) -> int:
    """The time in epoch milliseconds, finer digits cut off (section 4.5.3)."""
    seconds = _sum("bt", base.get("bt", 0), "t", record.get("t", 0))
    ms = int(_EXACT.multiply(seconds, 1000).to_integral_value(ROUND_FLOOR))
    return ms if seconds >= ABSOLUTE_FROM else now_ms + ms


def _value(record: JsonObject, base: _Base) -> float:
    """The value (section 4.5.4); a boolean is 1 or 0, to which no base is added."""
    if "vb" in record:
        if not isinstance(record["vb"], bool):
            raise InvalidReading("wrong_type", f"vb is {kind(record['vb'])}; it must be a boolean")
        return float(record["vb"])
    if not base.has("bv"):
        return float(_number("v", record["v"]))
    return _double("v", _sum("bv", base.get("bv", 0), "v", record["v"]))


def _total(record: JsonObject, base: _Base) -> str:
    """The sum as a tag's text, or "" for none."""
    if "s" not in record and not base.has("bs"):
        return ""
    return repr(_double("s", _sum("bs", base.get("bs", 0), "s", record.get("s", 0))))


def _sum(base_label: str, base: object, label: str, value: object) -> Decimal:
    return _EXACT.add(_decimal(_number(base_label, base)), _decimal(_number(label, value)))


def _double(label: str, number: Decimal) -> float:
    """The double next to `number`. Raises `InvalidReading` if it is past their range."""
    double = float(number)
    if not isfinite(double):
        raise InvalidReading(
            "not_finite",
            f"{label} and its base make a number past the range of a double; it must be a finite "
            "number",
        )
    return double


def _text(label: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidReading("wrong_type", f"{label} is {kind(value)}; it must be a string")
    return value


def _number(label: str, value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidReading("wrong_type", f"{label} is {kind(value)}; it must be a finite number")
    if not -_LARGEST <= value <= _LARGEST:
        raise InvalidReading(
            "not_finite",
            f"{label} is NaN, infinite or past the range of a double; it must be a finite number",
        )
    return value


def _decimal(number: float) -> Decimal:
    """The number as it was written: the fewest digits that stand for its double.

    Doubles would not add up: 1276020076.001 - 0.1 is a little less than its 901 milliseconds.
    """
    return Decimal(number) if isinstance(number, int) else Decimal(repr(number))


# ------------------------------------------------------------------ the readings


class _Merger:
    """Puts the measurements of one device and time together, in the order in which they came."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, int, dict[str, float], dict[str, str]]] = []
        self._open: dict[tuple[str, int], tuple[dict[str, float], dict[str, str]]] = {}

    def add(self, it: _Measured) -> None:
        """Add a measurement to its reading, or begin one that has room for it."""
        place = it.device_id, it.ts
        row = self._open.get(place)
        if (
            row is None
            or it.metric in row[0]
            or len(row[0]) == MAX_METRICS
            or (it.total and len(row[1]) == MAX_TAGS)
        ):
            row = self._open[place] = {}, {}
            self._rows.append((*place, *row))
        metrics, tags = row
        metrics[it.metric] = it.value
        if it.total:
            tags[_sum_tag(it.metric)] = it.total
        # A metric that is called as its unit says it by its name.
        if it.unit and it.metric != it.unit:
            tag = f"{it.metric}.unit"
            if len(tags) < MAX_TAGS and len(tag) <= MAX_NAME_LENGTH:
                tags[tag] = it.unit

    def readings(self) -> list[Reading]:
        """The readings, each where the first of its measurements stood."""
        return [
            Reading(device_id, ts, metrics, tags or None)
            for device_id, ts, metrics, tags in self._rows
        ]


def _sum_tag(metric: str) -> str:
    return f"{metric}.sum"
