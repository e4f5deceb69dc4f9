# SPDX-License-Identifier: BSD-2-Clause
"""The manual as man pages: pv_NAME(2) for each hypercall, pv-abi-structures(5), pv-abi-constants(5), the overview
pv-abi(7), and pv-abi-clauses(7) with every promise and its reason.

Plain man(7) macros, a clean file for groff's and mandoc's checks (tests/static/manual.py).
"""
import re
import textwrap

import pvgen

WIDTH = 76


def escape(text):
    return text.replace("\\", "\\e").replace("`", "").replace("~", "\\(ti").replace("^", "\\(ha")


def fill(text):
    """Lines of running text; none may look like a request."""
    lines = textwrap.wrap(escape(text), WIDTH, break_long_words=False, break_on_hyphens=False)
    return ["\\&" + line if line[:1] in ".'" else line for line in lines]


def item(head, text, mark="B"):
    """A hanging paragraph; head is a line of roff."""
    return [".TP", f".{mark} {head}", *(fill(text) or ["\\&"])]


class Page:
    def __init__(self, manual, name, section, summary):
        self.name = f"{name}.{section}"
        self.lines = ['.\\" SPDX-License-Identifier: BSD-2-Clause', '.\\" Generated from pv-abi/abi.toml',
                      f'.TH {name.upper()} {section} {manual.abi["abi"]["date"]} "Ringfence ABI {manual.version}" '
                      '"Ringfence ABI"', ".SH NAME", f"{name} \\- {escape(summary)}"]

    def section(self, title):
        self.lines.append(f".SH {title}")

    def add(self, lines):
        self.lines += lines

    def paragraph(self, text):
        if not self.lines[-1].startswith((".SH", ".SS", ".PP")):
            self.lines.append(".PP")
        self.lines += fill(text)

    def see_also(self, *pages):
        self.section("SEE ALSO")
        self.lines += [f".BR {page} ({section})" + ("," if index + 1 < len(pages) else "")
                       for index, (page, section) in enumerate(pages)]

    def text(self):
        return "\n".join(self.lines + [""])


def summary(doc, width=WIDTH):
    """The first sentence, without its full stop, for NAME; one that is too long ends at the last place that fits."""
    first = re.split(r"(?<=[^.])\. |: ", doc, maxsplit=1)[0].rstrip(".")
    if len(first) > width:
        first = first[:max(match.start() for match in re.finditer(r"[;,] | \(| in ", first) if match.start() <= width)]
    return first[0].lower() + first[1:] if first[1:2].islower() or first[1:2] == " " else first


def number(value, name):
    """`PV_NAME (value)` as arguments of .BR"""
    return f'{name} " ({value})"'


def promises(page, clauses, reasons):
    for clause in clauses:
        page.add(item(clause.id, clause.text))
        if reasons and clause.own_rationale:
            page.add([".IP", *fill("Why: " + clause.rationale)])


def call_page(manual, call):
    name = f"pv_{call['name'].lower()}"
    page = Page(manual, name, 2, summary(call["doc"], WIDTH - len(name)))
    page.section("SYNOPSIS")
    page.add([".nf", ".B #include <pv/abi.h>", ""])
    page.add([f"{register}\t{value}" for register, value in manual.synopsis(call)])
    page.add([".B syscall", ".fi"])
    page.section("DESCRIPTION")
    page.paragraph(call["doc"])
    for op in call.get("ops", []):
        page.add(item(number(op["value"], f"PV_{call['name']}_{op['name']}"), op["doc"], "BR"))
    for flag in call.get("flags", []):
        page.add(item(number(flag["value"], f"PV_{flag['name']}"), "Flag. " + flag["doc"], "BR"))
    page.section("RETURN VALUE")
    page.paragraph("In rax: what the description says, or 0; an error of the table below, negated. "
                   f"The kernel executes at most {call['max_insns']} instructions.")
    page.section("ERRORS")
    page.paragraph("In order of precedence: the first that applies is returned.")
    for error, ops in manual.errors_of(call):
        page.add(item(f"PV_{error['name']}", error["doc"] + (f" [{', '.join(ops)}]" if ops else "")))
    page.section("CLAUSES")
    page.paragraph("What tests hold a kernel to; reasons are in pv-abi-clauses(7).")
    promises(page, manual.clauses_of(call), reasons=False)
    page.see_also(("pv-abi-structures", 5), ("pv-abi", 7), ("pv-abi-clauses", 7))
    return page


def overview(manual):
    page = Page(manual, "pv-abi", 7, f"the hypercall ABI of Ringfence, version {manual.version}")
    page.section("DESCRIPTION")
    page.paragraph("A guest kernel runs in ring 3 and asks the microkernel by hypercall for what it may not do itself.")
    for rule in manual.abi["convention"]:
        page.add(item(rule["name"], rule["doc"]))
    page.section("HYPERCALLS")
    for call in manual.abi["hypercall"]:
        page.add(item(f'pv_{call["name"].lower()} "(2), number {call["nr"]}"', summary(call["doc"]) + ".", "BR"))
    page.section("ERRORS")
    page.paragraph("In order of precedence.")
    for error in manual.abi["error"]:
        page.add(item(number(error["value"], f"PV_{error['name']}"), error["doc"], "BR"))
    page.see_also(("pv-abi-constants", 5), ("pv-abi-structures", 5), ("pv-abi-clauses", 7))
    return page


def structures(manual):
    page = Page(manual, "pv-abi-structures", 5, "structures of the Ringfence ABI")
    page.section("DESCRIPTION")
    page.paragraph("Little-endian, naturally aligned, without hidden padding. Each field with its offset and type.")
    docs = {struct["name"]: struct["doc"] for struct in manual.abi["struct"]}
    for name, (size, _, fields) in manual.shapes.items():
        page.add([f".SS struct pv_{name}"])
        page.paragraph(f"{docs[name]} {size} bytes.")
        for field, offset in fields:
            kind = field["type"] if field["type"] in pvgen.SIZES else f"struct pv_{field['type']}"
            count = f"[{field['count']}]" if "count" in field else ""
            page.add(item(f'{offset} " {kind} " {field["name"]}{count}', field["doc"], "BR"))
    page.see_also(("pv-abi", 7))
    return page


def constants(manual):
    page = Page(manual, "pv-abi-constants", 5, "constants of the Ringfence ABI")
    page.section("DESCRIPTION")
    page.paragraph("From <pv/abi.h>. Errors are in pv-abi(7), numbers of calls in their pages.")
    for group in manual.abi["group"]:
        page.add([f".SS {group['name'].replace('_', ' ')}"])
        page.paragraph(group["doc"])
        for constant in group["constants"]:
            page.add(item(number(pvgen.literal(constant["value"]), f"PV_{constant['name']}"), constant["doc"], "BR"))
    page.see_also(("pv-abi", 7))
    return page


def all_clauses(manual):
    page = Page(manual, "pv-abi-clauses", 7, "what a kernel with the Ringfence ABI promises")
    page.section("DESCRIPTION")
    page.paragraph("One testable sentence each, PVABI-area-number.revision. Where a clause gives no reason of its own, "
                   "that of its area is the reason. tests/abi/clauses.py knows the tests of each.")
    for area in manual.abi["area"]:
        page.add([f".SS {area['name']}: {escape(area['doc'])}"])
        mine = [clause for clause in manual.clauses if clause.area == area["name"]]
        page.paragraph(area.get("rationale", ""))
        page.paragraph("Since version " + ", ".join(sorted({clause.since for clause in mine})) + ".")
        promises(page, mine, reasons=True)
    page.see_also(("pv-abi", 7))
    return page


def pages(manual):
    """(file name, text) of each."""
    for page in [*(call_page(manual, call) for call in manual.abi["hypercall"]), structures(manual),
                 constants(manual), overview(manual), all_clauses(manual)]:
        yield page.name, page.text()
