"""Tables of mutants, a module per protocol or service."""
