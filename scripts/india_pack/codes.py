"""Codes of the pack and of its sources."""

SEXES = ["Male", "Female"]
ZONES = {"rural": "Rural", "urban": "Urban"}
EDUCATION = {
    "illiterate": "Illiterate", "literate_without_level": "Literate without education level",
    "below_primary": "Below Primary", "primary": "Primary", "middle": "Middle", "matric_secondary": "Matric/Secondary",
    "higher_secondary": "Higher Secondary/Intermediate Pre-University/Senior Secondary",
    "non_technical_diploma": "Non-technical diploma or certificate not equal to degree",
    "technical_diploma": "Technical diploma or certificate not equal to degree",
    "graduate_and_above": "Graduate & above",
}
RELIGIONS = {
    "hindu": "Hindu", "muslim": "Muslim", "christian": "Christian", "sikh": "Sikh", "buddhist": "Buddhist",
    "jain": "Jain", "other_religion": "Other religions and persuasions", "not_stated": "Religion not stated",
}
SOCIAL = {"scheduled_caste": "Scheduled Caste", "scheduled_tribe": "Scheduled Tribe", "other": "Other"}
# The ten districts of Andhra Pradesh in 2011 that became Telangana in 2014
TELANGANA = {"Adilabad", "Nizamabad", "Karimnagar", "Medak", "Hyderabad", "Rangareddy", "Mahbubnagar", "Nalgonda",
             "Warangal", "Khammam"}
AP = "Andhra Pradesh"
TS = "Telangana"
# District names as printed, where the print is not how the name is written
DISTRICTS = {
    "Leh(Ladakh)": "Leh", "Lahul AND Spiti": "Lahul and Spiti", "PONDICHERRY": "Puducherry",
    "North  AND Middle Andaman": "North and Middle Andaman", "Dadra AND Nagar Haveli": "Dadra and Nagar Haveli",
    "Khargone (West Nimar)": "Khargone", "Khandwa (East Nimar)": "Khandwa", "Kaimur (Bhabua)": "Kaimur",
    "Sant Ravidas Nagar (Bhadohi)": "Sant Ravidas Nagar", "Janjgir - Champa": "Janjgir-Champa", "Y.S.R.": "YSR Kadapa",
    "North  District": "North Sikkim", "West District": "West Sikkim", "South District": "South Sikkim",
    "East District": "East Sikkim", "Bid": "Beed", "Garhwal": "Pauri Garhwal", "Anugul": "Angul",
    "Ahmadabad": "Ahmedabad", "Ahmadnagar": "Ahmednagar", "Muktsar": "Sri Muktsar Sahib",
}
DELHI = {"North West", "North", "North East", "East", "Central", "West", "South West", "South"}
LANGUAGES = {
    "Kurukh/Oraon": "Kurukh", "Lushai/Mizo": "Mizo", "Miri/Mishing": "Mishing", "Karbi/Mikir": "Karbi",
    "Nissi/Dafla": "Nyishi", "Khond/Kondh": "Kondh", "Coorgi/Kodagu": "Kodava", "Arabic/Arbi": "Arabic",
    "Afghani/Kabuli/Pashto": "Pashto", "Others": "Other", "Bodo/Boro": "Bodo", "Magadhi/Magahi": "Magahi",
    "Bundeli/Bundel Khandi": "Bundeli", "Bagheli/Baghel Khandi": "Bagheli", "Hara/Harauti": "Harauti",
    "Sadan/Sadri": "Sadri", "Gojri/Gujjari/Gujar": "Gojri", "Brajbhasha": "Braj Bhasha", "Kokbarak": "Kokborok",
    "Nagpuria": "Nagpuri", "Bharmauri/Gaddi": "Gaddi", "Kokna/Kokni/Kukna": "Kokna", "Khortha/Khotta": "Khortha",
}
# The language that a state's people share, by which the others are told
MAIN = {
    "Jammu and Kashmir": ("Kashmiri", "Dogri"), "Himachal Pradesh": ("Hindi",), "Punjab": ("Punjabi",),
    "Chandigarh": ("Hindi", "Punjabi"), "Uttarakhand": ("Hindi",), "Haryana": ("Hindi",), "Delhi": ("Hindi",),
    "Rajasthan": ("Hindi",), "Uttar Pradesh": ("Hindi",), "Bihar": ("Hindi", "Maithili"), "Sikkim": ("Nepali",),
    "Arunachal Pradesh": (), "Nagaland": (), "Manipur": ("Manipuri",), "Mizoram": ("Mizo",),
    "Tripura": ("Bengali",), "Meghalaya": ("Khasi", "Garo"), "Assam": ("Assamese", "Bengali"),
    "West Bengal": ("Bengali",), "Jharkhand": ("Hindi",), "Odisha": ("Odia",), "Chhattisgarh": ("Hindi",),
    "Madhya Pradesh": ("Hindi",), "Gujarat": ("Gujarati",), "Daman and Diu": ("Gujarati",),
    "Dadra and Nagar Haveli": ("Gujarati", "Bhili"), "Maharashtra": ("Marathi",), AP: ("Telugu",), TS: ("Telugu",),
    "Karnataka": ("Kannada",), "Goa": ("Konkani",), "Lakshadweep": ("Malayalam",), "Kerala": ("Malayalam",),
    "Tamil Nadu": ("Tamil",), "Puducherry": ("Tamil",), "Andaman and Nicobar Islands": ("Hindi", "Bengali"),
}
STATES = list(MAIN)
SCHEDULED = ["Assamese", "Bengali", "Bodo", "Dogri", "Gujarati", "Hindi", "Kannada", "Kashmiri", "Konkani", "Maithili",
             "Malayalam", "Manipuri", "Marathi", "Nepali", "Odia", "Punjabi", "Santali", "Sindhi", "Tamil",
             "Telugu", "Urdu", "Sanskrit"]


def language(name):
    """A language as the Census prints it, in the way it is written."""
    return LANGUAGES.get(name, name.split("/")[0])


def census_state(state):
    """The state of 2011."""
    return AP if state == TS else state


EDU3 = {"low": list(EDUCATION.values())[:4], "middle": list(EDUCATION.values())[4:6],
        "high": list(EDUCATION.values())[6:]}
EDU5 = {"low": list(EDUCATION.values())[:4], "middle": list(EDUCATION.values())[4:5],
        "secondary": list(EDUCATION.values())[5:7], "diploma": list(EDUCATION.values())[7:9],
        "degree": list(EDUCATION.values())[9:]}
SCHOOL4 = {"illiterate": list(EDUCATION.values())[:1], "school": list(EDUCATION.values())[1:5],
           "secondary": list(EDUCATION.values())[5:9], "degree": list(EDUCATION.values())[9:]}
