"""A simulated network simulator: one process, reached only over VISA and the air link."""
