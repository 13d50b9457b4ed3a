"""When is a batch due? Pure: counts and spans in, a span out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """A batch is due at this many messages, or when its oldest has waited `age` real seconds."""

    messages: int
    age: float

    def due_in(self, count: int, age: float) -> float | None:
        """Seconds until a batch of `count` messages, the oldest `age` seconds old, is due.

        0: it is due · None: not before another message comes.
        """
        if count == 0:
            return None
        if count >= self.messages:
            return 0.0
        return max(0.0, self.age - age)
