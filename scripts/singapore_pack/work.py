"""What they do: labour status, occupation, industry, field of study, income, national service, the way to work."""

import math
import re
from collections import defaultdict
from itertools import product

from shared_pack.bands import first, last
from shared_pack.tables import assumption, by_prefix, figure, levels, manifest_section, read, read_shares

from .codes import (AGES5, AGES_CAREER, AGES_LABOUR, AGES_PAY, AGES_WORK, EDUCATION, EDUCATION3, EDUCATION4, EDUCATION5,
                    FIELD, FORCES, HOME4, INCOME, INCOME_BANDS, INDUSTRY, LABOUR, MAJORS, MEANS, NO_JOB, SEXES, STATUS,
                    TRANSPORT, WORKPLACE, within)

UNEMPLOYED_YOUNG = {"Male": 0.054, "Female": 0.081}  # the published rates at 15-24


def labour(bands):
    """Who is in the labour force (estimate), who of them is unemployed (official from 25)."""
    counts = defaultdict(float)
    for r in read("labour_status_age_sex_estimate.csv"):
        status = LABOUR[r["labour_status"]]
        if status == "Retired" and first(r["age_group"]) < 45:
            status = "Other Outside Labour Force"  # nobody retires before 45
        counts[r["age_group"], r["sex"], status] += float(r["count"])
    # ASSUMPTION: of those aged 15-19 with a job, 98 % of men (servicemen) and 85 % of women are 18 or 19.
    for sex, part in (("Male", 0.98), ("Female", 0.85)):
        whole = bands["18-19", sex]
        for status in ("Employed", "Unemployed"):
            counts["18-19", sex, status] = counts["15-19", sex, status] * part
        rest = whole - counts["18-19", sex, "Employed"] - counts["18-19", sex, "Unemployed"]
        counts["18-19", sex, "Other Outside Labour Force"] = 0.03 * rest
        counts["18-19", sex, "Student"] = 0.97 * rest
    cells = defaultdict(float)
    for (band, sex, status), v in counts.items():
        if band in AGES5:
            cells[band, sex, "labour_force" if status in ("Employed", "Unemployed") else status] += v
    for band in AGES5:
        for sex in SEXES:
            for status in LABOUR.values():
                if status not in ("Employed", "Unemployed"):
                    cells.setdefault((band, sex, status), 0.0)
    figure("labour_force_age_sex_2024", ["age", "sex", "labour_status"], cells)
    rates = {r["category"]: float(r["rate"]) for r in read("unemployment_rate.csv")
             if r["dimension"] == "age_group" and r["sex"] == "Total"}
    figure("unemployment_age_2024", ["age", "labour_status"],
           {(b, s): v for b in ("25-29", "30-39", "40-49", "50-59", "60+")
            for s, v in (("Employed", 1 - rates[b]), ("Unemployed", rates[b]))}, "share")
    figure("unemployment_young_2024", ["age", "sex", "labour_status"],
           {("18-24", x, s): v for x, rate in UNEMPLOYED_YOUNG.items()
            for s, v in (("Employed", 1 - rate), ("Unemployed", rate))}, "share")
    labour_seed(counts)
    return counts


# ASSUMPTIONS: how work, study and keeping house go with schooling and marriage, as weights on the estimate.
EDUCATION_WORK = {"secondary_or_less": 0.75, "post_secondary": 0.95, "diploma": 1.1, "degree": 1.35}
EDUCATION_JOBLESS = {"secondary_or_less": 1.0, "post_secondary": 1.25, "diploma": 1.1, "degree": 0.95}
SINGLE_YEARS = {  # at 18 to 24: men serve two years full time, women go straight on
    "Male": {"18": (0.45, 1.3), "19": (1.5, 0.75), "20": (1.7, 0.55), "21": (1.15, 0.9), "22-24": (0.75, 1.2)},
    "Female": {"18": (0.7, 1.1), "19": (1.3, 0.9), "20": (0.7, 1.35), "21": (0.75, 1.3), "22-24": (1.15, 0.8)}}


def labour_seed(counts):
    seed = {}
    for fine in AGES_LABOUR:
        band = within(fine, AGES5)
        for sex in SEXES:
            work, study = SINGLE_YEARS[sex].get(fine, (1.0, 1.0))
            for group in EDUCATION4:
                for marital in ("single", "married", "previously_married"):
                    for status in LABOUR.values():
                        v = counts[band, sex, status]
                        if status == "Employed":
                            v *= work * (EDUCATION_WORK[group] if first(fine) >= 25 else 1.0)
                            if sex == "Female" and marital == "married":
                                v *= 0.7
                            if sex == "Male" and marital == "married" and first(fine) < 65:
                                v *= 1.5
                        elif status == "Unemployed":
                            v *= work * EDUCATION_JOBLESS[group] * (1.0 if marital == "married" else 1.5)
                        elif status == "Student":
                            v *= study * (0.02 if marital != "single" else 1.0)
                            if first(fine) >= 22:
                                v *= {"secondary_or_less": 0.15, "post_secondary": 2.6, "diploma": 1.0,
                                      "degree": 0.6}[group]
                        elif status == "Homemaker":
                            v *= {"single": 0.12, "married": 1.6, "previously_married": 0.7}[marital]
                        seed[fine, sex, group, marital, status] = v
    figure("labour_seed", ["age", "sex", "education_level", "marital_status", "labour_status"], seed, sig=5)


# ASSUMPTION: weights of the major groups, in the order of MAJORS, by what the household earns.
MEANS_WORK = {"low": (0.12, 0.2, 0.55, 1.05, 1.5, 1.4, 1.5, 2.6, 1.0),
              "middle": (0.4, 0.5, 1.0, 1.25, 1.25, 1.25, 1.25, 1.25, 1.0),
              "high": (1.2, 1.2, 1.15, 0.9, 0.75, 0.7, 0.6, 0.45, 1.0),
              "top": (3.5, 2.3, 0.75, 0.45, 0.3, 0.2, 0.12, 0.06, 1.0)}


class Occupations:
    """The SSOC titles: weight within the major group, cluster, and what a cluster implies."""

    def __init__(self):
        self.clusters = {r["cluster"]: r for r in assumption("clusters.csv")}
        prefixes = {p: c for c, r in self.clusters.items() for p in r["prefixes"].split()}
        factors = {r["prefix"]: float(r["factor"]) for r in assumption("occupation_weights.csv")}
        self.code, self.major, self.cluster, self.weight = {}, {}, {}, {}
        for r in read_shares("occupation_detail_within_major_estimate.csv", "occupation_major"):
            title, code = r["occupation"], r["occupation_code"]
            self.code[title], self.major[title] = code, MAJORS[r["occupation_major"]]
            self.cluster[title] = by_prefix(prefixes, code)
            if not self.cluster[title]:
                raise SystemExit(f"assumptions/clusters.csv: no prefix fits {code}, the code of `{title}`: add one")
            factor = by_prefix(factors, code)
            self.weight[title] = float(r["share"]) * (1.0 if factor is None else factor)
        for title in [t for t, w in self.weight.items() if w <= 0]:
            del self.weight[title]
        self.titles = list(self.weight)

    def share(self, cluster):
        return sum(self.weight[t] for t in self.titles if self.cluster[t] == cluster)


VOCATIONAL = ("Taxi driver", "Private-hire car driver")  # the licence is given from 30
APPS = ("Private-hire car driver", "Motorcycle delivery worker",
        "Delivery worker using motorised personal mobility aids/devices")
DESKS = [MAJORS[code] for code in ("managers", "professionals", "associate_professionals_technicians",
                                   "clerical_support_workers")]


def screen(jobs, title):
    """How a job goes with being online."""
    return "app" if title in APPS else "desk" if jobs.major[title] in DESKS else "other"


def occupations(jobs):
    cells, young = {}, {}
    for r in read("occupation_major_age_sex.csv"):
        key = MAJORS[r["occupation_major"]], r["sex"]
        if r["age_group"] == "15-19":
            young["18-19", key[1], key[0]] = float(r["count"])
        else:
            cells[r["age_group"], key[1], key[0]] = float(r["count"])
    figure("occupation_group_age_sex_2024", ["age", "sex", "occupation_group"], cells)
    figure("occupation_group_18_19", ["age", "sex", "occupation_group"], young)
    share, overall = defaultdict(float), defaultdict(float)
    totals = defaultdict(float)
    for (_, _, group), v in cells.items():
        totals[group] += v
    for r in read_shares("occupation_major_education_estimate.csv", "occupation_major"):
        share[MAJORS[r["occupation_major"]], EDUCATION[r["education_level"]]] = float(r["share"])
        overall[EDUCATION[r["education_level"]]] += float(r["share"]) * totals[MAJORS[r["occupation_major"]]]
    whole = sum(overall.values())
    seed = {}
    for band in AGES_WORK:
        source = "15-19" if band == "18-19" else "20-24" if last(band) < 25 else band
        for sex in SEXES:
            for level, of in EDUCATION5.items():
                for group in MAJORS.values():
                    v = young["18-19", sex, group] if source == "15-19" else cells[source, sex, group]
                    tilt = sum(share[group, e] for e in of) / (sum(overall[e] for e in of) / whole)
                    if group == "Others" and sex == "Male" and last(band) < 25:
                        # ASSUMPTION: full-time national service is done by 22, whatever the schooling.
                        tilt = {"18-19": 1.0, "20-21": 3.0, "22-24": 0.12}[band]
                        tilt *= 0.3 if level == "degree" else 1.0
                    for means, weights in MEANS_WORK.items():
                        w = dict(zip(MAJORS.values(), weights))[group] if first(band) >= 22 else 1.0
                        seed[band, sex, level, means, group] = (v + 20.0) * tilt * w
                for means in MEANS:
                    seed[band, sex, level, means, "None"] = 1.0
    figure("occupation_group_seed", ["age", "sex", "education_level", "household_means", "occupation_group"], seed,
           sig=4)
    # The titles: weight within the group, then how a cluster of titles goes with sex, schooling and age.
    table = {(jobs.major[t], t): jobs.weight[t] for t in jobs.titles} | {("None", NO_JOB): 1.0}
    by_sex, by_education, by_age = {}, {}, {}
    for t in jobs.titles:
        r = jobs.clusters[jobs.cluster[t]]
        women = override(t, float(r["female"]))
        by_sex["Male", t], by_sex["Female", t] = 1 - women, women
        for group, digit in zip(EDUCATION4, r["education"]):
            if int(digit):
                by_education[group, t] = int(digit) / 10
        # ASSUMPTION: those in charge have seen some years
        charge = re.search("supervisor|manager|head|chief|senior|foreman|captain|principal|director", t.lower())
        digits = r["age"][:2] + r["age"][1:]  # 23 to 34 is one digit
        for band, digit, rank in zip(AGES_CAREER, digits, (0.04, 0.5, 0.75, 1, 1, 1) if charge else (1,) * 6):
            if int(digit) and not (t in VOCATIONAL and last(band) < 30):
                by_age[band, t] = int(digit) / 10 * rank
    for keys, cell in ((SEXES, by_sex), (EDUCATION4, by_education), (AGES_CAREER, by_age)):
        cell |= {(k, NO_JOB): 1.0 for k in keys}
    figure("occupation_weights", ["occupation_group", "occupation"], table, "share", sig=5)
    figure("occupation_sex", ["sex", "occupation"], by_sex, "share", sig=4)
    figure("occupation_education", ["education_level", "occupation"], by_education, "share", sig=4)
    figure("occupation_age", ["age", "occupation"], by_age, "share", sig=4)
    levels("occupation", ["level", "ssoc", "group", "cluster"],
           [[NO_JOB, "", "", "none"]] + [[t, jobs.code[t], jobs.major[t], jobs.cluster[t]] for t in jobs.titles])
    manifest_section("forces", ['forces = ["%s"]' % FORCES, "other = [%s]" % ", ".join(
        f'"{t}"' for t in [NO_JOB] + jobs.titles if t != FORCES)])
    manifest_section("clusters", toml_groups(jobs, lambda t: jobs.cluster[t], "none"))
    manifest_section("major groups", toml_groups(jobs, lambda t: jobs.major[t], "None"))
    manifest_section("ways to work", toml_groups(jobs, lambda t: travel_class(jobs, t), "None"))
    manifest_section("screens", toml_groups(jobs, lambda t: screen(jobs, t), "other"))
    manifest_section("pay classes", toml_groups(jobs, lambda t: pay_class(jobs, t), "none"))


def toml_groups(jobs, key, none):
    groups = defaultdict(list)
    for t in jobs.titles:
        groups[key(t)].append(t)
    if none in groups:
        groups[none].insert(0, NO_JOB)
    lines = [] if none in groups else [f'"{none}" = ["{NO_JOB}"]']
    return lines + ['"%s" = [%s]' % (g, ", ".join(f'"{t}"' for t in ts)) for g, ts in sorted(groups.items())]


def override(title, share):
    """ASSUMPTION: share of women where the title says more than its cluster."""
    for pattern, women in (("receptionist|secretary|beautician|nail|facial", 0.94), ("barber", 0.15),
                           ("midwi", 0.99), ("lorry|trailer|prime mover|crane", 0.02),
                           ("driver|mechanic|welder", 0.05), ("tailor|dressmaker|seam", 0.8),
                           ("software|network|cyber", 0.27), ("nursing aide", 0.9), ("chauffeur", 0.04)):
        if re.search(pattern, title.lower()):
            return women
    return share


# ---------------------------------------------------------------------------------------------------------------------
# Industry, field, status

def industry(jobs):
    cells, letter = {}, {code: title for code, title in INDUSTRY.values()}
    totals = defaultdict(float)
    for r in read("industry_occupation_major.csv"):
        key = MAJORS[r["occupation_major"]], INDUSTRY[r["industry"]][1]
        cells[key] = float(r["count"])
        totals[key[1]] += float(r["count"])
    figure("industry_occupation_2024", ["occupation_group", "industry"], cells)
    by_sex = defaultdict(float)
    for r in read("transport_mode_industry_sex_2015.csv"):
        by_sex[r["sex"], INDUSTRY[r["industry"]][1]] += float(r["count"])
    figure("industry_sex_2015", ["sex", "industry"], by_sex)
    seed, whole = {}, sum(totals.values())
    for cluster, r in jobs.clusters.items():
        weight = {letter[part[0]]: float(part[1:]) for part in r["industry"].split()}
        for title in letter.values():
            # a trace of the national mix keeps the published table within reach
            trace = 0.0 if cluster == "armed_forces" else 1.5 * totals[title] / whole
            seed[cluster, title] = weight.get(title, 0.0) + trace
    seed["none", "None"] = 1.0
    figure("industry_seed", ["occupation", "industry"], seed, "share", sig=5)


def field(jobs):
    cells = {(r["sex"], FIELD[r["bachelors_field"]][1]): float(r["share"])
             for r in read_shares("bachelors_field_sex_estimate.csv", "sex")}
    figure("field_sex", ["sex", "field_of_study"], cells, "share")
    titles = {code: title for code, title in FIELD.values()}
    mean = {t: (cells["Male", t] + cells["Female", t]) / 2 for t in titles.values()}
    strict = ("doctors", "nurses", "lawyers", "therapists")  # the law or the register asks for the field
    seed = {}
    for cluster, r in list(jobs.clusters.items()) + [("none", {"field": ""})]:
        weight = {titles[part[0]]: float(part[1:]) for part in r["field"].split()}
        for t in titles.values():
            trace = 0.0 if cluster in strict else 2.5 * mean[t] if weight else 10 * mean[t]
            if t in ("Health Sciences", "Law", "Education") and weight:
                trace *= 0.25
            seed[cluster, t] = weight.get(t, 0.0) + trace
    figure("field_seed", ["occupation", "field_of_study"], seed, "share", sig=5)


# ASSUMPTION: employees, own account workers, employers and family workers by kind of work, in %.
STATUS_KINDS = {"emp": (99.2, 0.35, 0.25, 0.2), "pro": (72, 13, 14.5, 0.5), "boss": (50, 5, 44.5, 0.5),
                "mgr": (88, 1, 10.9, 0.1), "agent": (14, 84, 2, 0), "driver": (7, 92.5, 0.5, 0),
                "trade": (79, 13, 7.5, 0.5), "hawker": (16, 62, 12, 10), "freelance": (42, 50, 6.5, 1.5)}


def employment_status(jobs):
    cells = defaultdict(float)
    for r in read("transport_mode_employment_status_sex_2015.csv"):
        cells[r["sex"], STATUS[r["employment_status"]]] += float(r["count"])
    figure("employment_status_sex_2015", ["sex", "employment_status"], cells)
    seed = {("none", "None"): 1.0}
    for cluster, r in jobs.clusters.items():
        for status, v in zip(STATUS.values(), STATUS_KINDS[r["status"]]):
            seed[cluster, status] = v if cluster != "armed_forces" else 100.0 * (status == "Employees")
            if cluster in ("police_fire", "uniformed_officers", "officials", "policy_officers", "cabin_crew", "pilots"):
                seed[cluster, status] = 100.0 * (status == "Employees")
    figure("employment_status_seed", ["occupation", "employment_status"], seed, "share", sig=5)


# ---------------------------------------------------------------------------------------------------------------------
# Income and the way to work

def pay_class(jobs, title):
    if title == FORCES:
        return "forces"
    tier = jobs.clusters[jobs.cluster[title]]["pay"]
    return f"{jobs.major[title]} {'low' if tier in '1' else 'mid' if tier in '23' else 'high'}"


PAY = {"low": -0.35, "mid": 0.0, "high": 0.55}  # ASSUMPTION: log pay against the median of the major group
AGE_PAY = {"18-22": -0.9, "23-27": -0.45, "28-44": 0.08, "45-64": 0.05, "65+": -0.45}
SCHOOL_PAY = {"secondary_or_less": -0.30, "post_secondary_or_diploma": -0.10, "degree": 0.22}
MEANS_PAY = {"low": -0.45, "middle": -0.22, "high": 0.1, "top": 0.75}


def affordable(means, band):
    """ASSUMPTION: next to nobody earns more than the household does; not nobody, since pay is of 2023 and households
    are of 2020."""
    return 1.0 if first(band) < MEANS[means] else 0.12 if first(band) < 1.2 * MEANS[means] else 0.015


def incomes(jobs):
    cells = {(MAJORS[r["occupation_major"]], r["sex"], INCOME[r["monthly_income_sgd"]]): float(r["share"])
             for r in read_shares("income_band_occupation_sex_estimate.csv", "occupation_major", "sex")}
    figure("income_occupation_sex_2023", ["occupation_group", "sex", "monthly_income"], cells, "share", sig=6)
    middle = [math.log(x) for x in (700, 1250, 1750, 2250, 2750, 3500, 4500, 5500, 6500, 7500, 8500, 9500, 10500,
                                    11500, 16000)]
    seed = {}
    classes = sorted({(pay_class(jobs, t), jobs.major[t]) for t in jobs.titles})
    for name, major in classes:
        for sex in SEXES:
            if name != "forces":
                share = [cells.get((major, sex, INCOME[b]), 0.0) for b in INCOME_BANDS]
                if not sum(share):  # farm and fishery workers: as cleaners and labourers
                    share = [cells[MAJORS["cleaners_labourers"], sex, INCOME[b]] for b in INCOME_BANDS]
                mean = sum(p * z for p, z in zip(share, middle))
                spread = sum(p * (z - mean) ** 2 for p, z in zip(share, middle))
            for age, school, home in product(AGES_PAY, EDUCATION3, MEANS):
                shift = AGE_PAY[age] + SCHOOL_PAY[school] + MEANS_PAY[home]
                if name != "forces":
                    shift += PAY[name.split()[-1]]
                    tilted = [p * math.exp(shift * (z - mean) / spread) for p, z in zip(share, middle)]
                elif age == "18-22":  # full-time servicemen live on an allowance
                    tilted = [85, 10, 1, 1, 2, 1] + [0] * 9
                else:
                    centre = math.log(5200) + shift
                    tilted = [math.exp(-((z - centre) / 0.4) ** 2 / 2) * (z > 7.6) for z in middle]
                if age != "18-22":
                    tilted = [v * affordable(home, b) for b, v in zip(INCOME_BANDS, tilted)]
                for b, v in zip(INCOME_BANDS, tilted):
                    seed[name, sex, age, school, home, INCOME[b]] = v / sum(tilted)
    for key in product(SEXES, AGES_PAY, EDUCATION3, MEANS):
        seed[("none",) + key + ("None",)] = 1.0
    figure("income_seed", ["occupation", "sex", "age", "education_level", "household_means", "monthly_income"], seed,
           "share", sig=4)


# ASSUMPTION: those who work in a vehicle of their own begin the day in it.
VEHICLES = {"private_hire_drivers": ("drivers", {"no_transport_required": 70, "car_only": 24, "others": 6}),
            "delivery_riders": ("riders", {"no_transport_required": 40, "motorcycle_scooter_only": 45, "others": 15})}


# ASSUMPTION: who employs others has a car, and a van or lorry of the firm.
EMPLOYER = {"employers": {"Car Only": 2.2, "Lorry/Pickup Only": 1.6}, "others": {}}


def travel_class(jobs, title):
    return VEHICLES.get(jobs.cluster[title], (jobs.major[title],))[0]


def transport():
    cells = {(r["age_group"].replace("15-29", "18-29"), r["sex"], TRANSPORT[r["usual_transport_to_work"]]):
             float(r["count"]) for r in read("transport_mode_age_sex_2015.csv")}
    figure("transport_age_sex_2015", ["age", "sex", "transport_to_work"], cells)
    table = {(MAJORS[r["occupation_major"]], r["sex"], TRANSPORT[r["usual_transport_to_work"]]): float(r["count"])
             for r in read("transport_mode_occupation_sex_2015.csv")}
    figure("transport_occupation_sex_2015", ["occupation_group", "sex", "transport_to_work"], table)
    home, place = defaultdict(float), defaultdict(float)
    for r in read("transport_mode_dwelling_sex_2015.csv"):
        home[HOME4[r["dwelling_type"]], r["sex"], TRANSPORT[r["usual_transport_to_work"]]] += float(r["count"])
    figure("transport_dwelling_sex_2015", ["dwelling_type", "sex", "transport_to_work"], home)
    for r in read("transport_mode_industry_sex_2015.csv"):
        at = WORKPLACE.get(r["industry"], "elsewhere")
        place[at, r["sex"], TRANSPORT[r["usual_transport_to_work"]]] += float(r["count"])
    figure("transport_industry_sex_2015", ["industry", "sex", "transport_to_work"], place)
    seed, modes = {}, list(TRANSPORT.values())
    homes, places = list(dict.fromkeys(HOME4.values())), [*dict.fromkeys(WORKPLACE.values()), "elsewhere"]
    for sex in SEXES:
        mean = {m: sum(home[d, sex, m] for d in homes) for m in modes}
        whole = sum(mean.values())

        def tilt(table, key, mode):
            here = sum(table[key, sex, m] for m in modes)
            usual = mean[mode] / whole
            return (table[key, sex, mode] + 200 * usual) / (here + 200) / max(usual, 1e-9)

        for d, at, status in product(homes, places, EMPLOYER):
            for name, shares in VEHICLES.values():
                for code, m in TRANSPORT.items():
                    seed[name, sex, d, at, status, m] = (shares.get(code, 0.0) + 0.5) / 100
            for group in MAJORS.values():
                mass = sum(table[group, sex, m] for m in modes)
                for m in modes:
                    v = (table[group, sex, m] / max(mass, 1) + 1e-4) * tilt(home, d, m) * tilt(place, at, m)
                    seed[group, sex, d, at, status, m] = v * EMPLOYER[status].get(m, 1.0)
            seed["None", sex, d, at, status, "None"] = 1.0
    figure("transport_seed", ["occupation", "sex", "dwelling_type", "industry", "employment_status",
                              "transport_to_work"], seed, "share", sig=4)


# ASSUMPTION: national service by age (in 2024: those born before 1949 were too old when it began), in %.
NATIONAL_SERVICE = ["None", "Full-Time National Serviceman", "Regular", "Operationally Ready NSman", "Completed",
                    "Not Yet Enlisted", "Not Liable or Exempt"]


def national_service():
    seed = {}
    for age in ("18-20", "21-22", "23-24", "25-39", "40-49", "50-75", "76+"):
        for sex in SEXES:
            seed[age, "Female", "other", "None"] = 1.0
            seed[age, "Female", "forces", "Regular"] = 1.0
            row = {"18-20": (1, 0, 2, 0, 88, 9), "21-22": (1, 0, 70, 0, 18, 11), "23-24": (0, 0, 86, 0, 2, 12),
                   "25-39": (0, 0, 84, 2, 0, 14), "40-49": (0, 0, 15, 67, 0, 18), "50-75": (0, 0, 0, 80, 0, 20),
                   "76+": (0, 0, 0, 3, 0, 97)}[age]
            for level, v in zip(("Full-Time National Serviceman", "Regular", "Operationally Ready NSman", "Completed",
                                 "Not Yet Enlisted", "Not Liable or Exempt"), row):
                seed[age, "Male", "other", level] = 0.0 if level in NATIONAL_SERVICE[1:3] else v
            full = {"18-20": 98, "21-22": 92}.get(age, 0)
            seed[age, "Male", "forces", "Full-Time National Serviceman"] = full
            seed[age, "Male", "forces", "Regular"] = 100 - full
    figure("national_service_seed", ["age", "sex", "occupation", "national_service"], seed, "share")
