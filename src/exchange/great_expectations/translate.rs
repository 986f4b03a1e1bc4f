//! An expectation of the library as one or several of the catalogue.
//!
//! In: a known word and its arguments, checked and filled. Out: [`Sentence`]s: a kind, its long body, and for each member of the
//! body the argument that it was made from.

use serde_json::{Map, Value, json};

use super::arguments::{self, Kwargs, given};
use super::vocabulary::{self, Word};
use super::{Binding, checkpoint, condition, type_names};
use crate::diagnostic::{code, join_pointer};
use crate::kind::Problem;
use crate::name::TableName;

/// An expectation of the catalogue, not yet made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sentence {
    pub kind: &'static str,
    pub column: Option<String>,
    pub body: Map<String, Value>,
    /// Pointers into the body, with the pointer into the arguments.
    pub places: Vec<(String, String)>,
}

impl Sentence {
    fn of_table(kind: &'static str) -> Self {
        Sentence { kind, column: None, body: Map::new(), places: Vec::new() }
    }

    fn of_column(kind: &'static str, kwargs: &Kwargs) -> Result<Self, Problem> {
        Sentence::of_column_in(kind, kwargs, "column")
    }

    /// With the column that stands under another key.
    fn of_column_in(kind: &'static str, kwargs: &Kwargs, key: &str) -> Result<Self, Problem> {
        let column = Some(arguments::text(kwargs, key)?.to_owned());
        let places = vec![("/column".to_owned(), join_pointer("", key))];
        Ok(Sentence { column, places, ..Sentence::of_table(kind) })
    }

    fn put(mut self, key: &str, value: impl Into<Value>, from: &str) -> Self {
        self.body.insert(key.to_owned(), value.into());
        self.places.push((join_pointer("", key), from.to_owned()));
        self
    }

    fn put_given<V: Into<Value>>(self, key: &str, value: Option<V>, from: &str) -> Self {
        match value {
            Some(value) => self.put(key, value, from),
            None => self,
        }
    }

    /// The bounds that most expectations take.
    fn bounds(self, kwargs: &Kwargs) -> Result<Self, Problem> {
        if !vocabulary::any(kwargs, &["min_value", "max_value"]) {
            return Err(Problem::new(code::EXCHANGE_ARGUMENT, "", "neither `min_value` nor `max_value` is given")
                .help("give at least one bound in `kwargs`"));
        }
        let mut bounded = self;
        for (key, from, exclusive, strict) in
            [("min", "min_value", "exclusive_min", "strict_min"), ("max", "max_value", "exclusive_max", "strict_max")]
        {
            let Some(value) = given(kwargs, from) else { continue };
            if matches!(value, Value::Array(_) | Value::Object(_)) {
                return Err(arguments::wrong(from, "a number, a date or a text", value));
            }
            bounded = bounded.put(key, value.clone(), &join_pointer("", from));
            if arguments::flag(kwargs, strict)? == Some(true) {
                bounded = bounded.put(exclusive, true, &join_pointer("", strict));
            }
        }
        Ok(bounded)
    }
}

/// Says in medc's words what `word` says with these arguments.
///
/// # Errors
/// `exchange::argument`, relative to the arguments.
pub(super) fn translate(word: &Word, kwargs: &Kwargs, binding: &Binding<'_>) -> Result<Vec<Sentence>, Problem> {
    if word.name == "expect_column_quantile_values_to_be_between" {
        return quantiles(kwargs);
    }
    let sentence = if word.name.starts_with("expect_column_values_") || word.name.starts_with("expect_column_value_") {
        of_values(word.name, kwargs, binding)?
    } else if word.name.starts_with("expect_column_pair_") {
        of_pair(word.name, kwargs)?
    } else if word.name.starts_with("expect_column_") {
        of_aggregate(word.name, kwargs)?
    } else {
        of_table(word.name, kwargs, binding)?
    };
    Ok(vec![sentence])
}

fn of_values(name: &str, kwargs: &Kwargs, binding: &Binding<'_>) -> Result<Sentence, Problem> {
    let column = |kind| Sentence::of_column(kind, kwargs);
    match name {
        "expect_column_values_to_not_be_null" => column("not_null"),
        "expect_column_values_to_be_null" => column("is_null"),
        "expect_column_values_to_be_unique" => column("unique"),
        "expect_column_values_to_be_in_set" => with_values(column("accepted_values")?, kwargs),
        "expect_column_values_to_not_be_in_set" => with_values(column("not_in")?, kwargs),
        "expect_column_values_to_be_between" => column("between")?.bounds(kwargs),
        "expect_column_value_lengths_to_be_between" => lengths(column("length")?, kwargs),
        "expect_column_value_lengths_to_equal" => {
            let length = arguments::count(kwargs, "value")?.ok_or_else(|| arguments::missing("value"))?;
            Ok(column("length")?.put("equal", length, "/value"))
        }
        "expect_column_value_z_scores_to_be_less_than" => {
            let threshold = arguments::number(kwargs, "threshold")?.ok_or_else(|| arguments::missing("threshold"))?;
            let double_sided = arguments::flag(kwargs, "double_sided")?.unwrap_or(true);
            let outliers =
                column("outliers")?.put("method", "stdev", "/column").put("threshold", threshold, "/threshold");
            Ok(outliers.put("double_sided", double_sided, "/double_sided"))
        }
        "expect_column_values_to_not_be_outliers" => {
            let method = arguments::word(kwargs, "method", &["iqr", "std"])?.unwrap_or("iqr");
            let threshold = arguments::number(kwargs, "multiplier")?.unwrap_or(1.5);
            let method = if method == "std" { "stdev" } else { method };
            Ok(column("outliers")?.put("method", method, "/method").put("threshold", threshold, "/multiplier"))
        }
        "expect_column_values_to_be_increasing" => in_order(column("increasing")?, kwargs, binding),
        "expect_column_values_to_be_decreasing" => in_order(column("decreasing")?, kwargs, binding),
        "expect_column_values_to_be_dateutil_parseable" => column("date_parseable"),
        "expect_column_values_to_match_strftime_format" => {
            let format = date_pattern(arguments::text(kwargs, "strftime_format")?)?;
            Ok(column("date_parseable")?.put("format", format, "/strftime_format"))
        }
        "expect_column_values_to_be_json_parseable" => column("json_parseable"),
        "expect_column_values_to_be_of_type" => of_type(column("of_type")?, kwargs),
        "expect_column_values_to_be_in_type_list" => of_types(column("of_type")?, kwargs),
        _ => patterns(name, kwargs),
    }
}

/// A form in Python's words as Java's pattern. Python takes one digit where it writes two.
fn date_pattern(format: &str) -> Result<String, Problem> {
    let mut pattern = String::new();
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            match character {
                '\'' => pattern.push_str("''"),
                letter if letter.is_ascii_alphabetic() => pattern.extend(['\'', letter, '\'']),
                other => pattern.push(other),
            }
            continue;
        }
        let directive = characters.next();
        pattern.push_str(match directive {
            Some('Y') => "yyyy",
            Some('y') => "yy",
            Some('m') => "M",
            Some('d') => "d",
            Some('b') => "MMM",
            Some('H') => "H",
            Some('M') => "m",
            Some('S') => "s",
            Some('f') => "SSSSSS",
            Some('F') => "yyyy-M-d",
            Some('T') => "H:m:s",
            Some('%') => "%",
            Some(_) | None => {
                let written = directive.map_or_else(|| "%".to_owned(), |letter| format!("%{letter}"));
                return Err(Problem::new(
                    code::EXCHANGE_ARGUMENT,
                    "/strftime_format",
                    format!("medc does not know `{written}` in a form"),
                )
                .help("use `%Y %y %m %d %b %H %M %S %f`, or say it with `matches`"));
            }
        });
    }
    Ok(pattern)
}

fn with_values(sentence: Sentence, kwargs: &Kwargs) -> Result<Sentence, Problem> {
    Ok(sentence.put("values", arguments::values(kwargs, "value_set")?, "/value_set"))
}

/// Lengths are whole numbers, so that a strict bound is the next one.
fn lengths(sentence: Sentence, kwargs: &Kwargs) -> Result<Sentence, Problem> {
    let (min, max) = whole_bounds(kwargs)?;
    if min.is_none() && max.is_none() {
        return sentence.bounds(kwargs);
    }
    Ok(sentence.put_given("min", min, "/min_value").put_given("max", max, "/max_value"))
}

/// Bounds of a count, inclusive.
fn whole_bounds(kwargs: &Kwargs) -> Result<(Option<u64>, Option<u64>), Problem> {
    let strict = |key| Ok::<_, Problem>(u64::from(arguments::flag(kwargs, key)? == Some(true)));
    let (above, below) = (strict("strict_min")?, strict("strict_max")?);
    let min = arguments::count(kwargs, "min_value")?.map(|min| min.saturating_add(above));
    let max = arguments::count(kwargs, "max_value")?
        .map(|max| {
            max.checked_sub(below).ok_or_else(|| {
                Problem::new(code::EXCHANGE_ARGUMENT, "/max_value", "no count is below 0").help("raise `max_value`")
            })
        })
        .transpose()?;
    Ok((min, max))
}

fn in_order(sentence: Sentence, kwargs: &Kwargs, binding: &Binding<'_>) -> Result<Sentence, Problem> {
    let strictly = arguments::flag(kwargs, "strictly")?.filter(|strictly| *strictly);
    let order_by = (!binding.order_by.is_empty()).then(|| binding.order_by.to_vec());
    Ok(sentence.put_given("strictly", strictly, "/strictly").put_given("order_by", order_by, "/column"))
}

fn of_type(sentence: Sentence, kwargs: &Kwargs) -> Result<Sentence, Problem> {
    Ok(sentence.put("types", type_names::types_at(arguments::text(kwargs, "type_")?, "type_")?, "/type_"))
}

fn of_types(sentence: Sentence, kwargs: &Kwargs) -> Result<Sentence, Problem> {
    let mut types: Vec<String> = Vec::new();
    for (index, written) in arguments::texts(kwargs, "type_list")?.iter().enumerate() {
        for name in type_names::types(written, &format!("/type_list/{index}"))? {
            if !types.contains(&name) {
                types.push(name);
            }
        }
    }
    Ok(sentence.put("types", types, "/type_list"))
}

fn patterns(name: &str, kwargs: &Kwargs) -> Result<Sentence, Problem> {
    if let Some(escape) = given(kwargs, "escape").filter(|escape| escape.as_str() != Some("\\")) {
        return Err(arguments::wrong("escape", "`\\\\` where medc reads it", escape)
            .note("`\\` is the escape of LIKE in Databricks SQL"));
    }
    let negative = name.contains("_not_match_");
    let (kind, one, several, list) = match (name.contains("_like_pattern"), negative) {
        (false, false) => ("matches", "regex", "regex", "regex_list"),
        (false, true) => ("not_matches", "regex", "regex", "regex_list"),
        (true, false) => ("like", "pattern", "like_pattern", "like_pattern_list"),
        (true, true) => ("not_like", "pattern", "like_pattern", "like_pattern_list"),
    };
    let sentence = Sentence::of_column(kind, kwargs)?;
    if !name.ends_with("_list") {
        return Ok(sentence.put(one, arguments::text(kwargs, several)?, &join_pointer("", several)));
    }
    let key = match arguments::word(kwargs, "match_on", &["any", "all"])? {
        Some("all") => "all_of",
        Some(_) | None => "any_of",
    };
    Ok(sentence.put(key, arguments::texts(kwargs, list)?, &join_pointer("", list)))
}

fn of_pair(name: &str, kwargs: &Kwargs) -> Result<Sentence, Problem> {
    let (left, right) = (arguments::text(kwargs, "column_A")?, arguments::text(kwargs, "column_B")?);
    let columns = json!([left, right]);
    let with_columns = |kind| {
        let mut sentence = Sentence::of_table(kind).put("columns", columns, "/column_A");
        sentence.places.push(("/columns/1".to_owned(), "/column_B".to_owned()));
        sentence
    };
    let sentence = match name {
        "expect_column_pair_values_to_be_equal" => with_columns("columns_equal"),
        "expect_column_pair_values_to_be_in_set" => {
            let pairs = arguments::required(kwargs, "value_pairs_set")?;
            let wrong = || arguments::wrong("value_pairs_set", "a list of pairs", pairs);
            let list = pairs.as_array().ok_or_else(wrong)?;
            if list.iter().any(|pair| pair.as_array().is_none_or(|pair| pair.len() != 2)) {
                return Err(wrong());
            }
            with_columns("column_pair_in").put("pairs", pairs.clone(), "/value_pairs_set")
        }
        _ => {
            let greater = Sentence::of_column_in("column_greater", kwargs, "column_A")?.put("than", right, "/column_B");
            greater.put_given(
                "or_equal",
                arguments::flag(kwargs, "or_equal")?.filter(|or_equal| *or_equal),
                "/or_equal",
            )
        }
    };
    let words = ["both_values_are_missing", "either_value_is_missing", "neither"];
    ignoring(sentence, kwargs, words)
}

/// Which rows with NULLs are left out; the library's default is to leave out those that have nothing else.
fn ignoring(sentence: Sentence, kwargs: &Kwargs, words: [&str; 3]) -> Result<Sentence, Problem> {
    let [_, any, never] = words;
    let word = match arguments::word(kwargs, "ignore_row_if", &words)? {
        Some(word) if word == any => "any_null",
        Some(word) if word == never => "never",
        Some(_) | None => "all_null",
    };
    Ok(sentence.put("ignore_row_if", word, "/ignore_row_if"))
}

fn of_aggregate(name: &str, kwargs: &Kwargs) -> Result<Sentence, Problem> {
    let column = |kind| Sentence::of_column(kind, kwargs);
    let bounded = |kind| column(kind)?.bounds(kwargs);
    match name {
        "expect_column_max_to_be_between" => bounded("max"),
        "expect_column_mean_to_be_between" => bounded("mean"),
        "expect_column_median_to_be_between" => bounded("median"),
        "expect_column_min_to_be_between" => bounded("min"),
        "expect_column_stdev_to_be_between" => bounded("stdev"),
        "expect_column_sum_to_be_between" => bounded("sum"),
        "expect_column_proportion_of_unique_values_to_be_between" => share("unique_share", kwargs),
        "expect_column_proportion_of_non_null_values_to_be_between" => share("non_null_share", kwargs),
        "expect_column_unique_value_count_to_be_between" => lengths(column("distinct_count")?, kwargs),
        "expect_column_distinct_values_to_be_in_set" => distinct(column("distinct_values")?, "within", kwargs),
        "expect_column_distinct_values_to_contain_set" => distinct(column("distinct_values")?, "contain", kwargs),
        "expect_column_distinct_values_to_equal_set" => distinct(column("distinct_values")?, "equal", kwargs),
        "expect_column_most_common_value_to_be_in_set" => {
            let common = with_values(column("most_common")?, kwargs)?;
            let ties = arguments::flag(kwargs, "ties_okay")?.filter(|okay| *okay);
            Ok(common.put_given("ties_okay", ties, "/ties_okay"))
        }
        "expect_column_to_exist" => {
            if let Some(index) = given(kwargs, "column_index") {
                return Err(arguments::wrong("column_index", "nothing that medc looks at", index)
                    .note("the library finds a column by its index only where that is not 0")
                    .help("use `expect_table_columns_to_match_ordered_list`, and remove `column_index`"));
            }
            column("column_exists")
        }
        "expect_column_type_to_be" => of_type(column("of_type")?, kwargs),
        _ => divergence(kwargs),
    }
}

/// Bounds of a share, which have no strict form in the catalogue.
fn share(kind: &'static str, kwargs: &Kwargs) -> Result<Sentence, Problem> {
    for strict in ["strict_min", "strict_max"] {
        if arguments::flag(kwargs, strict)? == Some(true) {
            let problem = format!("medc has no `{strict}` for a share");
            return Err(Problem::new(code::EXCHANGE_ARGUMENT, join_pointer("", strict), problem)
                .help("set it to `false`, and move the bound a little"));
        }
    }
    Sentence::of_column(kind, kwargs)?.bounds(kwargs)
}

fn distinct(sentence: Sentence, key: &str, kwargs: &Kwargs) -> Result<Sentence, Problem> {
    Ok(sentence.put(key, arguments::values(kwargs, "value_set")?, "/value_set"))
}

fn divergence(kwargs: &Kwargs) -> Result<Sentence, Problem> {
    let partition = arguments::required(kwargs, "partition_object").map_err(|problem| {
        problem.note("without it the library compares the rows with themselves, and any rows hold")
    })?;
    let threshold = arguments::number(kwargs, "threshold")?.ok_or_else(|| arguments::missing("threshold"))?;
    let mut sentence = Sentence::of_column("distribution", kwargs)?
        .put("measure", "kl_divergence", "/partition_object")
        .put("reference", partition_reference(partition)?, "/partition_object")
        .put("at_most", threshold, "/threshold");
    for (key, from) in [("tail_holdout", "tail_weight_holdout"), ("internal_holdout", "internal_weight_holdout")] {
        sentence = sentence.put_given(key, arguments::number(kwargs, from)?, &join_pointer("", from));
    }
    Ok(sentence)
}

/// Shares of categories or of bins.
fn partition_reference(partition: &Value) -> Result<Value, Problem> {
    let wrong = || {
        arguments::wrong("partition_object", "`{values, weights}` or `{bins, weights}`", partition)
            .help("give as many weights as values, or one fewer than bins")
    };
    let list = |key: &str| partition.get(key).and_then(Value::as_array).ok_or_else(wrong);
    let weights = list("weights")?;
    if partition.get("values").is_some() {
        let values = list("values")?;
        if values.len() != weights.len() {
            return Err(wrong());
        }
        let name = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let categories: Map<String, Value> = values.iter().map(name).zip(weights.iter().cloned()).collect();
        return Ok(json!({"categories": categories}));
    }
    let mut bins = json!({"edges": list("bins")?, "shares": weights});
    if let Some(tails) = partition.get("tail_weights").filter(|tails| !tails.is_null()) {
        let Some([below, above]) = tails.as_array().map(Vec::as_slice) else { return Err(wrong()) };
        bins["below"] = below.clone();
        bins["above"] = above.clone();
    }
    Ok(bins)
}

/// One sentence for each quantile.
fn quantiles(kwargs: &Kwargs) -> Result<Vec<Sentence>, Problem> {
    let ranges = arguments::required(kwargs, "quantile_ranges")?;
    let shape = || {
        arguments::wrong("quantile_ranges", "`{quantiles: […], value_ranges: [[low, high], …]}`", ranges)
            .help("give as many ranges as quantiles, each a pair")
    };
    let list = |key: &str| ranges.get(key).and_then(Value::as_array).ok_or_else(shape);
    let (levels, bounds) = (list("quantiles")?, list("value_ranges")?);
    if levels.len() != bounds.len() {
        return Err(shape());
    }
    let interpolation = match given(kwargs, "allow_relative_error") {
        None | Some(Value::Bool(_)) => "nearest",
        Some(_) => arguments::word(kwargs, "allow_relative_error", &["linear", "nearest"])?.unwrap_or("nearest"),
    };
    let mut sentences = Vec::with_capacity(levels.len());
    for (index, (level, range)) in levels.iter().zip(bounds).enumerate() {
        let Some([low, high]) = range.as_array().map(Vec::as_slice) else { return Err(shape()) };
        let here = format!("/quantile_ranges/value_ranges/{index}");
        let bound = |value: &Value| (!value.is_null()).then(|| value.clone());
        sentences.push(
            Sentence::of_column("quantile", kwargs)?
                .put("at", level.clone(), &format!("/quantile_ranges/quantiles/{index}"))
                .put_given("min", bound(low), &format!("{here}/0"))
                .put_given("max", bound(high), &format!("{here}/1"))
                .put("interpolation", interpolation, "/allow_relative_error"),
        );
    }
    Ok(sentences)
}

fn of_table(name: &str, kwargs: &Kwargs, binding: &Binding<'_>) -> Result<Sentence, Problem> {
    let of_columns = |kind| {
        let columns = arguments::texts(kwargs, "column_list")?;
        Ok::<_, Problem>(Sentence::of_table(kind).put("columns", columns, "/column_list"))
    };
    let words = ["all_values_are_missing", "any_value_is_missing", "never"];
    match name {
        "expect_compound_columns_to_be_unique" => ignoring(of_columns("unique")?, kwargs, words),
        "expect_multicolumn_sum_to_equal" => {
            let total = arguments::number(kwargs, "sum_total")?.ok_or_else(|| arguments::missing("sum_total"))?;
            let total = given(kwargs, "sum_total").cloned().unwrap_or_else(|| json!(total));
            ignoring(of_columns("columns_sum")?.put("equal", total, "/sum_total"), kwargs, words)
        }
        "expect_multicolumn_values_to_be_equal" => ignoring(of_columns("columns_equal")?, kwargs, words),
        "expect_select_column_values_to_be_unique_within_record" => {
            ignoring(of_columns("columns_distinct")?, kwargs, words)
        }
        "expect_table_column_count_to_be_between" => counted("column_count", kwargs),
        "expect_table_column_count_to_equal" => equal("column_count", kwargs),
        "expect_table_columns_to_match_ordered_list" => {
            let columns = arguments::texts(kwargs, "column_list")?;
            Ok(Sentence::of_table("columns").put("ordered", columns, "/column_list"))
        }
        "expect_table_columns_to_match_set" => {
            let exact = arguments::flag(kwargs, "exact_match")?.unwrap_or(true);
            let columns = arguments::texts(kwargs, "column_set")?;
            Ok(Sentence::of_table("columns").put("set", columns, "/column_set").put("exact", exact, "/exact_match"))
        }
        "expect_table_row_count_to_be_between" => counted("row_count", kwargs),
        "expect_table_row_count_to_equal" => equal("row_count", kwargs),
        "expect_table_row_count_to_equal_other_table" => {
            let other = arguments::text(kwargs, "other_table_name")?;
            // A bare name is a table of the same schema to the library.
            let beside = TableName::new(&binding.table.layer, other);
            let found = if binding.tables.contains(&beside) {
                Ok(beside)
            } else {
                checkpoint::find_table(other, binding.tables)
            };
            let table = found.map_err(|found| Problem {
                code: code::UNKNOWN_TABLE,
                pointer: "/other_table_name".to_owned(),
                message: found.message,
                note: found.note,
                help: found.help,
                fix: found.fix,
            })?;
            Ok(Sentence::of_table("row_count").put("equal_to", table.to_string(), "/other_table_name"))
        }
        _ => rows_of_query(kwargs, binding),
    }
}

/// Both bounds of a count, with 0 and the greatest for one that is not given.
fn counted(kind: &'static str, kwargs: &Kwargs) -> Result<Sentence, Problem> {
    let (min, max) = whole_bounds(kwargs)?;
    let greatest = i64::MAX.unsigned_abs();
    let from = if max.is_some() && min.is_none() { "/max_value" } else { "/min_value" };
    Ok(Sentence::of_table(kind).put("between", json!([min.unwrap_or(0), max.unwrap_or(greatest)]), from))
}

fn equal(kind: &'static str, kwargs: &Kwargs) -> Result<Sentence, Problem> {
    let count = arguments::count(kwargs, "value")?.ok_or_else(|| arguments::missing("value"))?;
    Ok(Sentence::of_table(kind).put("equal", count, "/value"))
}

/// A query whose rows violate; `{batch}` stands for the rows under test.
fn rows_of_query(kwargs: &Kwargs, binding: &Binding<'_>) -> Result<Sentence, Problem> {
    let query = arguments::text(kwargs, "unexpected_rows_query")?;
    let table = binding.table.to_string();
    let rows = match condition::sql(kwargs)? {
        Some(condition) => format!("(SELECT * FROM {table} WHERE {condition})"),
        None => table,
    };
    let query = with_batch(query, &rows)?;
    Ok(Sentence::of_table("query").put("sql", query.trim_end().trim_end_matches(';'), "/unexpected_rows_query"))
}

/// The query with the rows in place of `{batch}`. It is a format string of Python's, in which a brace is written twice.
fn with_batch(query: &str, rows: &str) -> Result<String, Problem> {
    let mut filled = String::with_capacity(query.len());
    let mut rest = query;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, brace) = rest.split_at(at);
        filled.push_str(before);
        let meanings = [("{batch}", rows), ("{{", "{"), ("}}", "}")];
        let known = meanings.iter().find_map(|(written, meant)| Some((brace.strip_prefix(written)?, meant)));
        let Some((after, meant)) = known else {
            let problem = "medc fills `{batch}` in a query, and no other part in braces";
            return Err(Problem::new(code::EXCHANGE_ARGUMENT, "/unexpected_rows_query", problem)
                .note("to the library, the query is a format string of Python's")
                .help("write a brace that belongs to the query twice: `{{` and `}}`"));
        };
        filled.push_str(meant);
        rest = after;
    }
    Ok(filled + rest)
}
