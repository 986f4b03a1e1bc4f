//! `medc explain`: the page of a diagnostic, or the list of all.

use std::fmt::Write as _;

use super::arguments::Explain;
use super::stages::Session;
use super::ui::{Paint, Tone};
use super::{Done, Failure, Outcome};
use crate::diagnostic::{ALL_CODES, Code, page};
use crate::name;

/// Prints one page, or every code with its meaning under the stage that reports it.
pub(super) fn run(options: &Explain, session: &mut Session) -> Outcome {
    let paint = session.console.paint_data();
    let text = match &options.code {
        None => all(paint),
        Some(asked) => {
            let code = find(asked)?;
            render(page(code), paint)
        }
    };
    session.console.data(&text)?;
    Ok(Done::Well)
}

fn all(paint: Paint) -> String {
    let mut text = String::new();
    let mut stage = "";
    let width = ALL_CODES.iter().map(|(code, _)| code.as_str().len()).max().unwrap_or(0);
    for (code, meaning) in ALL_CODES {
        let (of, _) = code.as_str().split_once("::").unwrap_or((code.as_str(), ""));
        if stage != of {
            let gap = if stage.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}{}", paint.tone(Tone::Strong, of));
            stage = of;
        }
        let _ = writeln!(text, "  {}{}  {meaning}", code, " ".repeat(width - code.as_str().len()));
    }
    let _ = writeln!(text, "\n`medc explain CODE` explains one.");
    text
}

/// The code that was asked for: as printed, with its brackets, or only its last part.
fn find(asked: &str) -> Result<Code, Failure> {
    let wanted = asked.trim().trim_start_matches("error").trim_start_matches("warning");
    let wanted = wanted.trim_matches(['[', ']']).to_lowercase().replace('/', "::");
    let all = || ALL_CODES.iter().map(|(code, _)| *code);
    if let Some(code) = all().find(|code| code.as_str() == wanted) {
        return Ok(code);
    }
    let by_what: Vec<Code> =
        all().filter(|code| code.as_str().split_once("::").is_some_and(|(_, what)| what == wanted)).collect();
    if let [code] = by_what.as_slice() {
        return Ok(*code);
    }
    let help = match by_what.as_slice() {
        [] => name::nearest(&wanted, all().map(Code::as_str)).map_or_else(
            || "`medc explain` lists all codes".to_owned(),
            |near| format!("did you mean `{near}`? `medc explain` lists all codes"),
        ),
        several => {
            format!("write one of {}", name::list(&several.iter().map(|code| code.as_str()).collect::<Vec<_>>()))
        }
    };
    Err(Failure::asked(format!("there is no diagnostic `{asked}`"), Some(help)))
}

/// Markdown as it is, with headings and code set apart where there is colour.
fn render(page: &str, paint: Paint) -> String {
    let mut text = String::new();
    let mut fenced = false;
    for line in page.lines() {
        let fence = line.trim_start().starts_with("```");
        let painted = if fence {
            fenced = !fenced;
            paint.tone(Tone::Faint, line)
        } else if fenced {
            paint.tone(Tone::Accent, line)
        } else if line.starts_with('#') {
            paint.tone(Tone::Strong, line)
        } else {
            line.to_owned()
        };
        text.push_str(&painted);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_as_it_is_printed_or_by_its_last_part() {
        for asked in ["check::unknown-column", "error[check::unknown-column]", "check/unknown-column", "not-grouped"] {
            assert!(find(asked).is_ok(), "{asked}");
        }
        let Err(Failure::Asked { help, .. }) = find("check::unknown-colum") else { panic!("it does not exist") };
        assert_eq!(help.as_deref(), Some("did you mean `check::unknown-column`? `medc explain` lists all codes"));
        assert!(find("unknown-table").is_err(), "there are two of that name");
    }
}
