"""A format under a coverage-guided fuzzer: python -m tests.formats.guided FORMAT [options].

Needs atheris, which is not among the development packages: pip install atheris. The fuzzer looks
for bytes that reach new code; whatever breaks a format's word ends the run and is written to a
file. The first byte chooses whether the topic is one of the published messages' or the fuzzer's
own; for a format with a memory the bytes are several messages. The options are
libFuzzer's, e.g. a folder of first messages, -max_total_time=60.
"""

import importlib
import sys
from typing import Any


def main(name: str, options: list[str]) -> None:
    """Run until told to stop; SystemExit where the fuzzer or the format is missing."""
    try:
        atheris: Any = importlib.import_module("atheris")
    except ImportError:
        sys.exit("guided: atheris is not installed: pip install atheris")
    with atheris.instrument_imports(include=["devices"]):
        fuzz: Any = importlib.import_module("tests.formats.fuzz")
    if name not in fuzz.formats.BY_NAME:
        sys.exit(f"guided: no format {name!r}: {', '.join(sorted(fuzz.formats.BY_NAME))}")
    topics = sorted({topic for topic, _ in fuzz.seeds(name)})

    def story(data: bytes) -> None:
        """Messages one after the other: which topic, two bytes of length, payload."""
        notes = fuzz.Notes()
        while data:
            topic = topics[data[0] % len(topics)]
            end = 3 + int.from_bytes(data[1:3], "big")
            fuzz.examine(name, topic, data[3:end], notes)
            data = data[end:]
        fuzz.keep(notes)

    def one(data: bytes) -> None:
        which, rest = data[:1], data[1:]
        if not which or which[0] >= len(topics):
            topic, _, rest = rest.partition(b"\0")
            fuzz.examine(name, topic.decode("utf-8", "replace"), rest)
        else:
            fuzz.examine(name, topics[which[0]], rest)

    atheris.Setup([sys.argv[0], *options], story if name in fuzz.TOLD else one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "", sys.argv[2:])
