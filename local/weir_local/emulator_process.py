"""What runs as the emulator: ministack, with compressed request bodies kept whole.

An HTTP API hands a function a body that is not text in base64. ministack tells the two apart by
the content type alone, and so decodes gzipped JSON as UTF-8, which destroys it. This file is run
by the emulator's own Python, which has nothing of ours, so it imports nothing of ours.
"""

import gc
import sys
from contextvars import ContextVar
from typing import Any

from ministack.services import apigateway  # type: ignore[import-not-found]

_encoded: ContextVar[bool] = ContextVar("encoded", default=False)
_is_text = apigateway._v2_request_body_is_text  # noqa: SLF001 - of a version that is pinned
_invoke = apigateway._invoke_lambda_proxy  # noqa: SLF001


def _body_is_text(content_type: str | None) -> bool:
    return not _encoded.get() and bool(_is_text(content_type))


async def _invoke_lambda_proxy(*arguments: Any, **named: Any) -> Any:
    # (integration, api_id, stage, path, method, headers, …), by place or by name
    headers = named["headers"] if "headers" in named else arguments[5]
    token = _encoded.set(headers.get("content-encoding", "identity") not in {"", "identity"})
    try:
        return await _invoke(*arguments, **named)
    finally:
        _encoded.reset(token)


apigateway._v2_request_body_is_text = _body_is_text  # noqa: SLF001
apigateway._invoke_lambda_proxy = _invoke_lambda_proxy  # noqa: SLF001

if __name__ == "__main__":
    from ministack.app import main  # type: ignore[import-not-found]

    # It keeps all its data as Python objects: the collector's usual rounds over them cost more
    # than the calls do.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    sys.exit(main())
