"""Plan, apply, drift: pure but for the ports they are given."""
