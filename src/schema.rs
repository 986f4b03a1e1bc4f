//! Stage 2: the JSON Schema of a project, and documents held against it.
//!
//! In: `Document`. Out: [`ValidDocument`], whose value has the shape that `spec` describes, with `${…}` still in its
//! strings. The schema is generated from the types of `spec`; `schemas/` holds a checked-in copy for editors. Errors
//! say what was expected in a project's words: one per mistake, at the key or value that is wrong (`schema::explain`).

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jsonschema::Validator;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::diagnostic::{Diagnostics, Reported, Site};
use crate::exchange::odcs::DataContract;
use crate::source::{Document, Sources};
use crate::spec::{DatasetFile, ProjectFile};

mod explain;

/// What a document is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `medc.yml` or a file that it includes.
    Project,
    /// A file of models' datasets.
    Datasets,
    /// An Open Data Contract Standard file.
    Odcs,
}

/// A document that has the shape of its form.
#[derive(Debug, Clone)]
pub struct ValidDocument {
    pub document: Document,
    pub form: Form,
}

/// The JSON Schema (draft 2020-12) of a form, with descriptions for every key.
pub fn json_schema(form: Form) -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = match form {
        Form::Project => generator.into_root_schema_for::<ProjectFile>(),
        Form::Datasets => generator.into_root_schema_for::<DatasetFile>(),
        Form::Odcs => generator.into_root_schema_for::<DataContract>(),
    };
    let title = match form {
        Form::Project => "medc project",
        Form::Datasets => "medc datasets",
        Form::Odcs => "Open Data Contract Standard",
    };
    schema.insert("title".to_owned(), title.into());
    let mut schema = schema.to_value();
    tidy(&mut schema);
    schema
}

/// Holds a document against its form's schema.
///
/// # Errors
/// `schema::*`, one for each mistake.
pub fn validate(
    document: Document,
    form: Form,
    sources: &Sources,
    diagnostics: &mut Diagnostics,
) -> Result<ValidDocument, Reported> {
    let validator = validator(form);
    if validator.is_valid(&document.value) {
        return Ok(ValidDocument { document, form });
    }
    let site = Site::root(document.source);
    let site_of = |pointer: &str| site.descend(pointer);
    Err(explain_all(&validator, generated(form), &document.value, &site_of, sources, diagnostics))
}

/// Holds an entity that was merged from several places against its definition in the project's schema, e.g. `Table`.
/// `site_of` gives the site of a JSON pointer into it.
///
/// # Errors
/// `schema::*`, one for each mistake.
pub fn validate_entity(
    definition: &'static str,
    value: &Value,
    site_of: &dyn Fn(&str) -> Site,
    sources: &Sources,
    diagnostics: &mut Diagnostics,
) -> Result<(), Reported> {
    let mut root = generated(Form::Project).clone();
    let defined = root.get("$defs").and_then(|defs| defs.get(definition)).cloned().expect("a definition of spec");
    let object = root.as_object_mut().expect("a schema is an object");
    object.retain(|key, _| key == "$defs" || key == "$schema");
    object.extend(defined.as_object().expect("a definition is an object").clone());
    let validator = compile(&root);
    if validator.is_valid(value) {
        return Ok(());
    }
    Err(explain_all(&validator, &root, value, site_of, sources, diagnostics))
}

/// Gives back the memory of the validators, some megabytes, once all documents are read. The next one compiles its form
/// again.
pub fn forget() {
    for kept in &VALIDATORS {
        *kept.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn explain_all(
    validator: &Validator,
    root: &Value,
    value: &Value,
    site_of: &dyn Fn(&str) -> Site,
    sources: &Sources,
    diagnostics: &mut Diagnostics,
) -> Reported {
    let mut last = None;
    for error in validator.iter_errors(value) {
        for found in explain::explain(&error, root, site_of, sources) {
            last = Some(diagnostics.error(found));
        }
    }
    last.expect("a document that is not valid has an error")
}

/// By form.
static VALIDATORS: [Mutex<Option<Arc<Validator>>>; 3] = [const { Mutex::new(None) }; 3];

fn validator(form: Form) -> Arc<Validator> {
    let mut kept = VALIDATORS[form as usize].lock().unwrap_or_else(PoisonError::into_inner);
    kept.get_or_insert_with(|| Arc::new(compile(&json_schema(form)))).clone()
}

/// A form's schema, kept once an error has to be explained by it.
fn generated(form: Form) -> &'static Value {
    static GENERATED: [OnceLock<Value>; 3] = [const { OnceLock::new() }; 3];
    GENERATED[form as usize].get_or_init(|| json_schema(form))
}

fn compile(root: &Value) -> Validator {
    jsonschema::draft202012::new(root).expect("the generated schema is a schema")
}

/// Makes the generated schema what a person would write: text on one line, no formats that only Rust knows.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(format)) = members.get("format")
                && (format.starts_with("uint") || format.starts_with("int") || format == "double")
            {
                members.remove("format");
            }
            if let Some(Value::String(description)) = members.get_mut("description") {
                *description = description.replace('\n', " ");
            }
            members.values_mut().for_each(tidy);
        }
        Value::Array(elements) => elements.iter_mut().for_each(tidy),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
