"""The compiler component from Python, with wasmtime: `pip install wasmtime`.

    seccomp = Seccomp("dist/component/seccomp.wasm")
    compiled = seccomp.compile(filter)
    seccomp.disassemble(compiled.program)

Records of wasm/wit/seccomp.wit are `record(name=value, ...)`, its enums and variants' cases are strings with the WIT's
names, its flags are sets of strings, its lists of bytes are bytes. An error of the component is a SeccompError.
"""

import re

from wasmtime import Engine, Store
from wasmtime.component import Component, Linker, Record, Variant

PACKAGE = "pycri:seccomp"

REWRITES = {
    "order-comparisons",
    "drop-settled",
    "low-halves-first",
    "search-constants",
    "separate-x32",
    "favour-deep",
    "number-lists",
    "hot-numbers",
    "repeat-tests",
}


def record(**members):
    """A WIT record; `audit_architecture=` stands for the member `audit-architecture`."""
    made = Record()
    for name, value in members.items():
        setattr(made, name.replace("_", "-"), value)
    return made


class SeccompError(Exception):
    """`case` is the case of the WIT's error ("invalid-filter", "too-large"), or None where it has but one."""

    def __init__(self, case, detail):
        members = ", ".join(f"{name}: {value}" for name, value in vars(detail).items())
        super().__init__(members if case is None else f"{case} ({members})")
        self.case = case
        self.detail = detail


class Seccomp:
    """One instance of the component. A trap spoils an instance: make a new one then."""

    def __init__(self, path):
        engine = Engine()
        component = Component.from_file(engine, path)
        self._store = Store(engine)
        self._instance = Linker(engine).instantiate(self._store, component)
        exports = component.type.exports(engine)
        self.version = next(re.fullmatch(rf"{PACKAGE}/compiler@(.+)", name)[1] for name in exports if "/compiler@" in name)

    def compile(self, filter, weights=(), base_weight=1, kernel="bitmap", rewrites=REWRITES, proof_budget=1 << 16):
        options = record(
            weights=list(weights), base_weight=base_weight, kernel=kernel, rewrites=rewrites, proof_budget=proof_budget
        )
        return self._call("compiler", "compile", filter, options)

    def prove(self, program, filter, budget=1 << 20):
        """None for a program that is proven, else the counter-example."""
        return self._call("prover", "prove", program, filter, budget)

    def analyse(self, program, tables, budget=1 << 20):
        return self._call("analyser", "analyse", program, list(tables), budget)

    def simulate(self, program, calls):
        """`calls`: packed struct seccomp_data, 64 bytes each."""
        return self._call("simulator", "simulate", program, calls)

    def disassemble(self, program):
        return self._call("disassembler", "disassemble", program)

    def _call(self, interface, name, *arguments):
        index = self._instance.get_export_index(self._store, f"{PACKAGE}/{interface}@{self.version}")
        function = self._instance.get_func(self._store, self._instance.get_export_index(self._store, name, index))
        result = function(self._store, *arguments)
        function.post_return(self._store)
        # wasmtime unwraps results: a variant, or a record with a reason, is nothing but an error here.
        if isinstance(result, Variant):
            raise SeccompError(result.tag, result.payload)
        if hasattr(result, "reason"):
            raise SeccompError(None, result)
        return result
