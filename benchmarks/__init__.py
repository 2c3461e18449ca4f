"""Timings as ratios within one run, and results against planted truth: `make bench`."""
