#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The grammar of hypercalls for the malicious guest, from abi.toml: for each operation, of what kind its arguments are.

Usage: grammar.py ABI.toml OUT.h
Writes rows { number, operation, { kind of each argument after the operation } } for attack.h. An argument is known
by its name; one whose name says nothing must be explained below, or the build fails.
"""
import pathlib
import sys
import tomllib

KINDS = {"handle": "CAP", "dom": "DOM", "host": "CAP", "rights": "RIGHTS", "vcpu": "VCPU", "vcpus": "MASK",
         "vector": "VECTOR", "gfn": "GFN", "src": "GFN", "n": "COUNT", "npages": "COUNT", "va": "VA", "prot": "PROT",
         "root": "GPA", "start": "PAGE", "end": "PAGE", "flags": "SMALL", "deadline": "TIME", "port": "PORT",
         "leaf": "SMALL", "subleaf": "SMALL", "index": "ANY", "len": "SMALL", "value": "ANY", "op": "OP"}
# Arguments that mean something else in each operation; ZERO is what is not used.
MEANINGS = {
    "INFO": {"handle": {"COUNTERS": "CAP", "": "ZERO"}},
    "CAP_CTL": {"dom": {"COPY": "DOM", "": "ZERO"}, "rights": {"COPY": "RIGHTS", "": "ZERO"}},
    "MEM_CTL": {"src": {"COPY": "GFN", "": "ZERO"}},
    "AS_MAP": {"gfn": {"MAP": "GFN", "": "ZERO"}, "prot": {"UNMAP": "ZERO", "": "PROT"}},
    "DOM_CTL": {"arg": {"SHUTDOWN": "ANY", "": "ZERO"}},
    "VCPU_CTL": {"arg": {"": "ZERO"}},
    "VCPU_SETUP": {"arg": {"SET_VCS": "GFN", "SET_PORT_PAGE": "GFN", "SET_KERNEL_GS": "ANY", "SET_ENTRY": "ZERO"}},
    "GRANT_CTL": {"handle": {"CREATE": "DOM", "UNMAP": "ZERO", "": "CAP"}, "gfn": {"REVOKE": "ZERO", "": "GFN"},
                  "n": {"REVOKE": "ZERO", "": "COUNT"}, "arg": {"CREATE": "PROT", "MAP": "BOOL", "": "ZERO"}},
    "PORT_CTL": {"port": {"ALLOC": "ZERO", "": "PORT"},
                 "a": {"ALLOC": "DOM", "CONNECT": "DOM", "BIND_VIRQ": "SMALL", "BIND_IRQ": "CAP", "MOVE": "VCPU",
                       "": "ZERO"},
                 "b": {"CONNECT": "DOM", "BIND_VIRQ": "CAP", "": "ZERO"}, "c": {"CONNECT": "PORT", "": "ZERO"}},
    "SEG_CTL": {"a": {"": "DESCRIPTOR"}, "b": {"": "DESCRIPTOR"}, "c": {"": "DESCRIPTOR"}},
    "DEBUG_REG": {"n": {"": "SMALL"}, "value": {"READ": "ZERO", "": "ANY"}},
    "MSR": {"value": {"READ": "ZERO", "": "ANY"}},
    "DEV_CTL": {"a": {"ASSIGN": "DOM", "DMA_MAP": "GFN", "DMA_ADDR": "GFN", "": "SMALL"},
                "b": {"DMA_MAP": "COUNT", "BIND_MSI": "PORT", "": "SMALL"},
                "c": {"MAP": "GFN", "CFG_WRITE": "ANY", "": "ZERO"}, "d": {"MAP": "COUNT", "": "ZERO"}},
    "HOST_CTL": {"a": {"IOPORTS": "DOM", "": "SMALL"}, "b": {"": "SMALL"}, "c": {"": "SMALL"}},
}


def kind_of(call, op, arg):
    meanings = MEANINGS.get(call["name"], {}).get(arg)
    if meanings is None:
        if arg not in KINDS:
            sys.exit(f"grammar.py: {call['name']}: nobody says what '{arg}' is")
        return KINDS[arg]
    if op["name"] not in meanings and "" not in meanings:
        sys.exit(f"grammar.py: {call['name']} {op['name']}: nobody says what '{arg}' is")
    return meanings.get(op["name"], meanings.get(""))


def operations(abi):
    """All of them in the order of the rows: a hypercall, and its operation or None."""
    for call in abi["hypercall"]:
        for op in call.get("ops") or [None]:
            yield call, op


def rows(abi):
    for call, op in operations(abi):
        kinds = [f"K_{kind_of(call, op or call, arg)}" for arg in call["args"] if arg != "op"]
        yield (f"\t{{ PV_HC_{call['name']}, "
               + (f"PV_{call['name']}_{op['name']}, true" if op else "0, false")
               + f", {{ {', '.join(kinds) or '0'} }} }},")


def main():
    abi = tomllib.loads(pathlib.Path(sys.argv[1]).read_text())
    pathlib.Path(sys.argv[2]).write_text("\n".join(
        ["/* SPDX-License-Identifier: BSD-2-Clause */", "/* Generated from pv-abi/abi.toml by grammar.py. */",
         *rows(abi), ""]))


if __name__ == "__main__":
    main()
