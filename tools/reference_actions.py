"""What the queue does about a reply: reference/actions.toml. The names are REFERENCE_ACTIONS in src/reference/reference.h."""
import re

NAMES = ("slow-down", "blocked", "access", "greylist", "sender", "message", "recipient", "protocol")
JUDGES = {None: "REFERENCE_JUDGES_UNTOLD", False: "REFERENCE_JUDGES_NO", True: "REFERENCE_JUDGES_YES"}
STAGES = ("connect", "mail", "rcpt", "content")
CODE = re.compile(r"[45](\d\d|yz)")
RANGE = re.compile(r"([45])\.(\d{1,3})\.(\d{1,3}|\*)(?:-(\d{1,3}))?")
COLUMNS = 110


def constant(name):
    return f"REFERENCE_ACTION_{name.upper().replace('-', '_')}"


def ends(pattern, text):
    """"4.7.500-699" as (4, 7, 500, 699)."""
    kind, subject, low, high = pattern.fullmatch(text).groups()
    if low == "*":
        return (int(kind), int(subject), 0, 999)
    return (int(kind), int(subject), int(low), int(high or low))


def ranges(out, entry):
    return out.array("struct reference_range", ["{" + ", ".join(map(str, r)) + "}" for r in entry["ranges"]])


def judges(cat, path, key, value):
    """True, False, or None where it is left to the next."""
    if not isinstance(value.get("judges", False), bool):
        cat.complain(path, f"{key}.judges", "must be true or false")
    return value.get("judges")


def check_patterns(cat, path, key, texts):
    for text in texts:
        if text != text.lower() or not text.isascii() or text.startswith("*") or text.endswith("*"):
            cat.complain(path, key, f"'{text}': lower-case ASCII, and * only between two parts")


def read(cat):
    path = cat.folder / "actions.toml"
    cat.actions, cat.rules = {}, {}
    whole = cat.table(path, "actions", cat.load(path), ("action", "rule"))
    for name in NAMES:
        value = whole.get("action", {}).get(name, {})
        value = cat.table(path, f"action.{name}", value, ("title", "does"))
        cat.actions[name] = {"title": cat.text(path, f"action.{name}.title", value.get("title"), COLUMNS),
                             "does": cat.text(path, f"action.{name}.does", value.get("does"))}
    for name in set(whole.get("action", {})) - set(NAMES):
        cat.complain(path, f"action.{name}", f"must be one of {', '.join(NAMES)}")
    for name, value in whole.get("rule", {}).items():
        read_rule(cat, path, name, value)


def read_rule(cat, path, name, value):
    key = f"rule.{name}"
    value = cat.table(path, key, value, (), ("codes", "enhanced", "stages", "texts", "action", "judges"))
    entry = {"action": None, "judges": judges(cat, path, key, value)}
    if "action" in value:
        entry["action"] = cat.choice(path, f"{key}.action", value["action"], NAMES)
    elif entry["judges"] is None:
        cat.complain(path, key, "neither action nor judges: it decides nothing")
    codes = cat.strings(path, f"{key}.codes", value.get("codes", []), CODE)
    entry["codes"] = [int(code.replace("yz", "")) for code in codes if CODE.fullmatch(code)]
    texts = cat.strings(path, f"{key}.enhanced", value.get("enhanced", []), RANGE)
    entry["ranges"] = [ends(RANGE, s) for s in texts if RANGE.fullmatch(s)]
    entry["stages"] = cat.strings(path, f"{key}.stages", value.get("stages", []))
    for stage in entry["stages"]:
        cat.choice(path, f"{key}.stages", stage, STAGES)
    entry["texts"] = cat.strings(path, f"{key}.texts", value.get("texts", []))
    check_patterns(cat, path, f"{key}.texts", entry["texts"])
    cat.rules[name] = entry


def check(cat):
    """Every refusal has a rule: the last ones ask for nothing but its class."""
    path = cat.folder / "actions.toml"
    for name in set(cat.rules) & set(cat.signatures):
        cat.complain(path, f"rule.{name}", "a provider's reply has this name")
    last = list(cat.rules.values())[-1:]
    if not last or last[0]["codes"] != [4, 5] or any(last[0][key] for key in ("ranges", "stages", "texts")):
        cat.complain(path, "rule", 'the last one must be for codes = ["4yz", "5yz"] and nothing else')
    elif last[0]["action"] is None or last[0]["judges"] is None:
        cat.complain(path, "rule", "the last one needs both action and judges")


def render(cat, out, c_string, c_text):
    rows = [f"[{constant(name)}] = {{{c_string(name)}, {c_text(a['title'])}, {c_text(a['does'])}}}"
            for name, a in cat.actions.items()]
    body = "".join(f"    {row},\n" for row in rows)
    out.parts.append(f"const struct reference_action_text reference_data_actions[REFERENCE_ACTION_N] = {{\n{body}}};")
    out.table("rule", ["{" + ", ".join([
        f".id = {c_string(name)}", f".action = {constant(e['action'] or 'none')}", f".judges = {JUDGES[e['judges']]}",
        f".codes = {out.array('int', [*map(str, e['codes']), '0'])}", f".ranges = {ranges(out, e)}",
        f".ranges_n = {len(e['ranges'])}",
        ".stages = " + (" | ".join(f"1u << REFERENCE_AT_{s.upper()}" for s in e["stages"]) or "0"),
        f".texts = {out.strings(e['texts']) if e['texts'] else 'NULL'}"]) + "}" for name, e in cat.rules.items()])
