"""Prefectures that are alike, where a table need not tell all of them apart."""

from collections import defaultdict

from shared_pack.clusters import ward
from shared_pack.tables import manifest_section


def alike(points, fewest):
    """{prefecture: area} for {prefecture: point}: the points clustered; an area has the name of its first prefecture."""
    names = list(points)
    cluster = ward([points[p] for p in names], [1.0] * len(names), fewest)
    return {p: names[cluster[i]] for i, p in enumerate(names)}


def listed(area_of):
    """{area: prefectures} for {prefecture: area}."""
    areas = defaultdict(list)
    for p, area in area_of.items():
        areas[area].append(p)
    return dict(areas)


def write_areas(name, areas):
    """Writes the groups of a grouping of prefectures into pack.toml."""
    manifest_section(name, [f'"{area}" = [{", ".join(chr(34) + p + chr(34) for p in ps)}]' for area, ps in areas.items()])
