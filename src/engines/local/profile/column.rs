//! One column, value by value.
//!
//! In: a column's batches. Out: its [`ColumnProfile`]. Whole numbers, decimals, dates and instants are all kept as whole numbers, and
//! written as what they are only at the end. Masked columns keep no value in the first place.

use deltalake::arrow::array::{Array, ArrayRef, AsArray};
use deltalake::arrow::compute::cast;
use deltalake::arrow::datatypes::{
    ArrowPrimitiveType, DataType as ArrowType, Date32Type, Decimal128Type, Float64Type, Int64Type,
    TimestampMicrosecondType,
};
use deltalake::arrow::error::ArrowError;
use deltalake::arrow::temporal_conversions::{date32_to_datetime, timestamp_us_to_datetime};
use serde_json::{Value, json};

use super::sketch::{Distinct, Frequent, Sample, digest};
use super::{Bin, ColumnProfile, Estimate, Frequency, Histogram, Measure, Quantile, Values};
use crate::ir::DataType;
use crate::sql::types;

const N_BINS: i128 = 20;
const N_TOP: usize = 10;
const SHARES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// Longer texts are counted by their first characters and a digest.
const LONGEST_TEXT: usize = 200;

/// What a whole number stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Number,
    Decimal { scale: u8 },
    Date,
    Instant,
    WallClock,
    Count(Measure),
}

/// A column that is being read.
#[derive(Debug)]
pub(super) struct Column {
    name: String,
    masked: bool,
    n_null: u64,
    distinct: Distinct,
    seen: Seen,
}

#[derive(Debug)]
enum Seen {
    Whole {
        form: Form,
        frequent: Frequent<i128>,
        spread: Spread<i128>,
    },
    Float {
        frequent: Frequent<u64>,
        spread: Spread<f64>,
        n_not_finite: u64,
    },
    Truth {
        n_true: u64,
        n_false: u64,
    },
    Text {
        frequent: Frequent<Box<str>>,
        lengths: Spread<i128>,
        ends: Option<(String, String)>,
        n_blank: u64,
    },
    /// Only NULLs are counted.
    Opaque,
}

impl Column {
    pub(super) fn new(name: &str, data_type: &ArrowType, masked: bool) -> Self {
        let whole = |form| Seen::Whole { form, frequent: Frequent::new(), spread: Spread::new() };
        let seen = match types::from_arrow(data_type) {
            Some(DataType::Boolean) => Seen::Truth { n_true: 0, n_false: 0 },
            Some(DataType::Tinyint | DataType::Smallint | DataType::Int | DataType::Bigint) => whole(Form::Number),
            Some(DataType::Float | DataType::Double) => {
                Seen::Float { frequent: Frequent::new(), spread: Spread::new(), n_not_finite: 0 }
            }
            Some(DataType::Decimal { scale, .. }) => whole(Form::Decimal { scale }),
            Some(DataType::String) => {
                Seen::Text { frequent: Frequent::new(), lengths: Spread::new(), ends: None, n_blank: 0 }
            }
            Some(DataType::Date) => whole(Form::Date),
            Some(DataType::Timestamp) => whole(Form::Instant),
            Some(DataType::TimestampNtz) => whole(Form::WallClock),
            Some(DataType::Binary) => whole(Form::Count(Measure::Bytes)),
            Some(DataType::Array(_) | DataType::Map(..)) => whole(Form::Count(Measure::Elements)),
            Some(DataType::Struct(_)) | None => Seen::Opaque,
        };
        Column { name: name.to_owned(), masked, n_null: 0, distinct: Distinct::default(), seen }
    }

    pub(super) fn add(&mut self, values: &ArrayRef) -> Result<(), ArrowError> {
        self.n_null += values.logical_null_count() as u64;
        let Column { seen, distinct, masked, .. } = self;
        match seen {
            Seen::Whole { form, frequent, spread } => match wholes(*form, values)? {
                Wholes::Each(each) => {
                    for value in each.into_iter().flatten() {
                        let digest = digest(&value);
                        distinct.add(digest);
                        if !*masked {
                            frequent.add(digest, || value);
                            spread.add(value, whole_as_float(value));
                        }
                    }
                }
                // What is counted of a value does not tell values apart.
                Wholes::Sizes(sizes) => {
                    for size in sizes.into_iter().flatten().filter(|_| !*masked) {
                        spread.add(size, whole_as_float(size));
                    }
                }
            },
            Seen::Float { frequent, spread, n_not_finite } => {
                let values = cast(values, &ArrowType::Float64)?;
                for value in values.as_primitive::<Float64Type>().iter().flatten() {
                    // One zero, one NaN.
                    let value = if value.is_nan() { f64::NAN } else { value + 0.0 };
                    let digest = digest(&value.to_bits());
                    distinct.add(digest);
                    if *masked {
                        continue;
                    }
                    frequent.add(digest, || value.to_bits());
                    if value.is_finite() {
                        spread.add(value, value);
                    } else {
                        *n_not_finite += 1;
                    }
                }
            }
            Seen::Truth { n_true, n_false } => {
                for value in values.as_boolean().iter().flatten() {
                    *(if value { &mut *n_true } else { &mut *n_false }) += 1;
                }
            }
            Seen::Text { frequent, lengths, ends, n_blank } => {
                let values = cast(values, &ArrowType::Utf8)?;
                for text in values.as_string::<i32>().iter().flatten() {
                    let digest = digest(&text);
                    distinct.add(digest);
                    if *masked {
                        continue;
                    }
                    frequent.add(digest, || text.chars().take(LONGEST_TEXT).collect());
                    let n_characters = text.chars().count() as u64;
                    lengths.add(i128::from(n_characters), whole_as_float(i128::from(n_characters)));
                    *n_blank += u64::from(text.trim().is_empty());
                    widen(ends, text);
                }
            }
            Seen::Opaque => {}
        }
        Ok(())
    }

    pub(super) fn finish(self) -> ColumnProfile {
        let Column { name, masked, n_null, distinct, seen } = self;
        let estimated = Estimate { n: distinct.estimate(), is_exact: false };
        let of = |known: Option<u64>| known.map_or(estimated, |n| Estimate { n, is_exact: true });
        let (n_distinct, values) = match seen {
            Seen::Whole { form: form @ Form::Count(_), spread, .. } => (None, whole_values(form, &[], &spread)),
            Seen::Whole { form, frequent, spread } => {
                let top = frequent.top(N_TOP);
                let values = Values { top_slack: frequent.slack(), ..whole_values(form, &top, &spread) };
                (Some(of(frequent.n_distinct())), values)
            }
            Seen::Float { frequent, spread, n_not_finite } => {
                (Some(of(frequent.n_distinct())), float_values(&frequent, &spread, n_not_finite))
            }
            Seen::Truth { n_true, n_false } => {
                let mut top: Vec<Frequency> = [(true, n_true), (false, n_false)]
                    .into_iter()
                    .filter(|(_, n)| *n > 0)
                    .map(|(value, n)| Frequency { value: json!(value), n })
                    .collect();
                top.sort_by_key(|one| std::cmp::Reverse(one.n));
                (Some(of(Some(top.len() as u64))), Values { top, ..Values::default() })
            }
            Seen::Text { frequent, lengths, ends, n_blank } => {
                let (min, max) = ends.map_or((None, None), |(min, max)| (Some(json!(min)), Some(json!(max))));
                let top = frequencies(&frequent.top(N_TOP), |text| json!(text));
                let histogram = whole_histogram(Form::Count(Measure::Length), &lengths);
                let top_slack = frequent.slack();
                let values = Values { min, max, n_blank, histogram, top, top_slack, ..Values::default() };
                (Some(of(frequent.n_distinct())), values)
            }
            Seen::Opaque => (None, Values::default()),
        };
        // A masked column keeps no counts, only digests, of which few are exact.
        let n_distinct = match n_distinct {
            Some(_) if masked => Some(Estimate { is_exact: distinct.is_exact(), ..estimated }),
            other => other,
        };
        ColumnProfile { name, n_null, n_distinct, values: (!masked).then_some(values) }
    }
}

/// Values as whole numbers, or how big each is.
enum Wholes {
    Each(Vec<Option<i128>>),
    Sizes(Vec<Option<i128>>),
}

fn wholes(form: Form, values: &ArrayRef) -> Result<Wholes, ArrowError> {
    fn each<T: ArrowPrimitiveType>(values: &ArrayRef, as_type: &ArrowType) -> Result<Vec<Option<i128>>, ArrowError>
    where
        T::Native: Into<i128>,
    {
        Ok(cast(values, as_type)?.as_primitive::<T>().iter().map(|value| value.map(Into::into)).collect())
    }
    Ok(match form {
        Form::Number => Wholes::Each(each::<Int64Type>(values, &ArrowType::Int64)?),
        Form::Decimal { scale } => {
            let scale = i8::try_from(scale).unwrap_or(i8::MAX);
            Wholes::Each(each::<Decimal128Type>(values, &ArrowType::Decimal128(38, scale))?)
        }
        Form::Date => Wholes::Each(each::<Date32Type>(values, &ArrowType::Date32)?),
        Form::Instant => {
            let as_type = types::to_arrow(&DataType::Timestamp);
            Wholes::Each(each::<TimestampMicrosecondType>(values, &as_type)?)
        }
        Form::WallClock => {
            let as_type = types::to_arrow(&DataType::TimestampNtz);
            Wholes::Each(each::<TimestampMicrosecondType>(values, &as_type)?)
        }
        Form::Count(Measure::Elements) => Wholes::Sizes((0..values.len()).map(|row| n_elements(values, row)).collect()),
        Form::Count(Measure::Value | Measure::Length | Measure::Bytes) => {
            let values = cast(values, &ArrowType::Binary)?;
            let sizes = values.as_binary::<i32>().iter().map(|bytes| bytes.map(|bytes| bytes.len() as i128));
            Wholes::Sizes(sizes.collect())
        }
    })
}

fn n_elements(values: &ArrayRef, row: usize) -> Option<i128> {
    if values.is_null(row) {
        return None;
    }
    let n = if let Some(lists) = values.as_list_opt::<i32>() {
        lists.value(row).len()
    } else if let Some(lists) = values.as_list_opt::<i64>() {
        lists.value(row).len()
    } else {
        values.as_map_opt()?.value(row).len()
    };
    Some(n as i128)
}

/// How numbers are spread.
#[derive(Debug)]
struct Spread<T> {
    sample: Sample<T>,
    ends: Option<(T, T)>,
    mean: f64,
    /// The sum of squared distances from the mean (Welford 1962).
    squares: f64,
}

impl<T: Copy + PartialOrd> Spread<T> {
    fn new() -> Self {
        Spread { sample: Sample::new(), ends: None, mean: 0.0, squares: 0.0 }
    }

    #[expect(clippy::cast_precision_loss, reason = "a mean of floats")]
    fn add(&mut self, value: T, as_float: f64) {
        self.sample.add(value);
        self.ends = Some(match self.ends {
            None => (value, value),
            Some((min, max)) => (if value < min { value } else { min }, if value > max { value } else { max }),
        });
        let distance = as_float - self.mean;
        self.mean += distance / self.sample.n_seen() as f64;
        self.squares += distance * (as_float - self.mean);
    }

    #[expect(clippy::cast_precision_loss, reason = "a deviation of floats")]
    fn stddev(&self) -> Option<f64> {
        let n = self.sample.n_seen();
        (n > 1).then(|| (self.squares / (n - 1) as f64).sqrt())
    }

    fn mean(&self) -> Option<f64> {
        (self.sample.n_seen() > 0).then_some(self.mean)
    }

    fn quantiles(&self, write: impl Fn(T) -> Value) -> Vec<Quantile> {
        let mut sorted = self.sample.values().to_vec();
        sorted.sort_by(|left, right| left.partial_cmp(right).unwrap_or(std::cmp::Ordering::Equal));
        let quantile = |share: f64| sorted.get(rank(share, sorted.len())).map(|value| (share, *value));
        SHARES.into_iter().filter_map(quantile).map(|(share, value)| Quantile { share, value: write(value) }).collect()
    }
}

/// The place of the nearest rank among `n` sorted values.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small rank"
)]
fn rank(share: f64, n: usize) -> usize {
    ((share * n as f64).ceil() as usize).saturating_sub(1)
}

fn whole_values(form: Form, top: &[(&i128, u64)], spread: &Spread<i128>) -> Values {
    let write = |value: i128| written(form, value);
    let unit = match form {
        Form::Number | Form::Count(_) => Some(1.0),
        Form::Decimal { scale } => Some(10_f64.powi(i32::from(scale))),
        // A mean of times is seldom meant.
        Form::Date | Form::Instant | Form::WallClock => None,
    };
    let scaled = |value: Option<f64>| value.zip(unit).map(|(value, unit)| value / unit);
    Values {
        min: spread.ends.map(|(min, _)| write(min)),
        max: spread.ends.map(|(_, max)| write(max)),
        mean: scaled(spread.mean()),
        stddev: scaled(spread.stddev()),
        quantiles: spread.quantiles(write),
        histogram: whole_histogram(form, spread),
        top: frequencies(top, |value| write(*value)),
        ..Values::default()
    }
}

fn whole_histogram(form: Form, spread: &Spread<i128>) -> Option<Histogram> {
    let (min, max) = spread.ends?;
    // Whole numbers at the ends of 128 bits are no counts of anything.
    let range = max.checked_sub(min)?.checked_add(1)?;
    let n_bins = range.min(N_BINS);
    let edge = |bin: i128| range.checked_mul(bin).map(|product| min + product / n_bins);
    let edges: Vec<i128> = (0..=n_bins).map(edge).collect::<Option<_>>()?;
    let mut counts = vec![0_u64; edges.len() - 1];
    for value in spread.sample.values() {
        let bin = edges.partition_point(|edge| edge <= value).saturating_sub(1);
        if let Some(count) = counts.get_mut(bin) {
            *count += 1;
        }
    }
    let bins = edges.windows(2).zip(counts).filter_map(|(ends, n)| match ends {
        [from, to] => Some(Bin { from: written(form, *from), to: written(form, *to - 1), n }),
        _ => None,
    });
    let measure = match form {
        Form::Count(measure) => measure,
        Form::Number | Form::Decimal { .. } | Form::Date | Form::Instant | Form::WallClock => Measure::Value,
    };
    Some(histogram(measure, bins.collect(), &spread.sample))
}

fn float_values(frequent: &Frequent<u64>, spread: &Spread<f64>, n_not_finite: u64) -> Values {
    Values {
        min: spread.ends.map(|(min, _)| json!(min)),
        max: spread.ends.map(|(_, max)| json!(max)),
        mean: spread.mean(),
        stddev: spread.stddev(),
        n_not_finite,
        quantiles: spread.quantiles(|value| json!(value)),
        histogram: float_histogram(spread),
        top: frequencies(&frequent.top(N_TOP), |bits| float(f64::from_bits(*bits))),
        top_slack: frequent.slack(),
        ..Values::default()
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "20 bins")]
fn float_histogram(spread: &Spread<f64>) -> Option<Histogram> {
    let (min, max) = spread.ends?;
    let n_bins = if min < max { N_BINS as usize } else { 1 };
    let width = (max - min) / n_bins as f64;
    // Numbers so far apart that their distance is infinite.
    if !width.is_finite() {
        return None;
    }
    let mut counts = vec![0_u64; n_bins];
    for value in spread.sample.values() {
        let bin = if width > 0.0 { ((value - min) / width) as usize } else { 0 };
        if let Some(count) = counts.get_mut(bin.min(n_bins - 1)) {
            *count += 1;
        }
    }
    let edge = |bin: usize| if bin == n_bins { json!(max) } else { json!(min + width * bin as f64) };
    let bins = (0..).zip(counts).map(|(bin, n)| Bin { from: edge(bin), to: edge(bin + 1), n });
    Some(histogram(Measure::Value, bins.collect(), &spread.sample))
}

fn histogram<T: Copy>(measure: Measure, bins: Vec<Bin>, sample: &Sample<T>) -> Histogram {
    Histogram { measure, bins, n_sampled: sample.values().len() as u64, is_exact: sample.is_exact() }
}

fn frequencies<T>(top: &[(&T, u64)], write: impl Fn(&T) -> Value) -> Vec<Frequency> {
    top.iter().map(|(value, n)| Frequency { value: write(value), n: *n }).collect()
}

/// JSON has no NaN and no infinity.
fn float(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { json!(value.to_string()) }
}

fn written(form: Form, value: i128) -> Value {
    let time = |suffix: &str| {
        let time = i64::try_from(value).ok().and_then(timestamp_us_to_datetime);
        time.map_or_else(|| json!(value.to_string()), |time| json!(format!("{time}{suffix}")))
    };
    match form {
        Form::Number | Form::Count(_) => {
            i64::try_from(value).map_or_else(|_| json!(value.to_string()), |value| json!(value))
        }
        Form::Decimal { scale } => json!(decimal(value, scale)),
        Form::Date => {
            let date = i32::try_from(value).ok().and_then(date32_to_datetime);
            date.map_or_else(|| json!(value.to_string()), |date| json!(date.date().to_string()))
        }
        Form::Instant => time(" UTC"),
        Form::WallClock => time(""),
    }
}

fn decimal(value: i128, scale: u8) -> String {
    let scale = usize::from(scale);
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if value < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[expect(clippy::cast_precision_loss, reason = "for means")]
fn whole_as_float(value: i128) -> f64 {
    value as f64
}

/// Keeps the least and the greatest text, by code points as Spark compares, cut like all texts that are shown.
fn widen(ends: &mut Option<(String, String)>, text: &str) {
    let cut = |text: &str| text.chars().take(LONGEST_TEXT).collect::<String>();
    match ends {
        None => *ends = Some((cut(text), cut(text))),
        Some((min, _)) if text < min.as_str() => *min = cut(text),
        Some((_, max)) if text > max.as_str() => *max = cut(text),
        Some(_) => {}
    }
}
