"""Rough English morphology, enough to notice that two strings are one word written twice."""

import re

IRREGULAR = {
    "leaves": "leaf", "shelves": "shelf", "knives": "knife", "hooves": "hoof", "wolves": "wolf", "scarves": "scarf",
    "halves": "half", "teeth": "tooth", "feet": "foot", "geese": "goose", "mice": "mouse", "children": "child",
    "men": "man", "women": "woman", "people": "person", "cacti": "cactus", "dice": "die",
}  # fmt: skip

SPELLINGS = {
    "gray": "grey", "plow": "plough", "tire": "tyre", "pajamas": "pyjamas", "donut": "doughnut", "whiskey": "whisky",
    "yoghurt": "yogurt", "ax": "axe", "curb": "kerb", "skeptic": "sceptic", "airplane": "aeroplane",
    "cozy": "cosy", "draft": "draught", "aging": "ageing",
    "mustache": "moustache", "artefact": "artifact", "program": "programme", "mollusk": "mollusc",
    "disk": "disc", "story": "storey", "jewelry": "jewellery",
}  # fmt: skip


def singular(word: str) -> str:
    """The singular of a regular or well-known plural; other words as they are."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if re.search(r"(ss|us|is)$", word) or len(word) < 4:
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return re.sub(r"(?<=[sxz])es$|(?<=[cs]h)es$|s$", "", word)


def stem(word: str) -> str:
    """What is left without plural and the commonest endings."""
    base = re.sub(r"(?<=...)(iness|ness|ing|ed|en|ly|y|er|e)$", "", singular(word))
    return base[:-1] if len(base) > 3 and base[-1] == base[-2] else base


def spelling(word: str) -> str:
    """The same for British and American spelling, with and without hyphen, single and double consonant."""
    word = SPELLINGS.get(word, word).replace("-", "").replace("ae", "e")
    word = re.sub(r"(?<=[bdlmnvb])our", "or", word)
    word = re.sub(r"is(?=e[ds]?$|ing$|ation$)", "iz", word)
    word = re.sub(r"(?<=[bt])re$", "er", word)
    word = re.sub(r"ogue$", "og", word)
    word = word.replace("mould", "mold")
    return re.sub(r"ll(?=ed$|ing$|er$)", "l", word)
