"""Handsets under test: drivers, messaging apps as data, and the simulated handset."""
