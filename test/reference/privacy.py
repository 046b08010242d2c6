"""Golden file for the privacy accountant: OpenDP's and dp-accounting's conversions of zCDP, and what noise costs by OpenDP.

Usage: python3 test/reference/privacy.py > test/reference/golden/privacy.json
(in a virtual environment with opendp and dp-accounting; made with opendp 0.16.0 and dp-accounting 0.6.0)
"""
import json
import math

import numpy as np
from dp_accounting import dp_event
from dp_accounting.rdp import RdpAccountant
import opendp.prelude as dp

dp.enable_features("contrib")
RHOS = [1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10]
DELTAS = [1e-3, 1e-5, 1e-6, 1e-8, 1e-10]


def by_opendp(rho, delta):
    # A Gaussian of sensitivity 1 whose scale costs this rho; the map is told the scale as a double.
    space = dp.atom_domain(T=float, nan=False), dp.absolute_distance(T=float)
    measurement = dp.m.make_gaussian(*space, scale=math.sqrt(1 / (2 * rho)))
    profile = dp.c.make_zCDP_to_approxDP(measurement).map(1.0)
    return profile.epsilon(delta)


def by_dp_accounting(rho, delta):
    # Orders around the best one, dense: the accountant takes the least of the orders that it is given.
    middle = math.sqrt(math.log(1 / delta) / rho)
    orders = 1 + middle * np.exp(np.linspace(-3, 3, 4001))
    accountant = RdpAccountant(orders=orders.tolist())
    accountant.compose(dp_event.GaussianDpEvent(noise_multiplier=math.sqrt(1 / (2 * rho))))
    return accountant.get_epsilon(delta)


def budget(epsilon, delta):
    low, high = 0.0, 100.0
    for _ in range(60):
        rho = (low + high) / 2
        if by_dp_accounting(rho, delta) <= epsilon:
            low = rho
        else:
            high = rho
    return low


def gaussian(sensitivity, deviation):
    space = dp.atom_domain(T=int), dp.absolute_distance(T=float)
    rho = dp.m.make_gaussian(*space, scale=deviation).map(float(sensitivity))
    return dict(sensitivity=sensitivity, deviation=deviation, rho=rho)


def laplace(sensitivity, scale):
    space = dp.atom_domain(T=int), dp.absolute_distance(T=int)
    epsilon = dp.m.make_laplace(*space, scale=scale).map(sensitivity)
    return dict(sensitivity=sensitivity, scale=scale, epsilon=epsilon)


conversions = [dict(rho=r, delta=d, opendp=by_opendp(r, d), dpAccounting=by_dp_accounting(r, d)) for r in RHOS for d in DELTAS]
budgets = [dict(epsilon=e, delta=d, rho=budget(e, d)) for e in [0.1, 0.5, 1, 2, 8] for d in [1e-5, 1e-6, 1e-9]]
gaussians = [gaussian(s, w) for s, w in [(1, 1.0), (20, 40.0), (3, 0.7)]]
laplaces = [laplace(s, w) for s, w in [(1, 1.0), (20, 40.0), (100, 30.0)]]
print(json.dumps(dict(conversions=conversions, budgets=budgets, gaussians=gaussians, laplaces=laplaces), indent=1))
