"""The toy project with augmented clips, and distillers that read more than logits or borrow a layer."""

from pathlib import Path

from tests.toy_project import write_project

FILES = {
    "cachekit.py": '''
"""Noise on every input."""

from kdbench.registry import TRANSFORMS


@TRANSFORMS.register_module(force=True)
class Jitter:
    def __init__(self, size=0.1):
        self.size = size

    def __call__(self, sample, rng):
        inputs = {k: (x + rng.normal(0, self.size, x.shape)).astype("f4") for k, x in sample["inputs"].items()}
        return {**sample, "inputs": inputs}
''',
    "configs/_base_/distillers/more.py": '''
"""Distillers of embeddings, and one that borrows the teacher's classifier."""
from kdbench.distillers import RKD, SimKD, TfKD

wave_rkd = dict(type=RKD)
wave_simkd = dict(type=SimKD)
wave_alone = dict(type=TfKD)
''',
}


def write(folder: Path) -> Path:
    """Write the project; its training clips are augmented and its students drop nothing."""
    write_project(folder)
    for name, text in FILES.items():
        (folder / name).write_text(text.lstrip(), encoding="utf-8")
    data = folder / "configs/_base_/datasets/waves.py"
    text = data.read_text().replace(
        'dataset=dict(type=Waves, split="train"),',
        'dataset=dict(type=Waves, split="train", transforms=[dict(type=Jitter)]),',
    )
    text = text.replace("from toykit import", "from cachekit import Jitter\nfrom toykit import")
    data.write_text(text)
    return folder
