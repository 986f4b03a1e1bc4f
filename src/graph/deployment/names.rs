//! What things are called once they are deployed: whether two environments, or two people, would deploy one thing twice.
//!
//! In: what each environment deploys. Out: diagnostics. The Databricks CLI puts a prefix before some names (see
//! `types::Prefix`); others stay as they are written, and the API refuses the second one, or the second deployment takes the
//! first one's place. Schemas get the prefix too, so that a text with a layer's bare name is about a schema that is
//! not there.

use serde_json::Value;

use super::types::{Prefix, Type};
use crate::diagnostic::{Diagnostic, Diagnostics, Fix, Site, code, join_pointer};
use crate::ir::deployment::{Deployment, Resource};
use crate::resolve::{Databricks, Environment};
use crate::spec::DeploymentMode;

/// What makes a name a deployer's own.
pub(super) const USER: &str = "${workspace.current_user.";

/// What names begin with in an environment.
pub(super) fn prefix(place: &Databricks) -> String {
    match (&place.presets.name_prefix, place.mode) {
        (Some(prefix), _) => prefix.clone(),
        (None, DeploymentMode::Development) => format!("[dev {USER}short_name}}] "),
        (None, DeploymentMode::Production) => String::new(),
    }
}

/// What a resource is known by in its workspace: two with the same are one. `None` where nothing has to differ, or where the name
/// is only known when the bundle is deployed.
fn identity(resource: &Resource, environment: &Environment, place: &Databricks) -> Option<String> {
    let known = Type::find(&resource.resource_type)?;
    let text = |key: &str| resource.body.get(key).and_then(Value::as_str);
    let filled = |text: &str| filled(text, environment, place);
    let name = filled(text(known.name_key)?);
    let name = match known.prefix {
        Prefix::Unneeded => return None,
        Prefix::None | Prefix::OfSchema => name,
        Prefix::Put => match name.rsplit_once('/') {
            Some((folder, last)) => format!("{folder}/{}{last}", prefix(place)),
            None => format!("{}{name}", prefix(place)),
        },
    };
    let within = ["catalog_name", "schema_name"].into_iter().filter_map(text).map(filled);
    let parts: Vec<String> = within.chain([name]).collect();
    Some(parts.join(".").to_lowercase())
}

/// A text with what the CLI knows of the environment.
fn filled(text: &str, environment: &Environment, place: &Databricks) -> String {
    let root = place.workspace.root_path.clone().unwrap_or_else(|| format!("~/{}", environment.name));
    let mut text = text
        .replace("${bundle.target}", &environment.name)
        .replace("${bundle.environment}", &environment.name)
        .replace("${workspace.root_path}", &root);
    for part in ["file_path", "artifact_path", "state_path", "resource_path"] {
        text = text.replace(&format!("${{workspace.{part}}}"), &format!("{root}/{part}"));
    }
    // Schemas of the bundle have the prefix.
    text.replace("${resources.schemas.", &format!("{}${{resources.schemas.", prefix(place)))
}

/// Reports what two environments of one workspace would both deploy.
pub(super) fn between(
    first: (&Environment, &Databricks, &Deployment),
    second: (&Environment, &Databricks, &Deployment),
    diagnostics: &mut Diagnostics,
) {
    for resource in &second.2.resources {
        let Some(own) = identity(resource, second.0, second.1) else { continue };
        let is_same = |other: &&Resource| {
            other.resource_type == resource.resource_type
                && identity(other, first.0, first.1).as_deref() == Some(own.as_str())
        };
        if !first.2.resources.iter().any(|other| is_same(&other)) {
            continue;
        }
        let known = Type::find(&resource.resource_type).expect("a type with an identity is known");
        let (name, site) = (resource.body.get(known.name_key), resource.site.member(known.name_key));
        let name = name.and_then(Value::as_str).unwrap_or_default();
        let (help, fix) = match known.prefix {
            Prefix::OfSchema => (
                "let it lie in a schema of the bundle, `${resources.schemas.LAYER.name}`, or limit it with `environments`",
                None,
            ),
            Prefix::Put | Prefix::None | Prefix::Unneeded => (
                "put `${environment.name}` into the name, or limit the resource with `environments`",
                Some(Fix::value(format!("{name}-${{environment.name}}"))),
            ),
        };
        let found = Diagnostic::error(
            code::COLLISION,
            format!(
                "`{name}` is deployed by `{}` and by `{}`, which are in one workspace",
                first.0.name, second.0.name
            ),
        );
        diagnostics.error(Diagnostic { fix, ..found.at(site, "the same name in both").help(help) });
    }
}

/// Reports what each developer would deploy under the same name.
pub(super) fn of_developers(
    environment: &Environment,
    place: &Databricks,
    resources: &[Resource],
    schemas: &[String],
    diagnostics: &mut Diagnostics,
) {
    if place.mode != DeploymentMode::Development {
        return;
    }
    for resource in resources {
        let Some(own) = identity(resource, environment, place) else { continue };
        // What names a layer's schema by its bare name is reported for that.
        let catalog = place.catalog.to_lowercase();
        if schemas.iter().any(|schema| own.starts_with(&format!("{catalog}.{schema}."))) {
            continue;
        }
        // Without a folder of its own, a development bundle lies in the deployer's.
        if own.contains(&USER.to_lowercase()) || own.contains("~/") {
            continue;
        }
        let known = Type::find(&resource.resource_type).expect("a type with an identity is known");
        let name = resource.body.get(known.name_key).and_then(Value::as_str).unwrap_or_default();
        let help = match known.prefix {
            Prefix::OfSchema => "let it lie in a schema of the bundle, `${resources.schemas.LAYER.name}`, which each deployer has of their own, or limit it with `environments`".to_owned(),
            Prefix::Put | Prefix::None | Prefix::Unneeded => {
                format!("put `{USER}short_name}}` into the name, or limit the resource with `environments`")
            }
        };
        diagnostics.error(
            Diagnostic::error(code::DEVELOPMENT_MODE, format!("all developers would deploy the same `{name}`"))
                .at(resource.site.member(known.name_key), "no prefix is put before it")
                .at(environment.site.member("mode"), "gives each deployer a copy")
                .help(help),
        );
    }
}

/// Reports texts that name a layer's schema as it is not called where names have a prefix.
pub(super) fn literal_schemas(
    value: &Value,
    pointer: &str,
    site_of: &dyn Fn(&str) -> Site,
    place: &Databricks,
    schemas: &[String],
    diagnostics: &mut Diagnostics,
) {
    match value {
        Value::String(text) => literal_schema(text, &site_of(pointer), place, schemas, diagnostics),
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                let pointer = format!("{pointer}/{index}");
                literal_schemas(element, &pointer, site_of, place, schemas, diagnostics);
            }
        }
        Value::Object(members) => {
            let of_catalog = members.get("catalog_name").and_then(Value::as_str) == Some(place.catalog.as_str());
            for (key, member) in members {
                let pointer = join_pointer(pointer, key);
                let is_schema = of_catalog && key == "schema_name" && !prefix(place).is_empty();
                match member.as_str().and_then(|text| schemas.iter().find(|schema| *schema == text)) {
                    Some(schema) if is_schema => {
                        let meant = format!("${{resources.schemas.{schema}.name}}");
                        report(schema, &meant, &site_of(&pointer), diagnostics);
                    }
                    _ => literal_schemas(member, &pointer, site_of, place, schemas, diagnostics),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The same for one text.
pub(super) fn literal_schema(
    text: &str,
    site: &Site,
    place: &Databricks,
    schemas: &[String],
    diagnostics: &mut Diagnostics,
) {
    if prefix(place).is_empty() {
        return;
    }
    for (between, before, behind) in [('.', "", ['.', '\0']), ('/', "/Volumes/", ['/', '/'])] {
        for schema in schemas {
            let name = format!("{}{between}{schema}", place.catalog);
            let Some(rest) = text.strip_prefix(before).and_then(|rest| rest.strip_prefix(&name)) else { continue };
            if rest.is_empty() || rest.starts_with(behind) {
                let meant = format!("{before}{}{between}${{resources.schemas.{schema}.name}}{rest}", place.catalog);
                report(&name, &meant, site, diagnostics);
                return;
            }
        }
    }
}

fn report(name: &str, meant: &str, site: &Site, diagnostics: &mut Diagnostics) {
    diagnostics.error(
        Diagnostic::error(code::LITERAL_SCHEMA, format!("the schema `{name}` has another name once it is deployed"))
            .at(site.clone(), "")
            .note("development mode and `presets: {name_prefix: …}` put a prefix before the names of schemas")
            .help(format!("write `{meant}`"))
            .fix(meant),
    );
}
