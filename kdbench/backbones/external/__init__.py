"""Networks of mmaction2, timm, torchvision and transformers as ours; each package is optional."""

from .families import FAMILIES
from .models import External, ExternalFrames
from .network import Foreign

__all__ = ["FAMILIES", "External", "ExternalFrames", "Foreign"]
