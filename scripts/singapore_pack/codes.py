"""Codes of the source tables and the levels of the pack that they become; age bands."""

from shared_pack.bands import first, last

SEXES = ("Male", "Female")

ETHNICITY = {"chinese": "Chinese", "malay": "Malay", "indian": "Indian", "other": "Others"}

DIALECT = {"hokkien": "Hokkien", "teochew": "Teochew", "cantonese": "Cantonese", "hakka": "Hakka",
           "hainanese": "Hainanese", "foochow": "Foochow", "henghua": "Henghua", "shanghainese": "Shanghainese",
           "hockchia": "Hockchia", "other_chinese": "Other Chinese", "malay": "Malay", "javanese": "Javanese",
           "boyanese": "Boyanese", "other_malays": "Other Malays", "tamil": "Tamil", "malayalee": "Malayalee",
           "hindi": "Hindi", "sikh": "Sikh", "punjabi": "Punjabi", "urdu": "Urdu", "hindustani": "Hindustani",
           "gujarati": "Gujarati", "sindhi": "Sindhi", "sinhalese": "Sinhalese", "other_indians": "Other Indians",
           "filipino": "Filipino", "caucasian": "Caucasian", "eurasian": "Eurasian", "arab": "Arab", "thai": "Thai",
           "japanese": "Japanese", "others": "Others"}

# Where people come from, as far as religion and names go: groups of dialect groups.
ORIGINS = {"chinese": ["Hokkien", "Teochew", "Cantonese", "Hakka", "Hainanese", "Foochow", "Henghua", "Shanghainese",
                       "Hockchia", "Other Chinese"],
           "malay": ["Malay", "Javanese", "Boyanese", "Other Malays"], "tamil": ["Tamil"], "malayalee": ["Malayalee"],
           "punjabi": ["Sikh"], "north_indian": ["Punjabi", "Hindi", "Hindustani", "Gujarati", "Sindhi"],
           "urdu": ["Urdu"], "sinhalese": ["Sinhalese"], "other_indian": ["Other Indians"], "filipino": ["Filipino"],
           "caucasian": ["Caucasian"], "eurasian": ["Eurasian"], "arab": ["Arab"], "thai": ["Thai"],
           "japanese": ["Japanese"], "other": ["Others"]}
ORIGIN_ETHNICITY = {"chinese": "Chinese", "malay": "Malay", "tamil": "Indian", "malayalee": "Indian",
                    "punjabi": "Indian", "north_indian": "Indian", "urdu": "Indian", "sinhalese": "Indian",
                    "other_indian": "Indian", "filipino": "Others", "caucasian": "Others", "eurasian": "Others",
                    "arab": "Others", "thai": "Others", "japanese": "Others", "other": "Others"}
# As far as the language at home goes.
SPEECH = {"hokkien": ["Hokkien", "Hockchia", "Henghua"], "teochew": ["Teochew"], "cantonese": ["Cantonese"],
          "other_chinese": ["Hakka", "Hainanese", "Foochow", "Shanghainese", "Other Chinese"],
          "malay": ["Malay", "Javanese", "Boyanese", "Other Malays"], "tamil": ["Tamil"],
          "other_indian": ["Malayalee", "Hindi", "Sikh", "Punjabi", "Urdu", "Hindustani", "Gujarati", "Sindhi",
                           "Sinhalese", "Other Indians"],
          "eurasian": ["Caucasian", "Eurasian"], "other": ["Filipino", "Arab", "Thai", "Japanese", "Others"]}
SPEECH_ETHNICITY = {"hokkien": "Chinese", "teochew": "Chinese", "cantonese": "Chinese", "other_chinese": "Chinese",
                    "malay": "Malay", "tamil": "Indian", "other_indian": "Indian", "eurasian": "Others",
                    "other": "Others"}

EDUCATION = {"no_qualification": "No Qualification", "primary": "Primary", "lower_secondary": "Lower Secondary",
             "secondary": "Secondary", "post_secondary_non_tertiary": "Post Secondary (Non-Tertiary)",
             "polytechnic_diploma": "Polytechnic", "professional_qualification": "Other Diploma",
             "university": "University"}
EDUCATION_LEVELS = ["No Qualification", "Primary", "Lower Secondary", "Secondary", "Post Secondary (Non-Tertiary)",
                    "Polytechnic", "Other Diploma", "University"]
EDUCATION3 = {"secondary_or_less": EDUCATION_LEVELS[:4], "post_secondary_or_diploma": EDUCATION_LEVELS[4:7],
              "degree": ["University"]}
EDUCATION4 = {"secondary_or_less": EDUCATION_LEVELS[:4], "post_secondary": EDUCATION_LEVELS[4:5],
              "diploma": EDUCATION_LEVELS[5:7], "degree": ["University"]}

EDUCATION5 = {"primary_or_less": EDUCATION_LEVELS[:2], "secondary": EDUCATION_LEVELS[2:4],
              "post_secondary": EDUCATION_LEVELS[4:5], "diploma": EDUCATION_LEVELS[5:7], "degree": ["University"]}

MARITAL = {"single": "Single", "married": "Married", "widowed": "Widowed", "divorced_separated": "Divorced/Separated"}

RELIGION = {"no_religion": "No Religion", "buddhism": "Buddhism", "taoism": "Taoism", "islam": "Islam",
            "hinduism": "Hinduism", "sikhism": "Sikhism", "catholic": "Catholic", "other_christian": "Other Christian",
            "other_religion": "Other Religion"}

LANGUAGE = {"english": "English", "mandarin": "Mandarin", "hokkien": "Hokkien", "teochew": "Teochew",
            "cantonese": "Cantonese", "other_chinese_dialect": "Other Chinese Dialect", "malay": "Malay",
            "tamil": "Tamil", "other_indian_language": "Other Indian Language", "other_language": "Other Language"}
LANGUAGE7 = {"english": "English", "mandarin": "Mandarin", "chinese_dialect": "Chinese Dialect", "malay": "Malay",
             "tamil": "Tamil", "other_indian_language": "Other Indian Language", "other_language": "Other Language",
             "other_or_not_shown": "Other Language", "none": "None"}
DIALECTS = ["Hokkien", "Teochew", "Cantonese", "Other Chinese Dialect"]

LABOUR = {"employed": "Employed", "unemployed": "Unemployed", "student": "Student", "homemaker": "Homemaker",
          "retired": "Retired", "other_outside_labour_force": "Other Outside Labour Force"}

MAJORS = {"managers": "Managers", "professionals": "Professionals",
          "associate_professionals_technicians": "Associate Professionals & Technicians",
          "clerical_support_workers": "Clerical Support Workers", "service_sales_workers": "Service & Sales Workers",
          "craftsmen_trades_workers": "Craftsmen & Related Trades Workers",
          "plant_machine_operators_assemblers": "Plant & Machine Operators & Assemblers",
          "cleaners_labourers": "Cleaners, Labourers & Related Workers", "others": "Others"}
NO_JOB = "Not in Workforce"
FORCES = "Singapore armed forces personnel"

INDUSTRY = {"manufacturing": ("M", "Manufacturing"), "construction": ("C", "Construction"),
            "wholesale_and_retail_trade": ("W", "Wholesale and Retail Trade"),
            "transportation_and_storage": ("T", "Transportation and Storage"),
            "accommodation_and_food_services": ("A", "Accommodation and Food Services"),
            "information_and_communications": ("I", "Information and Communications"),
            "financial_and_insurance_services": ("F", "Financial and Insurance Services"),
            "real_estate_services": ("R", "Real Estate Services"),
            "professional_services": ("P", "Professional Services"),
            "administrative_and_support_services": ("N", "Administrative and Support Services"),
            "public_administration_and_education_services": ("G", "Public Administration and Education Services"),
            "health_and_social_services": ("H", "Health and Social Services"),
            "arts_entertainment_and_recreation": ("E", "Arts, Entertainment and Recreation"),
            "other_community_social_and_personal_services":
                ("O", "Other Community, Social and Personal Services"),
            "other_industries": ("X", "Other Industries")}

FIELD = {"business_and_administration": ("b", "Business and Administration"),
         "engineering_sciences": ("e", "Engineering Sciences"),
         "information_technology": ("i", "Information Technology"),
         "natural_physical_mathematical_sciences": ("n", "Natural, Physical and Mathematical Sciences"),
         "humanities_and_social_sciences": ("s", "Humanities and Social Sciences"),
         "health_sciences": ("h", "Health Sciences"), "education": ("d", "Education"), "law": ("l", "Law"),
         "architecture_building_real_estate": ("a", "Architecture, Building and Real Estate"),
         "mass_communication_information_science": ("c", "Mass Communication and Information Science"),
         "fine_and_applied_arts": ("f", "Fine and Applied Arts"), "services_and_others": ("o", "Services and Others")}

INCOME_BANDS = ["0-999", "1000-1499", "1500-1999", "2000-2499", "2500-2999", "3000-3999", "4000-4999", "5000-5999",
                "6000-6999", "7000-7999", "8000-8999", "9000-9999", "10000-10999", "11000-11999", "12000+"]


def income(band):
    """`3000-3999` as the census prints it: `$3,000 - $3,999`."""
    if band == "0-999":
        return "Below $1,000"
    if band.endswith("+"):
        return "$12,000 & Over"
    low, high = band.split("-")
    return f"${int(low):,} - ${int(high):,}"


INCOME = {band: income(band) for band in INCOME_BANDS}

DWELLING = {"hdb_1_2_room": "HDB 1- and 2-Room Flats", "hdb_3_room": "HDB 3-Room Flats",
            "hdb_4_room": "HDB 4-Room Flats", "hdb_5_room_executive": "HDB 5-Room and Executive Flats",
            "condominium": "Condominiums and Other Apartments", "landed": "Landed Properties", "other": "Others"}

ROOMS = {"hdb_1_2_room": ["hdb_1_2_room"], "hdb_3_room": ["hdb_3_room"],
         "larger": ["hdb_4_room", "hdb_5_room_executive", "condominium", "landed", "other"]}
ROOMS_OF = {DWELLING[d]: name for name, kinds in ROOMS.items() for d in kinds}
# As far as the way to work goes.
HOME4 = {"hdb_1_2_room": "hdb_to_3_room", "hdb_3_room": "hdb_to_3_room", "hdb_4_room": "hdb_4_room",
         "hdb_5_room_executive": "hdb_5_room", "condominium": "private", "landed": "private", "other": "private"}
WORKPLACE = {"construction": "building", "manufacturing": "works", "transportation_and_storage": "works",
             "information_and_communications": "offices", "financial_and_insurance_services": "offices",
             "real_estate_services": "offices", "professional_services": "offices"}  # all others: elsewhere
MEANS = {"low": 5000, "middle": 10000, "high": 20000, "top": 10 ** 9}  # below so many dollars a month

TRANSPORT = {"public_bus_only": "Public Bus Only", "mrt_only": "MRT/LRT Only",
             "mrt_and_public_bus_only": "MRT/LRT and Public Bus Only",
             "other_combinations_of_mrt_or_public_bus": "Other Combinations of MRT/LRT or Public Bus",
             "taxi_only": "Taxi Only", "car_only": "Car Only",
             "private_chartered_bus_van_only": "Private Chartered Bus/Van Only",
             "lorry_pickup_only": "Lorry/Pickup Only", "motorcycle_scooter_only": "Motorcycle/Scooter Only",
             "others": "Others", "no_transport_required": "No Transport Required"}

STATUS = {"employees": "Employees", "own_account_workers": "Own Account Workers", "employers": "Employers",
          "contributing_family_workers": "Contributing Family Workers"}

AGES5 = ["18-19", "20-24", "25-29", "30-34", "35-39", "40-44", "45-49", "50-54", "55-59", "60-64", "65-69", "70-74",
         "75-79", "80-84", "85-89", "90+"]
AGES5_85 = AGES5[:14] + ["85+"]
AGES_EDUCATION = ["18", "19", "20", "21", "22-24"] + AGES5_85[2:]
AGES_MARITAL = ["18-19", "20-22", "23-24"] + AGES5[2:]
AGES_RELIGION = ["18-24", "25-34", "35-44", "45-54", "55-64", "65+"]
AGES_LABOUR = ["18", "19", "20", "21", "22-24"] + AGES5[2:]
AGES_WORK = ["18-19", "20-21", "22-24", "25-29", "30-34", "35-39", "40-44", "45-49", "50-54", "55-59", "60-64", "65+"]
AGES_CAREER = ["18-22", "23-29", "30-34", "35-49", "50-64", "65+"]
AGES_PAY = ["18-22", "23-27", "28-44", "45-64", "65+"]


def within(fine, coarse):
    """The band of `coarse` that holds the band `fine`."""
    for band in coarse:
        if first(band) <= first(fine) and last(fine) <= last(band):
            return band
    raise ValueError(f"the ages {fine} lie within none of the bands {', '.join(coarse)}")
