"""What a delivery stream is set to do, read from DescribeDeliveryStream."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """A delivery stream with an S3 destination; intervals in seconds as written, not yet scaled."""

    name: str
    arn: str
    version: str
    bucket: str
    prefix: str
    error_prefix: str
    compressed: bool
    buffer_bytes: float
    buffer_interval: float
    function_arn: str | None
    processor_bytes: float
    processor_interval: float
    retries: int


def read_config(description: Mapping[str, Any]) -> StreamConfig:
    """Read the answer of DescribeDeliveryStream.

    Defaults are Firehose's own: 5 MiB or 300 s for S3, 1 MiB or 60 s and 3 retries for the
    processor (API reference, BufferingHints and ProcessorParameter).

    Raises
    ------
    ValueError
        When the stream is set to do what the stand-in doesn't.
    """
    destination = description["Destinations"][0].get("ExtendedS3DestinationDescription")
    if destination is None:
        raise ValueError("the delivery stream has no extended S3 destination")
    compression = destination.get("CompressionFormat", "UNCOMPRESSED")
    if compression not in ("GZIP", "UNCOMPRESSED"):
        raise ValueError(f"the compression {compression} is not done here")
    if destination.get("DataFormatConversionConfiguration", {}).get("Enabled"):
        raise ValueError("the conversion of formats is not done here")
    hints = destination.get("BufferingHints", {})
    parameters = _lambda_parameters(destination.get("ProcessingConfiguration", {}))
    return StreamConfig(
        name=description["DeliveryStreamName"],
        arn=description["DeliveryStreamARN"],
        version=str(description.get("VersionId", "1")),
        bucket=destination["BucketARN"].rpartition(":")[2],
        prefix=destination.get("Prefix", ""),
        error_prefix=destination.get("ErrorOutputPrefix", "!{firehose:error-output-type}/"),
        compressed=compression == "GZIP",
        buffer_bytes=float(hints.get("SizeInMBs", 5)) * _MIB,
        buffer_interval=float(hints.get("IntervalInSeconds", 300)),
        function_arn=parameters.get("LambdaArn"),
        processor_bytes=float(parameters.get("BufferSizeInMBs", 1)) * _MIB,
        processor_interval=float(parameters.get("BufferIntervalInSeconds", 60)),
        retries=int(parameters.get("NumberOfRetries", 3)),
    )


def _lambda_parameters(processing: Mapping[str, Any]) -> dict[str, str]:
    if str(processing.get("Enabled", False)).lower() != "true":
        return {}
    processors = processing.get("Processors", [])
    if [processor["Type"] for processor in processors] != ["Lambda"]:
        raise ValueError("only one processor, a Lambda function, is supported here")
    return {one["ParameterName"]: one["ParameterValue"] for one in processors[0]["Parameters"]}
