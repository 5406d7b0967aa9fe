"""lab.yaml, benches and their life cycle, leases, doctor."""
