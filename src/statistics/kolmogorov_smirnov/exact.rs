//! The exact distribution of the two-sample statistic: lattice paths that leave a strip.
//!
//! In: the distance times both sizes, and the sizes. Out: the share of the paths from (0, 0) to the sizes, all equally
//! likely under the null hypothesis, that somewhere are at least so far from the diagonal.
//!
//! Source: J. L. Hodges, "The Significance Probability of the Smirnov Two-Sample Test", Arkiv för Matematik 3 (1958);
//! for equal sizes the reflection formula of B. V. Gnedenko and V. S. Korolyuk (1951), there too.

use super::super::double;

/// The probability of a distance of at least `distance / (larger · smaller)`.
pub(super) fn survival(distance: u128, larger: u64, smaller: u64) -> f64 {
    if distance == 0 {
        return 1.0;
    }
    let p_value = if larger == smaller {
        let steps = distance / u128::from(larger);
        reflections(larger, u64::try_from(steps).unwrap_or(u64::MAX))
    } else {
        paths_outside(distance, larger, smaller)
    };
    p_value.clamp(0.0, 1.0)
}

/// `2 Σ (−1)^(k+1) C(2n, n−kh) / C(2n, n)` over k ≥ 1, for two samples of `n` at a distance of `steps` h.
fn reflections(n: u64, steps: u64) -> f64 {
    let mut ratio = 1.0;
    let mut total = 0.0;
    let mut sign = 1.0;
    for j in 0..n {
        // C(2n, n−j−1) / C(2n, n)
        ratio *= double(n - j) / double(n + j + 1);
        if (j + 1) % steps == 0 {
            total += sign * ratio;
            sign = -sign;
        }
    }
    2.0 * total
}

/// The share of paths that leave the strip, a column of the lattice at a time: a path to (x, y) comes from (x−1, y) with
/// probability x/(x+y). Sums of positive terms, so small shares keep their digits.
fn paths_outside(distance: u128, larger: u64, smaller: u64) -> f64 {
    // Points of the strip: |larger·y − smaller·x| < bound. Both sides are below 10^8.
    let bound = u64::try_from(distance).unwrap_or(u64::MAX);
    // Column 0: nothing has left within the strip; outside of it the share is 1.
    let mut outside: Vec<f64> = (0..=smaller).map(|y| if larger * y < bound { 0.0 } else { 1.0 }).collect();
    let mut rest = outside.as_mut_slice();
    let mut low = 0;
    for x in 1..=larger {
        let centre = smaller * x;
        let next = if centre < bound { 0 } else { (centre - bound) / larger + 1 };
        let high = (centre.saturating_add(bound) - 1) / larger;
        // The strip rises: what lies below it is not looked at again.
        rest = rest.get_mut(usize::try_from(next - low).unwrap_or(usize::MAX)..).unwrap_or_default();
        low = next;
        let mut left = 1.0;
        for (share, y) in rest.iter_mut().zip(low..=high) {
            left = (*share * double(x) + left * double(y)) / double(x + y);
            *share = left;
        }
    }
    // The last corner is in the strip unless no path stays inside.
    outside.last().copied().unwrap_or(1.0)
}
