"""The teacher's outputs on disk, one record for each draw of each training clip, in place of the teacher."""

from .book import Book
from .build import build_cache, fill
from .catalogue import find_cache, manifests
from .layout import Layout
from .live import Live, needs_of
from .reading import Lessons, ReadLessons, attach, build_command
from .store import Records, read_manifest

__all__ = [
    "Book",
    "Layout",
    "Lessons",
    "Live",
    "ReadLessons",
    "Records",
    "attach",
    "build_cache",
    "build_command",
    "fill",
    "find_cache",
    "manifests",
    "needs_of",
    "read_manifest",
]
