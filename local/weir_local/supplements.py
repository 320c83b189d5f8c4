"""What the emulator leaves out of a deployed template, set up through the services' public APIs."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import boto3

from weir_local.deploy import Deployed, DeployError

_ARN_IN_SUB = re.compile(r"\$\{(\w+)\.Arn\}")
_INTEGRATION = "x-amazon-apigateway-integration"
_ANY_METHOD = "x-amazon-apigateway-any-method"


def supplement(session: boto3.Session, deployed: Deployed) -> None:
    """Create the HTTP API's routes, switch on TTL and recovery, switch off the stream mapping."""
    for logical_id, resource in deployed.template["Resources"].items():
        physical_id = deployed.resources.get(logical_id, "")
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::ApiGatewayV2::Api" if "Body" in properties:
                _create_routes(session, physical_id, properties["Body"], deployed)
            case "AWS::DynamoDB::Table":
                _finish_table(session, physical_id, properties)
            case "AWS::Lambda::EventSourceMapping":
                # The emulator creates it enabled whatever the template says, and its poller takes
                # a partial failure for a success: the stand-in is the only consumer here.
                lambda_ = session.client("lambda")
                lambda_.update_event_source_mapping(UUID=physical_id, Enabled=False)


def routes(body: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the route key, the function's logical id and the payload format of each operation.

    >>> list(routes({"paths": {"/v1/x": {"post": {"x-amazon-apigateway-integration": {
    ...     "uri": {"Fn::Sub": "arn:aws:.../functions/${Ingest.Arn}/invocations"},
    ...     "payloadFormatVersion": "2.0"}}}}}))
    [('POST /v1/x', 'Ingest', '2.0')]
    """
    for path, operations in body.get("paths", {}).items():
        for method, operation in operations.items():
            if _INTEGRATION not in operation:
                continue
            if operation.get("security"):
                raise DeployError(f"{path} has an authorizer, which the local stack cannot set up")
            integration = operation[_INTEGRATION]
            verb = "ANY" if method == _ANY_METHOD else method.upper()
            key = "$default" if path == "/$default" else f"{verb} {path}"
            yield key, _function(integration["uri"]), str(integration["payloadFormatVersion"])


def _function(uri: Any) -> str:
    found = _ARN_IN_SUB.search(uri["Fn::Sub"]) if isinstance(uri, Mapping) else None
    if found is None:
        raise DeployError(f"a route's integration names no function: {uri}")
    return found[1]


def _create_routes(
    session: boto3.Session, api_id: str, body: Mapping[str, Any], deployed: Deployed
) -> None:
    gateway: Any = session.client("apigatewayv2")
    lambda_: Any = session.client("lambda")
    integrations: dict[tuple[str, str], str] = {}
    for key, function, payload_format in routes(body):
        if (function, payload_format) not in integrations:
            name = deployed.resources[function]
            arn = lambda_.get_function_configuration(FunctionName=name)["FunctionArn"]
            created = gateway.create_integration(
                ApiId=api_id,
                IntegrationType="AWS_PROXY",
                IntegrationUri=arn,
                PayloadFormatVersion=payload_format,
            )
            integrations[function, payload_format] = created["IntegrationId"]
        target = f"integrations/{integrations[function, payload_format]}"
        gateway.create_route(ApiId=api_id, RouteKey=key, Target=target)
    cors = body.get("x-amazon-apigateway-cors")
    if cors:
        settings = {name[0].upper() + name[1:]: value for name, value in cors.items()}
        gateway.update_api(ApiId=api_id, CorsConfiguration=settings)


def _finish_table(session: boto3.Session, name: str, properties: Mapping[str, Any]) -> None:
    dynamodb: Any = session.client("dynamodb")
    wanted = properties.get("TimeToLiveSpecification")
    if wanted:
        current = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        if current["TimeToLiveStatus"] not in ("ENABLED", "ENABLING"):
            specification = {"AttributeName": wanted["AttributeName"], "Enabled": True}
            dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)
    recovery = properties.get("PointInTimeRecoverySpecification")
    if recovery:
        dynamodb.update_continuous_backups(
            TableName=name,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )
