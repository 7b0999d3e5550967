"""Where and with whom they live: households and places."""

import re
from collections import defaultdict

from shared_pack.bands import band_of, first, last
from shared_pack.raking import mean_share, shrunk
from shared_pack.tables import assumption, figure, level_list, levels, read, recoded, total

from .codes import ATUS_AGES, ATUS_RACE, MARITAL3, MARITAL6, RACE5, SEXES, covering

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

    alone = shrunk(total(atus, ["age_group", "sex", "marital_status", recoded("race_ethnicity", ATUS_RACE),
                                lambda r: "alone" if r["hh_size"] == "1" else "not"]), 2, ["alone", "not"], 60000.0)
    shape = defaultdict(list)
    for row in assumption("living_arrangement_shape.csv"):
        shape[row["marital_detail"]].append(row)
    kinds = list(LIVING.values())[1:]
    seed = {}
    for a in LIVING_AGES:
        for x in SEXES:
            for m in MARITAL6.values():
                row = next(r for r in shape[m] if first(r["age"]) <= first(a) <= last(r["age"]))
                for r in ("white", "black", "hispanic", "other"):
                    single = 0.0
                    if m != "married_present":
                        status = "separated" if m == "married_absent" else m
                        keys = [(b, x, status, r) for b in covering(a, ATUS_AGES)]
                        single = mean_share(alone, keys)["alone"] * (0.3 if a == "18-19" else 1.0)
                        seed[x, a, m, r, "lives_alone"] = single
                    weights = {k: float(row[k]) for k in kinds}
                    # Mothers who live with their children count under other relatives. ASSUMPTION, as are the others.
                    weights["with_other_relatives"] *= (1.5 if x == "Female" else 1.0) * (1.0 if r == "white" else 1.4)
                    weights["with_parents"] *= 1.2 if x == "Male" else 1.0
                    for k in kinds:
                        if weights[k]:
                            seed[x, a, m, r, k] = (1 - single) * weights[k] / sum(weights.values())
    figure("living_arrangement_seed", ["sex", "age", "marital_detail", "race_ethnicity", "living_arrangement"], seed,
           "share", sig=4)


def household_size(atus):
    size = shrunk(total(atus, ["age_group", "sex", recoded("marital_status", MARITAL3),
                               recoded("race_ethnicity", ATUS_RACE),
                               lambda r: None if r["hh_size"] == "1" else r["hh_size"]]), 2, SIZES, 60000.0)
    tilt = {r["living_arrangement"]: {n: float(r[n]) for n in SIZES} for r in assumption("household_size_tilt.csv")}
    cells = {}
    for a in ATUS_AGES:
        for x in SEXES:
            for m in sorted(set(MARITAL3.values())):
                for r in RACE5:
                    q = size((a, x, m, r))
                    for k, weights in tilt.items():
                        mass = sum(q[n] * weights[n] for n in SIZES)
                        for n in SIZES:
                            cells[x, a, m, r, k, n] = q[n] * weights[n] / mass
                    cells[x, a, m, r, "lives_alone", "1"] = 1.0
    figure("household_size_seed",
           ["sex", "age", "marital_detail", "race_ethnicity", "living_arrangement", "household_size"], cells, "share",
           sig=4)


# How the odds of a child in the household differ by company from those of all of the same age, sex and household size;
# single parents live with 'relatives'. ASSUMPTION.
COMPANY = {"alone": 1.0, "couple": 1.0, "parents": 1.0, "relatives": 1.3, "nonrelatives": 0.25}


def children_at_home(atus):
    share = shrunk(total(atus, ["age_group", "sex", "hh_size", recoded("marital_status", MARITAL3),
                                "children_under_18"]), 3, ["yes", "no"], 30000.0)
    cells = {}
    for a in ATUS_AGES:
        for x in SEXES:
            for m in sorted(set(MARITAL3.values())):
                for n in ["1"] + SIZES:
                    for company, odds in COMPANY.items():
                        yes = share((a, x, n, m))["yes"]
                        yes = yes * odds / (1 - yes + yes * odds)
                        if n == "1" or company == "alone" or (n == "2" and company in ("couple", "parents")):
                            yes = 0.0
                        cells[x, a, m, n, company, "no"] = 1 - yes
                        if yes:
                            cells[x, a, m, n, company, "yes"] = yes
    figure("children_at_home_seed",
           ["sex", "age", "marital_detail", "household_size", "living_arrangement", "children_at_home"], cells, "share",
           sig=4)


# ---------------------------------------------------------------------------------------------------------------------
# Places

def places():
    rows = sorted((r for r in read("zipcode_city_county_state_population.csv") if float(r["count"] or 0) > 0),
                  key=lambda r: r["zipcode"])
    mix = {r["zcta"]: r for r in read("zcta_race_shares_census2020.csv")}
    columns = {"white": "share_white_non_hispanic", "black": "share_black_non_hispanic",
               "native": "share_aian_non_hispanic", "asian": "share_asian_nhpi_non_hispanic",
               "other": "share_two_or_more_or_other_non_hispanic", "hispanic": "share_hispanic"}
    largest = {}  # the most populous named ZIP code of a ZCTA and of a county, for those without a place name
    for r in rows:
        for key in (("zcta", r["zcta"]), ("county", r["state"], r["county"])):
            if r["city"] and float(r["count"]) > largest.get(key, (0.0, ""))[0]:
                largest[key] = (float(r["count"]), r["city"])
    county = defaultdict(lambda: defaultdict(float))  # race counts by county, for the few ZCTAs without shares
    for r in rows:
        for column in columns.values():
            if r["zcta"] in mix:
                county[r["state"], r["county"]][column] += float(r["count"]) * float(mix[r["zcta"]][column] or 0)
    listed, cells = [], {}
    for r in rows:
        shares = mix.get(r["zcta"]) or county[r["state"], r["county"]]
        mass = sum(float(shares[c] or 0) for c in columns.values())
        city = r["city"]
        for key in (("zcta", r["zcta"]), ("county", r["state"], r["county"])):
            city = city or largest.get(key, (0.0, ""))[1]
        city = city or re.sub(r" (County|Parish|Borough|Municipio|Census Area)$", "", r["county"])
        reached = False
        for race_code, column in columns.items():
            v = round(float(r["count"]) * float(shares[column] or 0) / mass)
            if v > 0:
                cells[r["state"], race_code, r["zipcode"]], reached = v, True
        if reached:
            listed.append([r["zipcode"], city, r["county"], r["state"]])
    levels("zipcode", ["level", "city", "county", "state"], listed)
    level_list("city", sorted({r[1] for r in listed}))
    level_list("county", sorted({r[2] for r in listed}))
    figure("zipcode_state_race", ["state", "race_ethnicity", "zipcode"], cells)
