"""Which protocol is spoken at which route. One that is seldom spoken is imported when it is."""

from functools import lru_cache
from typing import Final

from weir.protocols.interface import Adapter
from weir.protocols.own import LINES, NativeJson, NativeLines

READINGS: Final = "POST /v1/readings"
INFLUX: Final = "POST /api/v2/write"
OTLP: Final = "POST /v1/metrics"

_SENML: Final = "application/senml+json"


@lru_cache(64)  # media types come from outside
def adapter_of(route_key: str, media_type: str) -> Adapter:
    """The adapter for a body of `media_type` at a route.

    It may not read that media type, but can say so in the shape that the route's clients know.
    """
    if route_key == INFLUX:
        from weir.protocols.influx import InfluxWrite

        return InfluxWrite()
    if route_key == OTLP:
        from weir.protocols.otlp import OtlpMetrics

        return OtlpMetrics()
    if media_type == _SENML:
        from weir.protocols.senml import SenmlJson

        return SenmlJson()
    return NativeLines() if media_type in LINES else NativeJson()
