"""The household: size, tenure, goods, telephone and internet, what is eaten."""

from collections import defaultdict

from shared_pack.tables import figure, read

from .codes import EDU3, RELIGIONS, SEXES, STATES, ZONES
from .people import PLACES

SIZES = {"1": "1", "2": "2", "3": "3", "4": "4", "5": "5", "6-8": "6-8", "9+": "9-12"}


def household_size():
    """Households by size, weighted by their members: the size of household that a person lives in."""
    members = {"1": 1, "2": 2, "3": 3, "4": 4, "5": 5, "6-8": 6.8, "9+": 10.5}
    cells = defaultdict(float)
    for r in read("household_size_district_urban.csv"):
        size = r["household_size"]
        cells[PLACES[r["district_code"]][1], ZONES[r["urban_rural"]], SIZES[size]] += float(r["count"]) * members[size]
    figure("household_size_state", ["state", "zone", "household_size"], cells, digits=1)
    # ASSUMPTION: who lives alone, and who among many
    seed, lean = {}, sizes_by_faith()
    for state, alone in (("never", 1.0), ("married", 0.12), ("past", 2.5)):
        for age in ("18-24", "25-34", "35-49", "50-64", "65+"):
            for n in range(1, 13):
                base = [1, 4, 8, 14, 12, 9, 6, 4, 2.4, 1.5, 1, 1.2][n - 1]
                if n == 1:
                    base *= alone * {"18-24": 0.6, "25-34": 1, "35-49": 1, "50-64": 1.4, "65+": 1.6}[age]
                if n == 2:
                    base *= {"18-24": 0.4, "25-34": 0.8, "35-49": 0.5, "50-64": 1.6, "65+": 2.4}[age]
                for (zone, faith, size), ratio in lean.items():
                    if size == min(n, 7):
                        seed[state, age, zone, faith, n] = base * ratio
    figure("household_size_seed", ["marital_status", "age", "zone", "religion", "household_size"], seed, "share", sig=3)


def sizes_by_faith():
    """How many more live in a household of a size (7 stands for 7 and more) by religion than of all who live in the same
    state and residence: households of 2001 by religion of the head, weighted by their members."""
    people = defaultdict(float)
    for r in read("household_size_religion_state_urban_2001.csv"):
        faith = r["religion"] if r["religion"] in ("muslim", "christian") else "rest"
        size = int(r["household_size"][0])
        people[r["state"], r["urban_rural"], faith, size] += float(r["count"]) * (8.5 if size == 7 else size)
    seen, expected, all_of, of_faith = (defaultdict(float) for _ in range(4))
    for (state, zone, faith, size), v in people.items():
        all_of[state, zone, size] += v
        all_of[state, zone] += v
        of_faith[state, zone, faith] += v
    for (state, zone, faith), v in of_faith.items():
        for size in range(1, 8):
            seen[zone, faith, size] += people[state, zone, faith, size]
            expected[zone, faith, size] += v * all_of[state, zone, size] / all_of[state, zone]
    return {(ZONES[zone], faith, size): v / expected[zone, faith, size] for (zone, faith, size), v in seen.items()}


TENURE = {"owned": "owned", "rented": "rented", "other": "other"}
GOODS = ["television", "two_wheeler", "car_jeep_van", "bicycle"]
RICHER = {"television": (0.8, 1.2, 1.8), "two_wheeler": (0.6, 1.2, 2.4), "car_jeep_van": (0.35, 0.9, 3.5),
          "bicycle": (1, 1, 0.9)}


def goods():
    cells = defaultdict(float)
    for r in read("household_tenure_district_urban.csv"):
        cells[PLACES[r["district_code"]][0], ZONES[r["urban_rural"]], TENURE[r["tenure"]]] += float(r["count"])
    figure("tenure_place", ["place", "zone", "tenure"], cells)
    for good in GOODS:
        cells = {}
        for r in read("household_assets_district_urban_share.csv"):
            if r["asset"] == good:
                key = (PLACES[r["district_code"]][0], ZONES[r["urban_rural"]])
                cells[key + ("yes",)] = float(r["share"])
                cells[key + ("no",)] = 1 - float(r["share"])
        name = {"car_jeep_van": "car"}.get(good, good)
        figure(name + "_place", ["place", "zone", name], cells, "share", digits=6)
        figure(name + "_seed", ["education_level", name],
               {(e, yes): v if yes == "yes" else 1.0 for e, v in zip(EDU3, RICHER[good]) for yes in ("yes", "no")},
               "share")


# NFHS-5 asks those of 15 to 49. Older people, and schooling: factors on the odds. ASSUMPTION.
NET_AGE = {"18-24": 1.9, "25-34": 1.2, "35-49": 0.55, "50-59": 0.25, "60-69": 0.1, "70+": 0.035}
PHONE_AGE = {"18-24": 0.9, "25-34": 1.3, "35-49": 1.0, "50-59": 0.7, "60-69": 0.45, "70+": 0.25}
NET_EDU = {"low": 0.2, "middle": 0.9, "high": 4.0}
PHONE_EDU = {"low": 0.55, "middle": 1.1, "high": 2.5}
NFHS = {"Daman and Diu": "Dadra and Nagar Haveli and Daman and Diu",
        "Dadra and Nagar Haveli": "Dadra and Nagar Haveli and Daman and Diu"}


def digital():
    share = {}
    for r in read("nfhs5_internet_habits_state_urban_sex_share.csv"):
        if r["share"]:
            share[r["state"], r["urban_rural"], r["sex"], r["indicator"]] = float(r["share"])
    net, phone, net_seed, phone_seed = {}, {}, {}, {}
    for s in STATES:
        source = NFHS.get(s, s)
        for zone, name in ZONES.items():
            for x in SEXES:
                def of(indicator, sex):
                    return share.get((source, zone, sex, indicator)) or share[source, "total", sex, indicator]
                p = of("ever_used_internet_15_49", x)
                q = of("has_own_mobile_phone_15_49", "Female")
                if x == "Male":  # men are not asked: half as many without, and at most 8 in 100
                    q = max(1 - (1 - q) / 2, 0.92)
                for out, value, column, seeds, ages, edus in (
                        (net, p, "internet_use", net_seed, NET_AGE, NET_EDU),
                        (phone, q, "mobile_phone", phone_seed, PHONE_AGE, PHONE_EDU)):
                    out[s, name, x, "18-49", "yes"], out[s, name, x, "18-49", "no"] = value, 1 - value
                    for a, f in ages.items():
                        for e, g in edus.items():
                            odds = value / (1 - value) * f * g
                            seeds[s, name, x, a, e, "yes"] = odds / (1 + odds)
                            seeds[s, name, x, a, e, "no"] = 1 / (1 + odds)
    figure("internet_use_state", ["state", "zone", "sex", "age", "internet_use"], net, "share", digits=6)
    figure("mobile_phone_women", ["state", "zone", "sex", "age", "mobile_phone"],
           {k: v for k, v in phone.items() if k[2] == "Female"}, "share", digits=6)
    figure("mobile_phone_men", ["state", "zone", "sex", "age", "mobile_phone"],
           {k: v for k, v in phone.items() if k[2] == "Male"}, "share", digits=6)
    columns = ["state", "zone", "sex", "age", "education_level"]
    figure("internet_use_seed", columns + ["internet_use"], net_seed, "share", sig=4)
    # who uses the internet nearly always has a telephone
    linked = {}
    for key, v in phone_seed.items():
        linked[key[:5] + ("yes", key[5])] = v * (30.0 if key[5] == "yes" else 1.0)
        linked[key[:5] + ("no", key[5])] = v
    figure("mobile_phone_seed", columns + ["internet_use", "mobile_phone"], linked, "share", sig=4)


# The Sample Registration System prints 21 states; the others from what is known of them. ASSUMPTION.
VEGETARIAN = {"Himachal Pradesh": 0.53, "Chandigarh": 0.55, "Goa": 0.12, "Puducherry": 0.03, "Tripura": 0.015,
              "Manipur": 0.03, "Meghalaya": 0.01, "Mizoram": 0.005, "Nagaland": 0.005, "Sikkim": 0.02,
              "Arunachal Pradesh": 0.015, "Lakshadweep": 0.002, "Andaman and Nicobar Islands": 0.05,
              "Daman and Diu": 0.4, "Dadra and Nagar Haveli": 0.4}
VEG_ODDS = {"Hindu": 1, "Muslim": 0.04, "Christian": 0.05, "Sikh": 1.2, "Buddhist": 0.25, "Jain": 60,
            "Other religions and persuasions": 0.2, "Religion not stated": 0.6}


def diet():
    official = {}
    for r in read("diet_state_share.csv"):
        official[r["state"], r["diet"]] = float(r["share"])
    figure("diet_state", ["state", "diet"], official, "share")
    figure("diet_other_states", ["state", "diet"],
           {(s, d): v if d == "vegetarian" else 1 - v for s, v in VEGETARIAN.items()
            for d in ("vegetarian", "non_vegetarian")}, "share", digits=6)
    seed = {}
    for religion in RELIGIONS.values():
        for sex in SEXES:
            odds = 0.35 * VEG_ODDS[religion] * (1.3 if sex == "Female" else 1)
            seed[religion, sex, "vegetarian"], seed[religion, sex, "non_vegetarian"] = odds, 1.0
    figure("diet_seed", ["religion", "sex", "diet"], seed, "share", sig=4)
