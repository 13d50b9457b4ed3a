"""The rule library: the files of rules/library, as the package brings them."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

from rules.inclusion import LIBRARY
from rules.loader import load
from rules.model import Rule


@cache
def library_texts() -> Mapping[str, str]:
    """The library's files by path, `library/care.yaml`, in alphabetical order."""
    folder = resources.files("rules").joinpath(LIBRARY)
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    return MappingProxyType({f"{LIBRARY}/{file.name}": file.read_text("utf-8") for file in files})


def library_rules() -> tuple[Rule, ...]:
    """Every rule of the library, in the order of its files."""
    return load(library_texts())
