"""Network simulators: drivers by dialect, and the simulated network simulator."""
