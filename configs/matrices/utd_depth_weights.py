"""Weights of methods for the small depth student of UTD-MHAD: read on the validation subject, for docs/benchmark_protocol.md.

The published weight, a tenth of it and ten times it; the next one where the best stood at an end.
"""

seeds = (0, 1)
_row = "kd/utd_three_skeleton_cnn_depth_cnn_small"
_of_one = ("mars", "mers", "vpnpp", "generative")


def _weights(*values):
    return [{"model.distill_weight": value} for value in values]


_further = _weights(0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)
rows = [
    dict(row="baseline/utd_three_depth_cnn_small"),
    dict(row=_row),
    dict(row=_row, distiller="fitnet", options=_weights(10.0, 100.0, 1000.0, 10000.0)),
    dict(row=_row, distiller="utd_vpd", options=_further),
    dict(row=_row, distiller="hallucination", options=_further),
    dict(row=_row, distiller=_of_one, options=_weights(0.1, 1.0, 10.0)),
]
