"""Sharing out what is published of few races to the others."""

from shared_pack.raking import rake

from .codes import ALONE, EXACT, STATES


def split_rest(rest, race_totals, seed):
    """Shares out what the two published race groups leave over of each category to the other races: fitted to the
    race totals and to `rest` (category -> persons), starting from `seed` {(race, category): weight}."""
    rest = {k: max(v, 0.0) for k, v in rest.items()}
    if sum(rest.values()) <= 0 or sum(race_totals.values()) <= 0:
        return {}
    return rake({(r, k): seed[r, k] + 1e-6 for r in race_totals for k in rest}, race_totals, rest)


def race_seed(table, state, sex, categories):
    """Shares of the categories by race, from the published tables {(state, race, sex, category)}: the state's where
    published, mixed with the country's. 'Other' without Hispanics takes the mean of the other five."""
    seed = {}
    for code, race_code in dict(ALONE, **EXACT).items():
        national = {k: sum(table.get((s, code, sex, k), 0.0) for s in STATES) for k in categories}
        whole = sum(national.values()) or 1.0
        own = {k: table.get((state, code, sex, k), 0.0) for k in categories}
        mass = sum(own.values())
        for k in categories:
            seed[race_code, k] = (own[k] + 500.0 * national[k] / whole) / (mass + 500.0)
    for k in categories:
        seed["other", k] = sum(seed[r, k] for r in ALONE.values()) / len(ALONE)
    return seed
