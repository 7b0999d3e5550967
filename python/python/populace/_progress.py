"""How far a run is: a bar in terminals and notebooks, nothing where neither is."""

from __future__ import annotations

import sys
import time
from typing import Any

_WIDTH = 30


def _notebook() -> Any:
    """The `display` of a notebook, if this is one."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None or shell.__class__.__name__ != "ZMQInteractiveShell":
        return None
    from IPython.display import display

    return display


class Progress:
    """Shows how many of so many people are ready; called with that number now and then."""

    def __init__(self, total: int | None, show: bool = True):
        self.total = total
        self.done = 0
        self._began = time.monotonic()
        self._display = _notebook() if show else None
        self._handle: Any = None
        self._is_terminal = show and self._display is None and sys.stderr is not None and sys.stderr.isatty()

    def __call__(self, done: int) -> None:
        if done == self.done and self._handle is not None:
            return
        self.done = done
        if self._display is not None:
            if self._handle is None:
                self._handle = self._display(self, display_id=True)
            else:
                self._handle.update(self)
        elif self._is_terminal:
            sys.stderr.write(f"\r{self.text()}\x1b[K")
            sys.stderr.flush()

    def text(self) -> str:
        seconds = max(time.monotonic() - self._began, 1e-3)
        rate = f"{self.done / seconds:,.0f} a second"
        if not self.total:
            return f"{self.done:,} people, {rate}"
        full = min(_WIDTH, _WIDTH * self.done // self.total)
        return f"{'█' * full}{'░' * (_WIDTH - full)} {self.done:,}/{self.total:,} people, {rate}"

    def _repr_html_(self) -> str:
        most = f' max="{self.total}"' if self.total else ""
        return f'<div><progress value="{self.done}"{most}></progress> {self.text().lstrip("█░ ")}</div>'

    def close(self) -> None:
        if self._is_terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
