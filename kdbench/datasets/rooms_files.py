"""Rooms in files: what the synthetic home looks and sounds like once it has been through mp4, as real data have."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..registry import DATASETS
from ..spec import InvalidDataError
from .multi_view_videos import MODALITIES, data_folder
from .multisensor_home import MultiSensorHome
from .rooms import ACTIONS

FOLDER = "rooms_files"
REMEDY = f"make it: python tools/prepare/rooms.py --out $KDBENCH_DATA_ROOT/{FOLDER}"


@DATASETS.register_module()
class RoomsFiles(MultiSensorHome):
    """The synthetic home in MultiSensor-Home's layout, as ``tools/prepare/rooms.py`` writes it, with exact masks.

    ``root`` is by default ``$KDBENCH_DATA_ROOT/rooms_files``. Further arguments: ``MultiViewVideos``.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        split: str = "train",
        modalities: Sequence[str] = MODALITIES,
        persons: str = "rooms",
        **options: Any,
    ):
        root = data_folder(root, FOLDER, REMEDY)
        super().__init__(root, split, classes=ACTIONS, modalities=modalities, persons=persons, **options)
        self.name, self.remedy = "Rooms in files", REMEDY

    @staticmethod
    def promises(root: str | Path | None = None, **_: Any) -> dict[str, int]:
        try:
            return MultiSensorHome.promises(data_folder(root, FOLDER, REMEDY), classes=ACTIONS)
        except InvalidDataError:
            return {}
