"""What the network and the far party do, one module per service. The peer reacts; it never judges."""
