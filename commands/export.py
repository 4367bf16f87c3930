"""A variant as one TensorFlow SavedModel that takes texts and needs nothing else: `make export`.

usage   python -m commands.export [VARIANT] [--model FOLDER]
reads   models/VARIANT, or FOLDER, alone
writes  exports/VARIANT/: model = tf.saved_model.load("exports/VARIANT"), and model.serve(["…"]) is,
        for each text, the `probability` that it is positive, the mean of the seeds, with the
        `lowest` and `highest` of the seeds; so is the signature serving_default

It computes what `workflow.serving.predictor` does with TensorFlow's own operations and weights in
float16, which moves a probability by less than 0.001; `workflow.serving.words` says what it leaves
out.
"""

import argparse
from pathlib import Path

from workflow.base.errors import InputError, run
from workflow.base.files import CANDIDATE, MODELS, atomic_folder

EXPORTS = Path("exports")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("variant", nargs="?", help="(default: candidate, or the folder's name)")
    parser.add_argument("--model", type=Path, help="another folder than models/VARIANT")
    options = parser.parse_args()
    default = options.model.resolve().name if options.model else CANDIDATE
    variant = default if options.variant is None else options.variant
    if variant in ("", ".", "..") or Path(variant).name != variant:
        raise InputError(f"{variant!r} is not the name of a variant; give a folder with --model")
    # Imported late so that mistakes in arguments appear before TensorFlow's slow import.
    from workflow.serving.predictor import Predictor  # noqa: PLC0415
    from workflow.serving.saved_model import save  # noqa: PLC0415

    predictor = Predictor(options.model or MODELS / variant)
    target = EXPORTS / variant
    with atomic_folder(target) as folder:
        save(predictor, folder)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"{target}: {len(predictor.networks)} seeds, {size / 1e6:.0f} MB")
    use = f'model = tf.saved_model.load("{target}"); model.serve(["A great film"])'
    print(f"use it:  {use}")


if __name__ == "__main__":
    run(main)
