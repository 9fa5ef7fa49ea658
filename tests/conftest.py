"""One profile for every property: the same examples on every run, as many as a slow core bears.

`pytest --hypothesis-profile=long` tries twenty times as many, chosen anew each time. Compiled programs are kept in a
folder of the session: none is taken from an earlier one, none is left behind.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

QUIET = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}

settings.register_profile("chainrule", derandomize=True, max_examples=50, database=None, **QUIET)
settings.register_profile("long", max_examples=1000, **QUIET)
settings.load_profile("chainrule")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the texts in tests/golden anew")


@pytest.fixture(scope="session", autouse=True)
def _programs_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAINRULE_CACHE", str(tmp_path_factory.mktemp("programs")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_interrupts() -> None:
    """As in a terminal, also where the tests were started in the background, which ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a program's text, without the lines of whoever called, with the file of that name; or write it there."""

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / "golden" / f"{name}.txt"
        found = re.sub(r"\S+\.py:\d+", "*.py", text)
        if request.config.getoption("--update-golden"):
            path.write_text(found, encoding="utf-8", newline="\n")
        assert found == path.read_text(encoding="utf-8"), "if this is meant: run pytest with --update-golden"

    return compare
