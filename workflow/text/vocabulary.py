"""The words that reviews are made of: texts to word ranks, and back."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workflow.base.errors import reading
from workflow.base.files import RERUN_HINT, ReviewFacts, read_json
from workflow.base.reviews import Reviews
from workflow.text.tokenizer import TOKENIZERS, keras_tokens, strip_html


def with_line_breaks(text: str) -> str:
    """A decoded review to be read: in the archive, the word br is what is left of <br />."""
    return re.sub(r"(?:(?:^| )br)+(?: |$)", "\n", text)


@dataclass(frozen=True)
class Vocabulary:
    """Words by rank, and how texts are divided into words.

    Attributes:
        words: words[r - 1] is the word of rank r.
        tokenizer: its name.
    """

    words: list[str]
    tokenizer: str = "ascii"

    @classmethod
    def load(cls, folder: Path) -> "Vocabulary":
        """From data/reviews or an encoder's folder; InputError if it is missing or damaged."""
        path = folder / "word_index.json"
        ranks = read_json(path, dict[str, int])
        with reading(path, RERUN_HINT):
            if list(ranks.values()) != list(range(1, len(ranks) + 1)):
                raise ValueError("the ranks are not 1, 2, 3, …")
        return cls(list(ranks), read_json(folder / "facts.json", ReviewFacts).tokenizer)

    @cached_property
    def ranks(self) -> dict[str, int]:
        """The rank of each word, from 1."""
        return {word: rank for rank, word in enumerate(self.words, 1)}

    def tokenize(self, text: str) -> list[str]:
        """The words of a text: each as typed if it has a rank, else made plain by the tokenizer.

        Some words of the archive are not plain: it has "doesn't" with a curly apostrophe, too. The
        words that a tokenizer made are: to make them plain again changes nothing.
        """
        ranks, make_plain = self.ranks, TOKENIZERS[self.tokenizer]
        words = []
        for word in keras_tokens(strip_html(text)):
            words += [word] if word in ranks else make_plain(word)
        return words

    def encode(self, texts: Iterable[str]) -> Reviews:
        """Texts as data/reviews has them, with labels that are all 0.

        An unknown word is dropped, as in the test reviews, so the words beside it become
        neighbours. A rare word is another thing: it has a rank, and multi-hot vectors have it as
        OUT_OF_VOCABULARY.
        """
        known = [
            [self.ranks[word] for word in self.tokenize(text) if word in self.ranks]
            for text in texts
        ]
        values = np.array([rank for ranks in known for rank in ranks], np.uint32)
        offsets = np.cumsum([0, *map(len, known)], dtype=np.int64)
        return Reviews(values, offsets, np.zeros(len(known), np.uint8))

    def decode(self, ranks: NDArray[np.integer[Any]]) -> str:
        """The words of these ranks; 0, which is padding, is left out."""
        return " ".join(self.words[rank - 1] for rank in ranks.tolist() if rank)
