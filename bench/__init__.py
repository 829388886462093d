"""Benchmarks from real runs: `make bench`, or `python -m bench --only http`.

Not tests: they measure, print and never fail on a figure. Each measurement is one function that
returns `Figure`s; `__main__` runs them against a cluster of its own and takes it down again.
"""
