"""Robot Framework keywords, one topic per module; harness.RCS assembles them."""
