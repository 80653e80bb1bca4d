"""Measured figures, each beside the limit or peer measured in the same run. Not tests: `make bench` runs them."""
