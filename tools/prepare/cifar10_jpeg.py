#!/usr/bin/env python
"""A folder of CIFAR-10 as JPEG files, turned into the two files of the JPEG copy that kdbench reads."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

# Everything heavy is imported inside functions, so that --help answers at once.


def split_arrays(source: Path, split: str) -> dict[str, "np.ndarray"]:
    """Content of one file: the JPEG bytes of ``<source>/<split>/<class>/*.jpg``, shuffled with seed 0."""
    import numpy as np

    from kdbench.datasets.images.cifar import CIFAR10
    from kdbench.datasets.images.decoding import content_of, decoded
    from kdbench.datasets.images.folder import pictures
    from kdbench.spec import InvalidDataError

    paths, labels = pictures(source / split, CIFAR10.classes)
    if len(paths) != CIFAR10.counts[split]:
        raise InvalidDataError(f"{source / split} has {len(paths)} pictures, not {CIFAR10.counts[split]}")
    order = np.random.Generator(np.random.Philox(0)).permutation(len(paths))
    contents = [content_of(paths[place]) for place in order]
    for place, content in zip(order, contents, strict=True):
        if decoded(content, str(paths[place])).shape != (3, 32, 32):
            raise InvalidDataError(f"{paths[place]} is not 32 x 32")
    return {
        "jpeg": np.frombuffer(b"".join(contents), np.uint8),
        "length": np.array([len(content) for content in contents], dtype=np.int32),
        "label": labels[order].astype(np.uint8),
        "classes": np.array(CIFAR10.classes),
    }


def prepare(source: Path, out: Path) -> None:
    """Write both files into ``out``."""
    import numpy as np

    from kdbench.atomic import atomic_path, remove_leftovers
    from kdbench.datasets.files import folder_lock
    from kdbench.datasets.images.cifar_jpeg import FILES

    with folder_lock(out):
        for split, name in FILES.items():
            arrays = split_arrays(source, split)
            remove_leftovers(out / name)
            with atomic_path(out / name) as temporary:
                np.savez(temporary, **arrays)
            print(f"wrote {out / name}: {len(arrays['label']):,} pictures")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 1 when the source is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "source", type=Path, help="the folder that holds train/ and test/, a folder a class in each"
    )
    parser.add_argument("out", type=Path, help="the folder to write, best called cifar10")
    options = parser.parse_args(arguments)
    from kdbench.spec import InvalidDataError

    try:
        prepare(options.source, options.out)
    except InvalidDataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
