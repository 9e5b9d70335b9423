"""Benchmarks: ours, the usual tools and the bare limits, measured in turn in one run (docs/performance.md)."""
