"""A variant as one TensorFlow SavedModel that takes texts and needs nothing else: `make export`.

usage   python -m commands.export [VARIANT] [--model FOLDER]
reads   models/VARIANT, or FOLDER, alone
writes  exports/VARIANT/: model = tf.saved_model.load("exports/VARIANT"), and model.serve(["…"]) is
        the probability that each text is positive, the mean of the seeds; so is serving_default

It computes what `workflow.serving.predictor` does, up to the rounding of sums, with TensorFlow's
own operations; `workflow.serving.words` says what it leaves out.
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
    print(f'use it:  model = tf.saved_model.load("{target}"); model.serve(["A great film"])')


if __name__ == "__main__":
    run(main)
