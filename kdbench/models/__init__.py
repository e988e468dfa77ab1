"""What the runner trains: a student, with or without a teacher and a distiller."""

from .deprived import Deprived
from .distillation import Distillation
from .preprocessor import Preprocessor

__all__ = ["Deprived", "Distillation", "Preprocessor"]
