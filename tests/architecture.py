"""The module lists of ARCHITECTURE.md from the tree; `python -m tests.architecture` writes them."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "ARCHITECTURE.md"
PACKAGES = ("devices", "rules", "ingest", "alerts", "dashboards", "gridwarden")
BEGIN, END = "<!-- modules -->\n", "<!-- end -->"


def modules(package: str) -> list[Path]:
    """The package's modules, subpackages included, relative to the repository, in order."""
    found = (path.relative_to(ROOT) for path in (ROOT / package).rglob("*.py"))
    return sorted(path for path in found if path.name != "__init__.py")


def first_sentence(path: Path) -> str:
    """What the module says it is, on one line; empty if it says nothing."""
    docstring = ast.get_docstring(ast.parse((ROOT / path).read_text("utf-8"))) or ""
    paragraph = " ".join(docstring.split("\n\n")[0].split())
    return paragraph.split(". ")[0].rstrip(".:")


def lists() -> str:
    """The lists as they should stand in the page."""
    return "\n".join(_list_of(package) for package in PACKAGES)


def written() -> str:
    """The lists as they stand in the page."""
    page = PAGE.read_text("utf-8")
    return page[page.index(BEGIN) + len(BEGIN) : page.index(END)]


def _list_of(package: str) -> str:
    lines = [f"- `{path.as_posix()}`: {first_sentence(path)}" for path in modules(package)]
    return "\n".join([f"### {package}", "", *lines, ""])


if __name__ == "__main__":
    page = PAGE.read_text("utf-8")
    PAGE.write_text(page.replace(BEGIN + written() + END, BEGIN + lists() + END), "utf-8")
