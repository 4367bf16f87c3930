"""The same bytes on other processors: fewer instructions, and another vendor's approximations."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import PROJECT

pytestmark = pytest.mark.faults

# Two epochs of every recipe in params.yaml on 600 reviews of 50 words, in batches of up to 512.
TRAININGS = """
import hashlib
import numpy as np
from workflow.base.reviews import Reviews
from workflow.model.training import TrainingData, train
from workflow.params import load_params

random = np.random.default_rng(0)
labels = random.integers(0, 2, 600).astype(np.uint8)
words = np.stack([random.permutation(300)[:50] + 100 * label for label in labels])
reviews = Reviews(np.sort(words).ravel().astype(np.uint16), np.arange(601) * 50, labels)
params = load_params()
for variant in params.variants:
    recipe = params.recipe(variant).model_copy(update={"epochs": 2})
    trained = train(recipe, TrainingData(reviews, 60, 400), seed=1)
    content = trained.archive + trained.history.to_csv().encode()
    print(variant, hashlib.sha256(content).hexdigest())
"""
# Switches of the libraries that TensorFlow and NumPy calculate with.
OLD = {"ONEDNN_MAX_CPU_ISA": "SSE41", "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4"}


def hashes(*emulator: str, **settings: str) -> str:
    command = [*emulator, sys.executable, "-c", TRAININGS]
    return subprocess.run(
        command,
        cwd=PROJECT,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


@pytest.fixture(scope="module")
def here() -> str:
    return hashes()


def test_a_processor_without_avx_gives_the_same_bytes(here: str):
    assert hashes(**OLD) == here


@pytest.mark.skipif(not shutil.which("qemu-x86_64"), reason="needs the package qemu-user")
def test_the_approximations_of_another_vendor_give_the_same_bytes(here: str):
    assert hashes("qemu-x86_64", "-cpu", "EPYC-Rome") == here
