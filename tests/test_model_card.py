"""The figures of MODEL_CARD.md."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.conftest import PROJECT
from workflow.base.errors import InputError
from workflow.evaluation.results import Correct
from workflow.report import model_card

SEEDS = 3


def test_the_card_refuses_figures_of_other_results(tmp_path: Path):
    for name in ("metrics", "docs"):
        shutil.copytree(PROJECT / name, tmp_path / name)
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    bits = {split: np.zeros((SEEDS, 7), bool) for split in ("validation", "test")}
    right = Correct("", np.arange(SEEDS), bits)
    (tmp_path / "metrics/correct/candidate.npz").write_bytes(right.to_bytes())
    table = pd.DataFrame({"by": [""], "group": ["all"], "reviews": [7], "wrong": [7]})
    table.to_csv(tmp_path / model_card.ERRORS, index=False)
    assert "7 of 7 test reviews (100.0%)" in str(model_card.errors(model_card.read_card(tmp_path)))
    table.assign(wrong=6).to_csv(tmp_path / model_card.ERRORS, index=False)
    with pytest.raises(InputError, match="of other results than metrics/"):
        model_card.read_card(tmp_path)
