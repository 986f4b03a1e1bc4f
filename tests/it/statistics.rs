//! The numbers of `medc::statistics` against SciPy's, NumPy's and Great Expectations' own, from
//! `tests/cases/statistics/*.json`, which `tests/oracle/statistics.py` writes.
//!
//! Tolerance: 1e-9, of the number itself where that is above 1. Probabilities below 1e-6 also keep six of their digits.

use medc::statistics::bins::{self, Extent};
use medc::statistics::chi_squared::{self, ChiSquared, Continuity};
use medc::statistics::kolmogorov_smirnov;
use medc::statistics::partition::{Categories, Holdouts, Partition};
use medc::statistics::sample::{self, Deviation, Interpolation, Moments};
use medc::statistics::{Undefined, divergence};
use serde_json::Value;

use crate::project::package;

fn cases(name: &str) -> Vec<Value> {
    let path = package().join("tests/cases/statistics").join(format!("{name}.json"));
    let text = std::fs::read_to_string(path).expect("cases");
    let mut whole: Value = serde_json::from_str(&text).expect("JSON");
    let cases = whole["cases"].as_array_mut().map(std::mem::take).expect("cases");
    assert!(!cases.is_empty());
    cases
}

fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some(text) => text.parse().expect("inf or -inf"),
        None => value.as_f64().expect("a number"),
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("an array").iter().map(number).collect()
}

fn counts(value: &Value) -> Vec<u64> {
    value.as_array().expect("an array").iter().map(|count| count.as_u64().expect("a count")).collect()
}

/// A sample, spelled out or as a recipe.
fn values(spec: &Value) -> Vec<f64> {
    if spec.is_array() {
        return numbers(spec);
    }
    let (kind, recipe) = spec.as_object().and_then(|spec| spec.iter().next()).expect("a recipe");
    let [n, step, low, high] = ["n", "step", "low", "high"].map(|name| number(&recipe[name]));
    let value = |i: u32| {
        let fraction = (f64::from(i) * step) % 1.0;
        let fraction = if recipe["power"] == 2 { fraction * fraction } else { fraction };
        low + (high - low) * fraction
    };
    let plain = (0..).take_while(|i| f64::from(*i) < n).map(value);
    match kind.as_str() {
        "weyl" => plain.collect(),
        _ => plain.map(|value| (value * number(&recipe["digits"])).floor() / number(&recipe["digits"])).collect(),
    }
}

fn sorted(spec: &Value) -> Vec<f64> {
    let mut values = values(spec);
    values.sort_by(f64::total_cmp);
    values
}

#[track_caller]
fn close(what: &str, found: f64, expected: &Value) {
    let expected = number(expected);
    let within = if expected.is_finite() {
        (found - expected).abs() <= 1e-9 * expected.abs().max(1.0)
    } else {
        found.total_cmp(&expected).is_eq()
    };
    assert!(within, "{what}: {found:e} instead of {expected:e}");
}

#[track_caller]
fn close_probability(what: &str, found: f64, expected: &Value) {
    close(what, found, expected);
    let expected = number(expected);
    // Below, SciPy says 0.
    if (1e-150..1e-6).contains(&expected) {
        assert!((found / expected - 1.0).abs() <= 1e-6, "{what}: {found:e} instead of {expected:e}");
    }
}

#[track_caller]
fn all_close(what: &str, found: &[f64], expected: &Value) {
    let expected = expected.as_array().expect("an array");
    assert_eq!(found.len(), expected.len(), "{what}: {found:?} instead of {expected:?}");
    for (found, expected) in found.iter().zip(expected) {
        close(what, *found, expected);
    }
}

#[test]
fn kolmogorov_smirnov_is_scipys() {
    for case in cases("kolmogorov_smirnov") {
        let name = case["name"].as_str().expect("a name");
        let (reference, current) = (sorted(&case["reference"]), sorted(&case["current"]));
        let test = kolmogorov_smirnov::two_sample(&reference, &current).expect(name);
        close(name, test.statistic, &case["statistic"]);
        close_probability(name, test.p_value, &case["p_value"]);
        // The same from counts, and with the sides changed.
        let mut all: Vec<f64> = reference.iter().chain(&current).map(|value| value + 0.0).collect();
        all.sort_by(f64::total_cmp);
        all.dedup();
        let count = |sample: &[f64], value: f64| {
            (sample.partition_point(|other| *other <= value) - sample.partition_point(|other| *other < value)) as u64
        };
        let counts = all.iter().map(|value| [count(&reference, *value), count(&current, *value)]);
        let totals = [reference.len() as u64, current.len() as u64];
        assert_eq!(kolmogorov_smirnov::from_counts(counts, totals), Ok(test), "{name}");
        assert_eq!(kolmogorov_smirnov::two_sample(&current, &reference), Ok(test), "{name}");
    }
}

#[test]
fn the_limit_of_kolmogorov_smirnov_is_scipys() {
    for case in cases("kolmogorov_smirnov_limit") {
        let n = case["n"].as_u64().expect("a count");
        for (distance, survival) in
            numbers(&case["distances"]).iter().zip(case["survival"].as_array().expect("numbers"))
        {
            let found = kolmogorov_smirnov::survival(*distance, n);
            close_probability(&format!("n {n}, distance {distance}"), found, survival);
        }
    }
}

#[test]
fn samples_without_an_answer_are_told_apart() {
    let test = |reference: &[f64], current: &[f64]| kolmogorov_smirnov::two_sample(reference, current);
    assert_eq!(test(&[], &[1.0]), Err(Undefined::Empty));
    assert_eq!(test(&[1.0, f64::NAN], &[1.0]), Err(Undefined::NotANumber));
    assert_eq!(test(&[2.0, 1.0], &[1.0]), Err(Undefined::Unsorted));
    assert_eq!(kolmogorov_smirnov::from_counts([[1, 1]], [1, 2]), Err(Undefined::Totals));
    assert_eq!(kolmogorov_smirnov::from_counts([[u64::MAX, 1], [u64::MAX, 0]], [5, 1]), Err(Undefined::Totals));
    assert_eq!(kolmogorov_smirnov::from_counts([], [0, 2]), Err(Undefined::Empty));

    assert_eq!(chi_squared::goodness_of_fit(&[1], &[1.0]), Err(Undefined::NoFreedom));
    assert_eq!(chi_squared::goodness_of_fit(&[], &[]), Err(Undefined::Empty));
    assert_eq!(chi_squared::goodness_of_fit(&[5, 0, 2], &[5.0, 0.0, 2.0]), Err(Undefined::NothingExpected));
    assert_eq!(chi_squared::goodness_of_fit(&[5, 5], &[5.0, 6.0]), Err(Undefined::Totals));
    assert_eq!(chi_squared::goodness_of_fit(&[5, 5], &[11.0, -1.0]), Err(Undefined::Negative));
    assert_eq!(chi_squared::goodness_of_fit(&[5, 5], &[f64::NAN, 1.0]), Err(Undefined::NotANumber));
    assert_eq!(chi_squared::against_reference(&[0, 0], &[1, 2]), Err(Undefined::Empty));
    assert_eq!(chi_squared::contingency(&[[1, 0], [2, 0]], Continuity::Corrected), Err(Undefined::NothingExpected));
    assert_eq!(chi_squared::contingency(&[vec![1, 2], vec![2]], Continuity::Corrected), Err(Undefined::Lengths));
    assert_eq!(chi_squared::contingency(&Vec::<Vec<u64>>::new(), Continuity::Corrected), Err(Undefined::Empty));

    assert_eq!(divergence::population_stability_index(&[1, 2], &[0, 0]), Err(Undefined::Empty));
    assert_eq!(divergence::relative_entropy(&[0.0], &[1.0]), Err(Undefined::Empty));
    assert_eq!(divergence::relative_entropy(&[0.5, 0.5], &[1.0, 0.0]), Ok(f64::INFINITY));
    assert_eq!(divergence::jensen_shannon(&[1.0], &[1.0, 2.0], None), Err(Undefined::Lengths));
    assert_eq!(divergence::jensen_shannon(&[1.0, 2.0], &[1.0, -2.0], None), Err(Undefined::Negative));
    assert_eq!(divergence::jensen_shannon(&[1.0, 2.0], &[1.0, 2.0], Some(1.0)), Err(Undefined::OutOfRange));

    assert_eq!(sample::quantile(&[], 0.5, Interpolation::Linear), Err(Undefined::Empty));
    assert_eq!(sample::quantile(&[1.0], 1.5, Interpolation::Linear), Err(Undefined::OutOfRange));
    assert_eq!(sample::quantile(&[1.0], f64::NAN, Interpolation::Linear), Err(Undefined::OutOfRange));
    assert_eq!(sample::quantile(&[1.0, f64::INFINITY], 1.0, Interpolation::Linear), Ok(f64::INFINITY));
    assert_eq!(sample::median(&[f64::NEG_INFINITY, f64::INFINITY]), Err(Undefined::Infinite));
    assert_eq!(sample::wasserstein(&[1.0, f64::INFINITY], &[1.0]), Err(Undefined::Infinite));
    assert_eq!(sample::wasserstein(&[], &[1.0]), Err(Undefined::Empty));
    assert_eq!(Moments::default().mean(), Err(Undefined::Empty));
    assert_eq!(Moments::of(&[1.0, f64::NAN, 2.0]).mean(), Err(Undefined::NotANumber));
    assert_eq!(Moments::of(&[1.0]).deviation(Deviation::Sample), Err(Undefined::OneValue));
    assert_eq!(Moments::of(&[f64::MAX, -f64::MAX]).deviation(Deviation::Population), Err(Undefined::Infinite));

    assert_eq!(bins::Edges::new(vec![1.0]), Err(Undefined::Empty));
    assert_eq!(bins::Edges::new(vec![1.0, 1.0]), Err(Undefined::Unsorted));
    assert_eq!(bins::quantile_bins(&[], 10), Err(Undefined::Empty));
    assert_eq!(bins::sturges(Extent { n: 2, min: 0.0, max: f64::INFINITY }), Err(Undefined::Infinite));
    // Narrower than doubles can tell.
    assert_eq!(bins::equal_width(Extent { n: 2, min: 1e17, max: 1e17 }, 4), Err(Undefined::Unsorted));
}

#[track_caller]
fn same_test(name: &str, found: ChiSquared, case: &Value) {
    close(name, found.statistic, &case["statistic"]);
    close_probability(name, found.p_value, &case["p_value"]);
    assert_eq!(found.degrees_of_freedom, case["degrees_of_freedom"], "{name}");
}

#[test]
fn chi_squared_is_scipys() {
    for case in cases("chi_squared") {
        let name = case["name"].as_str().expect("a name");
        let found = match case["test"].as_str().expect("a test") {
            "goodness_of_fit" => {
                chi_squared::goodness_of_fit(&counts(&case["observed"]), &numbers(&case["expected"])).expect(name)
            }
            "against_reference" => {
                chi_squared::against_reference(&counts(&case["reference"]), &counts(&case["observed"])).expect(name)
            }
            _ => {
                let table: Vec<Vec<u64>> = case["table"].as_array().expect("rows").iter().map(counts).collect();
                let continuity =
                    if case["corrected"] == true { Continuity::Corrected } else { Continuity::Uncorrected };
                let found = chi_squared::contingency(&table, continuity).expect(name);
                if !case["cramers_v"].is_null() {
                    let n = table.iter().flatten().sum();
                    let v = chi_squared::cramers_v(found, n, table.len(), table[0].len()).expect(name);
                    close(name, v, &case["cramers_v"]);
                }
                found
            }
        };
        same_test(name, found, &case);
    }
    for case in cases("chi_squared_survival") {
        let freedom = case["degrees_of_freedom"].as_u64().expect("a count");
        for (statistic, survival) in
            numbers(&case["statistics"]).iter().zip(case["survival"].as_array().expect("numbers"))
        {
            let found = chi_squared::survival(*statistic, freedom).expect("degrees of freedom");
            close_probability(&format!("{freedom} degrees of freedom, statistic {statistic}"), found, survival);
        }
    }
}

#[test]
fn divergences_are_scipys() {
    for case in cases("divergence") {
        let name = case["name"].as_str().expect("a name");
        let (reference, current) = (counts(&case["reference"]), counts(&case["current"]));
        let index = divergence::population_stability_index(&reference, &current).expect(name);
        close(name, index, &case["population_stability_index"]);
        let (p, q) = (divergence::weights(&reference), divergence::weights(&current));
        close(name, divergence::relative_entropy(&q, &p).expect(name), &case["relative_entropy"]);
        close(name, divergence::jensen_shannon(&p, &q, None).expect(name), &case["jensen_shannon"]);
        close(name, divergence::jensen_shannon(&p, &q, Some(2.0)).expect(name), &case["jensen_shannon_2"]);
        close(name, divergence::total_variation(&p, &q).expect(name), &case["total_variation"]);
        close(name, divergence::largest_difference(&p, &q).expect(name), &case["largest_difference"]);
    }
}

#[test]
fn bins_and_their_counts_are_numpys() {
    for case in cases("bins") {
        let name = case["name"].as_str().expect("a name");
        let values = values(&case["values"]);
        let moved: Vec<f64> = values.iter().map(|value| value * 1.25 + 0.125).collect();
        let extent = Extent::of(&values).expect(name);
        let union = extent.union(Extent::of(&moved).expect(name));

        all_close(name, bins::sturges(extent).expect(name).as_slice(), &case["sturges"]);
        let edges = bins::sturges(union).expect(name);
        all_close(name, edges.as_slice(), &case["sturges_union"]);
        for (sample, expected) in
            [&values, &moved].into_iter().zip(case["sturges_union_counts"].as_array().expect("two"))
        {
            assert_eq!(edges.count(sample.iter().copied()).bins, counts(expected), "{name}");
        }

        let edges = bins::equal_width(extent, 10).expect(name);
        all_close(name, edges.as_slice(), &case["equal_width_10"]);
        assert_eq!(edges.count(values.iter().copied()).bins, counts(&case["equal_width_10_counts"]), "{name}");
        let outside = edges.count(moved.iter().copied().chain([f64::NAN]));
        assert_eq!(outside.bins, counts(&case["outside_counts"]), "{name}");
        assert_eq!(
            (outside.below, outside.above),
            (case["below"].as_u64().unwrap_or(0), case["above"].as_u64().unwrap_or(0)),
            "{name}"
        );
        assert_eq!((outside.n(), outside.n_not_a_number), (moved.len() as u64, 1), "{name}");

        let edges = bins::quantile_bins(&sorted(&case["values"]), 10).expect(name);
        if case["deciles"].is_null() {
            // No drift tool's own: a constant reference is told from what lies beside it.
            assert_eq!(edges.count(values.iter().copied()).bins, [0, values.len() as u64, 0], "{name}");
            continue;
        }
        all_close(name, edges.as_slice(), &case["deciles"]);
        for (sample, expected) in [&values, &moved].into_iter().zip(case["decile_counts"].as_array().expect("two")) {
            assert_eq!(edges.count(sample.iter().copied()).bins, counts(expected), "{name}");
        }
    }
}

#[test]
fn quantiles_and_moments_are_numpys() {
    let methods = [
        ("linear", Interpolation::Linear),
        ("nearest", Interpolation::Nearest),
        ("lower", Interpolation::Lower),
        ("higher", Interpolation::Higher),
        ("midpoint", Interpolation::Midpoint),
    ];
    for case in cases("sample") {
        let name = case["name"].as_str().expect("a name");
        let (values, sorted) = (values(&case["values"]), sorted(&case["values"]));
        for (method, interpolation) in methods {
            let found = sample::quantiles(&sorted, &numbers(&case["levels"]), interpolation).expect(name);
            all_close(&format!("{name}, {method}"), &found, &case[method]);
        }
        close(name, sample::median(&sorted).expect(name), &case["median"]);
        let mut merged = Moments::default();
        for part in values.chunks(7) {
            merged.merge(&Moments::of(part));
        }
        for moments in [Moments::of(&values), merged] {
            close(name, moments.mean().expect(name), &case["mean"]);
            close(name, moments.deviation(Deviation::Population).expect(name), &case["population"]);
            match moments.deviation(Deviation::Sample) {
                Ok(found) => close(name, found, &case["sample"]),
                Err(why) => assert!(why == Undefined::OneValue && case["sample"].is_null(), "{name}: {why}"),
            }
        }
    }
    for case in cases("wasserstein") {
        let name = case["name"].as_str().expect("a name");
        let (reference, current) = (sorted(&case["reference"]), sorted(&case["current"]));
        close(name, sample::wasserstein(&reference, &current).expect(name), &case["distance"]);
    }
}

#[test]
fn partitions_are_great_expectations() {
    for case in cases("partition") {
        let name = case["name"].as_str().expect("a name");
        let holdouts =
            Holdouts { tail: number(&case["tail_weight_holdout"]), internal: number(&case["internal_weight_holdout"]) };
        if case["kind"] == "continuous" {
            continuous(name, &case, holdouts);
        } else {
            categorical(name, &case, holdouts);
        }
    }
}

fn continuous(name: &str, case: &Value, holdouts: Holdouts) {
    let tails = case["tail_weights"].as_array().map(|tails| [number(&tails[0]), number(&tails[1])]);
    let partition = Partition::new(numbers(&case["bins"]), &numbers(&case["weights"]), tails, holdouts);
    assert_eq!(partition.is_err(), case["refused"] == true, "{name}: {partition:?}");
    let Ok(partition) = partition else { return };
    let found = partition.divergence(&partition.edges().count(values(&case["column"]))).expect(name);
    same_divergence(name, found.value, case);
    for (side, found) in [("observed", &found.observed), ("expected", &found.expected)] {
        all_close(name, &found.bins, &case[side]["bins"]);
        all_close(name, &found.weights, &case[side]["weights"]);
        all_close(name, &found.tail_weights, &case[side]["tail_weights"]);
    }
}

fn categorical(name: &str, case: &Value, holdouts: Holdouts) {
    let categories = Categories::new(numbers(&case["weights"]), holdouts);
    assert_eq!(categories.is_err(), case["refused"] == true, "{name}: {categories:?}");
    let Ok(categories) = categories else { return };
    let column = case["column"].as_array().expect("values");
    // The library lists the partition's values first, then the new ones.
    let listed = case["expected"]["values"].as_array().expect("values");
    let count = |value: &&Value| column.iter().filter(|other| other == value).count() as u64;
    let n_known = case["values"].as_array().expect("values").len();
    let known: Vec<u64> = listed.iter().take(n_known).map(|value| count(&value)).collect();
    let new: Vec<u64> = listed.iter().skip(n_known).map(|value| count(&value)).collect();
    let found = categories.divergence(&known, &new).expect(name);
    same_divergence(name, found.value, case);
    all_close(name, &found.observed, &case["observed"]["weights"]);
    all_close(name, &found.expected, &case["expected"]["weights"]);
}

#[track_caller]
fn same_divergence(name: &str, found: f64, case: &Value) {
    match case["observed_value"].as_f64() {
        Some(_) => close(name, found, &case["observed_value"]),
        None => assert!(found.is_infinite(), "{name}: {found}"),
    }
    assert_eq!(found <= 0.1, case["success"] == true, "{name}: {found}");
}
