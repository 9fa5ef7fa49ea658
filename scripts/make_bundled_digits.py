"""Make the bundled digits again, byte for byte: `python scripts/make_bundled_digits.py FOLDER [--into FOLDER]`.

FOLDER holds MNIST's four files. Run it with the package importable (installed, or `PYTHONPATH=src`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from chainrule.data import read_idx, write_idx

BUNDLED = Path(__file__).resolve().parents[1] / "src/chainrule/data/bundled"
ROWS = np.r_[0:5_000, 50_000:51_000]  # learning, then validation: the first rows of each part in Nielsen's split


def make(mnist: Path, into: Path) -> None:
    """Write the chosen images and labels of the training files in `mnist` to `into`."""
    for kind in ("images-idx3-ubyte.gz", "labels-idx1-ubyte.gz"):
        write_idx(into / f"digits-{kind}", read_idx(mnist / f"train-{kind}")[ROWS])


def main() -> None:
    """Read the command line and make the files."""
    parser = argparse.ArgumentParser(description="Make the bundled digits from MNIST's training files.")
    parser.add_argument(
        "mnist", type=Path, help="folder with train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz"
    )
    parser.add_argument("--into", type=Path, default=BUNDLED, help="folder to write to (default: the package's own)")
    arguments = parser.parse_args()
    make(arguments.mnist, arguments.into)


if __name__ == "__main__":
    main()
