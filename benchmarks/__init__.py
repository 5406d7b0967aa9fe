"""Benchmarks: what the product does per second, beside a named alternative measured in the same run."""
