"""Texts to words: the same for reviews to train on and for reviews to predict.

facts.json of data/reviews, and of every encoder, names the tokenizer that its words are from.

The archive of Keras comes in words already, cut by `keras_tokens`. Every other text is made plain
first, so that it does not matter which program it was typed or saved in: `strip_html` decodes HTML
entities and removes tags, and `plain_table` replaces characters.
"""

import functools
import re
import string
import sys
import unicodedata
from collections.abc import Callable
from html.entities import html5

# What Keras's Tokenizer filters: these separate words.
SEPARATORS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
KERAS = str.maketrans(
    string.ascii_uppercase + SEPARATORS, string.ascii_lowercase + " " * len(SEPARATORS)
)
# Typed or set for an apostrophe: U+2018 2019 201B 2032 02BC 00B4 1FFD FF07.
APOSTROPHES = "'\u2018\u2019\u201b\u2032\u02bc\u00b4\u1ffd\uff07"
NUMBER = "#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}"
ENTITY = f"&({NUMBER}|[A-Za-z][A-Za-z0-9]{{1,31}});"
# Six letters of Thai, Lao, Burmese, Khmer, kana or Chinese: no word, but several without spaces.
UNSEGMENTED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]{6}")
TAG = "<(?:/?[A-Za-z]|!)[^<>]*>"


def keras_tokens(text: str) -> list[str]:
    """The words of a text as the archive has them.

    ASCII letters are lower-cased, SEPARATORS separate words; any other character is part of a word.
    """
    return [word for word in text.translate(KERAS).split(" ") if word]


def ascii_tokens(text: str) -> list[str]:
    """The words of a text made plain.

    é is a letter of its word, composed or not: CAFÉ is café, and neither is cafe. Characters that
    only look different stay different words: ﬁ is not fi, Straße is not STRASSE.
    """
    text = strip_html(text).translate(plain_table())
    return unicodedata.normalize("NFC", text).split()


def unicode_tokens(text: str) -> list[str]:
    """The words of a text made plain, in Unicode's form NFKC and case-folded: Straße is STRASSE."""
    text = strip_html(text).translate(plain_table())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return folded.translate(plain_table()).split()


def characters(text: str) -> list[str]:
    """The characters of `ascii_tokens`, for a language that puts no spaces between words."""
    return [character for word in ascii_tokens(text) for character in word]


def strip_html(text: str) -> str:
    """A text with its HTML entities decoded, then a space in the place of each HTML tag."""
    return re.sub(TAG, " ", re.sub(ENTITY, _decode, text))


def _decode(entity: re.Match[str]) -> str:
    name = entity[1]
    if not name.startswith("#"):
        return html5.get(f"{name};", entity[0])
    number = int(f"0{name[1:]}", 16 if name[1] in "xX" else 10)
    is_character = number <= sys.maxunicode and not 0xD800 <= number < 0xE000
    return chr(number) if is_character else "\N{REPLACEMENT CHARACTER}"


@functools.cache
def plain_table() -> dict[int, str]:
    """What `str.translate` puts in the place of characters, so that plain words are left.

    - ' for APOSTROPHES.
    - A space for white space and line ends, SEPARATORS, and all other punctuation: quotes, dashes,
      the ellipsis.
    - Nothing for control and format characters: soft hyphen, zero-width space, byte order mark.
    - Lower case for every letter, and ASCII for full-width letters.
    - For U+0080 to U+009F, which have no other use, what they mean in Windows-1252.
    """
    table = {}
    for code in range(0x20000):  # above are ideographs and what is not used
        character = chr(code)
        category = unicodedata.category(character)
        if category[0] in "PZ":
            table[code] = " "
        elif category in ("Cc", "Cf"):
            table[code] = ""
        elif character != character.lower():
            table[code] = character.lower()
    # Among them the line ends of Python's `str.splitlines`, the minus, and what NFC makes a `.
    separators = SEPARATORS + "\r\v\f\x1c\x1d\x1e\x1f\u2212\u1fef"
    table |= dict.fromkeys(map(ord, separators), " ")
    table |= dict.fromkeys(map(ord, APOSTROPHES), "'")
    windows = {code: bytes([code]).decode("cp1252", "ignore") for code in range(0x80, 0xA0)}
    full_width = {code: chr(code - 0xFF01 + 0x21) for code in range(0xFF01, 0xFF5F)}
    return table | {
        code: character.translate(table) for code, character in (windows | full_width).items()
    }


TOKENIZERS: dict[str, Callable[[str], list[str]]] = {
    "ascii": ascii_tokens,
    "unicode": unicode_tokens,
    "characters": characters,
}
