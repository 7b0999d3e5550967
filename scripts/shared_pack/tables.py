"""Reading the source tables, writing figures and level lists."""

import csv
import gzip
import io
import math
import os
import re
from collections import defaultdict

FOLDERS = {"tables": "", "pack": ""}  # set once, by the command line
TABLES_READ = []  # paths of CSV files, in the order in which they were read


def read(name):
    """Rows of a source table, as dicts of text."""
    path = os.path.join(FOLDERS["tables"], name)
    return rows_of(path if os.path.exists(path) else path + ".gz")


def read_shares(name, *given):
    """Rows of a source table of shares, which must add up to one within each group that the columns `given` make."""
    rows, sums = read(name), defaultdict(float)
    for row in rows:
        sums[tuple(row[column] for column in given)] += float(row["share"])
    for group, whole in sums.items():
        if not abs(whole - 1) < 1e-3:
            raise SystemExit(f"{TABLES_READ[-1]}: the shares of {', '.join(group)} add up to {whole:.4f}, not to 1: a "
                             "row is missing, or has a wrong code")
    return rows


def assumption(name):
    return rows_of(os.path.join(FOLDERS["pack"], "assumptions", name))


def rows_of(path):
    """Rows of a CSV file, gzipped or plain, as dicts of text. A column that is not there is refused when asked for."""
    plain = path.removesuffix(".gz")
    TABLES_READ.append(plain)
    try:
        with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8", newline="") as f:
            lines = csv.reader(f)
            header = next(lines, [])

            class Row(dict):
                def __missing__(self, column):
                    raise SystemExit(f"{plain}: no column `{column}`; it has {', '.join(header) or 'none'}")

            rows = []
            for line in lines:
                if len(line) == len(header):
                    rows.append(Row(zip(header, line)))
                elif line:
                    raise SystemExit(f"{plain}, line {lines.line_num}: {len(line)} fields, where the header has "
                                     f"{len(header)}")
            if not rows:
                raise SystemExit(f"{plain}: no rows; take the whole table")
            return rows
    except FileNotFoundError:
        raise SystemExit(f"{plain}: no such file; {missing_file(plain)}")
    except (UnicodeDecodeError, csv.Error, gzip.BadGzipFile, EOFError) as error:
        raise SystemExit(f"{plain}: not a CSV file in UTF-8: {error}")


def missing_file(path):
    folder = os.path.dirname(path)
    if folder == FOLDERS["tables"]:
        return f"SOURCES.csv in {folder} says where each table comes from"
    return "it belongs to the pack: take it from git, or write it"


def write_csv(rows, *path):
    """Writes a CSV file of the pack; its first row is the header."""
    with open(os.path.join(FOLDERS["pack"], *path), "w", encoding="utf-8", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows(rows)


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
        if not 0 <= value < math.inf:
            raise SystemExit(f"{name}: {'negative cell' if value < 0 else 'no number in cell'} {key}: {value}")
        out.writerow(list(key) + [significant(value, sig) if sig else number(value, digits)])
    path = os.path.join(FOLDERS["pack"], "figures", name + ".csv.gz")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as f:
        f.write(text.getvalue().encode("utf-8"))


def marginal(name, columns, cells, digits=6):
    """Writes, and returns, the sums of the cells over all but the first columns of their keys."""
    sums = defaultdict(float)
    for key, value in cells.items():
        sums[key[:len(columns)]] += value
    figure(name, columns, sums, digits=digits)
    return sums


def sort_key(x):
    m = re.match(r"\d+", str(x))
    return (0, int(m.group()), str(x)) if m else (1, 0, str(x))


def levels(name, header, rows):
    os.makedirs(os.path.join(FOLDERS["pack"], "levels"), exist_ok=True)
    write_csv([header, *rows], "levels", name + ".csv")


def level_list(name, values):
    """A list of levels of which nothing further is told."""
    levels(name, ["level"], [[value] for value in values])


def isco_codes(pairs):
    """Writes occupation_isco.csv: the ISCO-08 code of each occupation, empty where it has none."""
    write_csv([("level", "isco"), *pairs], "occupation_isco.csv")


def by_prefix(table, code):
    """The value of the longest prefix of a code that the table has; None where it has none."""
    return next((table[code[:n]] for n in range(len(code), 0, -1) if code[:n] in table), None)


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
    begin, end = f"# begin {name}\n", f"# end {name}\n"
    with open(path, encoding="utf-8") as f:
        text = f.read()
    if [text.count(begin), text.count(end)] != [1, 1] or text.index(begin) > text.index(end):
        raise SystemExit(f"{path}: it must have one line `# begin {name}` and after it one line `# end {name}`")
    before, after = text.index(begin) + len(begin), text.index(end)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text[:before] + "".join(line + "\n" for line in lines) + text[after:])
