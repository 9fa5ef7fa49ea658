"""One profile for every property: the same examples on every run, as many as a slow core bears.

`pytest --hypothesis-profile=long` tries twenty times as many, chosen anew each time.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

QUIET = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}

settings.register_profile("chainrule", derandomize=True, max_examples=50, database=None, **QUIET)
settings.register_profile("long", max_examples=1000, **QUIET)
settings.load_profile("chainrule")
