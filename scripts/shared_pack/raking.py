"""Raking, and shares that borrow strength from wider tables."""

from collections import defaultdict


def rake(cells, rows, columns, rounds=3000, tolerance=1e-11):
    """Iterative proportional fitting of {(row, column): weight} to row and column totals; ends on the columns."""
    scale = sum(columns.values()) / max(sum(rows.values()), 1e-300)
    rows = {k: v * scale for k, v in rows.items()}
    zero = {k: 0.0 for k, v in cells.items() if v <= 0 or columns[k[1]] <= 0}
    cells = {k: v for k, v in cells.items() if v > 0}
    for _ in range(rounds):
        gap = 0.0
        for axis, targets in ((0, rows), (1, columns)):
            sums = defaultdict(float)
            for k, v in cells.items():
                sums[k[axis]] += v
            gap = max([gap] + [abs(sums[t] - want) for t, want in targets.items()])
            cells = {k: v * targets[k[axis]] / sums[k[axis]] for k, v in cells.items() if targets[k[axis]] > 0}
        if gap <= tolerance * max(1.0, sum(columns.values())):
            break
    return zero | cells


def shrunk(counts, depth, outcomes, weight):
    """Conditional shares of the last key column given the others, each shrunk towards the table without its last
    conditioning column, and so on down to `depth` columns: thin microdata cells borrow strength from wider ones.
    `weight` is in persons. Returns a function of the conditioning key, which may also be cut short."""
    width = len(next(iter(counts))) - 1
    tables = []
    for k in range(depth, width + 1):
        table = defaultdict(lambda: defaultdict(float))
        for key, value in counts.items():
            table[key[:k]][key[-1]] += value
        tables.append((k, table))
    cache = {}

    def share(key):
        if key not in cache:
            current = {v: 1.0 / len(outcomes) for v in outcomes}
            for k, table in tables:
                if k > len(key):
                    break
                row = table.get(key[:k], {})
                mass, pull = sum(row.values()), weight if k > depth else weight * 0.02
                current = {v: (row.get(v, 0.0) + pull * current[v]) / (mass + pull) for v in outcomes}
            cache[key] = current
        return cache[key]

    return share


def mean_share(share, keys):
    parts = [share(k) for k in keys]
    return {v: sum(p[v] for p in parts) / len(parts) for v in parts[0]}
