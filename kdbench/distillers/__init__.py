"""Distillation methods, one a file: a function and a class."""

from .ab import AB, ab_loss, boundary_loss
from .at import AT, at_loss, attention_map
from .average_mkd import AverageMKD, average_mkd_loss, mean_teacher
from .base import Distiller
from .byot import BYOT, byot_feature_loss
from .camkd import (
    CAMKD,
    camkd_divergences,
    camkd_feature_loss,
    camkd_loss,
    confidence_weights,
    teacher_label_losses,
)
from .catkd import CATKD, cat_kd_loss
from .cc import CC, cc_loss
from .crd import CRD, crd_log_normaliser, crd_loss, crd_scores, crd_side_loss, crd_updated_rows
from .crossview import CrossView, agreement_loss, flexible_thresholds, pseudo_labels
from .ctkd import CTKD, ctkd_temperature
from .cwd import CWD, cwd_loss
from .dist import DIST, dist_loss
from .dkd import DKD, dkd_loss
from .dml import DML, dml_loss, labels_loss, mutual_loss
from .fitnet import FitNet, hint_loss
from .fsp import FSP, flow_matrix, fsp_loss
from .ft import FT, ft_loss
from .generative import Generative, attended_stage, generator_loss
from .hallucination import Hallucination, hallucinated_map_loss, hallucination_loss, soft_cross_entropy
from .ickd import ICKD, ickd_loss
from .infonce import InfoNCE, info_nce_loss
from .kd import KD, bernoulli_kd_loss, kd_loss
from .lskd import LSKD, standardised
from .mars import MARS, mars_loss
from .mers import MERS, probe_loss
from .mgd import MGD, mgd_loss
from .mlkd import MLKD, gram_loss, lower_half, mlkd_loss, mlkd_parts, mlkd_upstream_parts
from .nst import NST, nst_loss
from .ofa import OFA, ofa_loss
from .ofd import OFD, ofd_loss, ofd_margin, partial_distance
from .pkt import PKT, pkt_loss
from .reviewkd import ReviewKD, hcl_loss
from .rkd import RKD, rkd_angle_loss, rkd_distance_loss, rkd_loss
from .simkd import SimKD, simkd_loss
from .sp import SP, sp_loss
from .sum import Sum
from .tfkd import TfKD, tfkd_loss, virtual_teacher
from .thoker_gall import ThokerGall, ensemble_logits, taught_peer_loss
from .vicokd import ViCoKD, person_scores, view_consistency
from .vid import VID, vid_log_scale, vid_loss
from .view_divergence import (
    compared_views,
    generalised_divergence,
    jensen_shannon,
    pair_weights,
    pairwise_divergence,
    view_confidence,
)
from .vpd import VPD, vpd_loss
from .vpnpp import VPNPP, attention_level_loss, matching_loss
from .wsld import WSLD, wsld_loss, wsld_weights

__all__ = [
    "AB",
    "AT",
    "BYOT",
    "CAMKD",
    "CATKD",
    "CC",
    "CRD",
    "CTKD",
    "CWD",
    "DIST",
    "DKD",
    "DML",
    "FSP",
    "FT",
    "ICKD",
    "KD",
    "LSKD",
    "MARS",
    "MERS",
    "MGD",
    "MLKD",
    "NST",
    "OFA",
    "OFD",
    "PKT",
    "RKD",
    "SP",
    "VID",
    "VPD",
    "VPNPP",
    "WSLD",
    "AverageMKD",
    "CrossView",
    "Distiller",
    "FitNet",
    "Generative",
    "Hallucination",
    "InfoNCE",
    "ReviewKD",
    "SimKD",
    "Sum",
    "TfKD",
    "ThokerGall",
    "ViCoKD",
    "ab_loss",
    "agreement_loss",
    "at_loss",
    "attended_stage",
    "attention_level_loss",
    "attention_map",
    "average_mkd_loss",
    "bernoulli_kd_loss",
    "boundary_loss",
    "byot_feature_loss",
    "camkd_divergences",
    "camkd_feature_loss",
    "camkd_loss",
    "cat_kd_loss",
    "cc_loss",
    "compared_views",
    "confidence_weights",
    "crd_log_normaliser",
    "crd_loss",
    "crd_scores",
    "crd_side_loss",
    "crd_updated_rows",
    "ctkd_temperature",
    "cwd_loss",
    "dist_loss",
    "dkd_loss",
    "dml_loss",
    "ensemble_logits",
    "flexible_thresholds",
    "flow_matrix",
    "fsp_loss",
    "ft_loss",
    "generalised_divergence",
    "generator_loss",
    "gram_loss",
    "hallucinated_map_loss",
    "hallucination_loss",
    "hcl_loss",
    "hint_loss",
    "ickd_loss",
    "info_nce_loss",
    "jensen_shannon",
    "kd_loss",
    "labels_loss",
    "lower_half",
    "mars_loss",
    "matching_loss",
    "mean_teacher",
    "mgd_loss",
    "mlkd_loss",
    "mlkd_parts",
    "mlkd_upstream_parts",
    "mutual_loss",
    "nst_loss",
    "ofa_loss",
    "ofd_loss",
    "ofd_margin",
    "pair_weights",
    "pairwise_divergence",
    "partial_distance",
    "person_scores",
    "pkt_loss",
    "probe_loss",
    "pseudo_labels",
    "rkd_angle_loss",
    "rkd_distance_loss",
    "rkd_loss",
    "simkd_loss",
    "soft_cross_entropy",
    "sp_loss",
    "standardised",
    "taught_peer_loss",
    "teacher_label_losses",
    "tfkd_loss",
    "vid_log_scale",
    "vid_loss",
    "view_confidence",
    "view_consistency",
    "virtual_teacher",
    "vpd_loss",
    "wsld_loss",
    "wsld_weights",
]
