"""What an event source mapping is set to do, read from GetEventSourceMapping."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_S3 = ":s3:::"


@dataclass(frozen=True, slots=True)
class MappingConfig:
    """An event source mapping of a DynamoDB stream; -1 stands for no limit, as on AWS."""

    uuid: str
    function_arn: str
    stream_arn: str
    starting_position: str
    batch_size: int
    window: float
    parallelization: int
    bisect: bool
    retries: int
    max_age: float
    report_failures: bool
    failure_bucket: str | None
    patterns: tuple[Mapping[str, Any], ...]


def read_config(mapping: Mapping[str, Any]) -> MappingConfig:
    """Read a mapping's configuration, with Lambda's defaults.

    Source: Lambda developer guide, "Lambda parameters for Amazon DynamoDB event source mappings".

    Raises
    ------
    ValueError
        When it is set to do what the stand-in doesn't.
    """
    if mapping.get("TumblingWindowInSeconds"):
        raise ValueError("tumbling windows are not done here")
    on_failure = mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    if on_failure and _S3 not in on_failure:
        raise ValueError(f"the failure destination {on_failure} is not a bucket")
    filters = mapping.get("FilterCriteria", {}).get("Filters", [])
    return MappingConfig(
        uuid=mapping["UUID"],
        function_arn=mapping["FunctionArn"],
        stream_arn=mapping["EventSourceArn"],
        starting_position=mapping.get("StartingPosition", "TRIM_HORIZON"),
        batch_size=int(mapping.get("BatchSize", 100)),
        window=float(mapping.get("MaximumBatchingWindowInSeconds", 0)),
        parallelization=int(mapping.get("ParallelizationFactor", 1)),
        bisect=bool(mapping.get("BisectBatchOnFunctionError", False)),
        retries=int(mapping.get("MaximumRetryAttempts", -1)),
        max_age=float(mapping.get("MaximumRecordAgeInSeconds", -1)),
        report_failures="ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", []),
        failure_bucket=on_failure.partition(_S3)[2] if on_failure else None,
        patterns=tuple(json.loads(one["Pattern"]) for one in filters),
    )
