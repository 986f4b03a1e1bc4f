//! The console: data on stdout, everything else on stderr, colour only where somebody looks.
//!
//! The only place that writes to either. Colour follows `--color`, then `NO_COLOR`, then whether stderr is a terminal; it
//! never carries meaning alone.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};

use clap::ValueEnum;

use crate::report::Style;

/// When to use colours; `Auto` on a terminal, unless `NO_COLOR` is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

/// Where output goes and how it looks there.
#[derive(Debug, Clone)]
pub(super) struct Console {
    color: Color,
    quiet: bool,
}

/// What a piece of text is, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Caution,
    Strong,
    Faint,
    Accent,
}

impl Tone {
    fn code(self) -> &'static str {
        match self {
            Tone::Good => "32",
            Tone::Bad => "31;1",
            Tone::Caution => "33",
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Accent => "36",
        }
    }
}

/// Paints text, or leaves it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paint {
    pub(super) colored: bool,
}

impl Paint {
    pub(super) fn tone(self, tone: Tone, text: &str) -> String {
        if self.colored { format!("\u{1b}[{}m{text}\u{1b}[0m", tone.code()) } else { text.to_owned() }
    }
}

impl Console {
    pub(super) fn new(color: Color, quiet: bool) -> Self {
        Console { color, quiet }
    }

    fn colored(&self, terminal: bool) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                terminal && !refused && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }

    /// For text on stderr.
    pub(super) fn paint(&self) -> Paint {
        Paint { colored: self.colored(io::stderr().is_terminal()) }
    }

    /// For text on stdout.
    pub(super) fn paint_data(&self) -> Paint {
        Paint { colored: self.colored(io::stdout().is_terminal()) }
    }

    /// How findings look on stderr.
    pub(super) fn style(&self) -> Style {
        let wide = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        Style { color: self.paint().colored, unicode: true, width: wide.unwrap_or(100) }
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether progress can be drawn: somebody looks at stderr and wants to be told.
    pub(super) fn is_lively(&self) -> bool {
        !self.quiet && io::stderr().is_terminal() && std::env::var_os("CI").is_none()
    }

    /// Writes to stdout.
    #[expect(clippy::unused_self, reason = "only who has the console writes")]
    pub(super) fn data(&self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }

    /// Writes a line to stderr, unless told to be quiet.
    pub(super) fn say(&self, line: &str) -> io::Result<()> {
        if self.quiet { Ok(()) } else { writeln!(io::stderr().lock(), "{line}") }
    }

    /// Writes text to stderr in any case.
    #[expect(clippy::unused_self, reason = "only who has the console writes")]
    pub(super) fn complain(&self, text: &str) -> io::Result<()> {
        io::stderr().lock().write_all(text.as_bytes())
    }

    /// An error that has no place in a file.
    pub(super) fn error(&self, message: &str, help: Option<&str>) -> io::Result<()> {
        let paint = self.paint();
        let mut text = format!("{} {message}\n", paint.tone(Tone::Bad, "error:"));
        if let Some(help) = help {
            let _ = writeln!(text, "  {} {help}", paint.tone(Tone::Accent, "help:"));
        }
        self.complain(&text)
    }

    /// The next step.
    pub(super) fn hint(&self, hint: &str) -> io::Result<()> {
        self.say(&format!("{} {hint}", self.paint().tone(Tone::Accent, "hint:")))
    }
}

/// Writes to stderr where there is no console yet, and lets it go where that is not possible.
pub(super) fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// A count and its noun: `1 table`, `14 tables`, `4,912 rows`.
pub(super) fn count(n: u64, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(n))
}

/// A number with a comma between groups of three digits.
pub(super) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1.5 MB`; thousands, not 1,024s.
#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
pub(super) fn bytes(n: u64) -> String {
    let mut size = n as f64;
    for unit in ["B", "kB", "MB", "GB", "TB"] {
        if size < 1000.0 {
            return if unit == "B" || size >= 100.0 {
                format!("{size:.0} {unit}")
            } else {
                format!("{size:.1} {unit}")
            };
        }
        size /= 1000.0;
    }
    format!("{size:.1} PB")
}

/// Seconds for people.
pub(super) fn seconds(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 {
        format!("{seconds:.2} s")
    } else if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{} min {:02} s", duration.as_secs() / 60, duration.as_secs() % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(912), "912");
        assert_eq!(grouped(4_912), "4,912");
        assert_eq!(count(1_000_000, "row"), "1,000,000 rows");
    }
}
