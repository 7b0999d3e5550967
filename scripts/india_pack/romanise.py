"""The Hindi grammar in Latin letters, as it is typed: schwas that are not spoken are dropped by rule, words of English
stand in English, and the commonest words have a spelling by hand (assumptions/romanised_words.csv)."""

import csv
import glob
import os
import re

from shared_pack.tables import FOLDERS, assumption, write_csv

BASE = dict(zip("कखगघङचछजझञटठडढणतथदधनपफबभमयरलवशषसहळऴ",
                "k kh g gh n ch chh j jh n t th d dh n t th d dh n p ph b bh m y r l v sh sh s h l zh".split()))
DOTTED = {"क": "k", "ख": "kh", "ग": "g", "ज": "z", "फ": "f", "ड": "d", "ढ": "dh"}
SIGN = {"ा": "aa", "ि": "i", "ी": "ee", "ु": "u", "ू": "oo", "े": "e", "ै": "ai", "ो": "o", "ौ": "au", "ृ": "ri",
    "ॉ": "o",
        "ॅ": "e"}
OWN = {"अ": "a", "आ": "aa", "इ": "i", "ई": "ee", "उ": "u", "ऊ": "oo", "ए": "e", "ऐ": "ai", "ओ": "o", "औ": "au",
    "ऋ": "ri", "ऑ": "o",
       "ऍ": "e"}
VOWELS = set(SIGN.values()) | {"a"}
WORDS = {}


def sounds(word):
    """[(consonant, vowel)] of a word in Devanagari; the vowel is "" after a halant, "A" for one that is not written."""
    word = word.replace("क्ष", "\u0001").replace("ज्ञ", "\u0002")
    out, i = [], 0
    while i < len(word):
        c = word[i]
        if c in BASE or c in "\u0001\u0002":
            latin = {"\u0001": "ksh", "\u0002": "gy"}.get(c) or BASE[c]
            if i + 1 < len(word) and word[i + 1] == "़":
                latin, i = DOTTED.get(c, latin), i + 1
            vowel = "A"
            if i + 1 < len(word) and word[i + 1] in SIGN:
                vowel, i = SIGN[word[i + 1]], i + 1
            elif i + 1 < len(word) and word[i + 1] == "्":
                vowel, i = "", i + 1
            out.append([latin, vowel, ""])
        elif c in OWN:
            out.append(["", OWN[c], ""])
        elif c in "ंँ" and out:
            out[-1][2] = "n"
        i += 1
    return out


def romanise(word):
    if word in WORDS:
        return WORDS[word]
    units = sounds(word)
    if not units:
        return word
    if len(units) > 1 and units[-1][1] == "A" and not units[-1][2]:
        units[-1][1] = ""
    for i in range(len(units) - 2, 0, -1):
        here, after, before = units[i], units[i + 1], units[i - 1]
        if here[1] == "A" and not here[2] and before[1] and after[0] and after[1] and after[1] != "" and here[0]:
            here[1] = ""
    syllables = sum(1 for u in units if u[1])
    text = ""
    for i, (consonant, vowel, nasal) in enumerate(units):
        last = i == len(units) - 1
        closed = i == len(units) - 2 and not units[-1][1]
        if vowel == "A":  # कहते is typed kehte
            vowel = "e" if not last and units[i + 1][0] == "h" and not units[i + 1][1] else "a"
        if vowel == "aa" and (consonant or i) and not (syllables == 1 and not last or closed):
            vowel = "a"
        if vowel == "ee" and (last or syllables > 1):
            vowel = "i"
        if vowel == "oo" and (last or syllables > 1):
            vowel = "u"
        if not consonant and text and text[-1] in "i" and vowel in ("e", "a", "o"):
            vowel = "y" + vowel
        if not consonant and text and text[-1] in "a" and vowel in ("i", "e") and last:
            vowel = "y" + vowel if len(units) == 2 else vowel
        text += consonant + vowel
        if nasal:
            following = units[i + 1][0] if not last else ""
            text += "m" if following in ("p", "ph", "b", "bh") else "n"
    text = text.replace("chchh", "cch").replace("vv", "vv")
    return text


TOKEN = re.compile(r"[\u0900-\u0963\u0970-\u097F]+")
MARKED = re.compile(r"(?:[\u0900-\u0963\u0970-\u097F]|<[^<>|]*\|[^<>|]*>)+")


def marked(token):
    """A word with endings by sex: both are spelled, and what they share stands before the mark."""
    if "<" not in token:
        return romanise(token)
    one = romanise(re.sub(r"<([^|]*)\|([^>]*)>", r"\1", token))
    two = romanise(re.sub(r"<([^|]*)\|([^>]*)>", r"\2", token))
    n = len(os.path.commonprefix([one, two]))
    return one if one == two else f"{one[:n]}<{one[n:]}|{two[n:]}>"


# बस is the vehicle beside these words, and "that is all" elsewhere
VEHICLE = re.compile(r"(?<=की )बस(?=[ )।|]|$)|(?<=आधी )बस|(?<=और )बस(?= से)|(?<=बार )बस$|"
                     r"(?<!के )बस(?= (?:का|चालक|ख़राब|और टीवी|में))|"
                     r"(?<=जहाँ )बस")
NAMES = ("state_feast", "trip", "own_feast", "own_trip")


def title(cell):
    return re.sub(r"(?<![a-zA-Z])([a-z])(?=[a-z]{3})", lambda m: m[1].upper(), cell)


def text(line):
    """A line of the grammar, or a cell of a list, in Latin letters."""
    line = VEHICLE.sub("bus", line)
    line = MARKED.sub(lambda m: marked(m[0]), line)
    return line.replace("।", ".").replace("‘", "'").replace("’", "'")


def write_latin():
    """outline/hi-Latn from outline/hi. Names, districts, states and languages keep their English spelling."""
    WORDS.update({r["word"]: r["latin"] for r in assumption("romanised_words.csv")})
    source, target = (os.path.join(FOLDERS["pack"], "outline", d) for d in ("hi", "hi-Latn"))
    for path in sorted(glob.glob(os.path.join(source, "*.txt"))):
        with open(path, encoding="utf-8") as f:
            lines = [text(line.rstrip("\n")) for line in f]
        with open(os.path.join(target, os.path.basename(path)), "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
    for name in ("hobbies", "skills", "religions", "schooling", "occupations", "states", "first_languages",
                 "second_languages", "third_languages", "mother_tongues"):
        with open(os.path.join(source, name + ".csv"), encoding="utf-8", newline="") as f:
            rows = list(csv.reader(f))
        plain = name.endswith(("languages", "tongues"))
        for row in rows[1:]:
            row[1:] = [row[0] if plain or (name == "states" and i == 0) else text(cell)
                       for i, cell in enumerate(row[1:])]
            row[:] = [title(cell) if rows[0][i] in NAMES else cell for i, cell in enumerate(row)]
        write_csv(rows, "outline", "hi-Latn", name + ".csv")
    with open(os.path.join(source, "outline.toml"), encoding="utf-8") as f:
        manifest = f.read()
    manifest = manifest.replace('language = "hi"', 'language = "hi-Latn"').replace("first_deva", "first_name") \
        .replace("last_deva", "last_name")
    manifest = re.sub(r"# हिंदी.*\n",
        "# Hindi in Latin letters; scripts/india_pack/romanise.py made this folder from outline/hi.\n",
                      manifest)
    for gone in ("first_names", "last_names", "districts"):
        manifest = re.sub(r'\[\[lexicon\]\]\ncolumn = "[a-z_]*"\nfile = "%s.csv"\notherwise = "[a-z_]*"\n\n' % gone, "",
                          manifest)
    manifest = manifest.replace('[[slot]]\nname = "age"',
        '[[slot]]\nname = "zila"\ncolumn = "district"\n\n[[slot]]\nname = "age"')
    with open(os.path.join(target, "outline.toml"), "w", encoding="utf-8") as f:
        f.write(manifest)
