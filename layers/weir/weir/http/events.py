"""What the API's own routes ask of an event (HTTP API, payload format 2.0) beside its body.

Source: API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP APIs".
"""

from collections.abc import Mapping
from typing import Any

type Event = Mapping[str, Any]


def headers_of(event: Event) -> Mapping[str, str]:
    """The headers; API Gateway writes their names in lower case."""
    return event.get("headers") or {}


def query_of(event: Event) -> Mapping[str, str]:
    """The query's parameters; of one that stands twice, the values with a comma between."""
    return event.get("queryStringParameters") or {}


def path_of(event: Event) -> Mapping[str, str]:
    """The parameters in the path."""
    return event.get("pathParameters") or {}


def operator_of(event: Event) -> str:
    """Who the token that API Gateway verified is about (its `sub`), or "" if there is none."""
    authorizer = event.get("requestContext", {}).get("authorizer") or {}
    claims = (authorizer.get("jwt") or {}).get("claims") or {}
    return str(claims.get("sub") or "")


def base_url(event: Event) -> str | None:
    """The URL that the API's paths are to be put behind, or None where the event cannot tell.

    The domain is API Gateway's word, the API's own or a custom one. No header of the request's is
    believed, X-Forwarded-Host least of all: whoever sends it would choose where others send
    readings and keys. A stage or the path of a custom domain's mapping stands before the route's
    path in `rawPath`.

    Where API Gateway is not what the client spoke to, the Host header is not its domain (the local
    stack), and the document's own relative URL is the better answer.
    """
    domain = event.get("requestContext", {}).get("domainName", "")
    if not domain or headers_of(event).get("host") != domain:
        return None
    path = event.get("routeKey", "").partition(" ")[2]
    prefix = event.get("rawPath", "").removesuffix(path)
    return f"https://{domain}{prefix}"
