"""Renders every page to dashboards/grafana/*.json; `--check` only says which have drifted."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import pages
from dashboards.text import Language

HERE = Path(__file__).parent
RENDERED = HERE / "grafana"


def load_queries(folder: Path = HERE / "sql") -> dict[str, str]:
    """The SQL texts by file stem."""
    return {path.stem: path.read_text("utf-8") for path in sorted(folder.glob("*.sql"))}


def render(queries: Mapping[str, str]) -> dict[str, str]:
    """File name → JSON text of every page in every language."""
    models = [pages.community(language, queries) for language in Language]
    return {f"{model.uid}.json": _to_json(model) for model in models}


def drift(texts: Mapping[str, str], folder: Path) -> list[str]:
    """What differs between these texts and the folder, a sentence each; empty: nothing."""
    present = {path.name: path.read_text("utf-8") for path in folder.glob("*.json")}
    missing = [f"{name} is missing" for name in texts.keys() - present.keys()]
    surplus = [f"{name} is of no page" for name in present.keys() - texts.keys()]
    both = texts.keys() & present.keys()
    changed = [f"{name} has drifted" for name in both if present[name] != texts[name]]
    return sorted(missing + surplus + changed)


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the pages; with `--check` writes nothing and returns 1 if any file has drifted."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on drift")
    parser.add_argument("--folder", type=Path, default=RENDERED, help="where the JSON lies")
    options = parser.parse_args(arguments)
    texts = render(load_queries())
    if options.check:
        return _report(drift(texts, options.folder))
    _write(texts, options.folder)
    return 0


def _to_json(model: object) -> str:
    encoded: str = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(model)
    return encoded + "\n"


def _report(differences: Sequence[str]) -> int:
    for sentence in differences:
        print(f"dashboards: {sentence}; run python -m dashboards.build", file=sys.stderr)
    return 1 if differences else 0


def _write(texts: Mapping[str, str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.json"):
        if stale.name not in texts:
            stale.unlink()
    for name, rendered in texts.items():
        (folder / name).write_text(rendered, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
