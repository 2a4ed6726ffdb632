import numpy as np
import pytest

from ntp_theory.construct import DESIGNED, designed
from ntp_theory.errors import UsageError
from ntp_theory.loss import evaluate
from tests.construct.oracles import cross_entropy, is_compatible, is_separable, smallest_separator

every_case = pytest.mark.parametrize("name", DESIGNED)


def extended_support(case):
    """Tokens that the direction keeps level with the top: all of them if nothing diverges."""
    h = case.data.embeddings.numpy()
    logits = (
        h @ (np.zeros((case.data.vocab_size, case.data.dim)) if case.direction is None else case.direction.numpy()).T
    )
    return logits > logits.max(1, keepdims=True) - 0.5


@every_case
def test_the_verdicts_agree_with_the_definitions(name):
    case = designed(name)
    h, mask = case.data.embeddings.numpy(), case.data.support.numpy()
    counts = np.zeros(mask.shape, dtype=int)
    counts[mask] = case.data.counts.numpy()
    assert case.separable == is_separable(h, mask)
    assert case.compatible == is_compatible(h, counts)


@every_case
def test_no_decoder_beats_the_infimum(name):
    # the loss on a larger support is larger; on the extended one it is convex and flat at the finite part
    case = designed(name)
    data, extended = case.data, extended_support(case)
    assert (extended | ~data.support.numpy()).all()
    value, slope = cross_entropy(
        data.embeddings.numpy(),
        extended,
        data.probabilities.to_dense().numpy(),
        data.weights.numpy(),
        case.finite.numpy(),
    )
    # logits and probabilities of size 1, a handful of terms: rounding of some units of 2^-53
    assert value == pytest.approx(case.infimum, abs=1e-15)
    assert np.abs(slope).max() < 1e-15


@every_case
def test_the_infimum_is_approached_along_the_direction(name):
    case = designed(name)
    far = case.finite if case.direction is None else case.finite + 40 * case.direction
    # |finite logits| <= log 3, so each off-support token adds at most 3 exp(-40) < 2e-17 to the loss
    assert evaluate(far, case.data).value == pytest.approx(case.infimum, abs=1e-15)


@every_case
def test_the_direction_is_the_smallest_one(name):
    case = designed(name)
    extended = extended_support(case)
    if case.direction is None:
        assert extended.all()
    else:
        smallest = smallest_separator(case.data.embeddings.numpy(), extended)
        assert np.allclose(case.direction, smallest, rtol=0, atol=1e-12)  # a least-squares problem of size <= 10


def test_every_combination_of_verdicts_occurs():
    cases = [designed(name) for name in DESIGNED]
    assert len({(case.compatible, case.separable) for case in cases}) == 4
    assert all(case.reason for case in cases)


def test_an_unknown_case_is_refused_with_the_list():
    with pytest.raises(UsageError, match="case is 'both'; it must be one of 'separable-compatible', 'one-hot'"):
        designed("both")
