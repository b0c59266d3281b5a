"""Spelling of names, and refusing unknown ones with a suggestion: the one error of registries."""

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches


def composed(name: str) -> str:
    r"""Return a name with each accented letter as one sign (Unicode's NFC), for comparison.

    Some systems store the letter and its accent as two signs, which look the same.

    >>> composed("Mu\u0308ller") == "M\u00fcller"
    True
    """
    return unicodedata.normalize("NFC", name)


def unknown(kind: str, name: str, choices: Iterable[str]) -> ValueError:
    """Return the error for `name`, which is not among `choices` of this `kind`.

    >>> str(unknown("model", "ernet", ["enet", "erfnet"]))
    "unknown model 'ernet'; did you mean 'erfnet'? choose from: enet, erfnet"
    """
    choices = sorted(choices)
    return ValueError(
        f"unknown {kind} {name!r}; {hint(name, choices)}choose from: {', '.join(choices)}"
    )


def unknown_option(words: Iterable[str], options: Iterable[str], command: str) -> str:
    """Return the sentence for the first of the `words` that `command` does not take.

    >>> unknown_option(["--outt", "x"], ["--out", "--help"], "embedseg predict")
    "unknown option '--outt'; did you mean '--out'? embedseg predict --help lists all"
    """
    every = list(words)
    word = next((w for w in every if w.startswith("-")), every[0]).partition("=")[0]
    kind = "option" if word.startswith("-") else "argument"
    return f"unknown {kind} {word!r}; {hint(word, options)}{command} --help lists all"


def hint(name: str, choices: Iterable[str]) -> str:
    """Return "did you mean ...? " with the choice that is nearest to `name`, or nothing."""
    near = get_close_matches(name, list(choices), n=1)
    return f"did you mean {near[0]!r}? " if near else ""
