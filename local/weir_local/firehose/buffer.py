"""A buffer that closes by size or by age: pure, the clock is passed in."""

from dataclasses import dataclass, field


@dataclass
class Buffer[T]:
    """Gathers items until they are `max_bytes` large or one has waited `interval` seconds."""

    max_bytes: float
    interval: float
    items: list[T] = field(default_factory=list)
    size: int = 0
    deadline: float | None = None

    def add(self, item: T, size: int, now: float) -> list[T] | None:
        """Take an item; return the items gathered before it when it no longer fits with them."""
        closed = self.take() if self.items and self.size + size > self.max_bytes else None
        if self.deadline is None:
            self.deadline = now + self.interval
        self.items.append(item)
        self.size += size
        return closed

    def due(self, now: float) -> bool:
        """Tell whether what is gathered has to go now."""
        return self.deadline is not None and (now >= self.deadline or self.size >= self.max_bytes)

    def take(self) -> list[T]:
        """Return all that is gathered and begin anew."""
        taken, self.items = self.items, []
        self.size = 0
        self.deadline = None
        return taken
