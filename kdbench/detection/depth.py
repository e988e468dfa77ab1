"""People in depth recordings whose background was taken away: what has a depth is a person."""

import numpy as np

from .base import Found, PersonDetector, check_threshold, relative_boxes

SMALLEST = 1 / 256  # of a picture's pixels, as in Rooms; what is smaller is noise


class DepthDetector(PersonDetector):
    """Exact masks, and a box around each connected part, from depth with background 0 (as UTD-MHAD's).

    ``threshold`` is the share of the largest value above which there is somebody: 0 for exact recordings, a few
    hundredths for those that a lossy codec went over. ``smallest`` is the share of the picture that a part must fill.
    Every box has confidence 1.
    """

    name = "depth"

    def __init__(self, threshold: float = 0.0, smallest: float = SMALLEST):
        self.threshold, self.smallest = check_threshold(threshold), smallest
        self.settings = {"smallest": smallest}

    def __call__(self, frames: np.ndarray) -> list[Found]:
        """The people in each frame, ``(T, H, W)`` of any number type, or ``(T, H, W, 3)`` whose channels are equal."""
        depth = frames if frames.ndim == 3 else frames.max(axis=3)
        largest = np.iinfo(depth.dtype).max if np.issubdtype(depth.dtype, np.integer) else 1.0
        return [self._found(frame > self.threshold * largest) for frame in depth]

    def _found(self, shown: np.ndarray) -> Found:
        from scipy import ndimage

        parts, count = ndimage.label(shown, structure=np.ones((3, 3)))
        sizes = np.bincount(parts.ravel(), minlength=count + 1)
        large = [part for part in range(1, count + 1) if sizes[part] >= self.smallest * shown.size]
        slices = ndimage.find_objects(parts)
        corners = [
            (s[1].start, s[0].start, s[1].stop, s[0].stop) for s in (slices[part - 1] for part in large)
        ]
        boxes = relative_boxes(np.array(corners), np.ones(len(large)), *shown.shape)
        return Found(boxes, np.isin(parts, large))
