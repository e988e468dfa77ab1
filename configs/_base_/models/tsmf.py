"""A skeleton network that says which joints' pictures matter, and an image network that looks at them.

A row gives the guide's ``weights``; parameters are those of both.
"""

from kdbench.backbones import TSMF, CompactSTGCN, ResNet

_guide = dict(type=CompactSTGCN, streams=("joint", "bone", "motion"), graph="utd_mhad")
tsmf_depth = dict(type=TSMF, guide=_guide, student=dict(type=ResNet, blocks=(2, 2, 2)))
