"""Data to learn from: examples in the rows of `x`, and one class number or one row of targets for each.

A `DataSet` holds NumPy arrays that have been checked once, so that nothing after it has to; `as_dataset` makes
one of any pair of array-likes. `digits` is a bundled part of MNIST that needs no download, `mnist` the whole of
it from a folder; `read_idx` and `write_idx` read and write the file format that MNIST comes in.
"""

from __future__ import annotations

from chainrule.data.dataset import DataSet, as_dataset
from chainrule.data.idx import read_idx, write_idx
from chainrule.data.mnist import digits, mnist

__all__ = ["DataSet", "as_dataset", "digits", "mnist", "read_idx", "write_idx"]
