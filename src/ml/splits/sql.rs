//! Splits and folds as Databricks SQL: expressions that give for each row of a table what [`split`](super::split) and
//! [`folds`](super::folds) give here. Columns come as SQL, quoted by the caller.

use crate::ml::splits::{PLACES, bound};

/// The columns by which rows are parted, as SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns<'a> {
    /// Keys as one text.
    Random {
        key: &'a str,
    },
    /// Classes in the order of their values.
    Stratified {
        key: &'a str,
        class: &'a str,
    },
    Grouped {
        group: &'a str,
    },
    Time {
        time: &'a str,
    },
}

/// Key columns as one text.
pub fn key(columns: &[String]) -> String {
    let texts: Vec<String> = columns.iter().map(|column| format!("CAST({column} AS STRING)")).collect();
    match texts.as_slice() {
        [one] => one.clone(),
        several => format!("concat_ws('\\u001f', {})", several.join(", ")),
    }
}

/// The place of a text, as 13 hexadecimal digits, whose order is that of the numbers.
pub fn place(seed: u64, text: &str) -> String {
    format!("substring(sha2(concat('{seed}:', {text}), 256), 1, 13)")
}

/// Whether a row tests.
pub fn split(columns: Columns, share: f64, seed: u64) -> String {
    match columns {
        Columns::Random { key: text } | Columns::Grouped { group: text } => {
            // A share of all is no number of 13 digits; nor is it a split.
            format!("{} < '{:013x}'", place(seed, text), bound(share).min(PLACES - 1))
        }
        Columns::Stratified { key, class } => format!(
            "row_number() OVER (PARTITION BY {class} ORDER BY {}, {key}) <= {}",
            place(seed, key),
            part(&format!("count(*) OVER (PARTITION BY {class})"), share)
        ),
        Columns::Time { time } => {
            format!("rank() OVER (ORDER BY {time}) > count(*) OVER () - {}", part("count(*) OVER ()", share))
        }
    }
}

fn part(count: &str, share: f64) -> String {
    format!("CAST(floor({count} * CAST({share} AS DOUBLE) + 0.5D) AS BIGINT)")
}

/// The fold that a row tests, from 0. By time, rows of the first block get -1; they only train.
pub fn fold(columns: Columns, k: usize, seed: u64) -> String {
    let turn = match columns {
        Columns::Random { key } => format!("row_number() OVER (ORDER BY {}, {key})", place(seed, key)),
        Columns::Stratified { key, class } => {
            format!("row_number() OVER (ORDER BY {class}, {}, {key})", place(seed, key))
        }
        Columns::Grouped { group } => format!("dense_rank() OVER (ORDER BY {}, {group})", place(seed, group)),
        Columns::Time { time } => {
            let all = "count(*) OVER ()";
            let block = format!("nullif(floor({all} / {}), 0)", k + 1);
            return format!(
                "CAST(greatest(floor((rank() OVER (ORDER BY {time}) - 1 - ({all} - {k} * {block})) / {block}), -1) AS INT)"
            );
        }
    };
    format!("CAST(({turn} - 1) % {k} AS INT)")
}
