//! Compute and channels: what tasks run on, and who is told.

use indexmap::IndexMap;

use super::Context;
use crate::diagnostic::{Diagnostic, Diagnostics, Fix, Site, code};
use crate::ir::deployment::{Cluster, Notifications, Workers};
use crate::kind::Scalar;
use crate::name;
use crate::resolve::{Deployment, Entity};
use crate::spec;

/// The newest runtime with long-term support that this version of medc was written for.
const SPARK_VERSION: &str = "16.4.x-scala2.12";

/// The clusters by name.
pub(super) fn lower_all(deployment: &Deployment, diagnostics: &mut Diagnostics) -> IndexMap<String, Cluster> {
    let mut clusters = IndexMap::new();
    for (name, entity) in &deployment.compute {
        if !super::values::is_key(name) || name == "serverless" {
            let message = format!("`{name}` is no name for compute");
            diagnostics.error(
                Diagnostic::error(code::COMPUTE_FORM, message)
                    .at(entity.origin.site.clone().key(), "")
                    .help("use letters, digits, `_` and `-`; `serverless` is there by itself"),
            );
        }
        match &entity.spec {
            spec::Compute::Word(spec::ComputeWord::Serverless) => {}
            spec::Compute::Cluster(cluster) => {
                if let Some(cluster) = lower(cluster, entity, diagnostics) {
                    clusters.insert(name.clone(), cluster);
                }
            }
        }
    }
    for (name, entity) in &deployment.channels {
        channel(name, entity, diagnostics);
    }
    clusters
}

fn lower(cluster: &spec::Cluster, entity: &Entity<spec::Compute>, diagnostics: &mut Diagnostics) -> Option<Cluster> {
    let spark_version = cluster.spark_version.clone().unwrap_or_else(|| SPARK_VERSION.to_owned());
    let is_version = spark_version.split_once('.').is_some_and(|(major, rest)| {
        major.parse::<u32>().is_ok() && rest.contains(".x-") || spark_version.contains("${")
    });
    if !is_version {
        diagnostics.error(
            Diagnostic::error(code::COMPUTE_FORM, format!("`{spark_version}` is no version of the Databricks Runtime"))
                .at(entity.origin.site("/spark_version"), "")
                .help(format!("write it as `databricks clusters spark-versions` does, e.g. `{SPARK_VERSION}`")),
        );
    }
    for (key, text) in
        [("node_type", Some(&cluster.node_type)), ("driver_node_type", cluster.driver_node_type.as_ref())]
    {
        if text.is_some_and(|text| text.trim().is_empty()) {
            diagnostics.error(
                Diagnostic::error(code::COMPUTE_FORM, format!("`{key}` is empty"))
                    .at(entity.origin.site(&format!("/{key}")), "")
                    .help("name the machine as the cloud calls it, e.g. `i3.xlarge`"),
            );
        }
    }
    let workers = match &cluster.workers {
        None => Workers::Fixed(1),
        Some(spec::Workers::Fixed(number)) => Workers::Fixed(*number),
        Some(spec::Workers::Range(text)) => range(text, &entity.origin.site("/workers"), diagnostics)?,
    };
    let texts = |written: &IndexMap<String, Scalar>| {
        written.iter().map(|(key, value)| (key.clone(), value.to_string())).collect()
    };
    Some(Cluster {
        node_type: cluster.node_type.clone(),
        driver_node_type: cluster.driver_node_type.clone(),
        workers,
        spark_version,
        photon: cluster.photon,
        policy_id: cluster.policy_id.clone(),
        spark_conf: texts(&cluster.spark_conf),
        spark_env_vars: texts(&cluster.spark_env_vars),
        tags: texts(&cluster.tags),
    })
}

fn range(text: &str, site: &Site, diagnostics: &mut Diagnostics) -> Option<Workers> {
    let ends = text.split_once("..").and_then(|(from, to)| Some((from.trim().parse().ok()?, to.trim().parse().ok()?)));
    let found = match ends {
        Some((from, to)) if from >= 1 && from <= to => return Some(Workers::Range(from, to)),
        Some((from, to)) if from > to && to >= 1 => {
            Diagnostic::error(code::COMPUTE_FORM, format!("`{text}` ends below where it begins"))
                .help(format!("write `{to}..{from}`"))
                .fix(format!("{to}..{from}"))
        }
        _ => Diagnostic::error(code::COMPUTE_FORM, format!("`{text}` is no number of workers"))
            .help("write a number, or from and to as in `1..8`; a cluster that grows has one worker at least"),
    };
    diagnostics.error(found.at(site.clone(), ""));
    None
}

fn channel(name: &str, entity: &Entity<spec::Channel>, diagnostics: &mut Diagnostics) {
    let channel = &entity.spec;
    if channel.email.is_empty() && channel.webhooks.is_empty() {
        diagnostics.error(
            Diagnostic::error(code::CHANNEL_FORM, format!("the channel `{name}` reaches nobody"))
                .at(entity.origin.site.clone().key(), "")
                .help("add `email: [ADDRESS]` or `webhooks: [ID]`"),
        );
    }
    for (index, address) in channel.email.iter().enumerate() {
        let is_address = address.contains("${")
            || address.split_once('@').is_some_and(|(user, host)| {
                !user.is_empty() && !host.is_empty() && !address.contains(char::is_whitespace) && !host.contains('@')
            });
        if !is_address {
            diagnostics.error(
                Diagnostic::error(code::CHANNEL_FORM, format!("`{address}` is no address of e-mail"))
                    .at(entity.origin.site(&format!("/email/{index}")), "")
                    .help("write it as `name@example.com`; webhooks are named by id below `webhooks`"),
            );
        }
    }
    for (index, id) in channel.webhooks.iter().enumerate() {
        if id.trim().is_empty() || id.contains("://") || id.contains(char::is_whitespace) {
            diagnostics.error(
                Diagnostic::error(code::CHANNEL_FORM, format!("`{id}` is no id of a notification destination"))
                    .at(entity.origin.site(&format!("/webhooks/{index}")), "")
                    .help(
                        "create the destination in the workspace's settings and write its id; its address stays there",
                    ),
            );
        }
    }
}

/// The cluster that a name stands for; `None` for serverless.
pub(super) fn find(
    wanted: Option<(&str, Site)>,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<String> {
    let (name, site) = match wanted {
        None => ("default", None),
        Some((name, site)) => (name, Some(site)),
    };
    match context.deployment.compute.get(name).map(|entity| &entity.spec) {
        Some(spec::Compute::Cluster(_)) => return Some(name.to_owned()),
        Some(spec::Compute::Word(_)) => return None,
        None if name == "serverless" => return None,
        None => {}
    }
    if let Some(site) = site {
        let known = || context.deployment.compute.keys().map(String::as_str).chain(["serverless"]);
        let found = Diagnostic::error(code::UNKNOWN_COMPUTE, format!("there is no compute `{name}`")).at(site, "");
        let known: Vec<&str> = known().collect();
        let fix = name::nearest(name, known.iter().copied()).map(Fix::value);
        diagnostics.error(Diagnostic { help: name::did_you_mean(name, known.iter().copied()), fix, ..found });
    }
    None
}

/// The events in the order in which they are written, with the key that Databricks has for each.
const EVENTS: [(&str, &str); 4] = [
    ("on_start", "on_start"),
    ("on_success", "on_success"),
    ("on_failure", "on_failure"),
    ("on_duration_warning", "on_duration_warning_threshold_exceeded"),
];

/// Who is told when.
pub(super) fn notifications(
    notify: Option<&spec::Notify>,
    site: &Site,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Notifications {
    let mut notifications = Notifications::default();
    let mut add = |event: &'static str, channels: &spec::OneOrMany, site: &Site| {
        for (pointer, name) in channels.each() {
            let Some(channel) = context.deployment.channels.get(name) else {
                let known = context.deployment.channels.keys().map(String::as_str);
                let found = Diagnostic::error(code::UNKNOWN_CHANNEL, format!("there is no channel `{name}`"))
                    .at(site.descend(&pointer), "");
                let fix = name::nearest(name, known.clone()).map(Fix::value);
                let help = name::did_you_mean(name, known)
                    .unwrap_or_else(|| format!("declare it: `channels: {{{name}: {{email: [ADDRESS]}}}}`"));
                diagnostics.error(Diagnostic { fix, ..found.help(help) });
                continue;
            };
            let addresses = notifications.events.entry(event).or_default();
            addresses.email.extend(channel.spec.email.iter().cloned());
            addresses.webhooks.extend(channel.spec.webhooks.iter().cloned());
        }
    };
    match notify {
        None => {}
        Some(spec::Notify::Failures(channels)) => add("on_failure", channels, site),
        Some(spec::Notify::Events(events)) => {
            let written = [&events.on_start, &events.on_success, &events.on_failure, &events.on_duration_warning];
            for ((key, event), channels) in EVENTS.into_iter().zip(written) {
                if let Some(channels) = channels {
                    add(event, channels, &site.member(key));
                }
            }
        }
    }
    for addresses in notifications.events.values_mut() {
        for list in [&mut addresses.email, &mut addresses.webhooks] {
            list.sort();
            list.dedup();
        }
    }
    for (event, addresses) in &notifications.events {
        if addresses.webhooks.len() > 3 {
            diagnostics.error(
                Diagnostic::error(
                    code::JOB_LIMIT,
                    format!("{} webhooks for `{event}`, and Databricks takes 3", addresses.webhooks.len()),
                )
                .at(site.clone(), "")
                .help("name fewer channels"),
            );
        }
    }
    notifications
}
