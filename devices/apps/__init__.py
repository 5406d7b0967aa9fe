"""Messaging apps as data: intents and UI ids by app and version."""
