"""The values in MODEL_CARD.md: what is known about the variant `candidate`."""

import io

import numpy as np
from ruamel.yaml import YAML

from workflow.base.files import CANDIDATE, HELD_OUT, MODELS, PREDICTIONS, data_line
from workflow.evaluation.scores import mean_and_std
from workflow.evaluation.significance import difference, verdicts
from workflow.report.error_analysis import read_error_rates, read_predictions
from workflow.report.review_page import interval, points, table
from workflow.report.sources import Sources

TEST_SCORES = {"precision": "precision", "recall": "recall"}
TEST_SCORES |= {"roc_auc": "ROC AUC", "brier": "Brier score"}


def recipe(sources: Sources) -> str:
    """The recipe and its features, as params.yaml has them."""
    params, file, yaml = sources.params, io.StringIO(), YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment] # it has no type
    variant = params.variants[CANDIDATE]
    features = {variant.features: params.features.model_dump()[variant.features]}
    values = params.recipe(CANDIDATE).model_dump(mode="json", exclude_unset=True)
    yaml.dump({"features": features, variant.recipe.split(".")[-1]: values}, file)
    return f"```yaml\n{file.getvalue()}```"


def data(sources: Sources) -> str:
    """Where the reviews are from and how many there are."""
    facts = sources.facts
    own = "**Not the dataset above, but own reviews.** " if facts.source.startswith("csv") else ""
    return f"{own}{data_line(facts)}; {facts.vocabulary:,} words; sha256 `{facts.sha256}…`."


def values(sources: Sources) -> str:
    """A row for each value, with its uncertainty."""
    reference = sources.params.compare.reference
    ours, theirs = (sources.trained_on(name) for name in (CANDIDATE, reference))
    rows = [["reviews trained on", f"{ours:,} (`{reference}`: {theirs:,})"]]
    for split in HELD_OUT:
        correct = sources.correct[CANDIDATE].by_split[split]
        accuracy = difference(correct, np.zeros_like(correct))  # over seeds and reviews
        cell = f"{accuracy.mean:.2%} {interval(accuracy._asdict(), '.2%')}"
        rows.append([f"accuracy, {split}", cell])
    for row in sources.differences.query("variant == @CANDIDATE").to_dict("records"):
        cell = f"{points(row)} points, {row['verdict']}"
        rows.append([f"accuracy minus that of `{reference}`, {row['split']}", cell])
    if other := smallest_not_beaten(sources):
        for split in HELD_OUT:
            cell = ", ".join(sources.compared(CANDIDATE, other, split))
            rows.append([f"accuracy minus that of `{other}`, {split}", cell])
    average = sources.metrics[CANDIDATE]["average"]
    rows += [
        ["accuracy of the average, test", f"{average['accuracy']:.2%} {interval(average, '.2%')}"],
        ["Brier score of the average, test", f"{average['brier']:.4f}"],
        ["calibration error of the average, test", f"{average['calibration_error']:.2%}"],
    ]
    scores = sources.scores.query("variant == @CANDIDATE")
    for name, label in TEST_SCORES.items():
        rows.append([f"{label}, test", mean_and_std(scores[f"test_{name}"])])
    return table([f"{len(scores)} seeds", ""], rows)


def smallest_not_beaten(sources: Sources) -> str | None:
    """The variant with the fewest weights that the candidate is not shown to beat on validation."""
    bits = {v: correct.by_split["validation"] for v, correct in sources.correct.items()}
    ours = bits.pop(CANDIDATE)
    differences = {variant: difference(ours, theirs) for variant, theirs in bits.items()}
    words = verdicts(differences, sources.params.compare.min_effect)
    not_beaten = [variant for variant, word in words.items() if word != "better"]
    return min(not_beaten, key=lambda v: sources.metrics[v]["size"]["weights"], default=None)


def errors(sources: Sources) -> str | None:
    """A sentence, and a row for each group of reviews with its error rate.

    None if the candidate's predictions or its model are not in the current folder.
    """
    if sources.facts.source.startswith("csv"):
        return "Not shown for own reviews: `make errors` writes errors/candidate.html."
    if not (PREDICTIONS / CANDIDATE).exists() or not (MODELS / CANDIDATE).exists():
        return None
    (predictions,) = read_predictions([CANDIDATE]).values()
    rows = [
        [row["by"], row["group"], f"{row['reviews']:,}", f"{row['rate']:.1%}", interval(row, ".1%")]
        for row in read_error_rates(CANDIDATE, predictions).to_dict("records")
    ]
    wrong = np.asarray((~sources.correct[CANDIDATE].by_split["test"]).all(axis=0))
    share = f"{wrong.sum():,} of {len(wrong):,} test reviews ({wrong.mean():.1%})"
    header = ["by", "group", "reviews", "wrong", "95% interval"]
    return f"{share} are wrong in every seed.\n\n{table(header, rows)}"
