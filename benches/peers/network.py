"""Checks a country's network by another program of exact inference, pyAgrum (pip install pyagrum):

    cargo run -p populace-population --example network -- datasets/usa/usa.pack usa.bifxml usa.json
    python3 benches/peers/network.py usa.bifxml usa.json

The numbers are Populace's own marginals and posteriors; each must be pyAgrum's to 1e-9. What pyAgrum has no memory for
is counted, not skipped in silence."""

import json
import sys

import pyagrum as gum

BOUND = 1e-9


def main(network, numbers):
    bn = gum.loadBN(network)
    worst, compared, beyond = (0.0, ""), 0, []
    for asked in json.load(open(numbers, encoding="utf-8")):
        name, given = asked["variable"], asked["given"]
        told = f"{name} given {given}" if given else name
        try:
            inference = gum.LazyPropagation(bn)
            inference.addTarget(name)
            inference.setEvidence(given)
            inference.makeInference()
            theirs = inference.posterior(name).tolist()
        except (gum.OutOfBounds, gum.SizeError, MemoryError) as error:
            beyond.append(f"{told}: {error}")
            continue
        if len(theirs) != len(asked["shares"]):
            sys.exit(f"{told}: {len(theirs)} levels, {len(asked['shares'])} were asked for")
        off = max(abs(a - b) for a, b in zip(theirs, asked["shares"]))
        worst, compared = max(worst, (off, told)), compared + 1
    print(f"{network}: {compared} distributions compared, largest difference {worst[0]:.1e} ({worst[1]})")
    for told in beyond:
        print(f"  beyond pyAgrum: {told}")
    if worst[0] > BOUND or compared == 0:
        sys.exit(f"more than {BOUND}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
