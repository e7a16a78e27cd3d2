"""Commands, killed at moments of their whole life, and looked at: how they end, what they leave.

PYTHONPATH=tests python -m kills [--command deploy] [--signal SIGINT] [--count 200] [--seed 0]
"""

import argparse
import signal
import sys
import time

from kills.campaign import Result, life, run
from kills.given import COMMANDS

SIGNALS = {each.name: each for each in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="kills", description=__doc__)
    parser.add_argument("--command", choices=[*COMMANDS, "all"], default="all")
    parser.add_argument("--signal", choices=[*SIGNALS, "all"], default="all")
    parser.add_argument("--count", type=int, default=200, help="moments, of each of both")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="commands at a time")
    return parser.parse_args()


def _run_and_print(
    command: str, by: signal.Signals, lasts: float, given: argparse.Namespace
) -> Result:
    """Run, and print on the way."""
    result, begin, shown = Result(), time.monotonic(), 0
    for result in run(command, by, given.count, lasts, given.seed, given.jobs):
        for fault in result.faults[shown:]:
            print(f"FAULT {fault}", flush=True)
        shown = len(result.faults)
        if sum(result.outcomes.values()) % 25 == 0:
            print(f"{command} {by.name}: {result}", flush=True)
    print(f"{command} {by.name}: {result}, in {time.monotonic() - begin:.0f} s", flush=True)
    return result


def _of_command(command: str, given: argparse.Namespace) -> list[str]:
    """What was wrong with a command."""
    signals = list(SIGNALS) if given.signal == "all" else [given.signal]
    lasts = life(command, given.jobs)
    print(f"{command}: {lasts:.1f} s", flush=True)
    results = [_run_and_print(command, SIGNALS[name], lasts, given) for name in signals]
    return [fault for result in results for fault in result.faults]


if __name__ == "__main__":
    given_ = _arguments()
    # Behind a shell's `&` it is ignored, and would be in all commands that are started from here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    commands = list(COMMANDS) if given_.command == "all" else [given_.command]
    faults = [_of_command(each, given_) for each in commands]
    sys.exit(any(faults))
