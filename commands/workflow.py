"""Not the package `workflow`: found in its place where a file of this folder is run as a script."""

import sys
from pathlib import Path

script = Path(sys.argv[0])
sys.exit(f"error: in the project's folder: python -m {script.parent.absolute().name}.{script.stem}")
