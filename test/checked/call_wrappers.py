"""Prints an assembler file that wraps functions of the server: call_wrappers.py WAYBILL_SO POSTGRES OPTIONS_FILE.

Each wrapper calls waybill_before_call() with the function's name, and goes on in the function with the arguments as they
came, whatever they are. The linker's options that put the wrappers in are written to OPTIONS_FILE.
"""

import pathlib
import subprocess
import sys

# These cannot fail, or are called where nothing may fail: error reporting itself, scans of a hash table and freeing in
# callbacks of invalidations and aborts, registration at load time.
NEVER_FAIL = {"pfree", "hash_seq_init", "hash_seq_search", "hash_destroy", "MemoryContextSetParent", "MemoryContextReset",
              "GetDatabaseEncoding", "ResetLatch", "RegisterXactCallback", "RegisterSubXactCallback",
              "CacheRegisterRelcacheCallback", "CacheRegisterSyscacheCallback", "pg_snprintf", "pg_usleep", "ScanKeyInit",
              "ScanKeyEntryInitialize", "ExceptionalCondition"}

# Those of integer arguments. Seven of them and the return address keep the stack aligned.
REGISTERS = ("rdi", "rsi", "rdx", "rcx", "r8", "r9", "rax")


def symbols(file: str, *options: str) -> list[list[str]]:
    done = subprocess.run(["nm", "-D", *options, file], check=True, stdout=subprocess.PIPE, text=True)
    return [line.split() for line in done.stdout.splitlines()]


def wrapper(function: str) -> str:
    save = "\n".join(f"\tpush %{register}" for register in REGISTERS)
    restore = "\n".join(f"\tpop %{register}" for register in reversed(REGISTERS))
    return f"""
\t.globl __wrap_{function}
\t.type __wrap_{function}, @function
__wrap_{function}:
{save}
\tlea name_{function}(%rip), %rdi
\tcall waybill_before_call@PLT
{restore}
\tjmp __real_{function}@PLT
name_{function}: .asciz "{function}"
"""


def main(library: str, postgres: str, options: str) -> None:
    provided = {name for _, kind, name in symbols(postgres, "--defined-only") if kind == "T"}
    called = {fields[-1] for fields in symbols(library, "--undefined-only")}
    wrapped = sorted(name for name in called & provided if name not in NEVER_FAIL and not name.startswith("err"))
    print("\t.text" + "".join(wrapper(name) for name in wrapped) + '\t.section .note.GNU-stack,"",@progbits')
    pathlib.Path(options).write_text("".join(f"-Wl,--wrap={name}\n" for name in wrapped))


main(*sys.argv[1:])
