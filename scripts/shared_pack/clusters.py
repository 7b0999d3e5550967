"""Places that are alike."""


def ward(points, weights, fewest):
    """Merges the points of a weighted cloud until `fewest` clusters are left, each time those two whose merger adds
    least to the sum of squares within clusters (Ward 1963, Journal of the American Statistical Association 58). Returns
    the cluster of each point: the number of its first point."""
    members = {i: [i] for i in range(len(points))}
    centre, mass = dict(enumerate(points)), dict(enumerate(weights))

    def cost(i, j):
        apart = sum((a - b) ** 2 for a, b in zip(centre[i], centre[j]))
        return mass[i] * mass[j] / (mass[i] + mass[j]) * apart

    nearest = {}

    def look(i):
        nearest[i] = min(((cost(i, j), j) for j in members if j > i), default=(float("inf"), -1))

    for i in members:
        look(i)
    while len(members) > fewest:
        i = min(members, key=lambda c: (nearest[c][0], c))
        j = nearest[i][1]
        whole = mass[i] + mass[j]
        centre[i] = [(mass[i] * a + mass[j] * b) / whole for a, b in zip(centre[i], centre[j])]
        mass[i] = whole
        members[i] += members.pop(j)
        del nearest[j]
        for c in members:
            if c == i or nearest[c][1] in (i, j):
                look(c)
            elif c < i:
                nearest[c] = min(nearest[c], (cost(c, i), i))
    return {point: i for i, points in members.items() for point in points}
