"""What the `dev` script runs: checks, tests, benchmarks, the main job. Not installed."""
