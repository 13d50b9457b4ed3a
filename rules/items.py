"""The items of a rule file, each with its own lines of text."""

import textwrap

from devices.document import Lines


def item_texts(text: str, lines: Lines, count: int) -> list[str]:
    """Each item's own lines, without the comments and blank lines that lead to the next."""
    written = text.splitlines()
    starts = [lines.at(i) for i in range(count)]
    ends = [*(start - 1 for start in starts[1:]), *([len(written)] if starts else [])]
    return [
        _trimmed(written[start - 1 : max(end, start)])
        for start, end in zip(starts, ends, strict=True)
    ]


def _trimmed(written: list[str]) -> str:
    while written and (not written[-1].strip() or written[-1].lstrip().startswith("#")):
        written.pop()
    return textwrap.dedent("\n".join(written))
