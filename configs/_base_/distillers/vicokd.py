"""ViCoKD and its ablations. No published weight could be read: these are our reconstruction's."""

from kdbench.distillers import ViCoKD

vicokd = dict(type=ViCoKD, feature=1.0, logit=1.0, consistency=0.1, tau=4.0)
vicokd_no_feature = dict(type=ViCoKD, feature=0.0)
vicokd_no_logit = dict(type=ViCoKD, logit=0.0)
vicokd_no_consistency = dict(type=ViCoKD, consistency=0.0)
vicokd_no_mask = dict(type=ViCoKD, mask=False)
vicokd_no_confidence = dict(type=ViCoKD, confidence="none")
vicokd_only_feature = dict(type=ViCoKD, logit=0.0, consistency=0.0)
vicokd_only_logit = dict(type=ViCoKD, feature=0.0, consistency=0.0)
vicokd_only_consistency = dict(type=ViCoKD, feature=0.0, logit=0.0)
vicokd_entropy = dict(type=ViCoKD, confidence="entropy")
vicokd_generalised = dict(type=ViCoKD, divergence="generalised")
vicokd_sequence = dict(type=ViCoKD, level="sequence")
vicokd_bernoulli = dict(type=ViCoKD, view_form="bernoulli")
vicokd_frame_logits = dict(type=ViCoKD, logit_level="frame")
# For a student that guesses the teacher's sound.
vicokd_adapter = dict(type=ViCoKD, feature_tap="hallucinated", teacher_tap="audio_features")
