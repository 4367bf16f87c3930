"""Texts to words in TensorFlow's own operations: as `Vocabulary.tokenize` does it in Python.

Unicode's form NFC is made as far as pairs of characters go: a letter is composed with the accents
that follow it, up to three, if they are in their usual order. Hangul is not composed.
"""

import re
import sys
import unicodedata
from html.entities import html5
from typing import Any

from workflow.model.libraries import tf
from workflow.text.tokenizer import ENTITY, NUMBER, SEPARATORS, TAG, plain_table
from workflow.text.vocabulary import Vocabulary

MARK = "\0"  # is in no word


class WordTables(tf.Module):  # type: ignore[misc]
    """The look-up tables of a vocabulary whose tokenizer is `ascii` or `characters`."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__()
        entities = {f"&{name}": text for name, text in html5.items() if name.endswith(";")}
        plain, composed = character_tables()
        self.tokenizer = vocabulary.tokenizer
        self.ranks = table({word: rank for rank, word in enumerate(vocabulary.words, 1)}, 0)
        self.entities = table(entities, MARK)
        self.plain = table(plain, MARK)
        self.composed = table(composed, MARK)

    def ranks_of(self, texts: Any) -> tf.RaggedTensor:
        """(n, None) int64: the ranks of the words of (n,) strings in UTF-8 that have one."""
        typed = keras_tokens(tf.strings.regex_replace(self.decoded(texts), TAG, " "))
        unknown = tf.where(self.ranks.lookup(typed.values) == 0)
        made_plain = self.made_plain(tf.gather_nd(typed.values, unknown))
        plain = tf.tensor_scatter_nd_update(typed.values, unknown, made_plain)
        if self.tokenizer == "characters":
            words = tf.strings.unicode_split(plain, "UTF-8")
        else:
            words = tf.strings.split(plain, " ")
        ranks = typed.with_values(self.ranks.lookup(words)).merge_dims(1, 2)
        return tf.ragged.boolean_mask(ranks, ranks > 0)

    def decoded(self, texts: Any) -> Any:
        """Texts with their HTML entities decoded."""
        marked = tf.strings.regex_replace(texts, ENTITY, f"{MARK}&\\1;{MARK}")
        parts = tf.strings.split(marked, MARK)
        named = self.entities.lookup(parts.values)
        values = tf.where(named == MARK, parts.values, named)
        is_number = tf.strings.regex_full_match(values, f"&({NUMBER});")
        digits = tf.strings.regex_replace(tf.where(is_number, values, "&#0;"), "&#|;", "")
        digits = tf.strings.regex_replace(digits, "[xX]", "0x")
        codes = tf.cast(tf.strings.to_number(digits, tf.float64), tf.int32)
        characters = tf.strings.unicode_encode(codes[:, None], "UTF-8")
        values = tf.where(is_number, characters, values)
        return tf.strings.reduce_join(parts.with_values(values), axis=1)

    def made_plain(self, words: Any) -> Any:
        """Words as `ascii_tokens` makes them plain; several are separated by spaces."""
        characters = tf.strings.unicode_split(words, "UTF-8")
        values, rows = characters.values, characters.value_rowids()
        plain = self.plain.lookup(values)
        values = tf.where(plain == MARK, values, plain)
        is_kept = values != ""
        for _ in range(3):
            values, rows = tf.boolean_mask(values, is_kept), tf.boolean_mask(rows, is_kept)
            pairs = tf.strings.join([values, tf.concat([values, [""]], 0)[1:]])
            is_same_word = rows == tf.concat([rows, [-1]], 0)[1:]
            composed = self.composed.lookup(tf.where(is_same_word, pairs, ""))
            is_composed = composed != MARK
            values = tf.where(is_composed, composed, values)
            is_kept = ~tf.concat([[False], is_composed], 0)[: tf.size(values)]
        values, rows = tf.boolean_mask(values, is_kept), tf.boolean_mask(rows, is_kept)
        return tf.strings.unsorted_segment_join(values, rows, tf.size(words))


def keras_tokens(texts: Any) -> Any:
    """As `workflow.text.tokenizer.keras_tokens`, with empty words."""
    lower = tf.strings.lower(texts)  # ASCII letters only
    return tf.strings.split(tf.strings.regex_replace(lower, f"[{re.escape(SEPARATORS)}]", " "), " ")


def table(content: dict[str, Any], default: Any) -> Any:
    values = tf.constant([*content.values()], tf.int64 if default == 0 else tf.string)
    initializer = tf.lookup.KeyValueTensorInitializer(tf.constant([*content]), values)
    return tf.lookup.StaticHashTable(initializer, default)


def character_tables() -> tuple[dict[str, str], dict[str, str]]:
    """What NFC and `plain_table` make of each character, and of each pair of plain characters."""
    plain = {chr(code): text for code, text in plain_table().items()}
    composed = {}
    for character in map(chr, range(sys.maxunicode + 1)):
        nfc = unicodedata.normalize("NFC", character)
        if nfc != character:
            plain.setdefault(character, nfc)
        elif re.fullmatch("[0-9A-F]+ [0-9A-F]+", codes := unicodedata.decomposition(character)):
            composed["".join(chr(int(code, 16)) for code in codes.split())] = character
    return plain, composed
