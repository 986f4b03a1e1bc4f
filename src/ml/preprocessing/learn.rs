//! Learns a [`Preprocessing`] from training rows.

use std::fmt;

use crate::ml::features::{Column, ColumnKind, Features};
use crate::ml::preprocessing::{Encode, Filling, Form, Impute, Prepared, Preprocessing, Recipe, Scale, numeric};
use crate::ml::rows::real;
use crate::ml::trainers::Diet;

const MAX_CATEGORIES: usize = 100;

/// A recipe that a column or a trainer does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unprepared {
    /// The recipe speaks of a column that is no feature.
    NoFeature { feature: String },
    /// A mean of texts, or a filling of another kind than the column's.
    Impute { feature: String, kind: ColumnKind },
    /// Gaps are to be kept, or categories native, for a trainer that cannot take them.
    Raw { feature: String },
}

impl fmt::Display for Unprepared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unprepared::NoFeature { feature } => write!(formatter, "`{feature}` is no feature"),
            Unprepared::Impute { feature, kind: ColumnKind::Number } => {
                write!(formatter, "the gaps of `{feature}`, which holds numbers, can be filled by a number only")
            }
            Unprepared::Impute { feature, kind: ColumnKind::Boolean } => {
                write!(formatter, "the gaps of `{feature}`, which holds booleans, can be filled by a boolean only")
            }
            Unprepared::Impute { feature, kind: ColumnKind::Text } => {
                write!(formatter, "the gaps of `{feature}`, which holds texts, can be filled by a text only")
            }
            Unprepared::Raw { feature } => {
                write!(formatter, "the trainer takes `{feature}` without gaps and as numbers only")
            }
        }
    }
}

impl std::error::Error for Unprepared {}

/// Learns from these rows how features become numbers for a trainer of this diet.
///
/// # Errors
/// What the recipe asks for and cannot be had.
pub fn learn(recipe: &Recipe, diet: Diet, features: &Features) -> Result<Preprocessing, Unprepared> {
    if let Some(feature) = recipe.columns.keys().find(|name| !features.columns.contains_key(*name)) {
        return Err(Unprepared::NoFeature { feature: feature.clone() });
    }
    let features = features
        .columns
        .iter()
        .map(|(name, column)| {
            let form = form(recipe, diet, name, column)?;
            Ok(Prepared { name: name.clone(), kind: column.kind(), form })
        })
        .collect::<Result<_, Unprepared>>()?;
    Ok(Preprocessing { features })
}

fn form(recipe: &Recipe, diet: Diet, name: &str, column: &Column) -> Result<Form, Unprepared> {
    let own = recipe.columns.get(name);
    let kind = column.kind();
    let numbers = kind == ColumnKind::Number;
    let general = if numbers { &recipe.impute } else { &recipe.impute_categories };
    let impute = own.and_then(|own| own.impute.clone()).or_else(|| general.clone()).unwrap_or(match diet {
        Diet::Raw => Impute::Keep,
        Diet::Scaled if numbers => Impute::Mean,
        Diet::Scaled => Impute::MostFrequent,
    });
    let scale = own.and_then(|own| own.scale).or(recipe.scale).unwrap_or(match diet {
        Diet::Raw => Scale::None,
        Diet::Scaled => Scale::Standard,
    });
    let encode = own.and_then(|own| own.encode).or(recipe.encode).unwrap_or(match diet {
        Diet::Raw => Encode::Native,
        Diet::Scaled => Encode::OneHot,
    });
    let wrong = || Unprepared::Impute { feature: name.to_owned(), kind };
    if kind != ColumnKind::Text {
        if diet == Diet::Scaled && impute == Impute::Keep {
            return Err(Unprepared::Raw { feature: name.to_owned() });
        }
        let mut values = numeric(column);
        let fill = filling(&impute, kind, &values).ok_or_else(wrong)?;
        if let Some(fill) = fill {
            values.iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = fill);
        }
        let (shift, scale) = scaling(scale, &values);
        return Ok(Form::Number { fill, shift, scale });
    }
    if diet == Diet::Scaled && (encode == Encode::Native || (encode == Encode::Ordinal && impute == Impute::Keep)) {
        return Err(Unprepared::Raw { feature: name.to_owned() });
    }
    let mut counted = counted(column);
    let fill = match impute {
        Impute::Keep => None,
        Impute::MostFrequent => most_frequent(&counted),
        Impute::Constant(Filling::Text(word)) => Some(word),
        Impute::Constant(Filling::Boolean(_) | Filling::Number(_)) | Impute::Mean | Impute::Median => {
            return Err(wrong());
        }
    };
    if encode == Encode::OneHot {
        let most = recipe.max_categories.unwrap_or(MAX_CATEGORIES);
        counted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        counted.truncate(most);
        counted.sort();
    }
    let mut words: Vec<String> = counted.into_iter().map(|(word, _)| word).collect();
    // A filling of its own is a word even where training has no gap, so that a later gap means the same.
    if let Some(fill) = &fill
        && encode != Encode::OneHot
        && let Err(place) = words.binary_search(fill)
    {
        words.insert(place, fill.clone());
    }
    Ok(match encode {
        Encode::OneHot => Form::OneHot { words, fill },
        Encode::Native => Form::Native { words, fill },
        Encode::Ordinal => {
            let form = Form::Ordinal { words: words.clone(), fill: fill.clone(), shift: 0.0, scale: 1.0 };
            let mut matrix = crate::ml::matrix::Matrix { n_rows: length(column), ..Default::default() };
            form.apply(column, &mut matrix);
            let (shift, scale) = scaling(scale, &matrix.columns[0]);
            Form::Ordinal { words, fill, shift, scale }
        }
    })
}

fn length(column: &Column) -> usize {
    match column {
        Column::Numbers(values) => values.len(),
        Column::Booleans(values) => values.len(),
        Column::Texts { codes, .. } => codes.len(),
    }
}

/// What fills gaps among these values, in which NaN is a gap: the outer None is an impossible wish, the inner no filling.
/// Without any value it is 0.
#[expect(clippy::option_option, reason = "a wish that cannot be had is not the wish for nothing")]
fn filling(impute: &Impute, kind: ColumnKind, values: &[f64]) -> Option<Option<f64>> {
    let mut present: Vec<f64> = values.iter().copied().filter(|x| !x.is_nan()).collect();
    let n = present.len();
    let numbers = kind == ColumnKind::Number;
    let fill = match impute {
        Impute::Keep => return Some(None),
        Impute::Constant(Filling::Number(number)) if numbers && number.is_finite() => *number,
        Impute::Constant(Filling::Boolean(flag)) if !numbers => f64::from(u8::from(*flag)),
        Impute::Constant(_) => return None,
        Impute::Mean | Impute::Median if !numbers => return None,
        _ if n == 0 => 0.0,
        Impute::Mean => present.iter().sum::<f64>() / real(n),
        Impute::Median => {
            present.sort_by(f64::total_cmp);
            f64::midpoint(present[(n - 1) / 2], present[n / 2])
        }
        Impute::MostFrequent => {
            present.sort_by(f64::total_cmp);
            let runs = present.chunk_by(|a, b| a.total_cmp(b).is_eq());
            runs.fold((0.0, 0), |best, run| if run.len() > best.1 { (run[0], run.len()) } else { best }).0
        }
    };
    Some(Some(fill))
}

/// Shift and scale; gaps count for nothing. A column that does not vary keeps its scale.
fn scaling(scale: Scale, values: &[f64]) -> (f64, f64) {
    let present: Vec<f64> = values.iter().copied().filter(|x| !x.is_nan()).collect();
    if present.is_empty() {
        return (0.0, 1.0);
    }
    match scale {
        Scale::None => (0.0, 1.0),
        Scale::MinMax => {
            let low = present.iter().copied().fold(f64::INFINITY, f64::min);
            let high = present.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            (low, if high > low { high - low } else { 1.0 })
        }
        Scale::Standard => {
            let n = real(present.len());
            let mean = present.iter().sum::<f64>() / n;
            let variance = present.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
            // What rounding alone can leave of a constant column.
            let noise = n * f64::EPSILON * variance + (n * mean * f64::EPSILON).powi(2);
            (mean, if variance > noise { variance.sqrt() } else { 1.0 })
        }
    }
}

/// Words that occur, in order, with how often.
fn counted(column: &Column) -> Vec<(String, usize)> {
    let Column::Texts { words, codes } = column else { return Vec::new() };
    let mut counts = vec![0; words.len()];
    for code in codes.iter().flatten() {
        counts[*code as usize] += 1;
    }
    let mut counted: Vec<(String, usize)> = words.iter().cloned().zip(counts).filter(|(_, count)| *count > 0).collect();
    counted.sort();
    counted
}

fn most_frequent(counted: &[(String, usize)]) -> Option<String> {
    let best = counted.iter().fold(None, |best: Option<&(String, usize)>, next| match best {
        Some(known) if known.1 >= next.1 => Some(known),
        _ => Some(next),
    });
    best.map(|(word, _)| word.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ml::preprocessing::ColumnRecipe;

    fn features() -> Features {
        let columns = [
            ("age".to_owned(), Column::Numbers(vec![1.0, f64::NAN, 3.0, 5.0])),
            ("plan".to_owned(), Column::texts([Some("b"), Some("a"), None, Some("b")])),
            ("vip".to_owned(), Column::Booleans(vec![Some(true), None, Some(false), Some(true)])),
        ];
        Features { n_rows: 4, columns: columns.into_iter().collect() }
    }

    #[test]
    fn gaps_are_filled_and_words_get_columns() {
        let learned = learn(&Recipe { scale: Some(Scale::None), ..Recipe::default() }, Diet::Scaled, &features());
        let learned = learned.expect("a recipe for all");
        assert_eq!(learned.column_names(), ["age", "plan=a", "plan=b", "vip"]);
        let matrix = learned.apply(&features()).expect("the same features");
        assert_eq!(matrix.columns[0], [1.0, 3.0, 3.0, 5.0]);
        assert_eq!(matrix.columns[1], [0.0, 1.0, 0.0, 0.0]);
        assert_eq!(matrix.columns[2], [1.0, 0.0, 1.0, 1.0]);
        assert_eq!(matrix.columns[3], [1.0, 1.0, 0.0, 1.0]);
    }

    #[test]
    fn unknown_words_have_a_meaning() {
        let mut later = features();
        later.columns["plan"] = Column::texts([Some("z"), Some("b"), None, Some("a")]);
        let ordinal = Recipe { encode: Some(Encode::Ordinal), ..Recipe::default() };
        let learned = learn(&ordinal, Diet::Raw, &features()).expect("a recipe for all");
        let codes = &learned.apply(&later).expect("the same features").columns[1];
        assert_eq!(codes[..2], [-1.0, 1.0]);
        assert!(codes[2].is_nan());
        let native = learn(&Recipe::default(), Diet::Raw, &features()).expect("a recipe for all");
        let matrix = native.apply(&later).expect("the same features");
        assert_eq!(matrix.categories[1], Some(2));
        assert!(matrix.columns[1][0].is_nan());
    }

    #[test]
    fn a_filling_must_be_of_the_kind() {
        let constant = ColumnRecipe { impute: Some(Impute::Mean), ..ColumnRecipe::default() };
        let columns = [("plan".to_owned(), constant)].into_iter().collect();
        let wrong = learn(&Recipe { columns, ..Recipe::default() }, Diet::Raw, &features());
        assert_eq!(wrong, Err(Unprepared::Impute { feature: "plan".to_owned(), kind: ColumnKind::Text }));
    }
}
