//! What makes a split good.
//!
//! Each criterion has a score for a set of rows, such that a split gains the scores of its sides less that of the whole; the
//! gain is the decrease of impurity times the weight. Rows are moved from right to left one by one.

/// Scores of the two sides of a split, while rows move.
pub(in crate::ml::trees) trait Criterion {
    /// What a row brings along.
    type Entry: Copy + Send + Sync;

    /// Takes these rows for the whole, all of them on the right.
    fn open(&mut self, entries: &[Self::Entry]);
    /// Puts all rows back to the right.
    fn reset(&mut self);
    /// Moves a row to the left.
    fn take(&mut self, entry: Self::Entry);
    /// The scores of both sides.
    fn score(&self) -> f64;
    /// The score of the whole.
    fn whole(&self) -> f64;
    /// Where a category with these rows stands among the others, so that the best subset is among the beginnings.
    fn standing(&self, rows: impl Iterator<Item = Self::Entry>) -> f64;
    fn weight(entry: Self::Entry) -> f64;
    /// Whether nothing could be gained.
    fn is_pure(entries: &[Self::Entry]) -> bool;
    /// Appends the value of a leaf with these rows.
    fn leaf(&self, rows: &[u32], entries: &[Self::Entry], values: &mut Vec<f64>);
}

/// A class and a weight.
#[derive(Debug, Clone, Copy)]
pub(in crate::ml::trees) struct Member {
    pub(in crate::ml::trees) class: u32,
    pub(in crate::ml::trees) weight: f64,
}

/// The weight of each class on both sides.
#[derive(Clone)]
pub(in crate::ml::trees) struct Shares {
    whole: Vec<f64>,
    left: Vec<f64>,
    right: Vec<f64>,
    heaviest: u32,
}

/// Gini's impurity: `1 - Σ p²`. The score is `Σ c² / Σ c` over the classes' weights.
#[derive(Clone)]
pub(in crate::ml::trees) struct Gini {
    shares: Shares,
    whole: Side,
    left: Side,
    right: Side,
}

/// The weight of a side, and the sum of its classes' squared weights.
#[derive(Clone, Copy, Default)]
struct Side {
    weight: f64,
    squares: f64,
}

/// Shannon's entropy: `-Σ p ln p`. The score is `Σ c ln c - w ln w`, `w` being `Σ c`.
#[derive(Clone)]
pub(in crate::ml::trees) struct Entropy {
    shares: Shares,
}

/// The variance. The score is `(Σ w y)² / Σ w`.
#[derive(Clone)]
pub(in crate::ml::trees) struct Variance<'a> {
    numbers: &'a [f64],
    whole: Sum,
    left: Sum,
}

/// A number, less the mean of all, and a weight.
#[derive(Debug, Clone, Copy)]
pub(in crate::ml::trees) struct Measure {
    pub(in crate::ml::trees) number: f64,
    pub(in crate::ml::trees) weight: f64,
}

#[derive(Clone, Copy, Default)]
struct Sum {
    weight: f64,
    sum: f64,
}

impl Shares {
    pub(in crate::ml::trees) fn new(n_classes: usize) -> Self {
        let none = vec![0.0; n_classes];
        Shares { whole: none.clone(), left: none.clone(), right: none, heaviest: 0 }
    }

    fn open(&mut self, entries: &[Member]) {
        self.whole.fill(0.0);
        for entry in entries {
            self.whole[entry.class as usize] += entry.weight;
        }
        self.heaviest = if self.whole.len() == 2 { 1 } else { heaviest(&self.whole) };
    }

    fn reset(&mut self) {
        self.left.fill(0.0);
        self.right.copy_from_slice(&self.whole);
    }

    /// Moves a row; gives its class's weights before.
    fn take(&mut self, entry: Member) -> (f64, f64) {
        let class = entry.class as usize;
        let before = (self.left[class], self.right[class]);
        self.left[class] += entry.weight;
        self.right[class] -= entry.weight;
        before
    }

    /// The share of one class, which is optimal for two classes (Breiman et al. 1984, theorem 4.5).
    fn standing(&self, rows: impl Iterator<Item = Member>) -> f64 {
        let (mut of_class, mut all) = (0.0, 0.0);
        for entry in rows {
            all += entry.weight;
            if entry.class == self.heaviest {
                of_class += entry.weight;
            }
        }
        of_class / all
    }

    fn leaf(&self, entries: &[Member], values: &mut Vec<f64>) {
        let start = values.len();
        values.resize(start + self.whole.len(), 0.0);
        let shares = &mut values[start..];
        for entry in entries {
            shares[entry.class as usize] += entry.weight;
        }
        let total: f64 = shares.iter().sum();
        for share in &mut *shares {
            *share /= total;
        }
    }
}

fn heaviest(weights: &[f64]) -> u32 {
    let (mut class, mut most) = (0, f64::NEG_INFINITY);
    for (place, weight) in (0..).zip(weights) {
        if *weight > most {
            (class, most) = (place, *weight);
        }
    }
    class
}

fn one_class(entries: &[Member]) -> bool {
    entries.windows(2).all(|pair| pair[0].class == pair[1].class)
}

impl Side {
    fn score(self) -> f64 {
        if self.weight > 0.0 { self.squares / self.weight } else { 0.0 }
    }
}

impl Gini {
    pub(in crate::ml::trees) fn new(shares: Shares) -> Self {
        Gini { shares, whole: Side::default(), left: Side::default(), right: Side::default() }
    }
}

impl Criterion for Gini {
    type Entry = Member;

    fn open(&mut self, entries: &[Member]) {
        self.shares.open(entries);
        let squares = self.shares.whole.iter().map(|weight| weight * weight).sum();
        self.whole = Side { weight: self.shares.whole.iter().sum(), squares };
    }

    fn reset(&mut self) {
        self.shares.reset();
        (self.left, self.right) = (Side::default(), self.whole);
    }

    fn take(&mut self, entry: Member) {
        let (left, right) = self.shares.take(entry);
        self.left.squares += entry.weight * (2.0 * left + entry.weight);
        self.left.weight += entry.weight;
        self.right.squares -= entry.weight * (2.0 * right - entry.weight);
        self.right.weight -= entry.weight;
    }

    fn score(&self) -> f64 {
        self.left.score() + self.right.score()
    }

    fn whole(&self) -> f64 {
        self.whole.score()
    }

    fn standing(&self, rows: impl Iterator<Item = Member>) -> f64 {
        self.shares.standing(rows)
    }

    fn weight(entry: Member) -> f64 {
        entry.weight
    }

    fn is_pure(entries: &[Member]) -> bool {
        one_class(entries)
    }

    fn leaf(&self, _: &[u32], entries: &[Member], values: &mut Vec<f64>) {
        self.shares.leaf(entries, values);
    }
}

impl Entropy {
    pub(in crate::ml::trees) fn new(shares: Shares) -> Self {
        Entropy { shares }
    }
}

fn information(weights: &[f64]) -> f64 {
    let term = |weight: f64| if weight > 0.0 { weight * weight.ln() } else { 0.0 };
    weights.iter().map(|weight| term(*weight)).sum::<f64>() - term(weights.iter().sum())
}

impl Criterion for Entropy {
    type Entry = Member;

    fn open(&mut self, entries: &[Member]) {
        self.shares.open(entries);
    }

    fn reset(&mut self) {
        self.shares.reset();
    }

    fn take(&mut self, entry: Member) {
        self.shares.take(entry);
    }

    fn score(&self) -> f64 {
        information(&self.shares.left) + information(&self.shares.right)
    }

    fn whole(&self) -> f64 {
        information(&self.shares.whole)
    }

    fn standing(&self, rows: impl Iterator<Item = Member>) -> f64 {
        self.shares.standing(rows)
    }

    fn weight(entry: Member) -> f64 {
        entry.weight
    }

    fn is_pure(entries: &[Member]) -> bool {
        one_class(entries)
    }

    fn leaf(&self, _: &[u32], entries: &[Member], values: &mut Vec<f64>) {
        self.shares.leaf(entries, values);
    }
}

impl Sum {
    fn score(self) -> f64 {
        if self.weight > 0.0 { self.sum * self.sum / self.weight } else { 0.0 }
    }
}

impl<'a> Variance<'a> {
    /// Over these numbers, one for each row of the training.
    pub(in crate::ml::trees) fn new(numbers: &'a [f64]) -> Self {
        Variance { numbers, whole: Sum::default(), left: Sum::default() }
    }
}

impl Criterion for Variance<'_> {
    type Entry = Measure;

    fn open(&mut self, entries: &[Measure]) {
        self.reset();
        self.whole = Sum::default();
        for entry in entries {
            self.whole.sum += entry.weight * entry.number;
            self.whole.weight += entry.weight;
        }
    }

    fn reset(&mut self) {
        self.left = Sum::default();
    }

    fn take(&mut self, entry: Measure) {
        self.left.sum += entry.weight * entry.number;
        self.left.weight += entry.weight;
    }

    fn score(&self) -> f64 {
        let right = Sum { weight: self.whole.weight - self.left.weight, sum: self.whole.sum - self.left.sum };
        self.left.score() + right.score()
    }

    fn whole(&self) -> f64 {
        self.whole.score()
    }

    fn standing(&self, rows: impl Iterator<Item = Measure>) -> f64 {
        let mut sum = Sum::default();
        for entry in rows {
            sum.sum += entry.weight * entry.number;
            sum.weight += entry.weight;
        }
        sum.sum / sum.weight
    }

    fn weight(entry: Measure) -> f64 {
        entry.weight
    }

    fn is_pure(entries: &[Measure]) -> bool {
        entries.windows(2).all(|pair| pair[0].number.to_bits() == pair[1].number.to_bits())
    }

    fn leaf(&self, rows: &[u32], entries: &[Measure], values: &mut Vec<f64>) {
        // From the numbers as they were given: taking the mean off and adding it again would cost a bit.
        let (mut sum, mut weight) = (0.0, 0.0);
        for (row, entry) in rows.iter().zip(entries) {
            sum += entry.weight * self.numbers[*row as usize];
            weight += entry.weight;
        }
        values.push(sum / weight);
    }
}
