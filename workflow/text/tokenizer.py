"""Texts to words: what the reviews are made of, and what a review to be predicted is made of too.

facts.json of data/reviews, and of every encoder, names the tokenizer that its words are from.
"""

import functools
import string
import sys
import unicodedata
from collections.abc import Callable

# What Keras's Tokenizer filters, and the archive was made with: these separate words too.
SEPARATORS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
ASCII = str.maketrans(
    string.ascii_uppercase + SEPARATORS, string.ascii_lowercase + " " * len(SEPARATORS)
)


def ascii_tokens(text: str) -> list[str]:
    """The words of a review as the archive has them: only ASCII letters are lower-cased."""
    return [word for word in text.translate(ASCII).split(" ") if word]


def unicode_tokens(text: str) -> list[str]:
    """Words in any script: in Unicode's form NFKC and case-folded, so that Straße is STRASSE.

    White space, punctuation and Keras's separators separate them; an apostrophe, straight or
    curly, does not. A language that puts no space between words has to come with spaces.
    """
    return unicodedata.normalize("NFKC", text).casefold().translate(unicode_table()).split()


@functools.cache
def unicode_table() -> dict[int, str]:
    """What `str.translate` takes: a space for what separates, and one apostrophe for both."""
    punctuation = (i for i in range(sys.maxunicode) if unicodedata.category(chr(i))[0] == "P")
    return dict.fromkeys([*map(ord, SEPARATORS), *punctuation], " ") | dict.fromkeys(
        map(ord, "'\N{RIGHT SINGLE QUOTATION MARK}"), "'"
    )


TOKENIZERS: dict[str, Callable[[str], list[str]]] = {
    "ascii": ascii_tokens,
    "unicode": unicode_tokens,
}
