"""Texts as people type them: the same words in the pipeline, in predictions and in an export."""

import unicodedata
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import PROJECT
from workflow.params import load_params
from workflow.serving import words
from workflow.text.corpus import number_words
from workflow.text.imdb import bundled_table
from workflow.text.params import Tokenizer
from workflow.text.tokenizer import TOKENIZERS, ascii_tokens, keras_tokens, unicode_tokens
from workflow.text.vocabulary import Vocabulary

WHITE_SPACE = "\t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2007\u200a\u2028\u2029\u202f\u3000"
QUOTES = "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\u0093\u0094\uff02"
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u0096\u0097\uff0d"
OTHER = "\u2026\u00b7\u2022\u00a1\u00bf\u3001\u3002\uff0c\uff01\u037e\u1fef"
# What is typed between a and b, and what is between them in the words.
GOLDEN = {
    "'": list("'\u2018\u2019\u201b\u2032\u02bc\u00b4\u1ffd\uff07\u0091\u0092"),
    " ": [
        *(WHITE_SPACE + QUOTES + DASHES + OTHER),
        *("\r\n", "<br />", "<BR>", "</p>", "<a href='x'>", "<!--x-->", "&lt;br/&gt;"),
        *("&nbsp;", "&#160;", "&#xa0;", "&hellip;", "&mdash;", "&#8212;", "&amp;", "&NewLine;"),
    ],
    "": [*"\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u202a\x00\x08\x7f\u0081", "&shy;", "&#0;"],
    "x": ["X", "\uff38", "\uff58", "&#120;", "&#x78;", "&#X58;", "&#00120;"],
    "7": ["\uff17", "&#55;"],
    "é": ["é", "É", "e\u0301", "E\u0301", "&eacute;", "&Eacute;", "&#233;"],
    "ï": ["ï", "Ï", "i\u0308", "I\u0308"],
    "ế": ["ế", "e\u0302\u0301", "ê\u0301", "Ế"],
    "ᾂ": ["ᾂ", "\u03b1\u0313\u0300\u0345"],
    "å": ["å", "\u212b", "a\u030a"],
    "k": ["\u212a"],
    "ω": ["\u2126"],
    "š": ["š", "\u009a", "\u008a"],
    "ß": ["ß"],
    "ﬁ": ["ﬁ"],
    "\ufffd": ["\ufffd", "&#xffffff;", "&#55296;"],
    " 3": ["<3", "&lt;3", "</3"],
    " amp ": ["& amp;", "&Amp;"],
    " x20ac": ["&#x20ac"],  # without its semicolon
}
CASES = {
    f"a{typed}b": f"a{plain}b".split() for plain, all_typed in GOLDEN.items() for typed in all_typed
}


@pytest.fixture(scope="module")
def tables() -> words.WordTables:
    """Those of an export; the words are put in by `exported`."""
    return words.WordTables(Vocabulary(["a"]))


def exported(tables: words.WordTables, vocabulary: Vocabulary, texts: list[str]) -> list[list[str]]:
    """The words that an export finds in each text."""
    tables.ranks, tables.tokenizer = words.table(vocabulary.ranks, 0), vocabulary.tokenizer
    by_text = tables.ranks_of([text.encode() for text in texts]).to_list()
    return [[vocabulary.words[rank - 1] for rank in ranks] for ranks in by_text]


def test_each_character_becomes_what_it_means(tables):
    """In the pipeline, in predictions and in exports."""
    assert {typed: ascii_tokens(typed) for typed in CASES} == CASES
    vocabulary = Vocabulary(sorted({word for words in CASES.values() for word in words}))
    assert {typed: vocabulary.tokenize(typed) for typed in CASES} == CASES
    found = exported(tables, vocabulary, [*CASES])
    assert dict(zip(CASES, found, strict=True)) == CASES


def test_an_accent_is_of_its_own_word(tables):
    vocabulary = Vocabulary(["xe", "xé", "\u0301y"])
    text = "x\u00ade \u0301\u00ady"  # neither is known as it is typed
    assert vocabulary.tokenize(text) == ["xe", "\u0301y"]
    assert exported(tables, vocabulary, [text]) == [["xe", "\u0301y"]]


def test_a_word_is_looked_up_as_typed_and_only_then_in_its_plain_form(tables):
    vocabulary = Vocabulary(["don't", "doesn't", "doesn\u2019t", "fun\u0097yet", "fun", "é", "É"])
    text = "DON\u2019T doesn\u2019t doesn't Fun\u0097yet fun\u2013fun\u0097 É e\u0301"
    expected = "don't|doesn\u2019t|doesn't|fun\u0097yet|fun|fun|É|é".split("|")
    assert vocabulary.tokenize(text) == expected
    assert exported(tables, vocabulary, [text, ""]) == [expected, []]


LETTERS = "aeioAEIÉés\u0301\u0302\u0308\u0307İßΣ" + "".join(map("".join, GOLDEN.values()))
PIECES = [*LETTERS, *(typed for all_typed in GOLDEN.values() for typed in all_typed), "&", "<p"]
nasty = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@settings(deadline=None, max_examples=60)
@given(
    texts=st.lists(nasty | st.text(), min_size=1, max_size=20),
    tokenizer=st.sampled_from(get_args(Tokenizer)),
)
def test_all_three_agree_on_any_text(tables, texts: list[str], tokenizer: Tokenizer):
    tokenize = TOKENIZERS[tokenizer]
    expected = [tokenize(text) for text in texts]
    words = sorted({word for text in expected for word in text}) or ["a"]
    vocabulary = Vocabulary(words, tokenizer)
    assert [vocabulary.tokenize(text) for text in texts] == expected
    assert [tokenize(word) for word in words] == [[word] for word in words]
    if tokenizer != "unicode":  # which an export refuses
        in_order = ["", *filter(is_in_order, texts)]
        assert exported(tables, vocabulary, in_order) == [tokenize(text) for text in in_order]


def is_in_order(text: str) -> bool:
    """Whether NFC has to exchange no accents, which the export does not do."""
    return unicodedata.normalize("NFD", text) == "".join(
        unicodedata.normalize("NFD", character) for character in text
    )


# --- the tokenizers -------------------------------------------------------------------------------


def test_the_unicode_tokenizer_folds_what_looks_different_and_means_the_same():
    found = unicode_tokens(
        "Don\u2019t STRASSE Straße „gut“—ja! cafe\u0301 हिन्दी\u3000\uff21…x_y ﬁ²⑴"
    )
    assert found == ["don't", "strasse", "strasse", *"gut ja café हिन्दी a x y fi2 1".split()]


def test_each_character_can_be_a_word(tables):
    text, expected = "很好看\uff01\uff21B, ok", [*"很好看abok"]
    assert TOKENIZERS["characters"](text) == expected
    vocabulary = Vocabulary([*"好很看baok"], "characters")
    assert vocabulary.tokenize(text) == expected
    assert exported(tables, vocabulary, [text]) == [expected]


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S", "Z"])))
def test_the_tokenizers_agree_on_printable_ascii(text: str):
    text = text.replace("&", " ").replace("<", " ")
    assert ascii_tokens(text) == unicode_tokens(text) == keras_tokens(text)


def test_keras_tokens_are_the_words_of_the_archive():
    table = bundled_table(load_params(PROJECT / "params.yaml").data)
    assert len(table) == 25_000
    assert len(number_words(map(keras_tokens, table["text"]))[2]) == 88_584
    assert keras_tokens("It's ÉLAN!<br />9/10") == ["it's", "Élan", "br", "9", "10"]
