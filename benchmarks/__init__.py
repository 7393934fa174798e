"""Measurements: ``pytest benchmarks --benchmark-only``, or a module's own command."""
