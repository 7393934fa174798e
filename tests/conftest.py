"""Hypothesis profiles: HYPOTHESIS_PROFILE chooses dev (default), ci or long."""

import os
import signal

# Before any OpenMP runtime is loaded: idle threads sleep instead of spinning against the tests
# of other processes on the same cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from hypothesis import HealthCheck, settings

common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=50, **common)
settings.register_profile("ci", max_examples=100, derandomize=True, **common)
settings.register_profile("long", max_examples=5000, **common)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))

# A shell that starts the tests in the background lets them ignore Ctrl-C, which some tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)
