"""Videos and sound in files: frames by number, log-mel spectrograms, both kept on disk once they were computed."""

from .cache import ArrayCache
from .sound import LogMel, Sound, read_sound
from .video import VideoInfo, backends, probe, read_frames, resized

__all__ = [
    "ArrayCache",
    "LogMel",
    "Sound",
    "VideoInfo",
    "backends",
    "probe",
    "read_frames",
    "read_sound",
    "resized",
]
