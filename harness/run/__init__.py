"""A run: suites on one bench or on several at once, their results in one folder."""
