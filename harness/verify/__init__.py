"""The verifier: catalogue, flow assembly from a timeline, engine, rules."""
