"""Hints for a word that is not known: the word that was probably meant, or all that would do."""

import difflib
from collections.abc import Collection, Iterable

_LISTED = 14
_COMPARED = 2_000


def did_you_mean(word: str, known: Collection[str]) -> str:
    """A hint such as "did you mean 'spo2'?"; all words where none is near and they are few.

    Empty where there is nothing to suggest. Of very many words only those that begin alike are
    compared.
    """
    pool: Iterable[str] = sorted(known) if len(known) <= _COMPARED else _alike(word, known)
    near = difflib.get_close_matches(word, pool, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return one_of(known) if 0 < len(known) <= _LISTED else ""


def _alike(word: str, known: Collection[str]) -> list[str]:
    begin, longest = word[:2], len(word) + 1
    return sorted(k for k in known if k[:2] == begin and len(k) <= longest)[-_COMPARED:]


def one_of(known: Collection[str]) -> str:
    """A hint that lists what is allowed, e.g. "one of 'en', 'zh'"."""
    return "one of " + ", ".join(repr(word) for word in sorted(known))
