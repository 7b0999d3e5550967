#!/usr/bin/env python3
"""Builds the site of the documentation into target/site, and holds its notebooks to what they say.

    python3 scripts/site.py            runs the notebooks, compares what they print with what stands in them, builds
    python3 scripts/site.py --write    runs them, and writes what they print into docs/notebooks

The pages are the documents of the repository, the README's sections each a page of their own; docs/mkdocs.yml names
them. Nothing of the site is fetched when it is read, from a disk or a server. What builds it, pinned here, lives in
populace/site in the user's cache, and is installed once; the notebooks use the module as `make test-python` builds it.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from html.parser import HTMLParser
from pathlib import Path

import python
from packages import environment

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "docs" / "notebooks"
PACKAGES = [
    "mkdocs==1.6.1",
    "mkdocs-material==9.8.2",
    "mkdocstrings-python==2.0.11",
    "black==26.10.1",
    "nbclient==0.11.0",
    "nbconvert==7.17.2",
    "ipykernel==7.4.0",
    "pandas==3.1.1",
    "pyarrow==26.0.1",
    "matplotlib==3.11.2",
    "onnxruntime==1.32.0",
]

# Documents, and the pages that they are.
DOCUMENTS = {
    "docs/functions.md": "functions.md",
    "docs/python.md": "python.md",
    "docs/security.md": "security.md",
    "population/FORMAT.md": "format.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benches/README.md": "measured.md",
    **{f"datasets/{name}/README.md": f"countries/{name}.md" for name in ("brazil", "india", "japan", "singapore", "usa")},
}
# Sections of the README that a site has otherwise.
LEFT_OUT = {"documents"}
ASSETS = ("docs/images", "docs/openapi.json", "docs/site.css")

# How much numbers in the output of a notebook may differ from those that stand in it: vectors are not the same to the
# last digit on all processors.
RELATIVE, ABSOLUTE = 0.05, 0.002


def say(text):
    print(f"site: {text}", flush=True)


# The notebooks.


def execute(name, notebook, folder):
    """Runs a notebook in an empty folder, as anybody runs it."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    folder.mkdir()
    start = time.monotonic()
    try:
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    except CellExecutionError as error:
        sys.exit(f"site: {name}: {error}")
    say(f"{name} ran in {time.monotonic() - start:.0f} s")
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    # What differs from machine to machine is no part of it.
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}


def printed(notebook):
    """The text of each cell's output."""
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs]
        yield cell.source, "\n".join(texts)


NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


def differs(said, stands):
    """Whether two outputs differ otherwise than in the last digits of numbers."""
    if NUMBER.sub("#", said).split() != NUMBER.sub("#", stands).split():
        return True
    pairs = zip(map(float, NUMBER.findall(said)), map(float, NUMBER.findall(stands)))
    return any(abs(a - b) > max(ABSOLUTE, RELATIVE * abs(b)) for a, b in pairs)


def compare(name, stands, notebook):
    for (source, said), (_, stood) in zip(printed(notebook), stands, strict=True):
        if differs(said, stood):
            sys.exit(
                f"site: {name} prints something else than stands in it; python3 scripts/site.py --write\n"
                f"{source}\n--- stands:\n{stood}\n--- printed:\n{said}"
            )


# The pages.


def slug(title):
    return re.sub(r"\W+", "_", title.lower()).strip("_")


def anchor(title):
    """Of a heading, as a page of the repository is linked to."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def lines_of(text):
    """The lines, and whether each is outside of code."""
    fence = None
    for line in text.splitlines():
        mark = re.match(r"\s*(`{3,})", line)
        if mark and (fence is None or (mark[1].startswith(fence) and line.strip() == mark[1])):
            fence = mark[1] if fence is None else None
            yield line, False
        else:
            yield line, fence is None


def sections(readme):
    """The README's introduction, as index.md, and its sections with their headings one level up, by page."""
    pages, page = {"index.md": []}, "index.md"
    for line, is_text in lines_of(readme):
        if is_text and line.startswith("## "):
            page = slug(line[3:]) + ".md"
            pages[page] = []
        if is_text and page != "index.md" and line.startswith("##"):
            line = line[1:]
        pages[page].append(line)
    return {page: "\n".join(lines) + "\n" for page, lines in pages.items() if page[:-3] not in LEFT_OUT}


def linked(text, document, page, places):
    """The same text with its links to documents as links to their pages; what is no part of the site is named alone."""

    def to_page(match):
        label, target = match[1], match[2]
        if re.match(r"[a-z]+:", target):
            return match[0]
        path, _, part = target.partition("#")
        path = os.path.normpath(os.path.join(os.path.dirname(document), path)) if path else document
        if (path, part) in places:
            path, part = places[(path, part)], ""
        elif (path, None) in places:
            path = places[(path, None)]
        elif (ROOT / path).exists():
            return label
        else:
            sys.exit(f"site: {document} links to {target}, which is not there")
        return f"[{label}]({os.path.relpath(path, os.path.dirname(page) or '.')}{'#' + part if part else ''})"

    done = []
    for line, is_text in lines_of(text):
        done.append(re.sub(r"\[([^\]]*)\]\(([^)\s]+)\)", to_page, line) if is_text else line)
    return "\n".join(done) + "\n"


def pages(folder, notebooks):
    """Writes the pages of the site into a folder."""
    from nbconvert import MarkdownExporter

    readme = (ROOT / "README.md").read_text()
    texts = {page: ("README.md", text) for page, text in sections(readme).items()}
    places = {(document, None): page for document, page in DOCUMENTS.items()}
    places[("README.md", None)] = "index.md"
    places.update({("README.md", anchor(t)): slug(t) + ".md" for t in re.findall(r"^## (.*)", readme, re.MULTILINE)})
    texts.update({page: (document, (ROOT / document).read_text()) for document, page in DOCUMENTS.items()})
    for asset in ASSETS:
        to = folder / Path(asset).relative_to("docs")
        copy = shutil.copytree if (ROOT / asset).is_dir() else shutil.copy
        to.parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / asset, to)
        for file in [ROOT / asset, *(ROOT / asset).glob("*")]:
            places[(str(file.relative_to(ROOT)), None)] = str(file.relative_to(ROOT / "docs"))
    for name, notebook in notebooks.items():
        text, resources = MarkdownExporter().from_notebook_node(notebook)
        for file, content in resources["outputs"].items():
            image = folder / "notebooks" / f"{name}_{file}"
            image.parent.mkdir(parents=True, exist_ok=True)
            image.write_bytes(content)
            text = text.replace(f"({file})", f"({image.name})")
            places[(f"docs/notebooks/{image.name}", None)] = f"notebooks/{image.name}"
        places[(f"docs/notebooks/{name}.ipynb", None)] = f"notebooks/{name}.md"
        texts[f"notebooks/{name}.md"] = (f"docs/notebooks/{name}.ipynb", text)
    for page, (document, text) in texts.items():
        (folder / page).parent.mkdir(parents=True, exist_ok=True)
        (folder / page).write_text(linked(text, document, page, places))


class Requests(HTMLParser):
    """What a page asks for when it is opened."""

    def __init__(self):
        super().__init__()
        self.of = []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "link" and attributes.get("rel") not in ("canonical", "prev", "next"):
            self.of.append(attributes.get("href"))
        self.of.append(attributes.get("src"))


def asks_nobody(site):
    """Holds the site to asking for nothing but its own files."""
    for page in site.rglob("*.html"):
        requests = Requests()
        requests.feed(page.read_text())
        away = [of for of in requests.of if of and re.match(r"(https?:)?//", of)]
        if away:
            sys.exit(f"site: {page.name} asks {', '.join(sorted(set(away)))}")
    for sheet in site.rglob("*.css"):
        away = re.findall(r"(?:url\(|@import )['\"]?(https?:[^)'\"]*)", sheet.read_text())
        if away:
            sys.exit(f"site: {sheet.name} asks {', '.join(away)}")


def build(arguments):
    import nbformat

    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "site"
    with tempfile.TemporaryDirectory() as temporary:
        temporary = Path(temporary)
        wheel = python.build(environment("python", python.PACKAGES), python.DEBUG, temporary / "wheels")
        module = temporary / "module"
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index", "--no-deps"]
        subprocess.run([*pip, "--target", str(module), str(wheel)], check=True)
        os.environ["PYTHONPATH"] = str(module)
        notebooks = {}
        for path in sorted(NOTEBOOKS.glob("*.ipynb")):
            notebook = notebooks[path.stem] = nbformat.read(path, as_version=4)
            stands = list(printed(notebook))
            execute(path.name, notebook, temporary / path.stem)
            if "--write" in arguments:
                nbformat.write(notebook, path)
            else:
                compare(path.name, stands, notebook)
        pages(temporary / "pages", notebooks)
        os.environ["POPULACE_PAGES"] = str(temporary / "pages")
        os.environ["NO_MKDOCS_2_WARNING"] = "1"
        os.environ["POPULACE_DOCTESTS"] = str(ROOT / "scripts" / "site_doctests.py")
        shutil.rmtree(target, ignore_errors=True)
        mkdocs = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-f", str(ROOT / "docs" / "mkdocs.yml")]
        if subprocess.run([*mkdocs, "-d", str(target)]).returncode:
            sys.exit("site: mkdocs did not build it")
    asks_nobody(target)
    say(f"{len(list(target.rglob('*.html')))} pages: {target}/index.html")


def main(arguments):
    if set(arguments) - {"--write"}:
        sys.exit(__doc__)
    own = environment("site", PACKAGES)
    if Path(sys.executable) != own:
        os.execv(own, [str(own), __file__, *arguments])
    build(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
