"""What they speak: first language and mother tongue, how many languages, and which others."""

from collections import defaultdict

from shared_pack.raking import rake
from shared_pack.tables import figure, level_list, levels, manifest_section, read

from .codes import AP, MAIN, SCHEDULED, STATES, TS, ZONES, census_state, language
from .people import PLACES

# Five groups of religion that languages tell apart, and how readily a speaker of the language belongs to each, against
# the rest of the district. ASSUMPTION: no table of language by religion is published.
FAITHS = {"Muslim": "muslim", "Sikh": "sikh", "Christian": "hills", "Other religions and persuasions": "hills",
    "Buddhist": "buddhist"}
AFFINITY = {
    "Urdu": (4000, 0.5, 0.5, 0.5), "Arabic": (60, 0.1, 0.1, 0.1), "Punjabi": (0.1, 40, 1, 1),
    "Kashmiri": (6, 0.3, 0.1, 1), "Hindi": (0.6, 0.15, 0.5, 1), "Sindhi": (0.3, 0.1, 0.1, 1),
    "English": (0.3, 0.5, 12, 1), "Konkani": (0.3, 0.1, 3, 1), "Malayalam": (1, 0.1, 1.2, 1),
    "Tamil": (0.5, 0.1, 1.2, 1), "Telugu": (0.3, 0.1, 1.2, 1), "Kannada": (0.25, 0.1, 0.8, 1),
    "Marathi": (0.2, 0.05, 0.5, 1), "Gujarati": (0.6, 0.05, 0.5, 1), "Bengali": (1.2, 0.05, 0.5, 1),
    "Assamese": (0.8, 0.1, 0.6, 1), "Odia": (0.2, 0.1, 0.6, 1), "Maithili": (0.4, 0.05, 0.1, 1),
    "Dogri": (0.1, 0.5, 0.2, 1), "Nepali": (0.02, 0.01, 0.8, 1), "Tulu": (0.1, 0.02, 0.8, 1),
    "Santali": (0.005, 0.005, 4, 1), "Bodo": (0.005, 0.005, 3, 1), "Sanskrit": (0.01, 0.01, 0.01, 1),
    "Manipuri": (0.4, 0.02, 0.3, 1), "Balti": (30, 0, 0.1, 0.5), "Shina": (30, 0, 0.1, 0.1),
}
HILLS = (0.02, 0.02, 6, 1)  # the languages of the hills and forests
# Spoken by Buddhists, and by Hindus of the same district seldom
HIMALAYA = {"Bhotia", "Ladakhi", "Tibetan", "Monpa", "Sherpa", "Lepcha", "Lahauli", "Kinnauri", "Tamang"}


# Languages of the eighth schedule that are of tribes, and others that are not
TRIBAL = {"Santali", "Bodo"}
SETTLED = {"Kodava", "Khandeshi", "Bishnupuriya", "Pashto", "Lahnda", "Other", "Rai", "Tibetan", "Halabi", "Mogh",
           "Ladakhi", "Bhotia", "Sherpa", "Tamang", "Limbu", "Monpa", "Kinnauri", "Lahauli", "Lepcha"}


def faith(religion):
    return FAITHS.get(religion, "rest")


def first_language(religion):
    """C-16 by district and residence, split by religion by raking within each: languages of fewer than 1 in 10,000, and
    of fewer than 15 people, are left out, and so is what is below 3 in 10,000 of a group."""
    speakers = defaultdict(lambda: defaultdict(float))
    for r in read("mother_tongue_district_urban.csv"):
        speakers[PLACES[r["district_code"]][0], ZONES[r["urban_rural"]]][language(r["language"])] += float(r["count"])
    shares = defaultdict(lambda: defaultdict(float))
    for (place, zone, name), v in religion.items():
        shares[place, zone][faith(name)] += v
    groups = ["muslim", "sikh", "hills", "rest", "buddhist"]

    def affinity(name, i):
        if name in HIMALAYA:
            return (0.05, 0.02, 0.3, 0.08, 8)[i]
        return (AFFINITY.get(name) or ((1, 0.1, 1, 1) if name in SCHEDULED else HILLS))[min(i, 3)]

    cells, national = {}, defaultdict(float)
    for (place, zone), row in sorted(speakers.items()):
        whole = sum(row.values())
        row = {k: v for k, v in row.items() if v >= max(15, whole / 10000)}
        whole = sum(row.values())
        rows = {g: max(shares[place, zone][g], 1e-9) * whole for g in groups}
        seed = {(g, k): affinity(k, i) * row[k] + 1e-9
                for i, g in enumerate(groups) for k in row}
        fitted = rake(seed, rows, row, rounds=400, tolerance=1e-9)
        for (g, k), v in fitted.items():
            if v > rows[g] * 3e-4:
                cells[place, zone, g, k] = v / rows[g]
            national[k] += v
    figure("first_language_place", ["place", "zone", "religion", "first_language"], cells, "share", sig=4)
    used = sorted({k[3] for k in cells})
    level_list("first_language", used)
    tribal = [k for k in used if k in TRIBAL or k not in SCHEDULED and k not in AFFINITY and k not in SETTLED]
    manifest_section("tongues", [f"{name} = [{', '.join(chr(34) + k + chr(34) for k in ks)}]" for name, ks in
                                 (("tribal", tribal), ("settled", [k for k in used if k not in tribal]))])
    return used


def mother_tongue(used):
    cells = defaultdict(float)
    for r in read("mother_tongue_detail_state_sex.csv"):
        first, own = language(r["language"]), language(r["mother_tongue"])
        if first in used:
            cells[r["state"], first, first if own == "Other" else own] += float(r["count"])
    whole = defaultdict(float)
    for (s, f, _), v in cells.items():
        whole[s, f] += v
    cells = {k: v for k, v in cells.items() if v >= 0.002 * whole[k[:2]]}
    for f in used:  # a residual group has no detail; and whoever may have moved to another state
        for s in sorted({census_state(s) for s in STATES}):
            if (s, f) not in whole:
                cells[s, f, f] = 1.0
    figure("mother_tongue_state", ["state", "first_language", "mother_tongue"], cells)
    level_list("mother_tongue", sorted({k[2] for k in cells}))
    own = {}
    for s in STATES:
        for f in used:
            own[s, f, "shared" if f in MAIN[s] else "other"] = 1.0
    figure("home_language_state", ["state", "first_language", "home_language"], own, "share")


AGES = {"15-19": "18-19", "20-24": "20-24", "25-29": "25-29", "30-49": "30-49", "50-69": "50-69", "70+": "70+"}


def number_of_languages():
    people = defaultdict(float)
    for r in read("population_state_urban_sex_age1.csv"):
        if r["age"].isdigit():
            a = int(r["age"])
            band = next((b for b in AGES if (b == "70+" and a >= 70) or
                         (b != "70+" and int(b[:2]) <= a <= int(b[3:]))), None)
            people[r["state"], ZONES[r["urban_rural"]], r["sex"], band] += float(r["count"])
    speak = {}
    for r in read("bilingual_trilingual_state_urban_sex_age.csv"):
        if r["age_group"] in AGES:
            speak[r["state"], ZONES[r["urban_rural"]], r["sex"], r["age_group"],
                r["languages_spoken"]] = float(r["count"])
    adults, young = {}, {}
    for key, whole in people.items():
        if key[3] is None or not whole:
            continue
        two, three = speak[key + ("two_or_more",)], speak[key + ("three_or_more",)]
        to = young if key[3] == "15-19" else adults
        for n, v in ((1, whole - two), (2, two - three), (3, three)):
            to[key[:3] + (AGES[key[3]], n)] = v
    columns = ["state", "zone", "sex", "age", "number_of_languages"]
    figure("number_of_languages_state", columns, adults)
    figure("number_of_languages_18_19_state", columns, young)
    # Those who speak another language at home than the state's, and those with more schooling, speak more. ASSUMPTION.
    seed = {}
    for home, h in (("shared", 1.0), ("other", 6.0)):
        for e, f in (("low", 0.5), ("middle", 1.2), ("high", 3.0)):
            for n in (1, 2, 3):
                seed[home, e, n] = 1.0 if n == 1 else 0.4 * h * f if n == 2 else 0.1 * h * f * f
    figure("number_of_languages_seed", ["home_language", "education_level", "number_of_languages"], seed, "share",
           sig=3)


# Which further languages, by weight: no table of them by state is at hand, so these are ASSUMPTIONS after what is known
# of schools, offices and neighbours. English is weighted by schooling.
HINDI = {"Maharashtra": 5, "Gujarat": 5, "Daman and Diu": 5, "Dadra and Nagar Haveli": 5, "Punjab": 5, "Odisha": 3,
         "West Bengal": 2.5, "Assam": 3, "Karnataka": 1.2, AP: 0.7, TS: 2, "Tamil Nadu": 0.25, "Kerala": 0.8,
         "Goa": 3.5, "Jammu and Kashmir": 3, "Lakshadweep": 0.8, "Puducherry": 0.4, "Tripura": 1.5, "Meghalaya": 1.5,
         "Mizoram": 0.4, "Nagaland": 1, "Manipur": 1.2, "Sikkim": 3, "Arunachal Pradesh": 6,
         "Andaman and Nicobar Islands": 6}
ENGLISH = {"Tamil Nadu": 4, "Puducherry": 4, "Kerala": 4, "Nagaland": 6, "Meghalaya": 4, "Mizoram": 6, "Manipur": 3.5,
           "Goa": 3.5, "Sikkim": 2.5, "Arunachal Pradesh": 3, "Lakshadweep": 3}
FURTHER = {
    "Jammu and Kashmir": {"Urdu": 5}, "Punjab": {"Urdu": 0.1}, "Chandigarh": {"Punjabi": 2},
    "Haryana": {"Punjabi": 0.6}, "Delhi": {"Punjabi": 0.6, "Urdu": 0.3}, "Uttar Pradesh": {"Urdu": 0.5,
    "Sanskrit": 0.1},
    "Bihar": {"Urdu": 0.5}, "Jharkhand": {"Bengali": 0.6, "Odia": 0.2}, "Rajasthan": {"Gujarati": 0.2, "Punjabi": 0.1},
    "Madhya Pradesh": {"Marathi": 0.3}, "Chhattisgarh": {"Odia": 0.3, "Marathi": 0.1}, "Gujarat": {"Marathi": 0.1},
    "Maharashtra": {"Gujarati": 0.15, "Kannada": 0.1}, "Karnataka": {"Telugu": 0.7, "Tamil": 0.5, "Marathi": 0.3,
    "Urdu": 0.2}, AP: {"Tamil": 0.2, "Urdu": 0.2}, TS: {"Urdu": 0.6, "Marathi": 0.1}, "Goa": {"Marathi": 3},
    "Kerala": {"Tamil": 0.6}, "Tamil Nadu": {"Telugu": 0.4, "Malayalam": 0.15, "Kannada": 0.1},
    "Puducherry": {"Telugu": 0.3, "Malayalam": 0.2}, "Sikkim": {"Bengali": 0.1}, "Assam": {"Bengali": 0.8},
    "Nagaland": {"Assamese": 4}, "Arunachal Pradesh": {"Assamese": 2}, "Meghalaya": {"Assamese": 0.5, "Bengali": 0.4},
    "Tripura": {"Bengali": 3}, "Odisha": {"Telugu": 0.2, "Bengali": 0.2}, "West Bengal": {"Urdu": 0.1, "Nepali": 0.1},
    "Uttarakhand": {"Punjabi": 0.1, "Sanskrit": 0.05}, "Andaman and Nicobar Islands": {"Bengali": 1, "Tamil": 0.5},
    "Daman and Diu": {"Marathi": 0.3}, "Dadra and Nagar Haveli": {"Marathi": 1},
}
# Languages that are somebody's further language, besides the scheduled ones: nobody learns their own
OWN_CLASS = ("English", "Khasi", "Garo", "Mizo", "Bhili")
SCHOOLED = {"low": 0.02, "middle": 0.8, "high": 4.0}


def kits(used):
    classes = {k: k if k in SCHEDULED or k in OWN_CLASS else "other" for k in used}
    cells, pairs = {}, set()
    for state in STATES:
        for own in sorted(set(classes.values())):
            for e, schooling in SCHOOLED.items():
                weight = defaultdict(float)
                for i, k in enumerate(MAIN[state]):
                    weight[k] += 7.0 if i == 0 else 0.5
                if "Hindi" not in MAIN[state]:
                    weight["Hindi"] += HINDI.get(state, 2)
                weight["English"] += ENGLISH.get(state, 2) * schooling
                for k, v in FURTHER.get(state, {}).items():
                    weight[k] += v
                if own == "Urdu":
                    weight["Hindi"] += 4
                if own in ("Kashmiri", "Dogri"):
                    weight["Urdu"] += 3
                weight.pop(own, None)
                whole = sum(weight.values())
                cells[state, own, e, 1, "none"] = 1.0
                two, three = defaultdict(float), defaultdict(float)
                for a, v in weight.items():
                    two[f"{a}/none"] += v / whole
                    for b, w in weight.items():
                        if b != a:
                            three[f"{a}/{b}"] += v / whole * w / (whole - v)
                for n, table in ((2, two), (3, three)):
                    for pair, v in table.items():
                        if v >= 0.006:
                            cells[state, own, e, n, pair] = v
                            pairs.add(pair)
    columns = ["state", "first_language", "education_level", "number_of_languages", "language_kit"]
    figure("language_kit_assumed", columns, cells, "share", sig=3)
    rows = [["none", "none", "none"]] + [[p] + p.split("/") for p in sorted(pairs)]
    levels("language_kit", ["level", "second_language", "third_language"], rows)
    level_list("second_language", ["none"] + sorted({r[1] for r in rows[1:]}))
    level_list("third_language", ["none"] + sorted({r[2] for r in rows[1:]} - {"none"}))
    return classes
