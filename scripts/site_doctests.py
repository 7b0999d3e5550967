"""Examples in docstrings, which doctest runs, as code on the site: an extension of Griffe, which reads the module for it."""

import griffe


def fenced(text):
    """The same Markdown with a fence around each run of lines from `>>>` to the next empty one."""
    lines, inside = [], False
    for line in text.splitlines():
        if line.startswith(">>>") and not inside:
            lines.append("```pycon")
            inside = True
        elif inside and not line.strip():
            lines.append("```")
            inside = False
        lines.append(line)
    return "\n".join(lines + ["```"] * inside)


class Doctests(griffe.Extension):
    def on_object(self, *, obj, **_):
        if obj.docstring:
            obj.docstring.value = fenced(obj.docstring.value)

    def on_package(self, *, pkg, **_):
        self.on_object(obj=pkg)
