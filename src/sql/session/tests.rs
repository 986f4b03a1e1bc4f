//! Values, where Spark's are known and DataFusion's would be others.

use deltalake::arrow::util::display::{ArrayFormatter, FormatOptions};

use super::*;
use crate::sql::parse::parse_query;

fn value(text: &str) -> std::result::Result<String, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let context = context(Options::default());
        let query = parse_query(text).map_err(|error| error.message)?;
        let plan = plan_query(&context.state(), &query).await.map_err(|error| format!("plan: {error}"))?;
        let frame = context.execute_logical_plan(plan).await.map_err(|error| format!("plan: {error}"))?;
        let batches = frame.collect().await.map_err(|error| format!("run: {error}"))?;
        let mut shown = Vec::new();
        for batch in &batches {
            for row in 0..batch.num_rows() {
                let cells = batch.columns().iter().map(|column| {
                    let options = FormatOptions::default().with_null("NULL");
                    let formatter = ArrayFormatter::try_new(column, &options).expect("a printable type");
                    formatter.value(row).to_string()
                });
                shown.push(cells.collect::<Vec<_>>().join(" "));
            }
        }
        Ok(shown.join("; "))
    })
}

#[test]
fn values_are_sparks() {
    for (text, expected) in [
        ("select 3 / 2, 7 div 2", "1.5 3"),
        ("select a / b from (values (1, 2), (null, 0)) as t(a, b)", "0.5; NULL"),
        ("select x from (values (2), (null), (1)) as t(x) order by x", "NULL; 1; 2"),
        ("select x from (values (2), (null), (1)) as t(x) order by x desc", "2; 1; NULL"),
        ("select '10' > 9, '9' < 10", "true true"),
        ("select 'it\\'s', \"two\", 'a\\\\b'", "it's two a\\b"),
        ("select year(date '2024-03-01'), quarter(date '2024-05-01'), dayofyear(date '2024-02-01')", "2024 2 32"),
        ("select instr('hello', 'l'), startswith('ab', 'a'), lcase('AB')", "3 true ab"),
        ("select 'abc' rlike '^a', 'abc' not rlike 'z'", "true true"),
        (
            "select avg(x) from (values (cast(1.10 as decimal(10,2))), (cast(2.21 as decimal(10,2)))) as t(x)",
            "1.655000",
        ),
        (
            "select k, avg(x) from (values (1, 1.00), (1, 1.00), (1, 3.00), (2, -1.00), (2, -1.00), (2, -3.00), (3, null)) as t(k, x) \
             group by k order by k",
            "1 1.666667; 2 -1.666667; 3 NULL",
        ),
        (
            "select avg(x) over (order by k rows between 2 preceding and current row) from \
             (values (1, 1.0), (2, 1.0), (3, 3.0), (4, 4.0)) as t(k, x)",
            "1.00000; 1.00000; 1.66667; 2.66667",
        ),
        ("select avg(x), mean(x) from (values (1), (2)) as t(x)", "1.5 1.5"),
        ("select cast('2024-01-02 03:04:05' as timestamp) = timestamp '2024-01-02 03:04:05'", "true"),
        ("select coalesce(null, 1), nullif(1, 1), if(true, 1, 2)", "1 NULL 1"),
        ("select concat('a', null), concat_ws('-', 'a', null, 'b')", "NULL a-b"),
        ("select try_cast('x' as int)", "NULL"),
        ("select round(2.5) = 3, round(-2.5) = -3, round(1.25, 1) = 1.3", "true true true"),
        ("select count(*) from (select 1 as a union all select 1) t", "2"),
        ("select sum(x) from (values (cast(9 as bigint)), (null), (-10)) as t(x)", "-1"),
        (
            "select k, sum(x) from (values (1, 0.10), (1, 0.20), (2, null)) as t(k, x) group by k order by k",
            "1 0.30; 2 NULL",
        ),
        (
            "select sum(x) over (order by k rows between 1 preceding and current row) from \
             (values (1, 1.5), (2, 2.5), (3, 4.0)) as t(k, x)",
            "1.5; 4.0; 6.5",
        ),
        ("select sum(x) from (values (1)) as t(x) where x > 1", "NULL"),
        (
            "select x > 0.5, x < 2.5, x between 0.5 and 2.5, x in (1.5, 2), x is distinct from 1.5, case x when 1.5 then 1 end \
             from (values (cast('NaN' as double)), (cast(1.5 as double)), (cast('1e300' as double))) as t(x)",
            "true false false false true NULL; true true true true false 1; true false false false true NULL",
        ),
        (
            "select x = 0.30000000000000004, x = 0.3, x = 12345.678901234567, 0.1234567890123456789 = x from \
             (values (cast('0.30000000000000004' as double)), (cast('12345.678901234567' as double))) as t(x)",
            "true false false false; false false true false",
        ),
        ("select sum(distinct x) from (values (1.5), (1.5), (2.0)) as t(x)", "3.5"),
    ] {
        assert_eq!(value(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_fails_on_spark_fails() {
    for text in [
        "select sum(x) from (values (9223372036854775807), (1)) as t(x)",
        "select k, sum(x) from (values (1, 9223372036854775807), (1, 1)) as t(k, x) group by k",
        "select sum(cast(x as decimal(38,0))) from (values ('90000000000000000000000000000000000000'), \
         ('90000000000000000000000000000000000000')) as t(x)",
        "select k, sum(cast(x as decimal(38,0))) from (values (1, '60000000000000000000000000000000000000'), \
         (1, '60000000000000000000000000000000000000')) as t(k, x) group by k",
        "select cast(9223372036854775807 as bigint) + cast(1 as bigint)",
        "select cast('60000000000000000000000000000000000000' as decimal(38,0)) * 2",
        "select cast('60000000000000000000000000000000000000' as decimal(38,0)) + \
         cast('60000000000000000000000000000000000000' as decimal(38,0))",
        "select a / b from (values (1, 0)) as t(a, b)",
        "select a div b from (values (1, 0)) as t(a, b)",
        "select cast(x as int) from (values ('abc')) as t(x)",
        "select cast(x as tinyint) from (values (300)) as t(x)",
        "select cast(x as decimal(3,1)) from (values (123.45)) as t(x)",
        "select cast(x as date) from (values ('2024-02-30')) as t(x)",
        "select x > 1 from (values ('abc')) as t(x)",
    ] {
        let failure = value(text).expect_err(text);
        assert!(failure.starts_with("run: "), "{text}: {failure}");
    }
}

#[test]
fn long_and_deep_expressions_do_not_overflow_the_stack() {
    let typer = crate::sql::bind::Typer::default();
    for (n_operands, is_typed) in [(300, true), (5_000, false), (200_000, false)] {
        let text = format!("select {} as x", vec!["1"; n_operands].join(" + "));
        let typed =
            parse_query(&text).is_ok_and(|query| crate::sql::bind::type_query(&typer, &query, &|_| None).is_ok());
        assert_eq!(typed, is_typed, "{n_operands}");
    }
    let nested = format!("select {}1{} as x", "(".repeat(2_000), ")".repeat(2_000));
    assert!(parse_query(&nested).is_err());
}
