"""What they are called: a culture of names for each faith, language and state, first names by decade, surnames."""

from collections import defaultdict

from shared_pack.tables import assumption, figure, level_list, manifest_section, read

from .codes import AP, RELIGIONS, SCHEDULED, SEXES, STATES, TS

# First languages as names go: those of the eighth schedule, and what stands close to one of them
CLOSE = {"Tulu": "Kannada", "Kodava": "Kannada", "Khandeshi": "Marathi", "Bishnupuriya": "Bengali", "Mizo": "Mizo",
         "Khasi": "Khasi", "Garo": "Khasi", "Tripuri": "Tripuri", "English": "English"}
EAST, CENTRE = ("Jharkhand", "Odisha", "West Bengal", "Bihar", "Assam"), ("Madhya Pradesh", "Chhattisgarh", AP, TS,
                                                                          "Uttar Pradesh", "Karnataka")
NORTHEAST = {"Mizoram": "mizo", "Nagaland": "naga", "Meghalaya": "khasi", "Manipur": "hill_manipur",
             "Arunachal Pradesh": "arunachal", "Tripura": "tripuri", "Assam": "bodo", "Sikkim": "nepali"}
HINDI = {"Bihar": "bihar", "Jharkhand": "bihar", "West Bengal": "bihar", "Assam": "bihar", "Rajasthan": "rajasthan",
         "Gujarat": "rajasthan", "Haryana": "haryana", "Delhi": "delhi", "Chandigarh": "delhi", "Punjab": "haryana",
         "Uttarakhand": "uttarakhand", "Himachal Pradesh": "himachal", "Jammu and Kashmir": "dogra",
         "Madhya Pradesh": "madhya_pradesh", "Chhattisgarh": "chhattisgarh"}
LANGUAGE = {"Bengali": "bengali", "Assamese": "assamese", "Odia": "odia", "Tamil": "tamil", "Telugu": "telugu",
            "Kannada": "kannada", "Malayalam": "malayali", "Marathi": "marathi", "Gujarati": "gujarati",
            "Konkani": "konkani", "Nepali": "nepali", "Punjabi": "punjabi_hindu", "Manipuri": "meitei",
            "Sindhi": "sindhi", "Kashmiri": "dogra", "Dogri": "dogra", "Bodo": "bodo", "Maithili": "bihar",
            "Santali": "adivasi_east", "Mizo": "mizo", "Khasi": "khasi", "Tripuri": "tripuri"}
STATE = {"Karnataka": "kannada", "Kerala": "malayali", "Lakshadweep": "malayali", "Tamil Nadu": "tamil",
         "Puducherry": "tamil", AP: "telugu", TS: "telugu", "Goa": "konkani", "Himachal Pradesh": "himachal",
         "Uttarakhand": "uttarakhand", "Jammu and Kashmir": "dogra", "Haryana": "haryana", "Punjab": "haryana",
         "Andaman and Nicobar Islands": "christian_ne", "Delhi": "delhi", "Chandigarh": "delhi"}


URDU = {"Maharashtra": "marathi", "Gujarat": "gujarati", "West Bengal": "bengali", "Odisha": "odia"}


def tribal(state):
    return "adivasi_east" if state in EAST else "adivasi_centre" if state in CENTRE else "adivasi_west"


def culture(religion, language, state):
    south = language in ("Tamil", "Telugu", "Kannada") or state in ("Tamil Nadu", AP, TS, "Karnataka", "Puducherry")
    if religion == "Muslim":
        if state == "Jammu and Kashmir":
            return "muslim_kashmir"
        if language in ("Bengali", "Assamese", "Manipuri") or state in ("Assam", "West Bengal", "Tripura"):
            return "muslim_bengal"
        if language == "Malayalam" or state in ("Kerala", "Lakshadweep"):
            return "muslim_malabar"
        if language == "Tamil" or state in ("Tamil Nadu", "Puducherry"):
            return "muslim_tamil"
        if state in (AP, TS, "Karnataka"):
            return "muslim_deccan"
        if state in ("Maharashtra", "Gujarat", "Goa", "Daman and Diu", "Dadra and Nagar Haveli"):
            return "muslim_west"
        return "muslim_bihar" if state in ("Bihar", "Jharkhand") else "muslim_north"
    if religion == "Sikh":
        return "sikh"
    if religion == "Christian":
        if language == "Malayalam" or state in ("Kerala", "Lakshadweep"):
            return "christian_kerala"
        if language in ("Konkani", "Marathi") or state in ("Goa", "Maharashtra", "Daman and Diu"):
            return "christian_goa"
        if south:
            return "christian_south"
        if language in ("Mizo", "Khasi"):
            return LANGUAGE[language]
        if state in ("Mizoram", "Nagaland", "Meghalaya", "Manipur", "Arunachal Pradesh"):
            return NORTHEAST[state]
        if state in ("Assam", "Tripura", "Sikkim", "Andaman and Nicobar Islands"):
            return "christian_ne"
        if state in ("Jharkhand", "Odisha", "Chhattisgarh", "Madhya Pradesh", "Bihar", "West Bengal", "Gujarat",
                     "Dadra and Nagar Haveli"):
            return "christian_adivasi"
        return "christian_north"
    if religion == "Buddhist":
        if language == "Marathi" or state in ("Maharashtra", "Madhya Pradesh", "Gujarat", "Karnataka", TS, AP):
            return "marathi"
        if state in ("Jammu and Kashmir", "Himachal Pradesh", "Sikkim", "Arunachal Pradesh", "Uttarakhand"):
            return "himalaya"
        if state in ("Tripura", "Mizoram", "West Bengal", "Assam", "Meghalaya", "Nagaland", "Manipur"):
            return "chakma"
    if religion == "Jain" and (language in SCHEDULED or language == "English"):
        return "jain_west" if language in ("Gujarati", "Marathi", "Kannada") else "jain_north"
    if religion == "Other religions and persuasions":
        return "meitei" if state == "Manipur" else NORTHEAST.get(state, tribal(state))
    if language == "Bengali" and state in NORTHEAST and religion == "Buddhist":
        return "chakma"
    if language == "Urdu":
        return STATE.get(state) or URDU.get(state) or HINDI.get(state, "uttar_pradesh")
    if language in LANGUAGE:
        return LANGUAGE[language]
    if language in ("Hindi", "English", "Sanskrit"):
        if language == "English" and state in STATE:
            return STATE[state]
        return HINDI.get(state, "uttar_pradesh")
    if state in NORTHEAST:
        return NORTHEAST[state]
    return STATE.get(state, tribal(state))


# The list of first names of each culture; the others have one of their own
GIVEN = {"north": ["uttar_pradesh", "bihar", "rajasthan", "haryana", "delhi", "uttarakhand", "himachal", "dogra",
                   "madhya_pradesh", "chhattisgarh", "punjabi_hindu", "sindhi", "jain_north"],
         "gujarati": ["gujarati", "jain_west"], "marathi": ["marathi", "konkani"], "bengali": ["bengali", "tripuri"],
         "muslim_north": ["muslim_north", "muslim_bihar", "muslim_kashmir", "muslim_deccan", "muslim_west"],
         "muslim_south": ["muslim_malabar", "muslim_tamil"], "christian_south": ["christian_kerala", "christian_south"],
         "christian_north": ["christian_north", "christian_ne", "christian_adivasi"], "assamese": ["assamese", "bodo"],
         "adivasi": ["adivasi_east", "adivasi_centre", "adivasi_west"], "himalaya": ["himalaya", "chakma"],
         "naga": ["naga", "hill_manipur"]}
DECADES = {"1930s": "72+", "1940s": "62-71", "1950s": "52-61", "1960s": "42-51", "1970s": "32-41", "1980s": "22-31",
           "1990s": "18-21"}
ERAS = {"o": (1, 0.9, 0.7, 0.3, 0.1, 0.02, 0), "m": (0.1, 0.2, 0.5, 1, 1, 0.45, 0.2), "n": (0, 0, 0.04, 0.2, 0.6, 1, 1)}
ROLLS = {"telugu": "Andhra Pradesh", "tamil": "Puducherry", "mizo": "Mizoram", "naga": "Nagaland",
         "khasi": "Meghalaya"}
# In the rolls of these states, but of other cultures, or no names
STRAY = set("""Shaik Shaikh Syed Mohammad Mohammed Mohd Md Abdul Sk Khaja Begum Fathima Fatima Mary Maria John David
Joseph Samuel Smt Sri Miss Late Kumari Devi Sunita Anita Ram Raju Rajesh Suresh Rahul Amit Sanjay Manoj Ajay Vijay Sunil Anil
Noor Ali Ahmed Ahamed Mohamed Ibrahim Ameer Akbar Basha Pathan Nagoor Habeeb Haseena Rahamath Rahmath Ayesha Jameela
Zainab Zakir Hussain Arokia Antony Anthony Xavier Philomina Lourdu Arul Jesu Francis Thomas Peter Paul Sheik Kader
Priyanka Priya Pooja Puja Neha Nisha Rekha Kavita Manisha Rita Gita Mina Bimal Gopal Krishna Shanti Maya Basanti Ashok
Deepak Santosh Pinky Dilip Prakash Ramesh Sonia Monika Biswajit Raj Kumar Laxmi Durga Sarita Seema Asha Bishnu Sabitri
Dipak Prem Hari Jyoti Sangita Sangeeta Subash Suman Kiran Thapa Gurung Rai Chetri Das Roy Singh""".split())


def first_names():
    cells = defaultdict(float)
    for r in assumption("first_names.csv"):
        for rank, name in enumerate(dict.fromkeys(r["names"].split())):
            for (decade, band), v in zip(DECADES.items(), ERAS[r["era"]]):
                if v:
                    cells[r["group"], r["sex"], band, name] += round(v * 1000 / (rank + 8), 2)
    rolls = {state: group for group, state in ROLLS.items()}
    listed = defaultdict(list)
    for r in read("first_names_electoral_rolls_12states.csv"):
        group = rolls.get(r["state"])
        keep = r["first_name"] not in STRAY or (group in ("mizo", "naga", "khasi") and r["first_name"] in
                                                ("Mary", "Maria", "John", "David", "Joseph", "Samuel", "Francis",
                                                 "Thomas", "Peter", "Paul"))
        if group and keep and len(r["first_name"]) > 2:
            listed[group, r["sex"], DECADES[r["birth_decade"]]].append((-float(r["count"]), r["first_name"]))
    for (group, sex, band), rows in listed.items():
        for count, name in sorted(rows)[:150]:
            cells[group, sex, band, name] = -count
    groups = sorted({k[0] for k in cells})
    figure("first_name_culture", ["name_culture", "sex", "age", "first_name"], cells)
    level_list("first_name", sorted({k[3] for k in cells}))
    lines = []
    for g in groups:
        members = ", ".join(f'"{c}"' for c in GIVEN.get(g, [g]))
        lines.append(f"{g} = [{members}]")
    manifest_section("first name groups", lines)
    return {c for g in groups for c in GIVEN.get(g, [g])}


# Surnames from the Socio-Economic and Caste Census, by state; the rest by hand (assumptions/last_names.csv)
SECC = {"uttar_pradesh": "Uttar Pradesh", "bihar": "Bihar", "rajasthan": "Rajasthan", "haryana": "Haryana",
        "uttarakhand": "Uttarakhand", "madhya_pradesh": "Madhya Pradesh", "chhattisgarh": "Chhattisgarh",
        "gujarati": "Gujarat", "marathi": "Maharashtra", "odia": "Odisha", "bengali": "West Bengal",
        "assamese": "Assam", "tamil": "Tamil Nadu", "malayali": "Kerala"}
MUSLIM = {"muslim_north": "Uttar Pradesh", "muslim_bihar": "Bihar", "muslim_bengal": "West Bengal",
          "muslim_malabar": "Kerala", "muslim_tamil": "Tamil Nadu"}
MUSLIM_MEN_ALSO = {"muslim_tamil": "Mohamed Abdul Ibrahim Sahib Rahman Hussain Ali Sheriff Basha Rowther Maraikkayar "
                                   "Kader Gani Jamal Hameed Nazeer Yousuf Sulaiman Begum Beevi Banu Nisha"}
# Tokens that are no surname, or of another culture than the state's
NOT = set("""Bewa Din Deen Pas Vati Dulare Pratap Begam Sajivan Nand Bahan Sing Kha Ray. Sk. Ji Kunju Koya Miya Bhai Mohanbhai
Somabhai Bhikhabhai Harijan Urang Kour Masih Mohammad
Unknown Name Mr Late Wife Father Mother""".split())
FEMALE_ENDINGS = ("ben", "bai")


def last_names():
    classes = {r["class"]: set(r["names"].split()) for r in assumption("surname_classes.csv")}
    by_state = defaultdict(dict)
    for r in read("last_names_secc_19states.csv"):
        by_state[r["state"]][r["last_name"]] = float(r["count"])
    cells = defaultdict(float)

    def add(name_culture, name, v):
        female = name in classes["female"] or name.lower().endswith(FEMALE_ENDINGS)
        male = name in classes["male"] or name.lower().endswith("bhai")
        if name_culture in ("tamil", "malayali"):
            male = False
        if name_culture.startswith("muslim"):
            male = name in classes["muslim_male"]
            if name in ("Begum", "Bibi", "Khatun", "Bano", "Parveen", "Beevi", "Nisha"):
                v *= 2
        for sex in SEXES:
            if not (sex == "Male" and female) and not (sex == "Female" and male):
                cells[name_culture, sex, name] += v

    own = defaultdict(dict)
    tribes = classes["tribal"]
    for c, state in SECC.items():
        ranked = sorted(by_state[state].items(), key=lambda x: (-x[1], x[0]))
        good = [(n, v) for n, v in ranked if n not in NOT and n not in tribes and len(n) > 2 and
                n not in (classes["muslim"] - ({"Das", "Shah", "Sardar", "Mir", "Talukdar", "Choudhury", "Mazumder",
                    "Rain"}
                          & {"Talukdar", "Choudhury", "Mazumder"})) and
                not (c == "malayali" and n in classes["christian"]) and not n.endswith(("uddin", "ullah"))]
        for n, v in good[:150]:
            own[c][n] = v
    for c, state in MUSLIM.items():
        ranked = sorted(by_state[state].items(), key=lambda x: (-x[1], x[0]))
        good = [(n, v) for n, v in ranked if n in classes["muslim"] and n not in NOT][:45]
        for n, v in good:
            own[c][n] = v
        for n in MUSLIM_MEN_ALSO.get(c, "").split():
            own[c].setdefault(n, (good[len(good) // 2][1] if good else 1000.0))
    for n, v in (("Bano", 0.6), ("Begum", 0.5), ("Parveen", 0.35), ("Khatoon", 0.3), ("Jahan", 0.08)):
        own["muslim_north"][n] = own["muslim_north"]["Khan"] * v  # ASSUMPTION: women, whom the census seldom names so
    own["christian_kerala"] = {n: v for n, v in by_state["Kerala"].items() if n in classes["christian"]}
    for r in assumption("last_names.csv"):
        for rank, n in enumerate(r["names"].split()):
            own[r["culture"]][n] = own[r["culture"]].get(n, 0) + round(10000 / (rank + 10), 1)
    for c, row in own.items():
        whole = sum(row.values())
        for n, v in row.items():
            if v > whole * 2e-4:
                add(c, n, round(1e6 * v / whole))
    cells["sikh", "Female", "Kaur"] = cells["sikh", "Male", "Singh"] = 800000
    cells.pop(("sikh", "Female", "Singh"), None)
    clans = "Gill Sandhu Sidhu Dhillon Grewal Brar Sohal Bajwa Virk Maan Bains Saini Sethi Arora Chahal Randhawa"
    for n in clans.split():
        cells["sikh", "Female", n] = cells["sikh", "Male", n] = 10000
    figure("last_name_culture", ["name_culture", "sex", "last_name"], cells, digits=0)
    level_list("last_name", sorted({k[2] for k in cells}))
    return set(own)


def cultures(first_languages):
    given, family = first_names(), last_names()
    classes = {k: k if k in SCHEDULED else CLOSE.get(k, "other") for k in first_languages}
    cells = {(r, c, s): culture(r, c, s) for r in RELIGIONS.values() for c in sorted(set(classes.values()))
             for s in STATES}
    used = sorted(set(cells.values()))
    assert set(used) <= given, f"no first names for {set(used) - given}"
    assert set(used) <= family, f"no surnames for {set(used) - family}"
    assert given <= set(used), f"nobody is called as {given - set(used)}"
    figure("name_culture_assumed", ["religion", "first_language", "state", "name_culture"],
           {k + (v,): 1 for k, v in cells.items()}, "weight")
    level_list("name_culture", used)
    section = defaultdict(list)
    for k, c in classes.items():
        section[c].append(k)
    manifest_section("languages of names", [f'"{c}" = [{", ".join(chr(34) + k + chr(34) for k in ks)}]'
                                            for c, ks in sorted(section.items())])
