"""The environment of each function, read once into a typed value."""

import os
from collections.abc import Mapping
from typing import Self

import msgspec

from weir.controls import LEAST_RATE, MOST_RATE

_DAY_MS = 86_400_000


class IngestSettings(msgspec.Struct, frozen=True):
    """Where `ingest` writes and spills, which times it takes, and how long readings stay."""

    readings_table: str
    lake_stream: str
    retention_s: int
    accept_past_ms: int
    accept_future_ms: int
    spill_queue_url: str
    spill_bucket: str

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raise `KeyError` or `ValueError` naming what is wrong."""
        return cls(
            environ["READINGS_TABLE"],
            environ["LAKE_STREAM"],
            int(environ["RETENTION_DAYS"]) * 86_400,
            int(environ["ACCEPT_PAST_DAYS"]) * _DAY_MS,
            int(environ["ACCEPT_FUTURE_SECONDS"]) * 1000,
            environ["SPILL_QUEUE_URL"],
            environ["SPILL_BUCKET"],
        )


class RespillSettings(msgspec.Struct, frozen=True):
    """Where `respill` takes from and where it writes, and how long readings stay."""

    readings_table: str
    lake_stream: str
    retention_s: int
    spill_queue_url: str
    spill_bucket: str

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raise `KeyError` or `ValueError` naming what is wrong."""
        return cls(
            environ["READINGS_TABLE"],
            environ["LAKE_STREAM"],
            int(environ["RETENTION_DAYS"]) * 86_400,
            environ["SPILL_QUEUE_URL"],
            environ["SPILL_BUCKET"],
        )


class ApiSettings(msgspec.Struct, frozen=True):
    """Which tables `api` reads and writes, how long alerts stay, and who signs operators in.

    `oidc_issuer` and `oidc_client_id` are empty where there is none, and so is `oidc_sign_in` where
    the issuer's token endpoint is at its own host.
    """

    devices_table: str
    readings_table: str
    states_table: str
    alerts_table: str
    alert_retention_s: int
    controls_table: str
    false_alerts_per_week: float
    oidc_issuer: str
    oidc_audience: str
    oidc_client_id: str
    oidc_sign_in: str = ""

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raise `KeyError` or `ValueError` naming what is wrong."""
        return cls(
            environ["DEVICES_TABLE"],
            environ["READINGS_TABLE"],
            environ["STATES_TABLE"],
            environ["ALERTS_TABLE"],
            int(environ["ALERT_RETENTION_DAYS"]) * 86_400,
            environ["CONTROLS_TABLE"],
            _rate(environ["FALSE_ALERTS_PER_WEEK"]),
            environ["OIDC_ISSUER"],
            environ["OIDC_AUDIENCE"],
            environ["OIDC_CLIENT_ID"],
            environ.get("OIDC_SIGN_IN", ""),
        )


class NotifySettings(msgspec.Struct, frozen=True):
    """Where `notify` keeps what it told, where it tells, and how often by single messages.

    `webhook_url` and `webhook_secret` (the secret's ARN) are empty where there is none.
    """

    notices_table: str
    controls_table: str
    notice_queue_url: str
    alert_topic: str
    alert_bus: str
    messages_per_minute: int
    webhook_url: str
    webhook_secret: str

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raise `KeyError` or `ValueError` naming what is wrong."""
        return cls(
            environ["NOTICES_TABLE"],
            environ["CONTROLS_TABLE"],
            environ["NOTICE_QUEUE_URL"],
            environ["ALERT_TOPIC"],
            environ["ALERT_BUS"],
            int(environ["MESSAGES_PER_MINUTE"]),
            environ["WEBHOOK_URL"],
            environ["WEBHOOK_SECRET"],
        )


class WatchdogSettings(msgspec.Struct, frozen=True):
    """Which tables `watchdog` reads and writes, and how long alerts stay."""

    readings_table: str
    states_table: str
    alerts_table: str
    alert_retention_s: int
    controls_table: str

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raise `KeyError` or `ValueError` naming what is wrong."""
        return cls(
            environ["READINGS_TABLE"],
            environ["STATES_TABLE"],
            environ["ALERTS_TABLE"],
            int(environ["ALERT_RETENTION_DAYS"]) * 86_400,
            environ["CONTROLS_TABLE"],
        )


class AuthorizeSettings(msgspec.Struct, frozen=True):
    """Where the device keys are, and for how long a worker remembers one."""

    devices_table: str
    key_memory_s: int

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raise `KeyError` or `ValueError` naming what is wrong."""
        return cls(environ["DEVICES_TABLE"], int(environ["KEY_MEMORY_SECONDS"]))


class ScoreSettings(msgspec.Struct, frozen=True):
    """Which tables `score` reads and writes, how long alerts stay, and how many may be false."""

    readings_table: str
    states_table: str
    alerts_table: str
    alert_retention_s: int
    controls_table: str
    false_alerts_per_week: float

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raise `KeyError` or `ValueError` naming what is wrong."""
        return cls(
            environ["READINGS_TABLE"],
            environ["STATES_TABLE"],
            environ["ALERTS_TABLE"],
            int(environ["ALERT_RETENTION_DAYS"]) * 86_400,
            environ["CONTROLS_TABLE"],
            _rate(environ["FALSE_ALERTS_PER_WEEK"]),
        )


def _rate(text: str) -> float:
    rate = float(text)
    if not LEAST_RATE <= rate <= MOST_RATE:
        raise ValueError(
            f"FALSE_ALERTS_PER_WEEK is {text}; it must lie from {LEAST_RATE} to {MOST_RATE:g}"
        )
    return rate
