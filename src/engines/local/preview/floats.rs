//! Floats in JSON: `NaN` and the infinities as texts, because JSON has no numbers for them and NULL would be another value.
//!
//! In: a float column. Out: an encoder for it; none where all values are finite, which Arrow writes itself.

use deltalake::arrow::array::{Array, AsArray};
use deltalake::arrow::datatypes::{DataType, FieldRef, Float32Type, Float64Type};
use deltalake::arrow::error::ArrowError;
use deltalake::arrow::json::writer::NullableEncoder;
use deltalake::arrow::json::{Encoder, EncoderFactory, EncoderOptions};

/// Makes the encoders.
#[derive(Debug)]
pub(super) struct Floats;

impl EncoderFactory for Floats {
    fn make_default_encoder<'a>(
        &self,
        _field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let values: Vec<f64> = match array.data_type() {
            DataType::Float32 => array.as_primitive::<Float32Type>().values().iter().map(|v| f64::from(*v)).collect(),
            DataType::Float64 => array.as_primitive::<Float64Type>().values().to_vec(),
            _ => return Ok(None),
        };
        if values.iter().all(|value| value.is_finite()) {
            return Ok(None);
        }
        Ok(Some(NullableEncoder::new(Box::new(Spelled(values)), array.nulls().cloned())))
    }
}

struct Spelled(Vec<f64>);

impl Encoder for Spelled {
    fn encode(&mut self, idx: usize, out: &mut Vec<u8>) {
        let value = self.0.get(idx).copied().unwrap_or(f64::NAN);
        let text = if value.is_finite() {
            format!("{value:?}")
        } else if value.is_nan() {
            "\"NaN\"".to_owned()
        } else if value > 0.0 {
            "\"Infinity\"".to_owned()
        } else {
            "\"-Infinity\"".to_owned()
        };
        out.extend_from_slice(text.as_bytes());
    }
}
