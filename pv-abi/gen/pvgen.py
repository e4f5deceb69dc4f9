#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""pvgen: turns abi.toml into headers, layout asserts, the decoder table and the manual's reference.

Usage: pvgen.py ABI.toml OUTDIR
Writes OUTDIR/include/pv/abi.h      C and assembler header (kernel, newlib, host)
       OUTDIR/include/pv/layout.h   layout asserts
       OUTDIR/include/pv/calls.def  X-macro table the kernel dispatches from
       OUTDIR/linux/ringfence_abi.h Linux header with __u64 types
       OUTDIR/doc/reference.md      the manual's reference chapter
"""
import pathlib
import sys
import tomllib

import registry

SIZES = {"u8": 1, "u16": 2, "u32": 4, "s32": 4, "u64": 8, "s64": 8}
C_TYPES = {"u8": "uint8_t", "u16": "uint16_t", "u32": "uint32_t", "s32": "int32_t",
           "u64": "uint64_t", "s64": "int64_t"}
DUAL = "(GPL-2.0-only WITH Linux-syscall-note) OR BSD-2-Clause"
MAX_CALLS = 28


class AbiError(Exception):
    """The definition is inconsistent; the text names the culprit."""


def layout(abi):
    """Computes offsets; returns {struct: (size, align, [(field, offset)])}."""
    done = {}
    for struct in abi["struct"]:
        offset, biggest, fields = 0, 1, []
        for field in struct["fields"]:
            kind = field["type"]
            if kind in SIZES:
                size, align = SIZES[kind], SIZES[kind]
            elif kind in done:
                size, align = done[kind][0], done[kind][1]
            else:
                raise AbiError(f"struct {struct['name']}.{field['name']}: unknown type {kind}")
            if offset % align:
                raise AbiError(f"struct {struct['name']}.{field['name']}: "
                               f"offset {offset} is not a multiple of {align}")
            fields.append((field, offset))
            offset += size * field.get("count", 1)
            biggest = max(biggest, align)
        if offset != struct["size"]:
            raise AbiError(f"struct {struct['name']}: fields take {offset} bytes, "
                           f"size says {struct['size']}")
        done[struct["name"]] = (offset, biggest, fields)
    return done


def check_operations(call):
    """The errors of a call are those of its operations together, in the same order."""
    if not call.get("ops"):
        return
    for op in call["ops"]:
        if op["errors"] != [name for name in call["errors"] if name in op["errors"]]:
            raise AbiError(f"{call['name']} {op['name']}: its errors are not some of the call's, in order")
    missing = set(call["errors"]) - {name for op in call["ops"] for name in op["errors"]}
    if missing:
        raise AbiError(f"hypercall {call['name']}: no operation returns {', '.join(sorted(missing))}")


def check(abi):
    """Refuses what would make two generated things collide."""
    calls = abi["hypercall"]
    if len(calls) > MAX_CALLS:
        raise AbiError(f"{len(calls)} hypercalls, at most {MAX_CALLS} allowed")
    if [call["nr"] for call in calls] != list(range(len(calls))):
        raise AbiError("hypercall numbers must be 0, 1, 2, ... in order")
    errors = {error["name"] for error in abi["error"]}
    order = {error["name"]: index for index, error in enumerate(abi["error"])}
    for call in calls:
        ranks = [order[name] for name in call["errors"] if name in errors]
        if len(ranks) != len(call["errors"]):
            raise AbiError(f"hypercall {call['name']}: unknown error in {call['errors']}")
        if ranks != sorted(ranks):
            raise AbiError(f"hypercall {call['name']}: errors are not in order of precedence")
        check_operations(call)
    wrong = registry.problems(abi)
    if wrong:
        raise AbiError("\n    ".join(wrong))


def literal(value):
    return f"{value:#x}" if value > 9 else str(value)


def constants(abi):
    """Yields (name, value, doc, heading) for every constant, in file order."""
    yield "ABI_MAJOR", abi["abi"]["major"], "", "Version"
    yield "ABI_MINOR", abi["abi"]["minor"], "", None
    heading = "Errors (returned negated), in order of precedence"
    for error in abi["error"]:
        yield error["name"], error["value"], error["doc"], heading
        heading = None
    for group in abi["group"]:
        heading = group["doc"]
        for constant in group["constants"]:
            yield constant["name"], constant["value"], constant["doc"], heading
            heading = None
    heading = "Hypercalls and their operations"
    for call in abi["hypercall"]:
        yield f"HC_{call['name']}", call["nr"], call["doc"], heading
        heading = None
        for op in call.get("ops", []):
            yield f"{call['name']}_{op['name']}", op["value"], op["doc"], None
        for flag in call.get("flags", []):
            yield flag["name"], flag["value"], flag["doc"], None
    yield "HC_COUNT", len(abi["hypercall"]), "Number of hypercalls.", None


def header(abi, shapes, linux):
    """The C and assembler header; linux selects __u64 types and <linux/types.h>."""
    types = {name: f"__{name}" for name in SIZES} if linux else C_TYPES
    guard = "_ASM_X86_RINGFENCE_ABI_H" if linux else "PV_ABI_H"
    lines = [f"/* SPDX-License-Identifier: {DUAL} */",
             "/* Generated from pv-abi/abi.toml by pvgen.py: change that file, not this one. */",
             f"#ifndef {guard}", f"#define {guard}", "",
             "#ifdef __ASSEMBLER__", "#define PV_C(x) x", "#else", "#define PV_C(x) x##ULL", "#endif"]
    for name, value, doc, heading in constants(abi):
        if heading:
            lines += ["", f"/* {heading} */"]
        suffix = f"\t/* {doc} */" if doc else ""
        text = f"PV_C({literal(value)})" if value > 0x7fffffff else literal(value)
        lines.append(f"#define PV_{name} {text}{suffix}")
    lines += ["", "/* Offsets for assembly */"]
    for name, (size, _, fields) in shapes.items():
        lines.append(f"#define PV_SIZEOF_{name.upper()} {size}")
        if name in ("vcs", "frame", "entry", "clock"):
            lines += [f"#define PV_{name.upper()}_{field['name'].upper()} {offset}"
                      for field, offset in fields if not field["name"].startswith("pad")]
    lines += ["", "#ifndef __ASSEMBLER__",
              "#include <linux/types.h>" if linux else "#include <stdint.h>"]
    docs = {struct["name"]: struct["doc"] for struct in abi["struct"]}
    for name, (_, _, fields) in shapes.items():
        lines += ["", f"/* {docs[name]} */", f"struct pv_{name} {{"]
        for field, _ in fields:
            kind = types.get(field["type"], f"struct pv_{field['type']}")
            count = f"[{field['count']}]" if "count" in field else ""
            doc = f"\t/* {field['doc']} */" if field["doc"] else ""
            lines.append(f"\t{kind} {field['name']}{count};{doc}")
        lines.append("};")
    lines += ["", "#endif /* !__ASSEMBLER__ */", "#endif", ""]
    return "\n".join(lines)


def asserts(shapes):
    lines = ["/* SPDX-License-Identifier: BSD-2-Clause */",
             "/* Generated from pv-abi/abi.toml: the compiler's layout is the ABI's. */",
             "#ifndef PV_LAYOUT_H", "#define PV_LAYOUT_H", "#include <stddef.h>",
             "#include <pv/abi.h>", ""]
    for name, (size, _, fields) in shapes.items():
        lines.append(f'_Static_assert(sizeof(struct pv_{name}) == {size}, "size of pv_{name}");')
        lines += [f"_Static_assert(offsetof(struct pv_{name}, {field['name']}) == {offset}, "
                  f'"offset of pv_{name}.{field["name"]}");' for field, offset in fields]
    return "\n".join(lines + ["#endif", ""])


def call_table(abi):
    """PV_CALL(nr, NAME, lower-case name, argument count, number of operations or 0)."""
    lines = ["/* SPDX-License-Identifier: BSD-2-Clause */",
             "/* Generated from pv-abi/abi.toml: PV_CALL(nr, NAME, name, nargs, nops, max_insns) */"]
    for call in abi["hypercall"]:
        ops = call.get("ops", [])
        lines.append(f"PV_CALL({call['nr']}, {call['name']}, {call['name'].lower()}, "
                     f"{len(call['args'])}, {len(ops)}, {call['max_insns']})")
    return "\n".join(lines + [""])


def reference(abi, shapes):
    """The reference chapter of the manual, in Markdown."""
    version = f"{abi['abi']['major']}.{abi['abi']['minor']} ({abi['abi']['stage']})"
    lines = ["<!-- SPDX-License-Identifier: BSD-2-Clause -->",
             "<!-- Generated from pv-abi/abi.toml -->",
             f"# Ringfence ABI {version}: reference", "", "## Conventions", ""]
    lines += [f"- **{rule['name']}**: {rule['doc']}" for rule in abi["convention"]]
    lines += ["", "## Errors, in order of precedence", "", "| value | name | meaning |", "|-|-|-|"]
    lines += [f"| {e['value']} | PV_{e['name']} | {e['doc']} |" for e in abi["error"]]
    lines += ["", "## Hypercalls", ""]
    for call in abi["hypercall"]:
        lines += [f"### {call['nr']} {call['name']}({', '.join(call['args'])})", "", call["doc"], ""]
        if call.get("ops"):
            lines += ["| operation | value | meaning | errors |", "|-|-|-|-|"]
            lines += [f"| {op['name']} | {op['value']} | {op['doc']} | {' '.join(op['errors'])} |"
                      for op in call["ops"]]
            lines.append("")
        if call.get("flags"):
            lines += [f"- flag PV_{flag['name']} = {flag['value']}: {flag['doc']}"
                      for flag in call["flags"]] + [""]
        errors = ["ENOSYS"] + call["errors"]
        lines += [f"Errors: {', '.join('PV_' + name for name in errors)}. "
                  f"At most {call['max_insns']} kernel instructions.", ""]
    lines += ["## Constants", ""]
    for group in abi["group"]:
        lines += [f"### {group['name']}", "", group["doc"], "", "| name | value | meaning |", "|-|-|-|"]
        lines += [f"| PV_{c['name']} | {literal(c['value'])} | {c['doc']} |"
                  for c in group["constants"]] + [""]
    lines += ["## Structures", ""]
    docs = {struct["name"]: struct["doc"] for struct in abi["struct"]}
    for name, (size, _, fields) in shapes.items():
        lines += [f"### struct pv_{name} ({size} bytes)", "", docs[name], "",
                  "| offset | type | field | meaning |", "|-|-|-|-|"]
        lines += [f"| {offset} | {field['type']}{'[%d]' % field['count'] if 'count' in field else ''} "
                  f"| {field['name']} | {field['doc']} |" for field, offset in fields] + [""]
    lines += clauses(abi)
    return "\n".join(lines)


def clauses(abi):
    """The promises, one table an area; tests/abi/clauses.py sees to it that each is tested."""
    lines = ["## Clauses", ""]
    for area in abi["area"]:
        lines += [f"### {area['name']}: {area['doc']}", "", area.get("rationale", ""), "",
                  "| clause | since | promise | because |", "|-|-|-|-|"]
        lines += [f"| {clause.id} | {clause.since} | {clause.text} "
                  f"| {clause.rationale if clause.own_rationale else ''} |"
                  for clause in registry.clauses(abi) if clause.area == area["name"]] + [""]
    return lines


def write(path, text):
    """Writes only on change, so that nothing is rebuilt for nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: pvgen.py ABI.toml OUTDIR")
    abi = tomllib.loads(pathlib.Path(sys.argv[1]).read_text())
    try:
        check(abi)
        shapes = layout(abi)
    except (AbiError, KeyError) as error:
        sys.exit(f"pvgen: {sys.argv[1]}: {error}")
    out = pathlib.Path(sys.argv[2])
    write(out / "include/pv/abi.h", header(abi, shapes, linux=False))
    write(out / "include/pv/layout.h", asserts(shapes))
    write(out / "include/pv/calls.def", call_table(abi))
    write(out / "linux/ringfence_abi.h", header(abi, shapes, linux=True))
    write(out / "doc/reference.md", reference(abi, shapes))


if __name__ == "__main__":
    main()
