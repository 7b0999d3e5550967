"""Reading the source tables, writing figures and level lists."""

import csv
import gzip
import io
import math
import os
import re
from collections import defaultdict

FOLDERS = {"tables": "", "pack": ""}  # set once, by the command line


def read(name):
    """Rows of a source table, as dicts of text."""
    path = os.path.join(FOLDERS["tables"], name)
    if not os.path.exists(path):
        path += ".gz"
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def assumption(name):
    with open(os.path.join(FOLDERS["pack"], "assumptions", name), encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def number(x, digits):
    text = f"{x:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def significant(x, digits):
    if x == 0:
        return "0"
    exponent = math.floor(math.log10(abs(x)))
    return number(x, max(0, digits - 1 - exponent))


def figure(name, columns, cells, measure="count", digits=3, sig=None):
    """Writes figures/NAME.csv.gz. `cells`: {key tuple: value}, keys in the order of `columns`. The gzip header holds
    neither time nor name, so that the same tables give the same bytes."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(list(columns) + [measure])
    for key in sorted(cells, key=lambda k: tuple(sort_key(x) for x in k)):
        value = cells[key]
        if value < 0:
            raise SystemExit(f"{name}: negative cell {key}: {value}")
        out.writerow(list(key) + [significant(value, sig) if sig else number(value, digits)])
    path = os.path.join(FOLDERS["pack"], "figures", name + ".csv.gz")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as f:
        f.write(text.getvalue().encode("utf-8"))


def sort_key(x):
    m = re.match(r"\d+", str(x))
    return (0, int(m.group()), str(x)) if m else (1, 0, str(x))


def levels(name, header, rows):
    os.makedirs(os.path.join(FOLDERS["pack"], "levels"), exist_ok=True)
    with open(os.path.join(FOLDERS["pack"], "levels", name + ".csv"), "w", encoding="utf-8", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(header)
        out.writerows(rows)


def snake(title):
    """A Census title as a code: `Registered nurses` -> `registered_nurses`."""
    return re.sub(r"[^a-z0-9]+", "_", title.lower().replace("'", "")).strip("_")


def total(rows, keys):
    """Counts added up over `keys`, each a column name or a function of the row; rows with a None key are left out."""
    sums = defaultdict(float)
    for row in rows:
        key = tuple(row[k] if isinstance(k, str) else k(row) for k in keys)
        if None not in key:
            sums[key] += float(row["count"] or 0)
    return sums


def recoded(column, codes):
    """A key function that recodes a column; rows of other codes are left out."""
    return lambda row: codes.get(row[column])


def manifest_section(name, lines):
    """Replaces the lines of pack.toml between the comments `# begin NAME` and `# end NAME`."""
    path = os.path.join(FOLDERS["pack"], "pack.toml")
    with open(path, encoding="utf-8") as f:
        before, rest = f.read().split(f"# begin {name}\n")
    after = rest.split(f"# end {name}\n")[1]
    with open(path, "w", encoding="utf-8") as f:
        f.write(before + f"# begin {name}\n" + "".join(line + "\n" for line in lines) + f"# end {name}\n" + after)
