//! Errors at their bytes, and lineage, over statements as people write them.

use crate::ir::{Column, DataType, Schema};
use crate::sql::bind::{Aggregates, Row, TypedQuery, Typer, type_expression, type_query};
use crate::sql::lineage::Transformation;
use crate::sql::parse::{ErrorKind, SqlError, parse_expression, parse_query};

fn schema(columns: &[(&str, &str)]) -> Schema {
    let columns = columns.iter().map(|(name, data_type)| Column {
        name: (*name).to_owned(),
        data_type: DataType::parse(data_type).expect("a type"),
        nullable: true,
    });
    Schema { columns: columns.collect() }
}

fn type_text(text: &str) -> Result<TypedQuery, Vec<SqlError>> {
    let orders = schema(&[
        ("order_id", "string"),
        ("customer_id", "bigint"),
        ("Amount", "decimal(18,2)"),
        ("quantity", "int"),
        ("order_ts", "timestamp"),
        ("status", "string"),
    ]);
    let customers = schema(&[("customer_id", "bigint"), ("name", "string"), ("status", "string"), ("vip", "boolean")]);
    let query = parse_query(text).map_err(|error| vec![error])?;
    let typer = Typer::default();
    type_query(&typer, &query, &|name| match name.to_string().as_str() {
        "silver.orders" => Some(&orders),
        "silver.customers" => Some(&customers),
        _ => None,
    })
}

fn columns(text: &str) -> Vec<String> {
    let typed = type_text(text).unwrap_or_else(|errors| panic!("{text}: {errors:#?}"));
    typed
        .columns
        .iter()
        .map(|column| {
            let data_type = column.data_type.as_ref().map_or("void".to_owned(), DataType::to_string);
            format!("{} {data_type}", column.name)
        })
        .collect()
}

/// Asserts the errors as (kind, marked text), and that each fix, alone, leaves one error fewer.
#[track_caller]
fn fails(text: &str, expected: &[(ErrorKind, &str)]) {
    let errors = type_text(text).expect_err(text);
    let found: Vec<(ErrorKind, &str)> = errors.iter().map(|error| (error.kind, &text[error.range.clone()])).collect();
    assert_eq!(found, expected, "{text}: {errors:#?}");
    for error in &errors {
        if let Some(fix) = &error.fix {
            let fixed = format!("{}{fix}{}", &text[..error.range.start], &text[error.range.end..]);
            let left = type_text(&fixed).err().unwrap_or_default();
            assert!(left.len() < errors.len(), "{fixed}: {left:#?}");
        }
    }
}

use ErrorKind::{
    AmbiguousColumn, DuplicateColumn, FunctionArguments, Invalid, NotGrouped, Statement, Syntax, Type, UnknownColumn,
    UnknownFunction, UnknownTable, Unsupported,
};

#[test]
fn unknown_tables_are_marked() {
    fails("select * from silver.ordrs", &[(UnknownTable, "silver.ordrs")]);
    fails(
        "select * from silver.orders o join nowhere n on true join a.b.c on true",
        &[(UnknownTable, "nowhere"), (UnknownTable, "a.b.c")],
    );
}

#[test]
fn unknown_columns_are_marked() {
    fails("select amout from silver.orders", &[(UnknownColumn, "amout")]);
    fails("select o.amout from silver.orders o", &[(UnknownColumn, "amout")]);
    fails("select x.amount from silver.orders o", &[(UnknownColumn, "x")]);
    fails(
        "select upper(statu) as s, quantty + 1 as q from silver.orders where custmer_id > 3",
        &[(UnknownColumn, "statu"), (UnknownColumn, "quantty"), (UnknownColumn, "custmer_id")],
    );
    fails(
        "with t as (select order_id as id from silver.orders) select order_id from t",
        &[(UnknownColumn, "order_id")],
    );
    fails(
        "select 1 as one from silver.orders o join silver.customers c on o.custmer_id = c.customer_id",
        &[(UnknownColumn, "custmer_id")],
    );
    fails(
        "select count(*) as n from silver.orders join silver.customers using (customer)",
        &[(UnknownColumn, "customer")],
    );
    fails("select status from silver.orders group by statu", &[(UnknownColumn, "statu")]);
    fails("select status from silver.orders order by statu", &[(UnknownColumn, "statu")]);
    fails(
        "select * from silver.orders o where exists (select 1 from silver.customers c where c.customer_id = o.custmer_id)",
        &[(UnknownColumn, "custmer_id")],
    );
    fails("select (select max(nme) from silver.customers) as m from silver.orders", &[(UnknownColumn, "nme")]);
    fails(
        "with a as (select nope_nope from silver.orders), b as (select * from a) select * from b",
        &[(UnknownColumn, "nope_nope")],
    );
}

#[test]
fn ambiguous_columns_are_marked() {
    fails(
        "select customer_id from silver.orders o join silver.customers c on o.customer_id = c.customer_id",
        &[(AmbiguousColumn, "customer_id")],
    );
    fails(
        "select o.order_id from silver.orders o join silver.customers c on o.customer_id = c.customer_id where status = 'paid'",
        &[(AmbiguousColumn, "status")],
    );
}

#[test]
fn functions_are_marked() {
    fails("select uper(status) as s from silver.orders", &[(UnknownFunction, "uper")]);
    fails("select sum(status) as s from silver.orders", &[(FunctionArguments, "sum(status)")]);
    fails("select upper() as s from silver.orders", &[(FunctionArguments, "upper()")]);
    fails("select round(status, 1, 2) as s from silver.orders", &[(FunctionArguments, "round(status, 1, 2)")]);
}

#[test]
fn types_are_marked() {
    fails("select 1 as x from silver.orders where quantity", &[(Type, "quantity")]);
    fails("select quantity + status as x from silver.orders", &[(Type, "quantity + status")]);
    fails("select not status as x from silver.orders", &[(Type, "not status")]);
    fails("select order_ts * 2 as x from silver.orders", &[(Type, "order_ts * 2")]);
    fails("select cast(order_ts as array<int>) as x from silver.orders", &[(Type, "cast(order_ts as array<int>)")]);
    fails("select 1 as x from silver.orders o join silver.customers c on o.quantity + 1", &[(Type, "o.quantity + 1")]);
    fails(
        "select status from silver.orders union all select status, name from silver.customers",
        &[(Type, "select status, name from silver.customers")],
    );
    fails("select vip = order_ts as x from silver.orders, silver.customers", &[(Type, "vip = order_ts")]);
    fails("select quantity and vip as x from silver.orders, silver.customers", &[(Type, "quantity and vip")]);
}

#[test]
fn mixtures_of_types_are_marked() {
    fails("select case when status then 1 else 2 end as x from silver.orders", &[(Type, "status")]);
    fails(
        "select case when vip then 1 else name end as x from silver.customers",
        &[(Type, "case when vip then 1 else name end")],
    );
    fails("select coalesce(quantity, 'none') as x from silver.orders", &[(Type, "coalesce(quantity, 'none')")]);
    fails("select 1 as x from silver.orders where status in (1, 2)", &[(Type, "status in (1, 2)")]);
    fails(
        "select quantity as x from silver.orders union all select order_ts from silver.orders",
        &[(Type, "select order_ts from silver.orders")],
    );
    fails(
        "select max(order_ts) - min(order_ts) as x from silver.orders",
        &[(Unsupported, "max(order_ts) - min(order_ts) as x")],
    );
    assert_eq!(
        columns(
            "select order_ts between '2024-01-01' and '2024-02-01' as x, date_add(order_ts, 1) as y from silver.orders"
        ),
        ["x boolean", "y date"]
    );
}

#[test]
fn rows_and_groups_are_told_apart() {
    fails("select status from silver.orders where sum(quantity) > 1", &[(Invalid, "sum(quantity)")]);
    fails(
        "select status from silver.orders where row_number() over (order by status) = 1",
        &[(Invalid, "row_number() over (order by status)")],
    );
    fails("select status from silver.orders order by 5", &[(Invalid, "5")]);
    fails("select o.*, c.* from silver.orders o, silver.customers c", &[(DuplicateColumn, "o.*")]);
}

#[test]
fn ungrouped_columns_are_marked() {
    fails(
        "select status, customer_id, count(*) as n from silver.orders group by status",
        &[(NotGrouped, "customer_id")],
    );
    fails("select upper(status) as s, count(*) as n from silver.orders", &[(NotGrouped, "status")]);
    fails(
        "select status, quantity + 1 as q, order_id from silver.orders group by 1",
        &[(NotGrouped, "quantity"), (NotGrouped, "order_id")],
    );
}

#[test]
fn output_columns_have_one_name_each() {
    fails("select status, status from silver.orders", &[(DuplicateColumn, "status")]);
    fails("select status, order_id as Status from silver.orders", &[(DuplicateColumn, "order_id as Status")]);
    fails("select o.status, c.status from silver.orders o, silver.customers c", &[(DuplicateColumn, "c.status")]);
    fails("select *, 1 as status from silver.orders", &[(DuplicateColumn, "1 as status")]);
    fails("select upper(status) from silver.orders", &[(Invalid, "upper(status)")]);
}

#[test]
fn statements_and_syntax_are_marked() {
    fails("drop table silver.orders", &[(Statement, "drop")]);
    fails("select 1 as a; select 2 as b", &[(Statement, "select")]);
    fails("-- nothing", &[(Statement, "-- nothing")]);
    fails("select order_id, from silver.orders", &[(Syntax, ",")]);
    fails("select order_id from silver.orders where", &[(Syntax, "where")]);
    fails("selct order_id from silver.orders", &[(Syntax, "selct")]);
    fails("select order_id form silver.orders", &[(Syntax, "form")]);
    fails("select order_id\nfrom silver.orders\nwhere quantity > (1", &[(Syntax, "1")]);
    fails("select 'abc as x from silver.orders", &[(Syntax, "'abc as x from silver.orders")]);
    fails("select 1.5D as x", &[(Unsupported, "1.5D")]);
}

#[test]
fn what_would_compute_something_else_is_refused() {
    fails("select date_format(order_ts, 'yyyy') as x from silver.orders", &[(Unsupported, "date_format")]);
    fails("select to_date(status, 'dd/MM/yyyy') as x from silver.orders", &[(Unsupported, "to_date")]);
    fails("select cast(order_ts as string) as x from silver.orders", &[(Unsupported, "cast(order_ts as string)")]);
    fails("select 1 as x from silver.orders where status rlike '(?=a)'", &[(Unsupported, "'(?=a)'")]);
    fails("select arrow_typeof(status) as x from silver.orders", &[(UnknownFunction, "arrow_typeof")]);
    fails("select * from silver.orders tablesample (10 percent)", &[(Unsupported, "silver.orders")]);
    fails("select explode(array(1)) as x from silver.orders", &[(Unsupported, "explode")]);
    assert_eq!(
        columns("select status rlike '^a+$' as x, status not rlike 'b' as y from silver.orders"),
        ["x boolean", "y boolean"]
    );
    assert_eq!(
        columns("select to_date(status) as d, current_timestamp() as t, current_date as c from silver.orders"),
        ["d date", "t timestamp", "c date"]
    );
}

#[test]
fn aliases_of_the_same_select_are_refused() {
    fails("select quantity + 1 as q, q * 2 as r from silver.orders", &[(Unsupported, "q")]);
}

#[test]
fn spark_types_come_out() {
    assert_eq!(
        columns(
            "select 1 as a, quantity + 1 as b, customer_id + 1 as c, 3000000000 as d, quantity / 2 as e, 1.5 as f, null as g, count(*) as h from silver.orders group by 2, 3, 5"
        ),
        ["a int", "b int", "c bigint", "d bigint", "e double", "f decimal(2,1)", "g void", "h bigint"]
    );
    assert_eq!(
        columns(
            "select sum(Amount) as total, avg(amount) as mean, max(order_ts) as last, `STATUS`, case when quantity > 1 then 1 else 0 end as flag from silver.orders group by status, quantity"
        ),
        ["total decimal(28,2)", "mean decimal(22,6)", "last timestamp", "STATUS string", "flag int"]
    );
    assert_eq!(
        columns("select * except (status, order_ts) from silver.orders"),
        ["order_id string", "customer_id bigint", "Amount decimal(18,2)", "quantity int"]
    );
    assert_eq!(
        columns(
            "select cast(order_ts as date) as d, date '2024-01-01' as e, quantity div 2 as f, cast(x as timestamp_ntz) as g from (select *, '2024-01-01' x from silver.orders)"
        ),
        ["d date", "e date", "f bigint", "g timestamp_ntz"]
    );
    assert_eq!(columns("select \"text\" as a, 'it\\'s' as b"), ["a string", "b string"]);
}

fn lineage(text: &str) -> Vec<String> {
    let typed = type_text(text).unwrap_or_else(|errors| panic!("{text}: {errors:#?}"));
    typed
        .columns
        .iter()
        .map(|column| {
            let sources: Vec<String> = column
                .lineage
                .sources
                .iter()
                .map(|source| format!("{}.{}", source.table.replace("silver.", ""), source.column))
                .collect();
            let mark = match column.lineage.transformation {
                Transformation::Identity => "=",
                Transformation::Expression => "~",
                Transformation::Aggregation => "#",
            };
            format!("{} {mark} {}", column.name, sources.join(" "))
        })
        .collect()
}

#[test]
fn lineage_goes_through_everything() {
    assert_eq!(
        lineage(
            "with paid as (select * from silver.orders where status = 'paid'), \
             totals as (select customer_id, sum(amount) as total, count(*) as n from paid group by customer_id) \
             select c.name, t.total as spent, t.total / t.n as mean, coalesce(c.status, 'new') as status \
             from totals t left join silver.customers c on t.customer_id = c.customer_id"
        ),
        ["name = customers.name", "spent # orders.Amount", "mean # orders.Amount", "status ~ customers.status",]
    );
    assert_eq!(
        lineage("select status from silver.orders union all select name from silver.customers"),
        ["status = customers.name orders.status"]
    );
    assert_eq!(
        lineage(
            "select order_id, row_number() over (partition by customer_id order by order_ts) as rank, \
             lag(amount) over (order by order_ts) as previous, \
             case when quantity > 1 then status else 'one' end as label, \
             (select max(name) from silver.customers c where c.customer_id = o.customer_id) as top \
             from silver.orders o"
        ),
        [
            "order_id = orders.order_id",
            "rank # orders.customer_id orders.order_ts",
            "previous # orders.Amount",
            "label ~ orders.quantity orders.status",
            "top # customers.name",
        ]
    );
    assert_eq!(
        lineage("select distinct x.* from (select vip, cast(status as int) s from silver.customers) x"),
        ["vip = customers.vip", "s ~ customers.status"]
    );
}

#[test]
fn grouping_keys_are_unique() {
    let typed = type_text("select t.s as key, t.n from (select status as s, count(*) as n from silver.orders group by status) t where n > 1")
        .expect("types");
    assert!(typed.aggregates);
    assert_eq!(typed.unique, [["key".to_owned()].into()]);
}

fn expression(text: &str) -> Result<String, Vec<(ErrorKind, String)>> {
    let row = schema(&[("Qty", "int"), ("price", "double"), ("name", "string"), ("at", "timestamp")]);
    let marked = |errors: Vec<SqlError>| {
        errors.into_iter().map(|error| (error.kind, text[error.range].to_owned())).collect::<Vec<_>>()
    };
    let parsed = parse_expression(text).map_err(|error| marked(vec![error]))?;
    let typed = type_expression(&Typer::default(), &parsed, &Row::new(&row), Aggregates::Refused).map_err(marked)?;
    Ok(format!("{} {}", typed.data_type.map_or("void".to_owned(), |t| t.to_string()), typed.columns.join(" ")))
}

#[test]
fn expressions_are_typed_over_a_row() {
    assert_eq!(expression("qty > 0 AND price >= 0"), Ok("boolean Qty price".to_owned()));
    assert_eq!(expression("trim(name)"), Ok("string name".to_owned()));
    assert_eq!(expression("qty > 0 AND prise > 1"), Err(vec![(UnknownColumn, "prise".to_owned())]));
    assert_eq!(expression("qty + name"), Err(vec![(Type, "qty + name".to_owned())]));
    assert_eq!(expression("sum(qty)"), Err(vec![(Unsupported, "sum(qty)".to_owned())]));
    assert_eq!(expression("qty > 0 qty"), Err(vec![(Syntax, "qty".to_owned())]));
    assert_eq!(expression("at > '2024-01-01'"), Ok("boolean at".to_owned()));
}
