"""Post a message to the webhook, once as far as can be known."""

from weir.notices.ports import Hook, Ledger, NotTaken, Refused


class Courier:
    """Posts what lies in the queue. Its ledger is one of its own, not the teller's."""

    def __init__(self, ledger: Ledger, hook: Hook) -> None:
        self._ledger = ledger
        self._hook = hook

    def deliver(self, message_id: str, document: str) -> bool:
        """Post a document; return whether it was posted now, and not settled before.

        Raises `Claimed`, `NotTaken` if it is to be posted again, and `Refused` once, if it is given
        up.
        """
        if self._ledger.claim(message_id) is None:
            return False
        try:
            self._post(message_id, document)
        except NotTaken:
            self._ledger.release(message_id)
            raise
        return True

    def _post(self, message_id: str, document: str) -> None:
        try:
            self._hook.post(message_id, document)
        except Refused:
            self._ledger.done(message_id)
            raise
        self._ledger.done(message_id)
