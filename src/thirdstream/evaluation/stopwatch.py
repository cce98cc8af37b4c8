"""Runs a command and prints, as JSON, its exit code, its seconds and its largest resident memory.

A program of its own, which imports next to nothing: on Linux a process begins with the peak memory
of the one that starts it.
"""

import json
import subprocess
import sys
import time

try:
    import resource
except ImportError:  # Windows
    resource = None


def main(command: list[str]) -> None:
    """Run it; bytes are null where the system does not tell."""
    begin = time.perf_counter()
    code = subprocess.call(command, stdout=subprocess.DEVNULL)
    seconds, peak = time.perf_counter() - begin, None
    if resource is not None:
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    print(json.dumps({"code": code, "seconds": seconds, "peak_bytes": peak}))


if __name__ == "__main__":
    main(sys.argv[1:])
