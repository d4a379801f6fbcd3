"""Runs seeds one after the other and prints what became of them; `./dev soak` is its door."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tests.simulation.world import Verdict, simulate, template


def main(arguments: Sequence[str]) -> int:
    """Run the seeds that the arguments name; 1 if a promise did not hold in any of them."""
    parser = argparse.ArgumentParser(prog="./dev soak", description="Run the fleet simulator.")
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds to run")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--trace", action="store_true", help="print every line of each run")
    chosen = parser.parse_args(arguments)
    keep = 1_000_000 if chosen.trace else 80
    failed: list[int] = []
    acts = events = 0
    with template() as prepared:
        for seed in range(chosen.start, chosen.start + chosen.seeds):
            verdict = simulate(seed, prepared, keep)
            acts, events = acts + verdict.acts, events + verdict.events
            if chosen.trace:
                sys.stdout.write("\n".join(verdict.tail) + "\n")
            if verdict.violations:
                failed.append(seed)
                _tell(verdict, tail=not chosen.trace)
            if chosen.seeds == 1:
                sys.stdout.write(f"seed {seed} digest {verdict.digest}\n")
            sys.stdout.flush()
    sys.stdout.write(
        f"{chosen.seeds} seeds from {chosen.start}: {len(failed)} failed,"
        f" {events} events, {acts} changes of hosts\n"
    )
    return 1 if failed else 0


def _tell(verdict: Verdict, *, tail: bool) -> None:
    lines = list(verdict.tail) if tail else []
    lines += [f"seed {verdict.seed}: {text}" for text in verdict.violations]
    lines.append(f"replay: ./dev soak --seeds 1 --start {verdict.seed}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
