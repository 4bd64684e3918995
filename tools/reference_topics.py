"""Commands, EHLO keywords, SASL mechanisms and what providers say: the tables of the catalogue beyond codes."""
import re

import reference_actions

KINDS = {"command": "commands.toml", "keyword": "keywords.toml", "mechanism": "mechanisms.toml"}
RFC = re.compile(r"\d{3,5}( [0-9A-Z][0-9.]*)?")
NAME = re.compile(r"[A-Z0-9][A-Z0-9_-]*")
RANGE = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?:-(\d{1,3}))?")
RETRIES = {"go-on": "GO_ON", "reorder": "REORDER", "later": "LATER", "changed": "CHANGED"}
STANDINGS = ("standard", "obsolete", "private", "draft", "unofficial")
TLS = ("required", "advised", "optional")
COLUMNS = 110

MUST = ("title", "description", "when", "fix")
MAY = ("standing", "syntax", "rfc", "source", "related", "aliases", "transcript")
OWN = {"command": ("codes",), "keyword": ("codes",), "mechanism": ("first", "prompts", "tls")}


def read(cat):
    for kind, name in KINDS.items():
        path = cat.folder / name
        for topic, value in cat.load(path).items():
            read_topic(cat, path, kind, topic, value)
    reference_actions.read(cat)
    read_providers(cat, cat.folder / "providers.toml")


def read_topic(cat, path, kind, name, value):
    must = MUST + (OWN["mechanism"] if kind == "mechanism" else ())
    value = cat.table(path, name, value, must, MAY + OWN[kind])
    if not NAME.fullmatch(name):
        cat.complain(path, name, "a name is made of capital letters, digits, hyphens and underscores")
    entry = {"path": path, "kind": kind, "name": name}
    entry["standing"] = cat.choice(path, f"{name}.standing", value.get("standing", "standard"), STANDINGS)
    entry["title"] = cat.text(path, f"{name}.title", value.get("title"), COLUMNS)
    for key in ("description", "when", "fix"):
        entry[key] = cat.text(path, f"{name}.{key}", value.get(key))
    entry["syntax"] = value.get("syntax", "")
    if not isinstance(entry["syntax"], str) or not entry["syntax"].isascii():
        cat.complain(path, f"{name}.syntax", "a line of ASCII is needed")
        entry["syntax"] = ""
    entry["rfc"] = cat.strings(path, f"{name}.rfc", value.get("rfc", []), RFC)
    entry["source"] = cat.strings(path, f"{name}.source", value.get("source", []))
    if not entry["rfc"] and not entry["source"]:
        cat.complain(path, f"{name}.rfc", "neither an RFC nor a source says where this comes from")
    entry["related"] = cat.strings(path, f"{name}.related", value.get("related", []))
    entry["aliases"] = cat.strings(path, f"{name}.aliases", value.get("aliases", []), NAME)
    entry["codes"] = cat.integers(path, f"{name}.codes", value.get("codes", []))
    entry["transcript"] = cat.transcript(path, f"{name}.transcript", value.get("transcript"))
    entry["first"], entry["prompts"], entry["tls"] = "", ["", ""], "optional"
    if kind == "mechanism":
        entry["first"] = cat.choice(path, f"{name}.first", value.get("first"), ("client", "server"))
        entry["prompts"] = value.get("prompts")
        if not isinstance(entry["prompts"], list) or len(entry["prompts"]) != 2 or \
                not all(isinstance(p, str) for p in entry["prompts"]):
            cat.complain(path, f"{name}.prompts", "two texts are needed: prompts with an initial response, and without")
            entry["prompts"] = ["", ""]
        entry["tls"] = cat.choice(path, f"{name}.tls", value.get("tls"), TLS)
    cat.topics[kind, name] = entry


def read_providers(cat, path):
    for name, value in cat.load(path).items():
        value = cat.table(path, name, value, ("name", "description", "source", "reply"))
        cat.providers[name] = {"name": value.get("name", ""),
                               "description": cat.text(path, f"{name}.description", value.get("description")),
                               "source": cat.strings(path, f"{name}.source", value.get("source", []))}
        if not isinstance(value.get("name"), str):
            cat.complain(path, f"{name}.name", "a text is needed")
        replies = value.get("reply") if isinstance(value.get("reply"), dict) else {}
        for reply, row in replies.items():
            read_signature(cat, path, name, reply, row)


def read_signature(cat, path, provider, name, value):
    key = f"{provider}.reply.{name}"
    value = cat.table(path, key, value, ("codes", "enhanced", "texts", "said", "retry", "action", "act", "meaning", "fix"),
                      ("reused", "number", "source", "judges"))
    entry = {"provider": provider, "codes": cat.integers(path, f"{key}.codes", value.get("codes"))}
    entry["ranges"] = [reference_actions.ends(RANGE, s) for s in cat.strings(path, f"{key}.enhanced", value.get("enhanced"), RANGE)
                       if RANGE.fullmatch(s)]
    entry["texts"] = cat.strings(path, f"{key}.texts", value.get("texts"))
    reference_actions.check_patterns(cat, path, f"{key}.texts", entry["texts"])
    entry["number"] = value.get("number", False)
    entry["reused"] = value.get("reused", False)
    if not entry["texts"] and not entry["number"]:
        cat.complain(path, f"{key}.texts", "neither a text nor the number tells this reply from others")
    entry["said"] = value.get("said", "")
    if not isinstance(entry["said"], str) or not re.match(r"[245]\d\d ", entry["said"]) or not entry["said"].isascii():
        cat.complain(path, f"{key}.said", "a reply as it is sent is needed")
        entry["said"] = "500 "
    if int(entry["said"][:3]) not in entry["codes"]:
        cat.complain(path, f"{key}.said", f"begins with {entry['said'][:3]}, which is not among its codes")
    entry["retry"] = cat.retry(path, value.get("retry"), f"{key}.retry")
    entry["action"] = cat.choice(path, f"{key}.action", value.get("action"), reference_actions.NAMES)
    entry["judges"] = reference_actions.judges(cat, path, key, value)
    entry["actors"] = cat.actors(path, f"{key}.act", value.get("act", []))
    entry["meaning"] = cat.text(path, f"{key}.meaning", value.get("meaning"), COLUMNS)
    entry["fix"] = cat.text(path, f"{key}.fix", value.get("fix"))
    entry["source"] = cat.strings(path, f"{key}.source", value.get("source", []))
    if name in cat.signatures:
        cat.complain(path, key, "another provider has a reply of this name")
    cat.signatures[name] = entry


def check(cat):
    reference_actions.check(cat)
    for (kind, name), entry in cat.topics.items():
        for other in entry["related"]:
            if other == name or not cat.has_page(other):
                cat.complain(entry["path"], f"{name}.related", f"there is no other page {other}")
        for code in entry["codes"]:
            if code not in cat.codes:
                cat.complain(entry["path"], f"{name}.codes", f"{code} has no file in codes/")
        for alias in entry["aliases"]:
            if (kind, alias) in cat.topics:
                cat.complain(entry["path"], f"{name}.aliases", f"{alias} has an entry of its own")
    for entry in cat.codes.values():
        for command in entry["commands"]:
            if command not in ("any", "connect", "message") and ("command", command) not in cat.topics:
                cat.complain(entry["path"], "commands", f"{command} is not in commands.toml")
    for name, entry in cat.signatures.items():
        for code in entry["codes"]:
            if code not in cat.codes:
                cat.complain(cat.folder / "providers.toml", f"{name}.codes", f"{code} has no file in codes/")


def render(cat, out, c_string, c_text):
    def fields(entry, *names):
        return [f".{name} = {c_text(entry[name])}" for name in names]

    rows = []
    order = list(KINDS)
    for (kind, name), e in sorted(cat.topics.items(), key=lambda item: (order.index(item[0][0]), item[0][1])):
        rows.append("{" + ", ".join([
            f".kind = REFERENCE_{kind.upper()}", f".name = {c_string(name)}",
            f".standing = REFERENCE_{e['standing'].upper()}", *fields(e, "title", "description", "when", "fix"),
            f".syntax = {c_string(e['syntax'])}", f".first = {c_string(e['first'])}",
            f".prompts = {{{c_string(e['prompts'][0])}, {c_string(e['prompts'][1])}}}",
            f".tls = REFERENCE_TLS_{e['tls'].upper()}",
            f".codes = {out.array('int', [*map(str, e['codes']), '0'])}", f".rfc = {out.strings(e['rfc'])}",
            f".sources = {out.strings(e['source'])}", f".related = {out.strings(e['related'])}",
            f".aliases = {out.strings(e['aliases'])}", f".transcript = {out.transcript(e['transcript'])}"]) + "}")
    out.table("topic", rows)
    providers = list(cat.providers)
    out.table("provider", [
        "{" + ", ".join([f".id = {c_string(name)}", f".name = {c_string(p['name'])}", *fields(p, "description"),
                         f".sources = {out.strings(p['source'])}"]) + "}" for name, p in cat.providers.items()])
    rows = []
    for name, e in cat.signatures.items():
        ranges = reference_actions.ranges(out, e)
        rows.append("{" + ", ".join([
            f".id = {c_string(name)}", f".provider = &reference_data_providers[{providers.index(e['provider'])}]",
            f".codes = {out.array('int', [*map(str, e['codes']), '0'])}",
            f".ranges = {ranges}", f".ranges_n = {len(e['ranges'])}", f".texts = {out.strings(e['texts'])}",
            f".by_number = {'true' if e['number'] else 'false'}", f".reused = {'true' if e['reused'] else 'false'}",
            f".said = {c_string(e['said'])}", f".retry = REFERENCE_{RETRIES[e['retry']]}",
            f".action = {reference_actions.constant(e['action'])}", f".judges = {'true' if e['judges'] else 'false'}", f".actors = {e['actors']}", *fields(e, "meaning", "fix"),
            f".sources = {out.strings(e['source'])}"]) + "}")
    out.table("signature", rows)
    reference_actions.render(cat, out, c_string, c_text)
