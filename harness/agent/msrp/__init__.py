"""MSRP sessions behind one port, and how they are negotiated."""
