"""Runs a command and says what it took, by the kernel's own account of that process."""
import os
import subprocess
import time
from dataclasses import dataclass


@dataclass
class Cost:
    """`wall_s` and `cpu_s` in seconds (user and system), `peak_mib` the largest resident set."""
    code: int
    wall_s: float
    cpu_s: float
    peak_mib: float


def run(command, log, **options):
    """Runs `command` to its end, with its output in the file `log`."""
    with open(log, "wb") as output:
        start = time.monotonic()
        child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, **options)
        _, status, usage = os.wait4(child.pid, 0)
        wall_s = time.monotonic() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    return Cost(child.returncode, wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def median(values):
    return sorted(values)[len(values) // 2]


def show_log(log, n_lines=15):
    with open(log, errors="replace") as file:
        return "".join(file.readlines()[-n_lines:])
