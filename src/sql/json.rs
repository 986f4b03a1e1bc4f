//! `try_parse_json(text)`: whether a text is JSON.
//!
//! Databricks gives a VARIANT, or NULL for what is no JSON. There are no variants here, so the function is usable as the
//! operand of `IS NULL` and `IS NOT NULL` only (`portability`); its value here is the text itself.

use std::sync::Arc;

use deltalake::arrow::array::{Array, AsArray, StringArray};
use deltalake::arrow::datatypes::DataType;
use deltalake::datafusion::common::{Result, exec_err};
use deltalake::datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use serde::de::IgnoredAny;

pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(TryParseJson {
        signature: Signature::exact(vec![DataType::Utf8], Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TryParseJson {
    signature: Signature,
}

impl ScalarUDFImpl for TryParseJson {
    fn name(&self) -> &'static str {
        "try_parse_json"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(texts) = arrays.first().and_then(|array| array.as_string_opt::<i32>()) else {
            return exec_err!("try_parse_json takes a text");
        };
        let is_json = |text: &&str| serde_json::from_str::<IgnoredAny>(text).is_ok();
        let parsed: StringArray = texts.iter().map(|text| text.filter(is_json)).collect();
        debug_assert_eq!(parsed.len(), texts.len(), "a value a row");
        Ok(ColumnarValue::Array(Arc::new(parsed)))
    }
}
