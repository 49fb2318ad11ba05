"""example.py COMPONENT FILTER.json: compiles a filter, disassembles, simulates and proves the program, and breaks it.

FILTER.json has the members of the WIT's record `filter`, 64-bit numbers as strings of digits. Prints JSON.
"""

import json
import struct
import sys

from pycri_seccomp import Seccomp, SeccompError, record


def comparison(source):
    return record(**{**source, "value": int(source["value"]), "mask": int(source["mask"])})


def clause(source):
    return record(comparisons=[comparison(one) for one in source["comparisons"]], action=source["action"])


def call_rule(source):
    return record(**{**source, "clauses": [clause(one) for one in source["clauses"]]})


def architecture(source):
    return record(
        **{
            **source,
            "calls": [call_rule(one) for one in source["calls"]],
            "ranges": [record(**one) for one in source["ranges"]],
        }
    )


def read_filter(path):
    with open(path, encoding="utf-8") as file:
        source = json.load(file)
    return record(
        architectures=[architecture(one) for one in source["architectures"]],
        unknown_architecture=source["unknown-architecture"],
    )


def seccomp_data(number, audit_architecture, *arguments):
    """struct seccomp_data, little-endian."""
    six = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    return struct.pack("<IIQ6Q", number, audit_architecture, 0, *six)


def main(component, path):
    seccomp = Seccomp(component)
    filter = read_filter(path)
    compiled = seccomp.compile(filter)
    program = compiled.program

    first = filter.architectures[0]
    audit_architecture = getattr(first, "audit-architecture")
    calls = b"".join(seccomp_data(call.number, audit_architecture) for call in first.calls)
    actions = [execution.action for execution in seccomp.simulate(program, calls)]

    broken = bytearray(program)
    broken[-4:] = struct.pack("<I", 0x7FFC0000)
    difference = seccomp.prove(bytes(broken), filter)
    try:
        seccomp.disassemble(program[:-1])
        refusal = None
    except SeccompError as error:
        refusal = str(error)

    json.dump(
        {
            "version": seccomp.version,
            "program": program.hex(),
            "proven": compiled.proven and seccomp.prove(program, filter) is None,
            "disassembly": seccomp.disassemble(program),
            "actions": actions,
            "attach-instructions": getattr(
                seccomp.analyse(program, [record(architecture=audit_architecture, size=480)])[0], "attach-instructions"
            ),
            "difference": [difference.expected, difference.actual],
            "refusal": refusal,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
