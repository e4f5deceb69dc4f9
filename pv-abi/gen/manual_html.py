# SPDX-License-Identifier: BSD-2-Clause
"""The manual as one HTML page: no script, no other file, and well-formed XML, so that a test can read it.

Anchors stay the same from version to version: #call-AS_MAP, #AS_MAP-MAP, #PV_EINVAL, #pv_vcs, #pv_vcs.flags,
#PVABI-GRT-010 (without revision).
"""
import html

import manual_style
import pvgen

TARGETS = {"clause": "", "struct": "", "constant": "", "call": "call-"}


def tag(name, content="", **attributes):
    """An element; content is markup already. `class_`, `id`, `href`..."""
    words = "".join(f' {key.rstrip("_")}="{html.escape(str(value))}"' for key, value in attributes.items() if value)
    return f"<{name}{words}>{content}</{name}>"


def link(target, content, **attributes):
    return tag("a", content, href=f"#{target}", **attributes)


def table(heads, rows, **attributes):
    """Rows are lists of cells or (cells, id)."""
    body = []
    for row in rows:
        cells, anchor = row if isinstance(row, tuple) else (row, "")
        body.append(tag("tr", "".join(tag("td", cell) for cell in cells), id=anchor))
    head = tag("tr", "".join(tag("th", text) for text in heads))
    return tag("div", tag("table", tag("thead", head) + tag("tbody", "\n".join(body)), **attributes), class_="wide")


class Page:
    def __init__(self, manual):
        self.manual = manual
        self.contents = []  # (level, anchor, markup)

    def heading(self, level, anchor, markup):
        self.contents.append((level, anchor, markup))
        return tag(f"h{level}", f"{markup} {link(anchor, '¶', class_='mark')}", id=anchor)

    def text(self, text):
        """A text of abi.toml with its names turned into links."""
        out = []
        for kind, words, target in self.manual.pieces(text):
            words = html.escape(words, quote=False)
            if kind == "text":
                out.append(words)
            elif kind == "code":
                out.append(tag("code", words))
            else:
                out.append(link(TARGETS[kind] + target, tag("code", words)))
        return "".join(out)

    def error(self, name):
        return link(f"PV_{name}", tag("code", f"PV_{name}"))

    def conventions(self):
        rules = "".join(tag("dt", rule["name"], id=f"convention-{rule['name']}") + tag("dd", self.text(rule["doc"]))
                        for rule in self.manual.abi["convention"])
        return self.heading(2, "conventions", "Conventions") + tag("dl", rules)

    def errors(self):
        rows = [([str(error["value"]), tag("code", f"PV_{error['name']}"), self.text(error["doc"])],
                 f"PV_{error['name']}") for error in self.manual.abi["error"]]
        return (self.heading(2, "errors", "Errors, in order of precedence")
                + tag("p", "Returned negated. When several apply to a call, the one that stands first here is returned.")
                + table(["value", "error", "meaning"], rows))

    def call(self, call):
        name, manual = call["name"], self.manual
        out = [self.heading(3, f"call-{name}", f"{tag('span', str(call['nr']), class_='number')} {name}")]
        registers = "  ".join(f"{register}={tag('var', value)}" for register, value in manual.synopsis(call))
        out += [tag("pre", registers, class_="synopsis"), tag("p", self.text(call["doc"]))]
        if call.get("ops"):
            rows = [([str(op["value"]), tag("code", op["name"]), self.text(op["doc"]),
                      " ".join(self.error(error) for error in op["errors"]) or "none"], f"{name}-{op['name']}")
                    for op in call["ops"]]
            out.append(table(["value", "operation", "meaning", "errors, first one first"], rows))
        if call.get("flags"):
            out.append(table(["bit", "flag", "meaning"],
                             [([str(flag["value"]), tag("code", f"PV_{flag['name']}"), self.text(flag["doc"])],
                               f"PV_{flag['name']}") for flag in call["flags"]]))
        items = [tag("li", f"{self.error(error['name'])} {self.text(error['doc'])}"
                     + (tag("span", " " + ", ".join(ops), class_="ops") if ops else ""))
                 for error, ops in manual.errors_of(call)]
        out += [tag("h4", "Errors, in the order in which they are decided"), tag("ol", "".join(items), class_="errors")]
        out.append(tag("p", f"At most {call['max_insns']:,} kernel instructions a call.", class_="note"))
        promises = manual.clauses_of(call)
        areas = sorted({clause.area for clause in promises})
        out.append(tag("p", f"{len(promises)} clauses, in " + ", ".join(
            link(f"area-{area}", f"area {area}") for area in areas) + "; beside them those of "
            + link("area-GEN", "area GEN") + ", which hold for every call.", class_="note"))
        return tag("section", "\n".join(out))

    def calls(self):
        return self.heading(2, "calls", "Hypercalls") + "\n".join(map(self.call, self.manual.abi["hypercall"]))

    def structures(self):
        docs = {struct["name"]: struct["doc"] for struct in self.manual.abi["struct"]}
        out = [self.heading(2, "structures", "Structures"), tag(
            "p", "Little-endian, naturally aligned, without hidden padding. The offsets are the ABI.")]
        for name, (size, _, fields) in self.manual.shapes.items():
            rows = []
            for field, offset in fields:
                kind, count = field["type"], f"[{field['count']}]" if "count" in field else ""
                kind = kind if kind in pvgen.SIZES else link(f"pv_{kind}", f"struct pv_{kind}")
                rows.append(([str(offset), f"{offset:#x}", tag("code", kind + count), tag("code", field["name"]),
                              self.text(field["doc"])], f"pv_{name}.{field['name']}"))
            out += [self.heading(3, f"pv_{name}", f"struct pv_{name}"),
                    tag("p", f"{self.text(docs[name])} {size} bytes."),
                    table(["offset", "hex", "type", "field", "meaning"], rows, class_="layout")]
        return "\n".join(out)

    def constants(self):
        out = [self.heading(2, "constants", "Constants")]
        for group in self.manual.abi["group"]:
            rows = [([tag("code", pvgen.literal(constant["value"])), tag("code", f"PV_{constant['name']}"),
                      self.text(constant["doc"])], f"PV_{constant['name']}") for constant in group["constants"]]
            out += [self.heading(3, f"group-{group['name']}", group["name"]), tag("p", self.text(group["doc"])),
                    table(["value", "name", "meaning"], rows)]
        rows = []
        for call in self.manual.abi["hypercall"]:
            rows.append(([str(call["nr"]), tag("code", f"PV_HC_{call['name']}")], f"PV_HC_{call['name']}"))
            rows += [([str(op["value"]), tag("code", f"PV_{call['name']}_{op['name']}")],
                      f"PV_{call['name']}_{op['name']}") for op in call.get("ops", [])]
        out += [self.heading(3, "group-numbers", "numbers of calls and operations"), table(["value", "name"], rows)]
        return "\n".join(out)

    def clause(self, clause):
        tests = sorted(set(self.manual.citations.get(clause.id, [])))
        head = (link(clause.number, clause.number, class_="id")
                + f" revision {clause.revision}, since {clause.since}")
        out = [tag("p", head, class_="head"), tag("p", self.text(clause.text), class_="promise")]
        if clause.own_rationale:
            out.append(tag("p", "Why: " + self.text(clause.rationale), class_="why"))
        if clause.compatible:
            out.append(tag("p", f"Revised compatibly: {self.text(clause.compatible)}", class_="why"))
        out.append(tag("p", "Tests: " + ", ".join(link(f"test-{anchor(test)}", tag("code", html.escape(short(test))))
                                                  for test in tests), class_="tests"))
        return tag("article", "\n".join(out), id=clause.number)

    def areas(self):
        out = [self.heading(2, "clauses", "Clauses"), tag(
            "p", "What a kernel promises, one testable sentence each: <code>PVABI-area-number.revision</code>. The "
            "revision grows when the meaning changes; a number is never used again. Where a clause gives no reason of "
            "its own, that of its area is the reason.")]
        for area in self.manual.abi["area"]:
            name = area["name"]
            calls = [link(f"call-{call}", tag("code", call)) for call in area.get("calls", [])]
            functions = [tag("code", function + "()") for function in area["kernel"]]
            out += [self.heading(3, f"area-{name}", f"{name}: {html.escape(area['doc'])}"),
                    tag("p", self.text(area.get("rationale", "")), class_="why"),
                    tag("p", "; ".join(filter(None, ["Calls: " + ", ".join(calls) if calls else "",
                                                     "in the kernel: " + ", ".join(functions) if functions else ""])),
                        class_="note")]
            out += [self.clause(clause) for clause in self.manual.clauses if clause.area == name]
        gone = [([tag("code", entry["id"]), entry["until"], self.text(entry["why"])], entry["id"])
                for entry in self.manual.abi.get("retired", [])]
        out.append(self.heading(3, "retired", "Retired numbers"))
        out.append(table(["clause", "until", "why"], gone) if gone else tag("p", "None."))
        return "\n".join(out)

    def tests(self):
        by_test = {}
        for clause in self.manual.clauses:
            for test in self.manual.citations.get(clause.id, []):
                by_test.setdefault(test, {})[clause.number] = clause.id
        rows = [([tag("code", html.escape(short(test))), tag("code", test.partition(": ")[0]),
                  " ".join(link(number, name) for number, name in sorted(numbers.items()))], f"test-{anchor(test)}")
                for test, numbers in sorted(by_test.items())]
        return (self.heading(2, "tests", "Tests") + tag(
            "p", "Files are below <code>tests/</code>. A case of the suite runs by <code>./ringfence abi --case "
            "NAME</code>, those of a clause by <code>--clause PVABI-GRT-010</code>.")
            + table(["case", "file", "clauses"], rows))

    def toc(self):
        out, level = ["<ul>"], 2
        for index, (this, target, markup) in enumerate(self.contents):
            if index and this > level:
                out[-1] = out[-1].removesuffix("</li>") + "<ul>"
            elif this < level:
                out.append("</ul></li>")
            level = this
            out.append(tag("li", link(target, markup)))
        return "\n".join(out) + ("</ul></li>" if level == 3 else "") + "</ul>"


def anchor(test):
    return test.replace(": ", "-").replace("/", "-")


def short(test):
    return test.partition(": ")[2] or test.rpartition("/")[2]


def page(manual):
    this = Page(manual)
    title = f"Ringfence ABI {manual.version}"
    body = "\n".join([this.conventions(), this.errors(), this.calls(), this.structures(), this.constants(),
                      this.areas(), this.tests()])
    facts = (f"{len(manual.calls)} hypercalls, {len(manual.shapes)} structures, {len(manual.clauses)} clauses. "
             "Generated from <code>pv-abi/abi.toml</code>, which the kernel, its guests and its tests are built from.")
    return "\n".join([
        "<!DOCTYPE html>", "<!-- SPDX-License-Identifier: BSD-2-Clause -->", '<html lang="en">', "<head>",
        '<meta charset="utf-8" />', '<meta name="viewport" content="width=device-width, initial-scale=1" />',
        tag("title", title), tag("style", manual_style.CSS), "</head>", "<body>",
        tag("nav", tag("p", link("top", title)) + this.toc()),
        tag("main", tag("h1", title, id="top") + tag("p", facts, class_="lead") + body), "</body>", "</html>", ""])
