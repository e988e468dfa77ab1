"""Networks side by side that teach each other; the first is the one that is tested. Parameters are those of all."""

from kdbench.backbones import InertialCNN, Peers

_inertial = dict(type=InertialCNN, width=48)

inertial_cnn_peers = dict(type=Peers, networks=[_inertial, _inertial])  # 596 k parameters
