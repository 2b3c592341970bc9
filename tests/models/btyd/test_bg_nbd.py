"""Purchase processes against published fits, numerical integrals, and customers who live by the very process."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import betaln

from features.arrays import Floats
from models.btyd.bg_nbd import BgNbd, fit_bg_nbd
from models.btyd.gamma_gamma import GammaGamma, fit_gamma_gamma
from models.btyd.pareto_nbd import ParetoNbd, fit_pareto_nbd
from models.btyd.process import Past, Process

BG_NBD = BgNbd(0.6, 20.0, 0.8, 2.5)
MBG_NBD = BgNbd(0.6, 20.0, 0.8, 2.5, from_first=True)
PARETO_NBD = ParetoNbd(0.6, 20.0, 0.7, 90.0)
MODELS: tuple[BgNbd | ParetoNbd, ...] = (BG_NBD, MBG_NBD, PARETO_NBD)
EXTREME = Past.of(
    np.array([0, 0, 0, 1, 1, 10_000, 10_000, 10_000, 300], np.float64),
    np.array([0, 0, 0, 0, 5, 1e4, 3e3, 1, 0], np.float64),
    np.array([0, 1, 1e5, 1e5, 5, 1e4, 1e5, 1e5, 0], np.float64),
)


def lives(model: BgNbd | ParetoNbd, customers: int, ages: Floats, ahead: float) -> tuple[Past, Floats]:
    """Customers of a process, purchase by purchase: their past, and their purchases in `ahead` days after it."""
    rng = np.random.default_rng(11)
    rate = rng.gamma(model.r, 1 / model.alpha, customers)
    if isinstance(model, ParetoNbd):
        end, quits = rng.exponential(1 / rng.gamma(model.s, 1 / model.beta, customers)), np.zeros(customers)
    else:
        end, quits = np.full(customers, np.inf), rng.beta(model.a, model.b, customers)
    stays = np.ones(customers, np.bool_) if model in (BG_NBD, PARETO_NBD) else rng.random(customers) >= quits
    x, t_x, after = np.zeros(customers), np.zeros(customers), np.zeros(customers)
    for customer in np.flatnonzero(stays):
        day = rng.exponential(1 / rate[customer])
        while day <= min(end[customer], ages[customer] + ahead):
            if day <= ages[customer]:
                x[customer], t_x[customer] = x[customer] + 1, day
            else:
                after[customer] += 1
            if rng.random() < quits[customer]:
                break
            day += rng.exponential(1 / rate[customer])
    return Past.of(x, t_x, ages), after


def cdnow(folder: Path) -> Past:
    """The 1/10 sample by its 39th week, in weeks."""
    return Past.of(
        *_columns(f"""
        with days as (select distinct customer_id, timestamp::date as day
            from '{folder / "cdnow/events_sample.parquet"}' where timestamp < '1997-10-01')
        select count(*) - 1.0, (max(day) - min(day)) / 7, (date '1997-09-30' - min(day)) / 7
        from days group by customer_id""")
    )


def _columns(query: str) -> list[Floats]:
    relation = duckdb.sql(query)
    return [np.asarray(column, np.float64) for column in relation.fetchnumpy().values()] if relation else []


@pytest.mark.parametrize(
    ("fit", "parameters", "likelihood"),
    [
        pytest.param(fit_bg_nbd, (0.2426, 4.414, 0.793, 2.426), -9582.4, id="BG/NBD"),
        pytest.param(fit_pareto_nbd, (0.553, 10.578, 0.606, 11.669), -9595.0, id="Pareto/NBD"),
    ],
)
def test_published_fits_are_found(
    data_folder: Path, fit: Callable[[Past], Process], parameters: tuple[float, ...], likelihood: float
) -> None:
    past = cdnow(data_folder)
    model = fit(past)
    assert list(vars(model).values())[:4] == pytest.approx(parameters, abs=6e-4)
    assert model.log_likelihood(past).sum() == pytest.approx(likelihood, abs=0.05)


@pytest.mark.parametrize("model", MODELS, ids=("BG/NBD", "MBG/NBD", "Pareto/NBD"))
def test_a_fit_finds_the_process_behind_customers_and_what_they_do_next(model: BgNbd | ParetoNbd) -> None:
    rng = np.random.default_rng(3)
    past, after = lives(model, 6000, rng.uniform(100, 400, 6000), 90.0)
    fitted = fit_pareto_nbd(past) if model is PARETO_NBD else fit_bg_nbd(past, from_first=model is MBG_NBD)
    assert fitted is not None
    gained = float((fitted.log_likelihood(past) - model.log_likelihood(past)).sum())
    assert 0 <= gained < 9.5  # half a chi-squared of 4 degrees: beyond in one world of a thousand
    expectation = fitted.expect(past, 90.0)
    for expected, observed in ((expectation.orders, after), (expectation.p_none, after == 0)):
        error = np.std(observed - expected) / np.sqrt(len(after))
        assert abs(float(np.mean(observed - expected))) < 3.5 * error


@pytest.mark.parametrize("model", MODELS, ids=("BG/NBD", "MBG/NBD", "Pareto/NBD"))
def test_likelihoods_of_a_first_return_add_up_to_the_loss_of_those_without(model: BgNbd | ParetoNbd) -> None:
    """Who has not returned by an age and has by a later one returned first on some day between."""

    def nothing(age: float) -> float:
        return float(np.exp(model.log_likelihood(Past.of(np.zeros(1), np.zeros(1), np.array([age])))[0]))

    def density(day: float) -> float:  # of a first return on this day, looking from it
        return float(np.exp(model.log_likelihood(Past.of(np.ones(1), np.array([day]), np.array([day])))[0]))

    flow, _ = quad(density, 10.0, 60.0)
    assert nothing(10.0) - nothing(60.0) == pytest.approx(flow, rel=1e-7)


@pytest.mark.parametrize("model", MODELS, ids=("BG/NBD", "MBG/NBD", "Pareto/NBD"))
def test_expectations_agree_with_the_likelihood(model: BgNbd | ParetoNbd) -> None:
    """P(no purchase ahead) is the likelihood of the past grown by a silent span, over that of the past."""
    past = Past.of(np.array([0.0, 1, 4, 40]), np.array([0.0, 30, 90, 100]), np.array([50.0, 90, 90, 120]))
    later = Past.of(past.x, past.t_x, past.age + 30)
    silent = np.exp(model.log_likelihood(later) - model.log_likelihood(past))
    assert model.expect(past, 30.0).p_none == pytest.approx(silent, rel=1e-9)


@pytest.mark.parametrize("model", [BG_NBD, MBG_NBD, BgNbd(0.6, 20.0, 1.0, 2.0), BgNbd(4.0, 0.5, 3.0, 0.2)])
@pytest.mark.parametrize("x", [0, 2, 300])
def test_expected_orders_are_the_integral_over_lapses(model: BgNbd, x: int) -> None:
    past = Past.of(np.array([float(x)]), np.array([0.0 if not x else 50.0]), np.array([60.0]))
    a, b, r, alpha = model.a, model.b + x + model.from_first, model.r + x, model.alpha + 60

    def integrand(logit: float) -> float:  # (1 - e^(-λpt)) / p over λ ~ Gamma and p ~ Beta
        log_p, log_rest = -np.logaddexp(0, -logit), -np.logaddexp(0, logit)
        comes = -np.expm1(-r * np.log1p(90 * np.exp(log_p) / alpha))
        return float(np.exp((a - 1) * log_p + b * log_rest - betaln(a, b)) * comes)

    wanted, _ = quad(integrand, -60, 150, limit=500, points=[np.log(a / b)])
    expectation = model.expect(past, 90.0)
    assert expectation.orders / expectation.p_alive == pytest.approx([wanted], rel=1e-5)


@pytest.mark.parametrize("x", [0.0, 3.0, 2000.0])
@pytest.mark.parametrize("beta", [0.5, 20.0, 4000.0])
def test_the_odds_of_a_lapse_are_an_integral(x: float, beta: float) -> None:
    model = ParetoNbd(0.6, 20.0, 0.7, beta)
    past = Past.of(np.array([x]), np.array([10.0 if x else 0.0]), np.array([60.0]))
    start = float(past.t_x[0])

    def lapsed(day: float) -> float:
        exponent = -(model.r + x) * np.log((20.0 + day) / 80.0) - model.s * np.log((beta + day) / (beta + 60))
        return float(model.s * np.exp(min(exponent, 700.0)) / (beta + day))

    wanted = 1 / (1 + quad(lapsed, start, 60.0, limit=500)[0])
    assert model.expect(past, 90.0).p_alive == pytest.approx([wanted], rel=1e-6, abs=1e-280)


@pytest.mark.parametrize("model", MODELS, ids=("BG/NBD", "MBG/NBD", "Pareto/NBD"))
def test_heavy_buyers_and_long_silence_stay_finite(model: BgNbd | ParetoNbd) -> None:
    assert np.isfinite(model.log_likelihood(EXTREME)).all()
    for days in (1e-3, 90.0, 3650.0):
        expectation = model.expect(EXTREME, days)
        alive, orders, none = expectation.p_alive, expectation.orders, expectation.p_none
        assert ((alive >= 0) & (alive <= 1)).all()
        assert ((none >= 0) & (none <= 1)).all()
        assert (np.isfinite(orders) & (orders >= 0)).all()
        assert (1 - none <= orders + 1e-9).all()  # Markov's inequality


@given(st.integers(0, 400), st.floats(0, 1), st.floats(0, 4000), st.sampled_from(MODELS))
def test_a_customer_alone_has_the_bits_it_has_in_a_crowd(
    x: int, share: float, age: float, model: BgNbd | ParetoNbd
) -> None:
    rng = np.random.default_rng(x)
    ages = np.append(rng.uniform(0, 900, 36), age)
    crowd = Past.of(np.append(rng.poisson(8, 36), x), ages * share, ages)
    alone = Past.of(np.array([x]), np.array([age * share]), np.array([age]))
    in_crowd, by_itself = model.expect(crowd, 90.0), model.expect(alone, 90.0)
    for name in ("p_alive", "orders", "p_none"):
        assert getattr(in_crowd, name)[-1:].tobytes() == getattr(by_itself, name).tobytes()


def _at(point: Floats, *, from_first: bool) -> BgNbd:
    r, alpha, a, b = point.tolist()
    return BgNbd(r, alpha, a, b, from_first)


@pytest.mark.parametrize("from_first", [False, True])
def test_slopes_are_those_of_the_likelihood(from_first: bool) -> None:
    past = Past.of(np.array([0.0, 1, 3, 80]), np.array([0.0, 7, 20, 100]), np.array([30.0, 9, 90, 100]))
    point = np.array([0.6, 20.0, 0.8, 2.5])
    slopes = _at(point, from_first=from_first).slopes(past)
    for index, slope in enumerate(slopes):
        step = np.eye(4)[index] * point * 1e-6
        ends = [_at(point + way * step, from_first=from_first) for way in (1, -1)]
        high, low = (model.log_likelihood(past) for model in ends)
        assert slope == pytest.approx((high - low) / (2 * step[index]), rel=1e-5, abs=1e-7)


def test_equal_customers_are_summed_and_a_sample_stands_for_all() -> None:
    rng = np.random.default_rng(1)
    x, age = (draws.astype(np.float64) for draws in (rng.poisson(1.0, 5000), rng.integers(1, 9, 5000)))
    past = Past.of(x, np.zeros(5000), age)
    summed = past.summed()
    assert summed.weight.sum() == 5000
    assert len(summed) < 100
    assert BG_NBD.log_likelihood(past).sum() == pytest.approx(summed.weight @ BG_NBD.log_likelihood(summed))
    sample = past.summed(most=500)
    assert sample.weight.sum() == pytest.approx(5000)
    assert sample.weight @ sample.x == pytest.approx(past.x.sum(), rel=0.02)


@pytest.mark.parametrize("x", [[], [0.0], [0.0, 0.0, 0.0], [7.0, 7.0]])
def test_too_few_customers_give_a_fit_or_none_and_no_error(x: list[float]) -> None:
    count = np.array(x)
    past = Past.of(count, count, count + 1)
    for model in (fit_bg_nbd(past), fit_bg_nbd(past, from_first=True), fit_pareto_nbd(past)):
        assert model is None or np.isfinite(model.expect(past, 30.0).orders).all()


def test_gamma_gamma_finds_its_parameters_and_shrinks() -> None:
    rng = np.random.default_rng(2)
    truth = GammaGamma(6.0, 4.0, 15.0)
    count = rng.integers(1, 8, 8000).astype(np.float64)
    scale = rng.gamma(truth.q, 1 / truth.v, 8000)
    mean = rng.gamma(truth.p * count, 1 / scale) / count
    fitted = fit_gamma_gamma(count, mean)
    assert fitted is not None
    gained = float((fitted.log_likelihood(count, mean) - truth.log_likelihood(count, mean)).sum())
    assert 0 <= gained < 8.2  # half a chi-squared of 3 degrees
    comes = rng.gamma(truth.p, 1 / scale)
    off = comes - truth.order_value(count, mean)
    assert abs(off.mean()) < 3.5 * off.std() / np.sqrt(len(off))
    assert fitted.order_value(np.zeros(1), np.zeros(1)) == pytest.approx([30.0], rel=0.05)  # p v / (q - 1)


def test_published_money_is_found(data_folder: Path) -> None:
    count, mean = _columns(f"""
        with days as (select customer_id, timestamp::date as day, sum(value) as value
            from '{data_folder / "cdnow/events_sample.parquet"}' where timestamp < '1997-10-01' group by all),
        repeats as (select * from days qualify row_number() over (partition by customer_id order by day) > 1)
        select count(*)::double, avg(value) from repeats where value > 0 group by customer_id""")
    model = fit_gamma_gamma(count, mean)
    assert model is not None
    assert list(vars(model).values()) == pytest.approx((6.25, 3.74, 15.44), rel=0.02)  # Fader and Hardie 2013
