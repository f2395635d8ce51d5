//! Where a run reads and writes: the process's own streams, or a test's.

use std::io::{self, ErrorKind, Read, Write};

use miette::{GraphicalReportHandler, GraphicalTheme};

use super::arguments::Color;
use crate::error::Error;
use crate::output::{visible, visible_lines};

/// The streams of a run, and whether people look at them.
pub struct Console<'a> {
    pub stdin: &'a mut dyn Read,
    pub stdout: &'a mut dyn Write,
    pub stderr: &'a mut dyn Write,
    /// Standard output is a terminal.
    pub terminal: bool,
    /// Standard error is one.
    pub error_terminal: bool,
}

/// Prose is wrapped at this where nobody says otherwise.
const WIDTH: usize = 100;

impl Console<'_> {
    /// Help, the version, or what is wrong with the arguments.
    pub(super) fn refuse(&mut self, refusal: &clap::Error) -> u8 {
        let text = refusal.render().to_string();
        let stream = if refusal.use_stderr() { &mut *self.stderr } else { &mut *self.stdout };
        // A closed stream changes nothing about the arguments.
        let _ = writeln!(stream, "{}", visible_lines(text.trim_end()));
        let _ = stream.flush();
        u8::try_from(refusal.exit_code()).unwrap_or(2)
    }

    /// Why the run was impossible.
    pub(super) fn complain(&mut self, error: &Error) {
        let color = self.error_terminal && colors_wanted();
        let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(self.width()).with_links(false);
        let handler = handler.with_show_related_as_nested(true);
        let mut text = String::new();
        if handler.render_report(&mut text, error).is_err() {
            text = error.to_string();
        }
        // Colours are this program's; everything else in the text may come from a file.
        let text = if color { text } else { visible_lines(&text) };
        let _ = writeln!(self.stderr, "{}", text.trim_end());
    }

    /// Something that went wrong beside the run's own work.
    pub(super) fn warn(&mut self, text: &str) {
        let _ = writeln!(self.stderr, "plimsoll: {}", visible(text));
    }

    /// Writes all of it. A reader that went away has seen enough.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        quiet(self.stdout.write_all(bytes))
    }

    pub(super) fn finish(&mut self) -> Result<(), Error> {
        quiet(self.stdout.flush())
    }

    pub(super) fn read_stdin(&mut self) -> Result<String, Error> {
        let mut bytes = Vec::new();
        let read = self.stdin.read_to_end(&mut bytes);
        read.map_err(|fault| Error::Io { path: "standard input".to_owned(), reason: fault.to_string() })?;
        String::from_utf8(bytes)
            .map_err(|fault| Error::Io { path: "standard input".to_owned(), reason: format!("{}", fault.utf8_error()) })
    }

    pub(super) fn color(&self, wanted: Color, to_file: bool) -> bool {
        match wanted {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => self.terminal && !to_file && colors_wanted(),
        }
    }

    /// The terminal is one of those that follow links.
    pub(super) fn links(&self, to_file: bool) -> bool {
        self.terminal && !to_file && colors_wanted() && supports_hyperlinks::on(supports_hyperlinks::Stream::Stdout)
    }

    /// Somebody looks at standard error while the run goes on. Services whose logs are terminals say that they are none.
    pub(super) fn is_watched(&self) -> bool {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        self.error_terminal && !is_set("CI") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
    }

    /// Columns of the terminal; the same everywhere where there is none.
    pub(super) fn width(&self) -> usize {
        if !self.terminal {
            return WIDTH;
        }
        terminal_size::terminal_size().map_or(WIDTH, |(width, _)| usize::from(width.0).clamp(40, 160))
    }
}

/// <https://no-color.org>: set and not empty.
fn colors_wanted() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

fn quiet(written: io::Result<()>) -> Result<(), Error> {
    match written {
        Err(fault) if fault.kind() != ErrorKind::BrokenPipe => {
            Err(Error::Io { path: "standard output".to_owned(), reason: fault.to_string() })
        }
        _ => Ok(()),
    }
}

/// Writes a file whole.
pub(super) fn write_file(path: &std::path::Path, bytes: &[u8]) -> Result<(), Error> {
    std::fs::write(path, bytes)
        .map_err(|fault| Error::Io { path: visible(&path.to_string_lossy()).into_owned(), reason: fault.to_string() })
}
