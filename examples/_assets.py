"""Where the weights of the examples are: a folder that the variable GANEXPLAIN_ASSETS names."""

import os
from pathlib import Path


def asset(name: str) -> Path:
    """The path of the file ``name`` in the folder GANEXPLAIN_ASSETS.

    Raises:
        FileNotFoundError: the variable is not set, or the file is not there.
    """
    folder = os.environ.get("GANEXPLAIN_ASSETS")
    if not folder:
        raise FileNotFoundError(
            f"set GANEXPLAIN_ASSETS to the folder that holds {name}; the example says where it comes from"
        )
    path = Path(folder) / name
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; the example says where it comes from")
    return path
