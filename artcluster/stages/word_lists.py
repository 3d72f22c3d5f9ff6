"""The words that clusters may be named by: a list of subjects of art, or one's own."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from artcluster.errors import UsageError

SUBJECTS = "subjects"
"""The name of the list that comes with the package."""

_MOST = 20_000
_LONGEST = 100


@dataclass(frozen=True)
class WordList:
    """Words to choose from.

    Attributes:
        name: Where they come from, and a hash of them.
        words: The words, in the order of the list.
    """

    name: str
    words: tuple[str, ...]


def read_word_list(place: str) -> WordList:
    """Read a list: a word or a phrase a line; empty lines and those after # are passed over.

    Args:
        place: A text file in UTF-8, or `subjects`.

    Raises:
        UsageError: The file cannot be read, or holds fewer than two words, or too many.
    """
    if place == SUBJECTS:
        text = (files("artcluster.stages") / "subjects.txt").read_text(encoding="utf-8")
    else:
        try:
            text = Path(place).expanduser().read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"--words: {place!r} cannot be read as a text file in UTF-8: {error}"
            ) from error
    words = words_of(text)
    if not 2 <= len(words) <= _MOST:
        raise UsageError(
            f"--words: expected 2 to {_MOST:,} words in {place!r}, one a line, got {len(words):,}"
        )
    too_long = next((word for word in words if len(word) > _LONGEST), None)
    if too_long is not None:
        raise UsageError(f"--words: expected short phrases, one a line, got {too_long[:60]!r}…")
    digest = hashlib.sha256("\n".join(words).encode()).hexdigest()[:12]
    return WordList(f"{Path(place).name} {digest}", words)


def words_of(text: str) -> tuple[str, ...]:
    """Return the distinct words of a list's text.

    >>> words_of("# Sea\\nships\\n\\n a harbour \\nships")
    ('ships', 'a harbour')
    """
    lines = (line.strip() for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
