"""Turn names of nodes into attributes of torch modules and names of weights, without torch."""

from __future__ import annotations

PUBLIC = frozenset({
    "T_destination", "add_module", "apply", "bfloat16", "buffers", "call_super_init",
    "children", "compile", "cpu", "cuda", "double", "dump_patches", "eval", "extra_repr",
    "float", "forward", "get_buffer", "get_extra_state", "get_parameter", "get_submodule",
    "graph", "half", "ipu", "load_state_dict", "modules", "mtia", "named_buffers",
    "named_children", "named_modules", "named_parameters", "parameters", "part", "paths",
    "plans", "register_backward_hook", "register_buffer", "register_forward_hook",
    "register_forward_pre_hook", "register_full_backward_hook",
    "register_full_backward_pre_hook", "register_load_state_dict_post_hook",
    "register_load_state_dict_pre_hook", "register_module", "register_parameter",
    "register_state_dict_post_hook", "register_state_dict_pre_hook", "requires_grad_", "run",
    "set_extra_state", "set_submodule", "share_memory", "state_dict", "to", "to_empty",
    "train", "training", "type", "xpu", "zero_grad",
})  # fmt: skip
"""Attributes of torch's modules and of `archscope.build.Network`."""

PRIVATE = frozenset({
    "__annotate__", "__annotate_func__", "__annotations__", "__annotations_cache__",
    "__call__", "__class__", "__conditional_annotations__", "__delattr__", "__dict__",
    "__dir__", "__doc__", "__eq__", "__firstlineno__", "__format__", "__ge__", "__getattr__",
    "__getattribute__", "__getstate__", "__gt__", "__hash__", "__init__", "__init_subclass__",
    "__le__", "__lt__", "__module__", "__ne__", "__new__", "__reduce__", "__reduce_ex__",
    "__repr__", "__setattr__", "__setstate__", "__sizeof__", "__static_attributes__",
    "__str__", "__subclasshook__", "__weakref__", "_apply", "_backward_hooks",
    "_backward_pre_hooks", "_buffers", "_call_impl", "_compiled_call_impl", "_forward_hooks",
    "_forward_hooks_always_called", "_forward_hooks_with_kwargs", "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs", "_get_backward_hooks", "_get_backward_pre_hooks",
    "_get_name", "_is_full_backward_hook", "_load_from_state_dict",
    "_load_state_dict_post_hooks", "_load_state_dict_pre_hooks",
    "_maybe_warn_non_full_backward_hook", "_modules", "_named_members",
    "_non_persistent_buffers_set", "_parameters", "_register",
    "_register_load_state_dict_pre_hook", "_register_state_dict_hook",
    "_replicate_for_data_parallel", "_save_to_state_dict", "_slow_forward",
    "_state_dict_hooks", "_state_dict_pre_hooks", "_version", "_wrapped_call_impl",
})  # fmt: skip
"""Attributes that begin with an underscore, in any version of Python."""

TAKEN = PUBLIC | PRIVATE
"""Reserved attribute names, which nodes cannot have."""


def attribute_name(name: str) -> str:
    """Return the attribute name of a node or block; `_` is appended to names in use."""
    return f"{name}_" if name in TAKEN or name.rstrip("_") in TAKEN else name


def module_path(name: str) -> str:
    """Return the path of a node's module: its name, with `_` after attribute names in use."""
    return ".".join(map(attribute_name, name.split(".")))


def free_name(name: str, taken: set[str]) -> str:
    """Return a name, with a number if it is taken, and take it: `conv`, `conv_2`, `conv_3`."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    taken.add(found)
    return found
