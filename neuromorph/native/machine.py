"""Machine code as bytes: made from a Python function by Numba and LLVM, and put into memory by LLVM alone.

What Numba compiles is cut down to the function itself: the wrapper that would report exceptions to Python goes, and
with it every reference to the interpreter and to Numba's own library. So the code can be kept on disk and loaded in a
process that never imports Numba, which takes half of the time of a short run. A kernel that does raise ends the
process: kernels must not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llvmlite import binding

ENTRY = "neuromorph_kernel"
"""Name of the function in every piece of machine code."""

_ENTRY = f"""
define void @{ENTRY}(i64 %a, i64 %b, i64 %c) {{
  %result = alloca ptr
  %raised = alloca ptr
  %status = call i32 @"INNER"(ptr %result, ptr %raised, i64 %a, i64 %b, i64 %c)
  switch i32 %status, label %failed [ i32 0, label %done
                                      i32 -2, label %done ]
done:
  ret void
failed:
  call void @llvm.trap()
  unreachable
}}
declare void @llvm.trap()
"""
"""Calls what Numba compiled by its convention: (place of the result, place of the exception, arguments) -> status."""

_numbers = count()


def compile_function(function: Callable[..., Any]) -> tuple[bytes, tuple[str, ...]]:
    """Machine code of a function of three int64, and the symbols that it needs from elsewhere.

    Raises
    ------
    numba.core.errors.NumbaError
        The function cannot be compiled.
    """
    module = _module(function)
    outside = [f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")]
    outside += [g.name for g in module.global_variables if g.is_declaration]
    return _target_machine().emit_object(module), tuple(outside)


def assembly(function: Callable[..., Any]) -> str:
    """The instructions that :func:`compile_function` makes, as text."""
    return str(_target_machine().emit_assembly(_module(function)))


def _module(function: Callable[..., Any]) -> binding.ModuleRef:
    import numba
    from llvmlite import binding

    signature = numba.void(numba.int64, numba.int64, numba.int64)
    made = numba.cfunc(signature, error_model="numpy")(function)
    inner = made.native_name.removeprefix("cfunc.")
    module = binding.parse_assembly(made.inspect_llvm() + _ENTRY.replace("INNER", inner))
    for value in (*module.functions, *module.global_variables):
        if not value.is_declaration and value.name != ENTRY:
            value.linkage = "internal"
    builder = binding.create_pass_builder(_target_machine(), binding.create_pipeline_tuning_options())
    passes = binding.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    passes.add_strip_dead_prototype_pass()
    passes.run(module, builder)
    return module


class Loaded:
    """Machine code in memory; it stays as long as this object.

    Attributes
    ----------
    address : int
    """

    def __init__(self, code: bytes, symbols: tuple[str, ...]) -> None:
        from llvmlite import binding

        library = binding.JITLibraryBuilder().add_object_img(code).add_current_process().export_symbol(ENTRY)
        for name in symbols:
            library.import_symbol(name, _address_of(name))
        self._library = library.link(_linker(), f"kernel {next(_numbers)}")
        self.address = int(self._library[ENTRY])


def _address_of(name: str) -> int:
    from llvmlite import binding

    found = binding.address_of_symbol(name)
    if not found:  # a part of Numba's run-time library, which it makes known when it starts
        from numba.core.registry import cpu_target
        from numba.core.runtime.nrt import rtsys

        rtsys.initialize(cpu_target.target_context)
        found = binding.address_of_symbol(name)
    if not found:
        raise LookupError(f"machine code needs {name!r}, which is not there")
    return int(found)


@cache
def _target_machine() -> binding.TargetMachine:
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
        opt=3,
        reloc="pic",
        codemodel="default",
    )


@cache
def _linker() -> binding.LLJIT:
    from llvmlite import binding

    return binding.create_lljit_compiler(_target_machine(), suppress_errors=True)
