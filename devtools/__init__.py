"""What the `dev` script runs: setting up, checks, tests, benchmarks, the main job. Not installed."""
