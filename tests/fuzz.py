"""The generated tests again and again with new examples, for a time: what 'make fuzz' runs.

Not here: the tests. All that use Hypothesis are taken; its own pytest plugin marks them.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Search until the time is over or something fails; say how a failure is replayed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", type=float, help="how long to search")
    parser.add_argument("tests", nargs="*", default=["tests"], help="which tests; all by default")
    asked = parser.parse_args()
    until = time.time() + asked.seconds
    rounds = 0
    while time.time() < until:
        seed = secrets.randbits(32)
        drawn = ["--hypothesis-profile=new", f"--hypothesis-seed={seed}"]
        code = _search(asked.tests, drawn, until)
        if code:
            sys.stdout.write(
                f"\nFailed in round {rounds + 1}. To replay it, with the failing test's name:\n"
                f"  {sys.executable} -m pytest {' '.join(drawn)} tests/test_x.py::test_y\n"
                "or copy the @reproduce_failure line above onto the test.\n"
            )
            return code
        rounds += 1
    sys.stdout.write(f"Nothing failed in {rounds} rounds, {asked.seconds:g} s.\n")
    return 0


def _search(tests: list[str], drawn: list[str], until: float) -> int:
    """Run the generated tests once, as far as the time goes."""
    options = ["-q", "-x", "-n", "2", "--dist", "worksteal", "-m", "hypothesis"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *drawn, *tests],
        cwd=ROOT, env={**os.environ, "THALWEG_FUZZ_UNTIL": str(until)}, check=False,
    ).returncode  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
