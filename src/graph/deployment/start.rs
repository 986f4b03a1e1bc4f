//! When a job runs: its schedule or its trigger.

use super::Context;
use super::quartz;
use super::values;
use crate::diagnostic::{Diagnostic, Diagnostics, Site, code};
use crate::ir::deployment::{Start, StartBy, Task, WatchedTable};
use crate::name::{self, TableName};
use crate::resolve::Entity;
use crate::spec;

/// The schedule or trigger of a job; `None` where it has neither, or an error.
pub(super) fn lower(job: &Entity<spec::Job>, context: &Context<'_>, diagnostics: &mut Diagnostics) -> Option<Start> {
    let origin = &job.origin;
    let (schedule_site, trigger_site) = (origin.site("/schedule"), origin.site("/trigger"));
    if job.spec.continuous {
        for (key, is_there) in [("schedule", job.spec.schedule.is_some()), ("trigger", job.spec.trigger.is_some())] {
            if is_there {
                diagnostics.error(
                    Diagnostic::error(code::JOB_TRIGGER, format!("a job runs continuously or on a {key}, not both"))
                        .at(origin.site(&format!("/{key}")).key(), "")
                        .at(origin.site("/continuous").key(), "")
                        .help("remove one of them"),
                );
            }
        }
        return Some(Start { by: StartBy::Continuous, paused: None });
    }
    match (&job.spec.schedule, &job.spec.trigger) {
        (Some(_), Some(_)) => {
            diagnostics.error(
                Diagnostic::error(code::JOB_TRIGGER, "a job runs on a schedule or on a trigger, not on both")
                    .at(trigger_site.key(), "this trigger")
                    .at(schedule_site.key(), "and this schedule")
                    .help("remove one of them, or make a second job"),
            );
            None
        }
        (Some(written), None) => schedule(written, &schedule_site, diagnostics),
        (None, Some(written)) => trigger(written, &trigger_site, context, diagnostics),
        (None, None) => None,
    }
}

/// What Databricks lets a job that always runs say of its tasks.
pub(super) fn continuous(job: &Entity<spec::Job>, tasks: &[Task], diagnostics: &mut Diagnostics) {
    let mut wrong = |key: &str, message: String, help: &str| {
        let site = job.origin.site("/continuous").key();
        let at = if key.is_empty() { site } else { job.origin.site(key).key() };
        diagnostics.error(Diagnostic::error(code::JOB_TRIGGER, message).at(at, "").help(help));
    };
    if let Some(task) = tasks.iter().find(|task| !task.depends_on.is_empty()) {
        let message = format!("a job that always runs has no order of tasks, and `{}` waits for another", task.key);
        wrong(
            "",
            message,
            "give it one task, e.g. `tables: …`, which builds several one behind the other, or a schedule",
        );
    }
    for (key, is_there) in [
        ("/retries", job.spec.retries.is_some()),
        ("/max_concurrent_runs", job.spec.max_concurrent_runs.is_some_and(|n| n > 1)),
    ] {
        if is_there {
            let message = "Databricks itself starts a run again, one at a time".to_owned();
            wrong(key, message, "remove it");
        }
    }
}

fn schedule(written: &spec::Schedule, site: &Site, diagnostics: &mut Diagnostics) -> Option<Start> {
    let timezone = written.timezone.as_deref().unwrap_or("UTC");
    let has_cron = cron(&written.cron, &site.member("cron"), diagnostics);
    let has_zone = time_zone(timezone, &site.member("timezone"), diagnostics);
    (has_cron && has_zone).then(|| Start {
        by: StartBy::Schedule { cron: written.cron.clone(), timezone: timezone.to_owned() },
        paused: written.paused,
    })
}

/// Whether a text is a Quartz cron expression.
pub(super) fn cron(text: &str, site: &Site, diagnostics: &mut Diagnostics) -> bool {
    let Err(fault) = quartz::check(text) else { return true };
    let found = Diagnostic::error(code::CRON, fault.message).at(site.clone(), "").help(fault.help);
    diagnostics.error(match fault.meant {
        Some(meant) => found.fix(meant),
        None => found,
    });
    false
}

/// Whether a text is a time zone by region, which is what Databricks takes.
pub(super) fn time_zone(text: &str, site: &Site, diagnostics: &mut Diagnostics) -> bool {
    if text.parse::<chrono_tz::Tz>().is_ok() {
        return true;
    }
    let found = Diagnostic::error(code::TIME_ZONE, format!("there is no time zone `{text}`")).at(site.clone(), "");
    diagnostics.error(match crate::sql::zone::nearest_name(text) {
        Some(near) => found.help(format!("did you mean `{near}`?")).fix(near),
        None => found.help("name a region, e.g. `America/Sao_Paulo`, or `UTC`"),
    });
    false
}

fn trigger(
    written: &spec::Trigger,
    site: &Site,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Start> {
    let by = match (&written.periodic, &written.file_arrival, &written.table_update) {
        (Some(periodic), None, None) => every(periodic, &site.member("periodic"), diagnostics)?,
        (None, Some(arrival), None) => on_files(arrival, &site.member("file_arrival"), diagnostics)?,
        (None, None, Some(update)) => on_tables(update, &site.member("table_update"), context, diagnostics)?,
        _ => {
            diagnostics.error(
                Diagnostic::error(code::JOB_TRIGGER, "a trigger is about one event")
                    .at(site.clone(), "")
                    .help("name exactly one of `periodic`, `file_arrival` and `table_update`"),
            );
            return None;
        }
    };
    Some(Start { by, paused: written.paused })
}

fn every(written: &spec::Periodic, site: &Site, diagnostics: &mut Diagnostics) -> Option<StartBy> {
    if written.interval == 0 {
        diagnostics.error(
            Diagnostic::error(code::JOB_TRIGGER, "a job cannot run every 0 of a time")
                .at(site.member("interval"), "")
                .help("write `1` or more")
                .fix_source("1"),
        );
        return None;
    }
    let unit = match written.unit {
        spec::PeriodicUnit::Hours => "HOURS",
        spec::PeriodicUnit::Days => "DAYS",
        spec::PeriodicUnit::Weeks => "WEEKS",
    };
    Some(StartBy::Periodic { interval: written.interval, unit })
}

/// Databricks waits a minute at least.
const MINUTE_S: u64 = 60;

fn pause(written: Option<&spec::Period>, key: &str, site: &Site, diagnostics: &mut Diagnostics) -> Option<u64> {
    written.and_then(|period| values::seconds(period, MINUTE_S, &site.member(key), diagnostics))
}

fn on_files(written: &spec::FileArrival, site: &Site, diagnostics: &mut Diagnostics) -> Option<StartBy> {
    let url = &written.url;
    let is_watched =
        ["/Volumes/", "s3://", "abfss://", "gs://", "r2://", "${"].iter().any(|root| url.starts_with(root));
    if !is_watched || !url.ends_with('/') {
        let found = Diagnostic::error(code::JOB_TRIGGER, format!("`{url}` is no folder that Databricks can watch"))
            .at(site.member("url"), "");
        diagnostics.error(if is_watched {
            found.help("end it with `/`").fix(format!("{url}/"))
        } else {
            found.help("name a folder of a volume or an external location, e.g. `/Volumes/lake/bronze/landing/`")
        });
        return None;
    }
    Some(StartBy::FileArrival {
        url: url.clone(),
        min_time_between_s: pause(written.min_time_between.as_ref(), "min_time_between", site, diagnostics),
        wait_after_last_change_s: pause(
            written.wait_after_last_change.as_ref(),
            "wait_after_last_change",
            site,
            diagnostics,
        ),
    })
}

fn on_tables(
    written: &spec::TableUpdate,
    site: &Site,
    context: &Context<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<StartBy> {
    if written.tables.is_empty() || written.tables.len() > 10 {
        diagnostics.error(
            Diagnostic::error(
                code::JOB_TRIGGER,
                format!("{} tables, and Databricks watches 1 to 10", written.tables.len()),
            )
            .at(site.member("tables"), "")
            .help("name one at least and ten at most"),
        );
        return None;
    }
    let mut tables = Vec::new();
    for (index, table) in written.tables.iter().enumerate() {
        let site = site.member("tables").element(index);
        if table.split('.').count() == 3 && table.split('.').all(|part| !part.is_empty()) || table.contains("${") {
            tables.push(WatchedTable::Foreign(table.clone()));
            continue;
        }
        let found = TableName::parse(table).and_then(|name| context.graph.find(&name));
        if let Some(id) = found {
            tables.push(WatchedTable::Own(id));
            continue;
        }
        let known: Vec<String> = context.graph.nodes.keys().map(ToString::to_string).collect();
        let error = Diagnostic::error(code::UNKNOWN_TABLE, format!("the project has no table `{table}`")).at(site, "");
        diagnostics.error(match name::nearest(table, known.iter().map(String::as_str)) {
            Some(near) => error.help(format!("did you mean `{near}`?")).fix(near),
            None => error.help("name a table of the project as `layer.name`, or another as `catalog.schema.name`"),
        });
        return None;
    }
    Some(StartBy::TableUpdate {
        tables,
        all: written.condition == spec::UpdateCondition::All,
        min_time_between_s: pause(written.min_time_between.as_ref(), "min_time_between", site, diagnostics),
        wait_after_last_change_s: pause(
            written.wait_after_last_change.as_ref(),
            "wait_after_last_change",
            site,
            diagnostics,
        ),
    })
}
