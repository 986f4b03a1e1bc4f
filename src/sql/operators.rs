//! Operators and type names with Spark's meaning, where DataFusion's is another.
//!
//! `/` never divides integers: it gives a double (or a decimal), and a zero divisor fails (Spark: `Divide` under ANSI).
//! `DIV` gives a bigint. A sum, difference or product of integers or decimals that does not fit its type fails. A string
//! compared with a number, date or timestamp is cast to that type, so that a bad text fails instead of being compared as
//! text (Spark: `AnsiTypeCoercion`). Type names in casts are read as Databricks'.

use std::sync::{Arc, LazyLock};

use deltalake::arrow::array::{Array, AsArray, Float64Array};
use deltalake::arrow::compute::kernels::numeric;
use deltalake::arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, FieldRef};
use deltalake::arrow::error::ArrowError;
use deltalake::datafusion::common::datatype::DataTypeExt;
use deltalake::datafusion::common::{DFSchema, Result, cast::as_float64_array};
use deltalake::datafusion::logical_expr::expr::ScalarFunction;
use deltalake::datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr, TypePlanner};
use deltalake::datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, cast, lit,
};
use deltalake::datafusion::physical_expr_common::datum::apply;
use deltalake::datafusion::scalar::ScalarValue;
use deltalake::datafusion::sql::sqlparser::ast::{self, BinaryOperator};

use crate::ir;
use crate::sql::types;

/// Plans binary operators as Spark does.
#[derive(Debug)]
pub(super) struct SparkOperators;

impl ExprPlanner for SparkOperators {
    fn plan_binary_op(&self, raw: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        match raw.op {
            BinaryOperator::Divide => Ok(divide(raw, schema)),
            BinaryOperator::MyIntegerDivide => Ok(PlannerResult::Planned(binary(
                cast(raw.left, DataType::Int64),
                Operator::Divide,
                cast(raw.right, DataType::Int64),
            ))),
            BinaryOperator::Plus | BinaryOperator::Minus | BinaryOperator::Multiply => Ok(compute(raw, schema)),
            BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq => Ok(PlannerResult::Original(compare(raw, schema))),
            _ => Ok(PlannerResult::Original(raw)),
        }
    }
}

fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
}

fn is_decimal(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal128(..) | DataType::Decimal256(..))
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn divide(raw: RawBinaryExpr, schema: &DFSchema) -> PlannerResult<RawBinaryExpr> {
    let (Ok(left), Ok(right)) = (raw.left.get_type(schema), raw.right.get_type(schema)) else {
        return PlannerResult::Original(raw);
    };
    let divisible = |data_type: &DataType| data_type.is_numeric() || data_type.is_null();
    if !divisible(&left) || !divisible(&right) {
        return PlannerResult::Original(raw);
    }
    if (is_decimal(&left) && !right.is_floating()) || (is_decimal(&right) && !left.is_floating()) {
        return PlannerResult::Original(raw);
    }
    let (dividend, divisor) = (as_double(raw.left, &left), as_double(raw.right, &right));
    PlannerResult::Planned(match &divisor {
        Expr::Literal(ScalarValue::Float64(Some(value)), _) if *value != 0.0 => {
            binary(dividend, Operator::Divide, divisor)
        }
        _ => Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&CHECKED_DIVIDE), vec![dividend, divisor])),
    })
}

/// Sums, differences and products of integers; DataFusion's own wrap around in silence.
fn compute(raw: RawBinaryExpr, schema: &DFSchema) -> PlannerResult<RawBinaryExpr> {
    let (Ok(left), Ok(right)) = (raw.left.get_type(schema), raw.right.get_type(schema)) else {
        return PlannerResult::Original(raw);
    };
    if is_decimal(&left) || is_decimal(&right) {
        return within_digits(raw, schema);
    }
    if !left.is_signed_integer() || !right.is_signed_integer() {
        return PlannerResult::Original(raw);
    }
    let function = match raw.op {
        BinaryOperator::Plus => &CHECKED_PLUS,
        BinaryOperator::Minus => &CHECKED_MINUS,
        _ => &CHECKED_TIMES,
    };
    let arguments = vec![raw.left, raw.right];
    PlannerResult::Planned(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(function), arguments)))
}

/// Arithmetic of decimals whose type has all 38 digits: Arrow looks at its 128 bits only, which hold some numbers of 39.
fn within_digits(raw: RawBinaryExpr, schema: &DFSchema) -> PlannerResult<RawBinaryExpr> {
    let op = match raw.op {
        BinaryOperator::Plus => Operator::Plus,
        BinaryOperator::Minus => Operator::Minus,
        _ => Operator::Multiply,
    };
    let computed = binary(raw.left.clone(), op, raw.right.clone());
    match computed.get_type(schema) {
        Ok(DataType::Decimal128(DECIMAL128_MAX_PRECISION, _)) => PlannerResult::Planned(Expr::ScalarFunction(
            ScalarFunction::new_udf(Arc::clone(&WITHIN_DIGITS), vec![computed]),
        )),
        _ => PlannerResult::Original(raw),
    }
}

fn as_double(expr: Expr, data_type: &DataType) -> Expr {
    #[expect(clippy::cast_precision_loss, reason = "a bigint literal becomes the nearest double, as in Spark")]
    match &expr {
        Expr::Literal(ScalarValue::Int64(Some(value)), _) => lit(*value as f64),
        _ if *data_type == DataType::Float64 => expr,
        _ => cast(expr, DataType::Float64),
    }
}

fn compare(mut raw: RawBinaryExpr, schema: &DFSchema) -> RawBinaryExpr {
    let (Ok(left), Ok(right)) = (raw.left.get_type(schema), raw.right.get_type(schema)) else { return raw };
    if is_text(&left) && !is_text(&right) {
        if let Some(target) = text_becomes(&right) {
            raw.left = cast(raw.left, target);
        }
    } else if is_text(&right)
        && !is_text(&left)
        && let Some(target) = text_becomes(&left)
    {
        raw.right = cast(raw.right, target);
    }
    raw
}

/// The type that a string takes beside another in a comparison (Spark 4: `AnsiTypeCoercion.findWiderTypeForString`).
fn text_becomes(other: &DataType) -> Option<DataType> {
    Some(match other {
        _ if other.is_integer() => DataType::Int64,
        _ if other.is_floating() || is_decimal(other) => DataType::Float64,
        DataType::Boolean | DataType::Date32 | DataType::Timestamp(..) => other.clone(),
        _ => return None,
    })
}

/// Reads type names as Databricks': `timestamp` has a zone and microseconds, `long`, `binary`, `map<…>` exist.
#[derive(Debug)]
pub(super) struct SparkTypes;

impl TypePlanner for SparkTypes {
    fn plan_type_field(&self, sql_type: &ast::DataType) -> Result<Option<FieldRef>> {
        let arrow = match sql_type {
            ast::DataType::BigInt(None) => Some(DataType::Int64),
            ast::DataType::Double(ast::ExactNumberInfo::None) => Some(DataType::Float64),
            ast::DataType::Interval { .. } => None,
            other => ir::DataType::parse(&other.to_string()).ok().map(|data_type| types::to_arrow(&data_type)),
        };
        Ok(arrow.map(DataTypeExt::into_nullable_field_ref))
    }
}

static CHECKED_DIVIDE: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    Arc::new(ScalarUDF::new_from_impl(CheckedDivide {
        signature: Signature::exact(vec![DataType::Float64, DataType::Float64], Volatility::Immutable),
    }))
});

static CHECKED_PLUS: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| checked(Arithmetic::Plus));
static CHECKED_MINUS: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| checked(Arithmetic::Minus));
static CHECKED_TIMES: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| checked(Arithmetic::Times));

fn checked(operation: Arithmetic) -> Arc<ScalarUDF> {
    let signature = Signature::comparable(2, Volatility::Immutable);
    Arc::new(ScalarUDF::new_from_impl(CheckedArithmetic { signature, operation }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Arithmetic {
    Plus,
    Minus,
    Times,
}

/// Arithmetic of two integers of one type that fails where the result does not fit it (Spark's ANSI mode).
#[derive(Debug, PartialEq, Eq, Hash)]
struct CheckedArithmetic {
    signature: Signature,
    operation: Arithmetic,
}

impl ScalarUDFImpl for CheckedArithmetic {
    fn name(&self) -> &'static str {
        match self.operation {
            Arithmetic::Plus => "+",
            Arithmetic::Minus => "-",
            Arithmetic::Times => "*",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments.first().cloned().unwrap_or(DataType::Int64))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = args.args.as_slice() else {
            return Err(ArrowError::InvalidArgumentError(format!("`{}` takes two numbers", self.name())).into());
        };
        match self.operation {
            Arithmetic::Plus => apply(left, right, numeric::add),
            Arithmetic::Minus => apply(left, right, numeric::sub),
            Arithmetic::Times => apply(left, right, numeric::mul),
        }
    }
}

static WITHIN_DIGITS: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    Arc::new(ScalarUDF::new_from_impl(WithinDigits { signature: Signature::any(1, Volatility::Immutable) }))
});

/// A decimal, which fails where it has more digits than its type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct WithinDigits {
    signature: Signature,
}

impl ScalarUDFImpl for WithinDigits {
    fn name(&self) -> &'static str {
        "within_digits"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments.first().cloned().unwrap_or(DataType::Null))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = args.args.as_slice() else {
            return Err(ArrowError::InvalidArgumentError("one decimal is looked at".to_owned()).into());
        };
        let array = value.to_array(args.number_rows)?;
        if let DataType::Decimal128(precision, scale) = array.data_type() {
            let decimals = array.as_primitive::<Decimal128Type>();
            decimals.validate_decimal_precision(*precision).map_err(|_| {
                ArrowError::ArithmeticOverflow(format!("A result has more digits than `decimal({precision},{scale})`"))
            })?;
        }
        Ok(value.clone())
    }
}

/// Division of doubles that fails on a zero divisor, unless the dividend is NULL.
#[derive(Debug, PartialEq, Eq, Hash)]
struct CheckedDivide {
    signature: Signature,
}

impl ScalarUDFImpl for CheckedDivide {
    fn name(&self) -> &'static str {
        "/"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [dividend, divisor] = arrays.as_slice() else {
            return Err(ArrowError::InvalidArgumentError("`/` takes two numbers".to_owned()).into());
        };
        let (dividend, divisor) = (as_float64_array(dividend)?, as_float64_array(divisor)?);
        let zero = dividend.iter().zip(divisor).any(|pair| matches!(pair, (Some(_), Some(value)) if value == 0.0));
        if zero {
            return Err(ArrowError::DivideByZero.into());
        }
        let quotient: Float64Array = deltalake::arrow::compute::binary(dividend, divisor, |left, right| left / right)?;
        Ok(ColumnarValue::Array(Arc::new(quotient)))
    }
}
