"""A deployed Weir as the command line sees it, for tests: what a test does not name is empty."""

from typing import Any

from weir_cli.target import Target


def a_target(**named: Any) -> Target:
    """A target with the given places, and a client of nothing."""
    places = dict.fromkeys(
        (
            "name",
            "api_url",
            "readings_table",
            "states_table",
            "alerts_table",
            "controls_table",
            "lake_bucket",
            "failure_bucket",
            "devices_table",
            "lake_stream",
            "score_function",
            "api_function",
            "notify_function",
            "watchdog_function",
            "spill_queue_url",
            "spill_dead_letters_url",
        ),
        "",
    )
    return Target(**{**places, "client": lambda _: None, **named})
