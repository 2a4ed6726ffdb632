import numpy as np
import pytest
import torch

from ntp_theory.descent.log_time.radau import RadauScheme


@pytest.fixture(scope="module", params=[3, 5, 9])
def scheme(request):
    return RadauScheme(request.param)


def powers(scheme, points, power):
    return torch.as_tensor(points, dtype=torch.float64) ** power


def test_polynomials_that_start_at_zero_are_reproduced(scheme):
    points = np.array([0.0, 0.3, 1.0, 2.0])
    for power in range(1, len(scheme.nodes) + 1):
        z = powers(scheme, scheme.nodes, power)
        # beyond the step values grow like those of Chebyshev polynomials, 5.8^s at 2
        assert torch.allclose(scheme.at(points) @ z, powers(scheme, points, power), rtol=1e-7, atol=1e-14)
        slope = power * powers(scheme, points, power - 1)
        assert torch.allclose(scheme.slope_at(points) @ z, slope, rtol=1e-7, atol=1e-13)
        assert torch.allclose(scheme.inverse @ z, power * powers(scheme, scheme.nodes, power - 1), atol=1e-12)


def test_the_quadrature_is_exact_to_degree_two_s_minus_two(scheme):
    weights = torch.linalg.inv(scheme.inverse)[-1]
    assert float(scheme.nodes[-1]) == 1.0
    for power in range(2 * len(scheme.nodes)):
        error = float(weights @ powers(scheme, scheme.nodes, power)) - 1.0 / (power + 1)
        if power <= 2 * len(scheme.nodes) - 2:
            assert abs(error) < 1e-14
        elif len(scheme.nodes) == 3:
            assert abs(error) > 1e-4  # and no further


def test_stiff_modes_vanish_in_one_step(scheme):
    """Z of y' = z y satisfies ``inverse Z = z (1 + Z)``; 1 + Z at the end is the stability function."""
    size, z = len(scheme.nodes), -1e8
    rise = torch.linalg.solve(scheme.inverse - z * torch.eye(size), z * torch.ones(size, dtype=torch.float64))
    assert abs(1.0 + float(rise[-1])) < size**2 / abs(z)


def test_components_along_the_eigenvectors(scheme):
    size = len(scheme.nodes)
    z = torch.from_numpy(np.random.default_rng(0).standard_normal((size, 2)))
    parts = scheme.split @ z.to(scheme.split.dtype)
    assert len(parts) == (size + 1) // 2
    assert torch.equal(scheme.eigenvalues.imag > 0.0, torch.arange(len(parts)) > 0)
    assert torch.allclose((scheme.merge @ parts).real, z, atol=1e-12)
    assert torch.allclose((scheme.merge @ (scheme.eigenvalues[:, None] * parts)).real, scheme.inverse @ z, atol=1e-11)
