"""With whom they live: households."""

from collections import defaultdict

from shared_pack.bands import band_of, first, last
from shared_pack.raking import mean_share, shrunk
from shared_pack.tables import assumption, figure, manifest_section, read, recoded, total

from .codes import ATUS_AGES, ATUS_EDUCATION, EDUCATION4, MARITAL3, SEXES, STATES, covering

# ---------------------------------------------------------------------------------------------------------------------
# Households

LIVING = {"lives_alone": "lives_alone", "householder_living_with_spouse_or_spouse_of_householder": "with_spouse",
          "householder_living_with_unmarried_partner_or_unmarried_partner_of_householder": "with_unmarried_partner",
          "child_of_householder": "with_parents", "other_relatives": "with_other_relatives",
          "other_nonrelatives": "with_nonrelatives"}
LIVING_AGES = ["18-19", "20-24", "25-29", "30-34", "35-44", "45-54", "55-64", "65-74", "75-84", "85+"]
SIZES = ["2", "3", "4", "5", "6", "7"]


def living_arrangement(p18, atus):
    official = total(read("living_arrangement_age_state_acs2018.csv"),
                     ["state", "age_group", recoded("living_arrangement", LIVING)])
    people = defaultdict(float)
    for (s, _, a), v in p18.items():
        people[s, band_of(first(a), ["18-34", "35-64", "65+"])] += v
    for (s, a), v in people.items():  # those in no household live in group quarters
        official[s, a, "with_nonrelatives"] += v - sum(official[s, a, k] for k in LIVING.values())
    figure("living_arrangement_age_state", ["state", "age", "living_arrangement"], official)

    alone = shrunk(total(atus, ["age_group", "sex", "marital_status", lambda r: LIVING_RACE[r["race_ethnicity"]],
                                lambda r: "alone" if r["hh_size"] == "1" else "not"]), 2, ["alone", "not"], 60000.0)
    shape = defaultdict(list)
    for row in assumption("living_arrangement_shape.csv"):
        shape[row["marital_detail"]].append(row)
    kinds = list(LIVING.values())[1:]
    seed = {}
    for a in LIVING_AGES:
        for x in SEXES:
            for m in LIVING_MARITAL:
                row = next(r for r in shape[m] if first(r["age"]) <= first(a) <= last(r["age"]))
                for r in ("white_or_other", "black", "hispanic_or_asian"):
                    single = 0.0
                    if m != "married_present":
                        keys = [(b, x, m, r) for b in covering(a, ATUS_AGES)]
                        single = mean_share(alone, keys)["alone"] * (0.3 if a == "18-19" else 1.0)
                        seed[x, a, m, r, "lives_alone"] = single
                    weights = {k: float(row[k]) for k in kinds}
                    # Mothers who live with their children count under other relatives. ASSUMPTION, as are the others.
                    weights["with_other_relatives"] *= ((1.5 if x == "Female" else 1.0) *
                                                        (1.0 if r == "white_or_other" else 1.4))
                    weights["with_parents"] *= 1.2 if x == "Male" else 1.0
                    for k in kinds:
                        if weights[k]:
                            seed[x, a, m, r, k] = (1 - single) * weights[k] / sum(weights.values())
    figure("living_arrangement_seed", ["sex", "age", "marital_detail", "race_ethnicity", "living_arrangement"], seed,
           "share", sig=4)


LIVING_MARITAL = ["never_married", "married_present", "separated", "divorced", "widowed"]
LIVING_RACE = {"white_non_hispanic": "white_or_other", "other_non_hispanic": "white_or_other",
               "black_non_hispanic": "black", "hispanic": "hispanic_or_asian",
               "asian_non_hispanic": "hispanic_or_asian"}
EDUCATION = {e: EDUCATION4[k] for e, k in ATUS_EDUCATION.items()}


def odds(share, factor):
    return share * factor / (1 - share + share * factor)


# How the odds of a child in the household differ by company; single parents live with 'relatives'. ASSUMPTION: only how
# they compare counts, since the share of each age, sex, marital status and schooling is met.
COMPANY = {"couple": 2.5, "parents": .5, "relatives": 2.0, "nonrelatives": 0.15}
CHILD_AGES = ["18-24", "25-34", "35-44", "45-54", "55+"]


def children_at_home(atus):
    """Children by age, sex, marital status and schooling; and those with and without work as they differ in the
    microdata on families and work."""
    counts = total(atus, ["age_group", "sex", recoded("marital_status", MARITAL3), recoded("education_level", EDUCATION),
                          "children_under_18"])
    share = shrunk(counts, 3, ["yes", "no"], 60000.0)
    family = shrunk(total([dict(r, count=r["people"]) for r in read("joint_family_work_us_atus2012_2016.csv")],
                          ["sex", recoded("marital_status", MARITAL3),
                           lambda r: band_of(first(r["age_group"]), CHILD_AGES),
                           lambda r: "job" if r["labour_status"] == "employed" else "no_job",
                           lambda r: "no" if r["youngest_child"] == "none" else "yes"]), 2, ["yes", "no"], 400000.0)
    cells, met = {}, {}
    for a in ATUS_AGES:
        for x in SEXES:
            for m in sorted(set(MARITAL3.values())):
                here = [family((x, m, band_of(first(a), CHILD_AGES), work)) for work in ("job", "no_job")]
                ratio = [q["yes"] / q["no"] for q in here]
                for e in sorted(set(EDUCATION4.values())):
                    # at 18 many are still at school: no diploma tells nothing yet
                    q = share((a, x, m, "high_school" if a == "18-24" and e == "less_than_high_school" else e))
                    for k, v in q.items():
                        met[x, a, m, e, k] = v
                    for work, r in zip(("job", "no_job"), ratio):
                        for company, factor in COMPANY.items():
                            yes = odds(q["yes"], factor * r / (ratio[0] * ratio[1]) ** .5)
                            cells[x, a, m, e, work, company, "yes"] = yes
                            cells[x, a, m, e, work, company, "no"] = 1 - yes
                        cells[x, a, m, e, work, "alone", "no"] = 1.0
    figure("children_at_home_seed", ["sex", "age", "marital_detail", "education_level", "labour_status",
                                     "living_arrangement", "children_at_home"], cells, "share", sig=4)
    figure("children_family", ["sex", "age", "marital_detail", "education_level", "children_at_home"], met, "share",
           digits=5)


HOUSEHOLDS = ["small", "below", "usual", "above", "large"]
EDGES = [.27, .295, .33, .40]  # share of households of four and more, of those of two and more, between these


def household_size(atus):
    """Size by age, company, children, race and birth, and by five groups of states as their households are large."""
    homes = total(read("household_size_tenure_state_acs2018.csv"), ["state", "household_size"])
    group = {}
    for s in STATES:
        several = sum(homes[s, n] for n in ("2", "3", "4+"))
        group[s] = HOUSEHOLDS[sum(homes[s, "4+"] / several > edge for edge in EDGES)]
    manifest_section("states by households", [f"{g} = [" + ", ".join(f'"{s}"' for s in STATES if group[s] == g) + "]"
                                              for g in HOUSEHOLDS])
    rows = [r for r in atus if r["hh_size"] != "1"]
    couple = lambda r: "couple" if r["marital_status"] == "married" else "single"
    race = lambda r: LIVING_RACE[r["race_ethnicity"]]
    size = shrunk(total(rows, ["age_group", couple, "children_under_18", race, "hh_size"]), 3, SIZES, 60000.0)
    everyone = shrunk(total(rows, ["children_under_18", "hh_size"]), 1, SIZES, 1.0)
    there = shrunk(total(rows, ["children_under_18", lambda r: group.get(r["state"]), "hh_size"]), 1, SIZES, 200000.0)
    here = [r for r in read("joint_persons_us_atus2010_2016.csv") if r["hh_size"] != "1"]
    of_race = shrunk(total(here, [race, "hh_size"]), 1, SIZES, 1.0)
    of_birth = shrunk(total(here, [race, "nativity", "hh_size"]), 1, SIZES, 200000.0)
    tilt = {r["living_arrangement"]: {n: float(r[n]) for n in SIZES} for r in assumption("household_size_tilt.csv")}
    cells = {}
    for a in ATUS_AGES:
        for child in ("yes", "no"):
            for r in sorted(set(LIVING_RACE.values())):
                for k, weights in tilt.items():
                    q = size((a, "couple" if k == "with_spouse" else "single", child, r))
                    for born in ("native", "foreign_born"):
                        for g in HOUSEHOLDS:
                            w = {n: q[n] * weights[n] * of_birth((r, born))[n] / of_race((r,))[n] *
                                 there((child, g))[n] / everyone((child,))[n] for n in SIZES}
                            if child == "yes" and k in ("with_spouse", "with_unmarried_partner", "with_parents"):
                                w["2"] = 0.0
                            for n in SIZES:
                                if w[n] > 0:
                                    cells[a, r, k, child, born, g, n] = w[n] / sum(w.values())
    for a in ATUS_AGES:
        for r in sorted(set(LIVING_RACE.values())):
            for born in ("native", "foreign_born"):
                for g in HOUSEHOLDS:
                    for child in ("yes", "no"):
                        cells[a, r, "lives_alone", child, born, g, "1"] = 1.0
    figure("household_size_seed", ["age", "race_ethnicity", "living_arrangement", "children_at_home", "birth", "state",
                                   "household_size"], cells, "share", sig=3)
