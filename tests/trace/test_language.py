"""Arrays know nothing of what is written with them; whatever brings them, their operators and methods are there."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.trace.array import Array, Language
from chainrule.trace.promotion import as_argument, as_array


def printed(code: str) -> str:
    """What a fresh interpreter prints."""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return result.stdout.strip()


def test_a_transformation_alone_brings_all_that_arrays_say() -> None:
    pytest.importorskip("scipy")
    code = "import chainrule as cr, scipy.special; print(cr.grad(lambda x: scipy.special.gammaln(x**2 + 1))(1.0))"
    assert float(printed(code)) == pytest.approx(2 * (1 - np.euler_gamma), rel=1e-14)


def test_an_array_that_is_unpickled_elsewhere_has_its_operators() -> None:
    stored = pickle.dumps(as_array(np.arange(3.0)))
    assert printed(f"import pickle; print(float((2 * pickle.loads({stored!r})).sum()))") == "6.0"


def test_the_methods_of_arrays_are_the_functions_of_the_namespace() -> None:
    assert Array.language.namespace is cnp is cr.numpy
    assert [name for name in vars(Language) if not name.startswith("_") and not hasattr(Array.language, name)] == []


@pytest.mark.parametrize(
    "made",
    [
        lambda s: s + 1, lambda s: 2 * s, lambda s: s / 3, lambda s: -s, abs, lambda s: s**2, lambda s: s**0.5,
        lambda s: s**-1, lambda s: s**1.5, lambda s: 2**s, lambda s: s % 2, lambda s: s < 2,
    ],
)  # fmt: skip
@pytest.mark.parametrize("number", [3.0, 3])
def test_what_python_makes_of_its_numbers_takes_the_dtype_of_the_arrays_that_it_meets(made: Any, number: Any) -> None:
    """As outside: 3.0 ** 0.5 is a number of Python's, and single precision stays single."""
    plain = made(number)
    traced = made(as_argument(number))
    singles = np.ones(2, np.float32)
    found = traced * singles
    np.testing.assert_allclose(found.value, plain * singles, rtol=1e-6)
    assert found.dtype == (plain * singles).dtype == np.float32
