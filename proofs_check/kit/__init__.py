"""Tools that several proofs share: identities, exact linear algebra, intervals, datasets; nothing of ``ntp_theory``."""
