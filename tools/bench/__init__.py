"""Benches: each module here that has `run()` measures one thing, as ratios taken in one run.

`run()` answers a list of `{"id", "what", "value", "goal", "runs"}`: `value` the median of `runs`, `goal` a comparison
such as ">= 0.8", or None where a number is only told. `python -m tools.bench [NAME …]` writes docs/bench/<name>.json
and the table docs/bench.md made from all of them. `soak` runs only when it is named.
"""
