"""What a worker remembers of keys: for how long, how many, and while the table is away."""

import pytest

from weir import key_memory
from weir.identity import DeviceKey, Scope
from weir.key_memory import STALE_S, KeyMemory, KeysUnavailable

KEY = DeviceKey("a", bytes(32), Scope("pump-7"), 0)


class Table:
    """Counts what is asked; `away` makes it fail."""

    def __init__(self) -> None:
        self.keys: dict[str, DeviceKey] = {"a": KEY}
        self.asked: list[str] = []
        self.away = False
        self.now = 1000.0

    def look_up(self, key_id: str) -> DeviceKey | None:
        self.asked.append(key_id)
        if self.away:
            raise TimeoutError
        return self.keys.get(key_id)


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def memory(table: Table) -> KeyMemory:
    return KeyMemory(table.look_up, 60.0, trouble=(TimeoutError,), clock=lambda: table.now)


def test_a_key_is_asked_for_once_in_its_time(table: Table, memory: KeyMemory) -> None:
    assert memory.get("a") == memory.get("a") == KEY
    assert table.asked == ["a"]
    table.now += 60
    del table.keys["a"]
    assert memory.get("a") is None
    assert table.asked == ["a", "a"]


def test_that_a_key_is_not_there_is_remembered_too(table: Table, memory: KeyMemory) -> None:
    assert memory.get("x") is None
    assert memory.get("x") is None
    assert table.asked == ["x"]


def test_what_was_known_holds_while_the_table_is_away(table: Table, memory: KeyMemory) -> None:
    memory.get("a")
    memory.get("x")
    table.away = True
    table.now += STALE_S - 1
    assert memory.get("a") == KEY
    with pytest.raises(KeysUnavailable):
        memory.get("x")  # it may be there by now
    with pytest.raises(KeysUnavailable):
        memory.get("b")
    table.now += 1
    with pytest.raises(KeysUnavailable):
        memory.get("a")


def test_memory_is_bounded(
    table: Table, memory: KeyMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_memory, "MOST_KEPT", 3)
    for key_id in "abcda":
        memory.get(key_id)
    assert table.asked == ["a", "b", "c", "d", "a"]
    assert len(memory._kept) == 3
