"""What a webhook's receiver checks: that a message is ours, unchanged, and no old one."""

import hashlib
import hmac
from typing import Final

SIGNATURE: Final = "Weir-Signature"
NOTICE: Final = "Weir-Notice"


def signature(secret: str, now_s: int, body: bytes) -> str:
    """The signature header of `body`, sent at `now_s` (epoch s).

    >>> signature("secret", 1767225600, b"{}")[:21]
    't=1767225600,v1=fa7ea'
    """
    signed = b"%d.%b" % (now_s, body)
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return f"t={now_s},v1={digest}"
