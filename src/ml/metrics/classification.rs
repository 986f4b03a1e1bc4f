//! Numbers of a confusion matrix. A share of nothing is 0, as in scikit-learn with `zero_division=0`.

use serde::{Deserialize, Serialize};

use crate::ml::rows::real;

/// How often a class was taken for a class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// `n_classes × n_classes`: the true class's row, the answer's column.
    pub counts: Vec<Vec<u64>>,
}

/// How numbers of classes become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Average {
    /// The second class alone.
    Binary,
    /// The mean over the classes that occur, as truth or as answer.
    Macro,
    /// The mean by the classes' true frequency.
    Weighted,
}

impl Confusion {
    /// Counts. Codes are below `n_classes`.
    pub fn of(truth: &[u32], answers: &[u32], n_classes: usize) -> Self {
        let mut counts = vec![vec![0; n_classes]; n_classes];
        for (truth, answer) in truth.iter().zip(answers) {
            counts[*truth as usize][*answer as usize] += 1;
        }
        Confusion { counts }
    }

    fn right(&self, class: usize) -> f64 {
        number(self.counts[class][class])
    }

    fn of_class(&self, class: usize) -> f64 {
        number(self.counts[class].iter().sum())
    }

    fn answered(&self, class: usize) -> f64 {
        number(self.counts.iter().map(|row| row[class]).sum())
    }

    /// The share of right answers.
    pub fn accuracy(&self) -> f64 {
        let n = self.counts.len();
        let right: f64 = (0..n).map(|class| self.right(class)).sum();
        right / (0..n).map(|class| self.of_class(class)).sum::<f64>()
    }

    /// The mean recall of the classes that occur as truth.
    pub fn balanced_accuracy(&self) -> f64 {
        let present: Vec<usize> = (0..self.counts.len()).filter(|class| self.of_class(*class) > 0.0).collect();
        present.iter().map(|class| self.right(*class) / self.of_class(*class)).sum::<f64>() / real(present.len())
    }

    /// Of the answers, the share that is right.
    pub fn precision(&self, average: Average) -> f64 {
        self.averaged(average, |class| share(self.right(class), self.answered(class)))
    }

    /// Of the class, the share that is found.
    pub fn recall(&self, average: Average) -> f64 {
        self.averaged(average, |class| share(self.right(class), self.of_class(class)))
    }

    /// The harmonic mean of both.
    pub fn f1(&self, average: Average) -> f64 {
        self.averaged(average, |class| share(2.0 * self.right(class), self.of_class(class) + self.answered(class)))
    }

    fn averaged(&self, average: Average, of_class: impl Fn(usize) -> f64) -> f64 {
        let classes = 0..self.counts.len();
        match average {
            Average::Binary => of_class(1),
            Average::Macro => {
                let present: Vec<usize> =
                    classes.filter(|class| self.of_class(*class) + self.answered(*class) > 0.0).collect();
                present.iter().map(|class| of_class(*class)).sum::<f64>() / real(present.len())
            }
            Average::Weighted => {
                let total: f64 = classes.clone().map(|class| self.of_class(class)).sum();
                classes.map(|class| self.of_class(class) * of_class(class)).sum::<f64>() / total
            }
        }
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "what is counted in memory is fewer than 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}
