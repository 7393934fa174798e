"""How fast it is: this package, its peers and the machine's limits, measured in turns.

* ``python -m benchmarks.report``: everything, as Markdown and JSON. The peers come with the extra
  ``bench``; what is missing is listed. `docs/explanation/benchmarks.rst` tells how it is measured.
* ``python -m benchmarks.recording``: what each level of ``record=`` costs.
* ``python -m benchmarks.instructions``: instructions instead of seconds, counted by valgrind.
* ``benchopt run benchmarks/benchopt``: losses against time beside other solvers, by benchopt.
* ``pytest benchmarks --benchmark-only``: this package's workloads in pytest-benchmark's form.

A workload is defined in `workloads`, with this package's ways to do it; `by_hand` and
`native.cpp` hold the same in C++, `peers` what a user would pick instead, `target` the races to a
given gradient. `measure` lets them take turns, `probes` finds the limits, `goals` and `tables`
judge and write.
"""
