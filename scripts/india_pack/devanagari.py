"""Names in Devanagari, by rule: the spelling that people give in Latin letters does not tell long from short vowels,
nor dental from retroflex, so parts of names that recur and the commonest names are listed by hand."""

import os
import re
from collections import defaultdict

from shared_pack.tables import FOLDERS, assumption, rows_of, write_csv

VOWELS = [("aa", "आ", "ा"), ("ai", "ऐ", "ै"), ("au", "औ", "ौ"), ("ou", "औ", "ौ"), ("ee", "ई", "ी"), ("ii", "ई", "ी"),
          ("oo", "ऊ", "ू"), ("uu", "ऊ", "ू"), ("ei", "ए", "े"), ("eo", "ियो", "ियो"), ("a", "अ", ""), ("i", "इ", "ि"),
          ("u", "उ", "ु"), ("e", "ए", "े"), ("o", "ओ", "ो")]
CONSONANTS = [("ksh", "क्ष"), ("chh", "छ"), ("sch", "श"), ("tch", "च"), ("cch", "च्च"), ("gy", "ज्ञ"), ("kh", "ख"),
    ("gh", "घ"), ("ch", "च"),
              ("jh", "झ"), ("th", "थ"), ("dh", "ध"), ("ph", "फ"), ("bh", "भ"), ("sh", "श"), ("zh", "झ"), ("ck", "क"),
              ("k", "क"), ("g", "ग"), ("c", "क"), ("j", "ज"), ("t", "त"), ("d", "द"), ("n", "न"), ("p", "प"), ("f",
              "फ़"),
              ("b", "ब"), ("m", "म"), ("y", "य"), ("r", "र"), ("l", "ल"), ("v", "व"), ("w", "व"), ("s", "स"),
              ("h", "ह"), ("z", "ज़"), ("q", "क़"), ("x", "क्स")]
NASAL = set("क ख ग घ च छ ज झ त थ द ध ट ठ ड ढ".split())
LABIAL = set("प फ ब भ".split())
# Pairs that are written joined
JOINED = {"क्त", "प्त", "ब्द", "द्म", "त्म", "ग्न", "ज्व", "त्न", "ल्प", "ब्ज", "द्ध", "च्छ", "क्ख", "स्त", "स्थ",
    "स्न", "स्म", "स्व", "श्व", "श्न",
          "ष्ण", "त्स", "क्स", "क्ष", "ल्ल", "ज्ञ", "न्ह", "म्ह", "त्त", "ल्म", "न्म", "म्न", "ह्म", "श्क", "स्क",
          "स्प", "श्त", "ल्द"}
AFTER = set("य र व ल".split())


def spell(word, south=False, west=False):
    """One name by the rules."""
    text = word.lower().replace("'", "").replace("-", "").replace(".", "")
    text = re.sub(r"(.)\1\1+", r"\1\1", text)
    text = re.sub(r"aiah$", "ayya", text)
    text = re.sub(r"(?<=[^aeiou])y(?=[^aeiouy]|$)", "i", text)
    text = re.sub(r"^(.*[^a])ey$", r"\1e", text)
    if len(text) > 4:
        text = re.sub(r"ah$", "a", text)
    if south:
        text = text.replace("tth", "tt").replace("th", "t").replace("ddh", "dd")
    # a name of two syllables that ends in a vowel has a long first a: Rani, Mali, Babu
    text = re.sub(r"^([^aeiou]{1,2})a([^aeiouy]h?)([aiu])$", r"\1aa\2\3", text)
    text = re.sub(r"^a([^aeiouy]h?)([aiu])$", r"aa\1\2", text)
    units, i = [], 0
    while i < len(text):
        for latin, own, sign in VOWELS:
            if text.startswith(latin, i):
                units.append(("v", latin, own, sign))
                i += len(latin)
                break
        else:
            for latin, letter in CONSONANTS:
                if text.startswith(latin, i):
                    if west and latin in ("t", "d"):
                        letter = {"t": "ट", "d": "ड"}[latin]
                    units.append(("c", latin, letter, ""))
                    i += len(latin)
                    break
            else:
                i += 1
    out = ""
    for n, (kind, latin, letter, sign) in enumerate(units):
        last = n == len(units) - 1
        before = units[n - 1] if n else None
        if kind == "v":
            if last and latin in ("a", "i", "u"):
                letter, sign = {"a": ("आ", "ा"), "i": ("ई", "ी"), "u": ("ऊ", "ू")}[latin]
            if before and before[0] == "c":
                out += sign
            elif before and before[0] == "v" and latin in ("a", "i", "e", "u", "o"):
                out += {"a": "या" if before[1] in ("i", "ee") else "आ", "i": "ई", "e": "ए", "u": "ऊ", "o": "ओ"}[latin]
            else:
                out += letter
            continue
        following = units[n + 1] if not last else None
        if following and following[0] == "c" and before is not None:
            nxt = following[2]
            if latin == "n" and nxt in NASAL or latin == "m" and nxt in LABIAL:
                out += "ं"
                continue
            pair = letter + "्" + nxt
            if letter == nxt or (nxt in ("घ", "झ", "ध", "भ", "ख", "छ", "थ", "फ") and latin == following[1][0]):
                out += letter + "्"
            elif latin == "r" or pair in JOINED or (nxt == "य") or (nxt == "र" and latin in
                                                                  ("p", "k", "g", "t", "d", "b", "sh", "bh", "dh",
                                                                  "th")):
                out += letter + "्"
            else:
                out += letter
            continue
        if following and following[0] == "c" and before is None:  # a cluster begins the name
            out += letter + "्"
            continue
        out += letter
    return out


# Parts that recur, tried at the end of a name; what stands before them goes by the rules, or is itself listed
ENDINGS = {
    "ram": "राम", "raj": "राज", "lal": "लाल", "nath": "नाथ", "bai": "बाई", "ben": "बेन", "bhai": "भाई",
    "kumar": "कुमार",
    "kumari": "कुमारी", "devi": "देवी", "das": "दास", "prasad": "प्रसाद", "dev": "देव", "singh": "सिंह", "wati": "वती",
    "vati": "वती", "bati": "बती", "amma": "म्मा", "appa": "प्पा", "rao": "राव", "rai": "राय", "murthy": "मूर्ति",
    "lakshmi": "लक्ष्मी",
    "laxmi": "लक्ष्मी", "samy": "सामी", "swamy": "स्वामी", "swami": "स्वामी", "sami": "सामी", "pal": "पाल",
    "nand": "नंद",
    "chand": "चंद", "chandra": "चंद्र", "chandran": "चंद्रन", "deep": "दीप", "preet": "प्रीत", "jit": "जीत",
    "jeet": "जीत",
    "inder": "इंदर", "winder": "विंदर", "uddin": "उद्दीन", "ullah": "उल्लाह", "esh": "ेश", "eshwar": "ेश्वर",
    "eswar": "ेश्वर",
    "endra": "ेंद्र", "jan": "जन", "ansh": "ांश", "krishna": "कृष्ण", "krishnan": "कृष्णन", "nathan": "नाथन",
    "reddy": "रेड्डी", "mani": "मणि", "rani": "रानी", "bala": "बाला", "mala": "माला", "lata": "लता", "latha": "लता",
    "patil": "पाटिल",
    "khan": "ख़ान", "begum": "बेगम", "bibi": "बीबी", "nisha": "निशा", "kar": "कर", "wala": "वाला", "pur": "पुर",
    "puri": "पुरी",
    "yan": "यन", "dhan": "धन", "bhan": "भान", "veer": "वीर", "vir": "वीर", "bir": "बीर", "want": "वंत", "mohan": "मोहन",
    "shankar": "शंकर", "sankar": "शंकर", "gopal": "गोपाल", "govind": "गोविंद", "narayan": "नारायण",
    "narayana": "नारायण",
    "narayanan": "नारायणन", "raman": "रमन", "rajan": "राजन", "kutty": "कुट्टी", "vel": "वेल", "velu": "वेलु",
    "durai": "दुरै",
    "muthu": "मुत्तु", "selvi": "सेल्वी", "priya": "प्रिया", "sri": "श्री", "shree": "श्री", "thanga": "तंगा",
    "puii": "पुई", "zuali": "ज़ुआली",
}
# Before these a final a is short: Jaya-lakshmi is जयलक्ष्मी
SHORT = set("lakshmi laxmi krishna krishnan rao raj kumar pal nath prasad chandra chandran narayan narayana murthy "
            "swamy swami samy sami reddy lal das veer".split())
LONGEST = sorted((k for k in ENDINGS if k.strip()), key=len, reverse=True)


def devanagari(name, known, south=False, west=False):
    low = name.lower()
    if low in known:
        return known[low]
    for end in LONGEST:
        stem = low[:-len(end)]
        if low.endswith(end) and len(stem) >= 3 and not west:
            text = ENDINGS[end]
            if text[0] in "ािीुूेैोौं":
                if stem[-1] in "aeiou":
                    break
                return (ENDINGS.get(stem) if stem in ("raj", "chand") else spell(stem, south)).removesuffix("ा") + text
            head = known.get(stem) or ENDINGS.get(stem) or spell(stem, south)
            if end in SHORT and stem[-1] == "a":
                head = head.removesuffix("ा")
            if text[0] in "इईउऊ" and stem[-1] not in "aeiou":
                return head + {"इ": "ि", "ई": "ी", "उ": "ु", "ऊ": "ू"}[text[0]] + text[1:]
            if end in ("amma", "appa"):
                return head.removesuffix("ा") + text
            if stem[-1] in "iu" and head.endswith(("ी", "ू")):
                head = head[:-1] + {"ी": "ि", "ू": "ु"}[head[-1]]
            return head + text
    return spell(name, south, west)


SOUTH = {"telugu", "tamil", "malayali", "kannada", "muslim_south", "christian_south", "muslim_malabar", "muslim_tamil",
         "christian_kerala"}
WEST = {"christian_goa", "mizo", "naga", "khasi", "hill_manipur", "christian_north"}


def write_names():
    known = {r["latin"].lower(): r["devanagari"] for r in assumption("names_devanagari.csv")}
    for what, out in (("first_name", "first"), ("last_name", "last")):
        groups = defaultdict(set)
        for r in rows_of(os.path.join(FOLDERS["pack"], "figures", f"{what}_culture.csv.gz")):
            groups[r[what]].add(r["name_culture"])
        rows = [[name, devanagari(name, known, groups[name] <= SOUTH, groups[name] <= WEST)] for name in sorted(groups)]
        write_csv([[what, f"{out}_deva"], *rows], "outline", "hi", f"{what}s.csv")
