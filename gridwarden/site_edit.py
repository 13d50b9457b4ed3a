"""One entry of a site file taken out or rewritten; all other text of the file stays as it is. Pure.

A round-trip library would write the whole file anew, in its own style; here the parser's marks say
where the entry stands, and nothing else is touched.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

import yaml

from devices import document
from devices.document import Data
from devices.errors import Problem
from devices.site import SiteError

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class _Span:
    """An entry from its dash to its last character, as positions in the text."""

    start: int
    end: int


def taken_out(source: str, text: str, line: int) -> str:
    """The text without the list entry on this line (from 1), and what else stands on its lines.

    source: the file's name. SiteError where the entry is written in a form not understood here.
    """
    span = _find(source, text, line)
    begin = text.rfind("\n", 0, span.start) + 1
    end = text.find("\n", span.end)
    return text[:begin] + ("" if end < 0 else text[end + 1 :])


def rewritten(source: str, text: str, line: int, changes: Mapping[str, Data]) -> str:
    """The text with these keys of the list entry on this line changed; None takes a key out.

    The entry is then written on one line. One with a comment inside is refused: it would be lost.
    Otherwise as `taken_out`.
    """
    span = _find(source, text, line)
    written = text[span.start : span.end]
    if "\n" in written and "#" in written:
        raise _not_editable(source, line, "the entry has a comment inside")
    indent = text[text.rfind("\n", 0, span.start) + 1 : span.start]
    data, _ = document.read(source, indent + written)
    if not isinstance(data, list) or not isinstance(data[0], dict):
        raise _not_editable(source, line, "the entry is no mapping")
    entry = {**data[0], **changes}
    new = flow({key: value for key, value in entry.items() if value is not None})
    return f"{text[: span.start]}- {new}{text[span.end :]}"


def flow(entry: Mapping[str, object]) -> str:
    """An entry on one line."""
    dumped: str = yaml.safe_dump(
        dict(entry), default_flow_style=True, allow_unicode=True, sort_keys=False, width=1_000_000
    )
    return dumped.strip()


def _find(source: str, text: str, line: int) -> _Span:
    """Where the entry on this line is; SiteError where it has no line of its own."""
    root = yaml.compose(text, Loader=_LOADER)
    offsets = _offsets(text)
    entries = root.value if isinstance(root, yaml.SequenceNode) and not root.flow_style else []
    found = [node for node in entries if node.start_mark.line + 1 == line]
    if not found:
        raise _not_editable(source, line, "no entry of a list begins there")
    last = _last(found[0])
    if isinstance(last, yaml.ScalarNode) and last.style in {"|", ">"}:
        raise _not_editable(source, line, "the entry ends in a text of several lines")
    begin, end = _position(offsets, found[0].start_mark), _position(offsets, last.end_mark)
    dash = text.rfind("-", 0, begin)
    if text[dash + 1 : begin].strip() or text[text.rfind("\n", 0, dash) + 1 : dash].strip():
        raise _not_editable(source, line, "the entry has no line of its own")
    return _Span(dash, end)


def _last(node: yaml.Node) -> yaml.Node:
    """The node that ends where this one does; a block's own mark lies behind comments."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _last(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _last(node.value[-1])
    return node


def _offsets(text: str) -> list[int]:
    """Where each line begins, by the line breaks that YAML knows."""
    return [0, *accumulate(map(len, text.splitlines(keepends=True)))]


def _position(offsets: list[int], mark: yaml.Mark) -> int:
    return offsets[mark.line] + mark.column


def _not_editable(source: str, line: int, what: str) -> SiteError:
    return SiteError([Problem(source, line, what, "change it by hand, and apply the folder")])
