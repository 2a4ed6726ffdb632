"""Proofs that can be checked without trusting, or even installing, ``ntp_theory``: ``python -m proofs_check``."""
