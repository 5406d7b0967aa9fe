"""Conformance rules by protocol. Each is a function declared with its catalogue id."""
