"""What the doctor found: one thing looked at, and the cure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `mend` says what to do where it is not well."""

    what: str
    well: bool
    detail: str
    mend: str = ""

    def line(self) -> str:
        """The finding as printed: one line, and the cure on a second."""
        cure = f"\n       → {self.mend}" if self.mend and not self.well else ""
        return f"{'ok   ' if self.well else 'WRONG'}  {self.what}: {self.detail}{cure}"
