"""When is a batch due, and how much goes into it? Pure: counts, bytes and spans in, spans out.

A batch is taken as soon as the database has rested as long as the last one kept it busy. So while
little comes a message is taken at once; the more comes, the longer commits take, and the more
gathers meanwhile for the next one: small commits take at most half of the time, and once one takes
as long as `age` nothing rests any more. That is group commit, with a pause that follows the load.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice


@dataclass(frozen=True, slots=True)
class Pace:
    """How busy the committing is, in real seconds.

    worked: what the last batch took until it was handed on · rested: since then.
    """

    worked: float
    rested: float


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """A batch is due when the committing has rested as long as it worked, and at the latest …

    … at this many messages, at this many bytes of payload, or when its oldest has waited `age` real
    seconds.
    """

    messages: int
    age: float
    size: int = 8 * 1024 * 1024

    def due_in(self, count: int, size: int, age: float, pace: Pace) -> float | None:
        """Seconds until a batch of `count` messages, the oldest `age` seconds old, is due.

        size: bytes of their payloads · 0: it is due · None: not before another message comes.
        """
        if count == 0:
            return None
        if count >= self.messages or size >= self.size:
            return 0.0
        return max(0.0, min(self.age - age, pace.worked - pace.rested))

    def share(self, sizes: Iterable[int]) -> int:
        """How many of the messages with these sizes, from the first on, make one batch.

        At least one, whatever its size; no more than `messages`, or than fit into `size` bytes.
        """
        taken, total = 0, 0
        for each in islice(sizes, self.messages):
            total += each
            if taken and total > self.size:
                break
            taken += 1
        return taken
