"""`weir devices add|list|rotate|revoke`: the keys with which devices come in."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from weir_cli.errors import Problem
from weir_cli.options import StackName, read_option

if TYPE_CHECKING:
    from weir.identity import DeviceKey, NewKey, Scope
    from weir.storage.device_key_store import DeviceKeyStore

Device = Annotated[str | None, typer.Argument(metavar="DEVICE", help="A device's id.")]
Prefix = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="All devices whose ids begin so."),
]
Every = Annotated[bool, typer.Option("--every-device", help="All devices.")]
KeyId = Annotated[
    str, typer.Argument(metavar="KEY_ID", help="A key's id, as `list` shows it; or the key itself.")
]
ExpiresIn = Annotated[
    str | None, typer.Option(metavar="SPAN", help="Such as 90d; without, it never expires.")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON, one line a key.")]


def add(
    device: Device = None,
    prefix: Prefix = None,
    every_device: Every = False,
    label: Annotated[str, typer.Option(help="What to remember the key by.")] = "",
    expires_in: ExpiresIn = None,
    as_json: AsJson = False,
    stack_name: StackName = None,
) -> None:
    """Keys: make one for a device, or for all of a prefix (a gateway), and show it this once."""
    from weir.key_service import add_key, checked_expiry, checked_label

    now_s = int(time.time())
    with _refusals():
        scope = _scope(device, prefix, every=every_device)
        end = checked_expiry(_seconds("--expires-in", expires_in), None, now_s)
        text = checked_label(label)
    _show_new(add_key(_store(stack_name), scope, now_s, label=text, expires_at=end), as_json)


def show(
    device: Device = None,
    prefix: Prefix = None,
    every_device: Every = False,
    as_json: AsJson = False,
    stack_name: StackName = None,
) -> None:
    """Keys: list all, those that cover a device, or those of a prefix; never the secrets."""
    from weir_cli.console import put_json, say

    found: Iterable[DeviceKey]
    store = _store(stack_name)
    if device is None and prefix is None and not every_device:
        found = store.all()
    else:
        with _refusals():
            scope = _scope(device, prefix, every=every_device)
        # A device comes in with a key of its own, or with one of a prefix: of its gateway's, say.
        named = scope.device_id
        found = store.of_scope(scope) if named is None else _covering(store, named)
    keys = sorted(found, key=lambda key: (str(key.scope), key.created_at))
    if as_json:
        for key in keys:
            put_json(_document(key))
    elif keys:
        _table(keys)
    else:
        say("no keys; `weir devices add DEVICE` makes one")


def rotate(
    key_id: KeyId,
    overlap: Annotated[
        str, typer.Option(metavar="SPAN", help="For how long the old key still holds.")
    ] = "1d",
    expires_in: ExpiresIn = None,
    as_json: AsJson = False,
    stack_name: StackName = None,
) -> None:
    """Keys: make one of the same scope, and let the old one expire when the overlap ends.

    The new key expires only if --expires-in says so, whatever the old one did.
    """
    from weir.key_service import checked_expiry, checked_overlap, rotate_key
    from weir_cli.console import say

    now_s = int(time.time())
    with _refusals(key_id):
        seconds = checked_overlap(_seconds("--overlap", overlap))
        end = checked_expiry(_seconds("--expires-in", expires_in), None, now_s)
        old = _id_of(key_id)
        new = rotate_key(_store(stack_name), old, now_s, seconds, expires_at=end)
    _show_new(new, as_json)
    say(f"the key {old} holds until {_moment(now_s + seconds)} at the latest")


def revoke(key_id: KeyId, as_json: AsJson = False, stack_name: StackName = None) -> None:
    """Keys: let one in no more, for good; in force once what API Gateway remembers has expired."""
    from weir.key_service import revoke_key
    from weir_cli.console import put_json, say

    with _refusals(key_id):
        key = revoke_key(_store(stack_name), _id_of(key_id), int(time.time()))
    if as_json:
        put_json(_document(key))
    else:
        say(f"revoked: {key.key_id}, which spoke for {key.scope}; in force within two minutes")


def _covering(store: "DeviceKeyStore", device_id: str) -> Iterator["DeviceKey"]:
    return (key for key in store.all() if key.scope.covers(device_id))


def _id_of(given: str) -> str:
    """The id of a key that is named by it, or shown whole: one that has leaked, say."""
    from weir.identity import digest_of, id_of, is_key
    from weir.key_service import checked_key_id

    return id_of(digest_of(given)) if is_key(given) else checked_key_id(given)


@contextmanager
def _refusals(key_id: str = "") -> Iterator[None]:
    """Turns what the key service refuses into a sentence for the operator."""
    from weir.identity import PREFIX
    from weir.key_service import InvalidField, KeyNotActive, NoSuchKey
    from weir.readings import show as shown

    try:
        yield
    except NoSuchKey as error:
        # What may be a key, or most of one, is not for a terminal or a log.
        named = "of this kind" if key_id.startswith(PREFIX) else shown(key_id)
        raise Problem(f"There is no key {named}; `weir devices list` has them.") from error
    except (InvalidField, KeyNotActive) as error:
        raise Problem(f"{error}.") from error


def _scope(device: str | None, prefix: str | None, *, every: bool) -> "Scope":
    from weir.identity import EVERY_DEVICE
    from weir.key_service import checked_scope

    named = [name for name in (device, prefix) if name is not None]
    if len(named) + every != 1:
        raise Problem("Name one: a device, --prefix TEXT for all whose ids begin so, or "
                      "--every-device.")  # fmt: skip
    if every:
        return EVERY_DEVICE
    if prefix == "":  # a variable that is not set, more often than not
        raise Problem("The prefix is empty; --every-device is for a key of all devices.")
    return checked_scope(device, prefix)


def _seconds(option: str, span: str | None) -> int | None:
    from weir_cli.timeline import span_ms

    return None if span is None else read_option(option, span, span_ms) // 1000


def _show_new(new: "NewKey", as_json: bool) -> None:
    """The secret alone goes to stdout, so that a script can take it."""
    from weir_cli.console import put, put_json, say

    if as_json:
        put_json({**_document(new.key), "key": new.secret})
        return
    say(f"key {new.key.key_id} speaks for {new.key.scope}{_end(new.key)}; it is shown this once:")
    put(new.secret)


def _end(key: "DeviceKey") -> str:
    return "" if key.expires_at is None else f" until {_moment(key.expires_at)}"


def _document(key: "DeviceKey") -> dict[str, object]:
    scope = key.scope
    named: dict[str, object] = (
        {"prefix": scope.prefix} if scope.device_id is None else {"device_id": scope.device_id}
    )
    return {
        "key_id": key.key_id,
        **named,
        "label": key.label,
        "status": key.status(int(time.time())),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }


def _table(keys: Iterable["DeviceKey"]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from weir_cli.console import table_console

    table = Table(box=None, pad_edge=False)
    for heading in ("key id", "speaks for", "status", "made", "expires", "label"):
        table.add_column(heading)
    now_s = int(time.time())
    for key in keys:
        end = "" if key.expires_at is None else _moment(key.expires_at)
        cells = (key.key_id, str(key.scope), key.status(now_s), _moment(key.created_at), end)
        table.add_row(*cells, escape(key.label))
    table_console().print(table)


def _moment(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _store(stack_name: str | None) -> "DeviceKeyStore":
    from weir.storage.device_key_store import DeviceKeyStore
    from weir_cli.target import resolve

    target = resolve(stack_name)
    return DeviceKeyStore(target.client("dynamodb"), target.devices_table)
