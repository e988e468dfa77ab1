"""Networks for one video: a CNN of each frame, then a network over time."""

from kdbench.backbones import VideoCNN

# depth: closeness and person mask, frames of 64 x 48
depth_cnn = dict(type=VideoCNN, modality="depth", grid=(4, 3))  # 380 k parameters
# a quarter of the pixels, half as wide: a thirteenth of the operations, a sixth of the time of a step
depth_cnn_small = dict(
    type=VideoCNN, modality="depth", grid=(4, 3), shrink=2, frame_widths=(8, 16, 32), width=64
)  # 88 k
depth_attention = dict(
    type=VideoCNN, modality="depth", grid=(4, 3), temporal="attention"
)  # 431 k; wants lr 1e-3

# pictures, frames of 64 x 64
rgb_cnn = dict(type=VideoCNN, modality="rgb", grid=(4, 4))  # 414 k
rgb_attention = dict(type=VideoCNN, modality="rgb", grid=(4, 4), temporal="attention")  # 464 k
# frames of 112 x 112, for NTU RGB+D
rgb_cnn_112 = dict(type=VideoCNN, modality="rgb", grid=(7, 7))
