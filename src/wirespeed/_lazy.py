"""Names that are imported when they are first used, so that `import wirespeed` stays cheap."""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def load(namespace: dict[str, Any], homes: Mapping[str, str], name: str) -> Any:
    """Import `name` from its home module, remember it in `namespace`, and return it.

    Args:
        namespace: the globals of the package that shows the name.
        homes: public name to the module, relative to the package, that defines it; a module
            whose last part is the name itself is shown as a whole.

    Raises:
        AttributeError: the package shows no such name.
    """
    home = homes.get(name)
    if home is None:
        raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
    module = importlib.import_module(home, namespace["__name__"])
    value = module if home.rpartition(".")[2] == name else getattr(module, name)
    namespace[name] = value
    return value
