# SPDX-License-Identifier: BSD-2-Clause
"""Constants and structure layouts, read from pv-abi/abi.toml, the one definition."""

import pathlib
import struct
import tomllib

ABI_TOML = pathlib.Path(__file__).resolve().parents[2] / "pv-abi" / "abi.toml"
CODES = {"u8": "B", "u16": "H", "u32": "I", "s32": "i", "u64": "Q", "s64": "q"}


def _load():
    with open(ABI_TOML, "rb") as file:
        return tomllib.load(file)


class Abi:
    def __init__(self):
        data = _load()
        self.constants = {c["name"]: c["value"] for g in data["group"] for c in g["constants"]}
        self.structs = {s["name"]: s for s in data["struct"]}

    def __getattr__(self, name):
        try:
            return self.constants[name]
        except KeyError:
            raise AttributeError(name) from None

    def size(self, name):
        return self.structs[name]["size"]

    def pack(self, name, /, **values):
        """Bytes of structure `name`; fields not given are zero, byte arrays may be text."""
        out = b""
        for field in self.structs[name]["fields"]:
            value, count = values.pop(field["name"], 0), field.get("count", 1)
            if field["type"] == "u8" and count > 1:
                raw = value.encode() if isinstance(value, str) else bytes(value or 0)
                if len(raw) > count - 1 and isinstance(value, str):
                    raise ValueError(f"{name}.{field['name']}: '{value}' is too long")
                out += raw.ljust(count, b"\0")
            else:
                items = value if isinstance(value, list) else [value] + [0] * (count - 1)
                out += struct.pack(f"<{count}{CODES[field['type']]}", *items)
        if values:
            raise ValueError(f"{name} has no field {', '.join(values)}")
        if len(out) != self.size(name):
            raise ValueError(f"{name} is {len(out)} bytes, not {self.size(name)}")
        return out

    def unpack(self, name, data, offset=0):
        """A dictionary of the fields of structure `name`; byte arrays become text."""
        values = {}
        for field in self.structs[name]["fields"]:
            count = field.get("count", 1)
            form = f"<{count}{CODES[field['type']]}"
            items = struct.unpack_from(form, data, offset)
            offset += struct.calcsize(form)
            if field["type"] == "u8" and count > 1:
                values[field["name"]] = bytes(items).split(b"\0")[0].decode("ascii", "replace")
            else:
                values[field["name"]] = items[0] if count == 1 else list(items)
        return values


ABI = Abi()
PAGE = 1 << ABI.PAGE_SHIFT
