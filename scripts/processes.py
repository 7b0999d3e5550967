"""What the system says of processes."""

from pathlib import Path


def resident(process):
    """MB of a process in memory; None where the system does not say."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.exists():
        return None
    lines = status.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) // 1024
