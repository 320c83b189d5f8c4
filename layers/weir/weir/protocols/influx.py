r"""InfluxDB's write protocol (`POST /api/v2/write`): line protocol becomes readings.

A line is `measurement[,tag=value...] field=value[,field=value...] [timestamp]`; `influx_lines` has
the syntax. The query's `precision` is the timestamp's unit: ns (the default), us, ms or s; digits
finer than a millisecond are cut off. A line without a timestamp is of now. `org` and `bucket` are
taken and not looked at: the device key says where a reading belongs.

**Device.** The tag `device_id` names it; else it is the one device that the key is bound to; else
the tag `device` names it, else `host`. Those two come after the key, since clients fill them in
unasked (Telegraf: the host's name, a disk's), and they must not turn a device away from its own
key; then they are tags as others are. A line with none of these is refused.

**Metrics.** Each field is a metric, named `<measurement>.<field>`. In InfluxDB the other tags are
part of what a series is: `cpu=cpu0` and `cpu=cpu1` at one time are two values. So they are part of
the metric's name, sorted by tag: `cpu.usage_idle{cpu=cpu0}`. A backslash in a name stands before a
backslash, before a `{` of the measurement or the field, and before a comma or an equals sign of a
tag, so that no two series share a name unless it is by where the dot between measurement and
field falls. The same tags are also the reading's tags, under the rules for tags.

**Values.** Floats, integers and unsigned integers become the nearest double, booleans 1.0 and 0.0.
Strings are refused.

**Refusals.** What is wrong with a field costs that field: a string, a value that is no finite
number, a name that is too long. What is wrong with the line (syntax, tags, device, time, a field
twice) costs the line. The others are taken, and the answer is then 400 with what was refused, in
InfluxDB's shape. Its clients (and Telegraf) send again after 429 and 5xx, never after 400; after
413 Telegraf halves its batch.

**Readings.** Lines of one device, time and tags become one reading, as far as their metrics differ.
InfluxDB keeps the last of two values of one series and time; here the first counts, as everywhere.

There are two ways through, as in the native protocol. A line without quotes and backslashes, all
of whose values are plain, goes the straight way; any other goes the careful one, which can say
what is wrong. A property test holds the two to one result.
"""

import re
from collections import Counter
from itertools import batched
from typing import Final

import msgspec

from weir.protocols.influx_lines import (
    MAX_NUMBER,
    Cursor,
    Line,
    Malformed,
    read_timestamp,
    read_value,
    split_head,
)
from weir.protocols.interface import (
    MAX_INFLATED,
    MAX_READINGS,
    Parsed,
    Reply,
    Request,
    TooManyReadings,
    UnreadableBody,
)
from weir.readings import (
    MAX_METRICS,
    MAX_NAME_LENGTH,
    MAX_TAGS,
    InvalidReading,
    Reading,
    Rejection,
    check_device_id,
    check_metric_name,
    check_tags,
    show,
    ts_out_of_window,
)

DEVICE_TAGS: Final = ("device_id", "device", "host")
"""The tags that name the device, the first of them first."""

MAX_FIELDS: Final = 10 * MAX_READINGS
"""Fields that the lines of one request may have together."""

_LONGEST_PLAIN: Final = 16 * 1024
"""Characters of a line that may go the straight way, which splits it before it counts."""

_MOST_NAMED: Final = 10
"""Refusals that an answer spells out."""

_SCALES: Final = {"ns": (1, 1_000_000), "us": (1, 1_000), "ms": (1, 1), "s": (1_000, 1)}
_NOT_UTF8: Final = "not_utf8"
_SURROGATE: Final = re.compile("[\udc80-\udcff]")
_NUMBER_BEGINS: Final = frozenset("-.0123456789")
_NUMBER_ENDS: Final = frozenset(".0123456789")
_CODES: Final = {
    401: "unauthorized",
    403: "forbidden",
    404: "not found",
    405: "method not allowed",
    413: "request too large",
    415: "unsupported media type",
    429: "too many requests",
    503: "unavailable",
}
_ENCODE: Final = msgspec.json.Encoder().encode


class InfluxWrite:
    """The protocol, for `POST /api/v2/write`.

    InfluxDB looks at no media type. Its clients and Telegraf send `text/plain`, the one for Go
    sends none, curl with `--data-binary` a form's, and HTTP libraries given bytes an octet stream.
    """

    media_types = frozenset(
        {"", "text/plain", "application/x-www-form-urlencoded", "application/octet-stream"}
    )
    max_inflated = MAX_INFLATED

    def parse(self, request: Request) -> Parsed:
        """Read line protocol.

        A rejection's index is its line's, blank lines and comments not counted, and a line may
        have several: one for each code, which names the first field that it is about. Raises
        `UnreadableBody` if no line is line protocol or the precision is unknown, and
        `TooManyReadings` past `MAX_READINGS` lines or `MAX_FIELDS` fields.
        """
        return _Reader(request).read()

    def accept(self, parsed: Parsed, media_type: str) -> Reply:
        """204 if all was taken, else 400 that says what was not: a "partial write"."""
        if not parsed.rejected:
            return Reply(204, b"", "")
        refused = len({rejection.index for rejection in parsed.rejected})
        named = [f"line {r.index + 1}: {r.detail}" for r in parsed.rejected[:_MOST_NAMED]]
        if (more := len(parsed.rejected) - len(named)) > 0:
            named.append(f"and more: {more}")
        return _error(
            400,
            f"{'partial write' if parsed.accepted else 'nothing is written'}: lines written: "
            f"{parsed.accepted}, refused in whole or in part: {refused} (counted from 1, without "
            f"blank lines and comments); {'; '.join(named)}",
        )

    def refuse(
        self, status: int, code: str, detail: str, media_type: str, request_id: str
    ) -> Reply:
        """An error in InfluxDB's shape, with InfluxDB's code for the status."""
        return _error(status, detail)


def _error(status: int, message: str) -> Reply:
    code = _CODES.get(status) or ("invalid" if status < 500 else "internal error")
    return Reply(status, _ENCODE({"code": code, "message": message}), "application/json")


class _Refused(msgspec.Struct, frozen=True):
    """Why no line with a certain measurement and tags is taken."""

    code: str
    detail: str


class _Series:
    """What all lines with the same measurement and tags share."""

    __slots__ = ("_prefix", "_suffix", "device_id", "names", "place", "tags")

    def __init__(self, measurement: str, device_id: str, tags: dict[str, str] | None) -> None:
        self.device_id = device_id
        self.tags = tags
        self._prefix = _in_name(measurement) + "."
        self._suffix = ""
        if tags:
            shown = [f"{_in_tag(name)}={_in_tag(tags[name])}" for name in sorted(tags)]
            self._suffix = f"{{{','.join(shown)}}}"
        self.place = (device_id, self._suffix)
        self.names: dict[str, str] = {}
        length = len(self._prefix) + 1 + len(self._suffix)
        if length > MAX_NAME_LENGTH:  # before any is built: a line may have many fields
            raise InvalidReading(
                "invalid_metric_name",
                "the measurement and the tags make names of at least "
                f"{length} characters; a metric's name may have {MAX_NAME_LENGTH}",
            )

    def name(self, field: str) -> str:
        """The metric's name of a field. Raises `InvalidReading`."""
        name = self.names.get(field)
        if name is None:
            if not field:
                raise Malformed("a field has no name")
            name = self._prefix + _in_name(field) + self._suffix
            check_metric_name(name)
            self.names[field] = name
        return name


def _in_name(text: str) -> str:
    return text.replace("\\", r"\\").replace("{", r"\{")


def _in_tag(text: str) -> str:
    return text.replace("\\", r"\\").replace(",", r"\,").replace("=", r"\=")


class _Reader:
    """Reads one request."""

    def __init__(self, request: Request) -> None:
        precision = request.query.get("precision") or "ns"
        scale = _SCALES.get(precision)
        if scale is None:
            raise UnreadableBody(f"precision is {show(precision)}; it must be ns, us, ms or s")
        self._factor, self._divisor = scale
        self._scope, self._window, self._now_ms = request.scope, request.window, request.now_ms
        try:
            text, self._utf8 = request.body.decode(), True
        except UnicodeDecodeError:
            text, self._utf8 = request.body.decode(errors="surrogateescape"), False
        self._cursor = Cursor(text)
        self._fields_left = MAX_FIELDS
        self._series: dict[str, _Series | _Refused] = {}
        self._open: dict[tuple[tuple[str, str], int], dict[str, float]] = {}
        self._rows: list[tuple[_Series, int, dict[str, float]]] = []
        self._rejected: list[Rejection] = []

    def read(self, *, straight: bool = True) -> Parsed:
        """Read all lines; not `straight`: each the careful way."""
        index = accepted = 0
        while (text := self._cursor.advance()) is not None:
            if index == MAX_READINGS:
                raise TooManyReadings(
                    f"the body holds more lines than the {MAX_READINGS} that a request may hold"
                )
            if (straight and self._take_straight(text)) or self._take_carefully(index, text):
                accepted += 1
            index += 1
        if not index:
            raise UnreadableBody("the body holds no line; it must hold at least one")
        if not accepted and {r.code for r in self._rejected} <= {Malformed.CODE, _NOT_UTF8}:
            raise UnreadableBody(f"no line is line protocol; the first: {self._rejected[0].detail}")
        readings = [
            Reading(series.device_id, ts, metrics, series.tags)
            for series, ts, metrics in self._rows
        ]
        return Parsed(readings, self._rejected, accepted)

    def _take_straight(self, text: str) -> bool:
        """Take a line that is plain and good, or leave it as it is and return False."""
        parts = text.split(" ", 3)
        if len(text) > _LONGEST_PLAIN or "\\" in text or '"' in text or len(parts) > 3:
            return False
        ts = self._now_ms
        if len(parts) == 3:
            stamp = parts[2]
            if not (stamp.isdecimal() and stamp.isascii() and len(stamp) <= 19):
                return False
            ts = int(stamp) * self._factor // self._divisor
        elif len(parts) != 2:
            return False
        head, fields = parts[0], parts[1]
        series = self._series.get(head) or self._learn(head)
        if isinstance(series, _Refused) or not fields.isascii():
            return False
        if not self._window.earliest <= ts <= self._window.latest:
            return False
        items = fields.split(",")
        names, metrics = series.names, {}
        try:
            for item in items:
                field, _, value = item.partition("=")
                name = names.get(field) or series.name(field)
                if value[-1:] not in _NUMBER_ENDS:
                    metrics[name] = read_value(field, value)
                elif value[0] in _NUMBER_BEGINS and "_" not in value and len(value) <= MAX_NUMBER:
                    metrics[name] = float(value)
                else:
                    return False
        except ValueError:
            return False
        total = sum(metrics.values())
        if total - total != 0 or len(metrics) != len(items) or len(items) > self._fields_left:
            return False  # infinite, a field twice, too many: the careful way knows
        self._fields_left -= len(items)
        self._add(series, ts, metrics)
        return True

    def _take_carefully(self, index: int, text: str) -> bool:
        """Take what is good of a line, refuse what is not, and return whether anything was."""
        try:
            self._check_utf8(text)
            line = self._cursor.parse(self._fields_left)
            self._fields_left -= len(line.fields)
            return self._take(index, line)
        except Malformed as error:
            detail = f"unable to parse {show(text)}: {error.detail}"
            self._rejected.append(Rejection(index, error.code, detail))
        except InvalidReading as error:
            self._rejected.append(Rejection(index, error.code, error.detail))
        return False

    def _check_utf8(self, text: str) -> None:
        if not self._utf8 and _SURROGATE.search(text):
            raise InvalidReading(_NOT_UTF8, "the line is not UTF-8")

    def _take(self, index: int, line: Line) -> bool:
        series = self._series.get(line.head) or self._learn(line.head)
        if isinstance(series, _Refused):
            if series.code == Malformed.CODE:
                raise Malformed(series.detail)
            raise InvalidReading(series.code, series.detail)
        ts = self._now_ms
        if line.timestamp:
            ts = read_timestamp(line.timestamp) * self._factor // self._divisor
        if not self._window.earliest <= ts <= self._window.latest:
            raise ts_out_of_window(ts, self._window)
        if len(dict(line.fields)) != len(line.fields):
            raise InvalidReading(
                "duplicate_name", "the line has a field more than once; a name may stand once"
            )
        metrics: dict[str, float] = {}
        first: dict[str, str] = {}
        counts: Counter[str] = Counter()
        for field, value in line.fields:
            try:
                metrics[series.name(field)] = read_value(field, value)
            except InvalidReading as error:
                first.setdefault(error.code, error.detail)
                counts[error.code] += 1
        for code, detail in first.items():
            also = f"; more fields of the line like it: {counts[code] - 1}"
            self._rejected.append(Rejection(index, code, detail + also * (counts[code] > 1)))
        if metrics:
            self._add(series, ts, metrics)
        return bool(metrics)

    def _learn(self, head: str) -> _Series | _Refused:
        """What a measurement and its tags come to, kept for the lines that have the same."""
        found: _Series | _Refused
        try:
            measurement, tags = split_head(head, MAX_TAGS + 1)
            device_id = self._take_device(tags)
            found = _Series(measurement, device_id, check_tags(tags))
        except InvalidReading as error:
            found = _Refused(error.code, error.detail)
        self._series[head] = found
        return found

    def _take_device(self, tags: dict[str, str]) -> str:
        """Take the device out of `tags`."""
        own = self._scope.device_id
        for name in DEVICE_TAGS:
            if name in tags and (own is None or name == "device_id" or tags[name] == own):
                return check_device_id(tags.pop(name), self._scope)
        if own is not None:
            return own
        raise InvalidReading(
            "missing_device",
            "no tag names the device; one of device_id, device and host must, unless the device "
            "key is bound to one device",
        )

    def _add(self, series: _Series, ts: int, metrics: dict[str, float]) -> None:
        if len(metrics) > MAX_METRICS:
            for some in batched(metrics.items(), MAX_METRICS, strict=False):
                self._add(series, ts, dict(some))
            return
        key = (series.place, ts)
        row = self._open.get(key)
        if (
            row is not None
            and len(row) + len(metrics) <= MAX_METRICS
            and row.keys().isdisjoint(metrics)
        ):
            row.update(metrics)
        else:
            self._open[key] = metrics
            self._rows.append((series, ts, metrics))
