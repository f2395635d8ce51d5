//! `completions` and `man`: what shells and manuals know of the arguments, made from these themselves.

use clap::CommandFactory;

use super::arguments::Arguments;
use super::{Console, Outcome};
use crate::error::Error;

pub(super) fn completions(shell: clap_complete::Shell, console: &mut Console<'_>) -> Outcome {
    let mut written = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), env!("CARGO_PKG_NAME"), &mut written);
    console.write(&written)?;
    Ok(0)
}

/// The page of the program, then one for each subcommand.
pub(super) fn manual(console: &mut Console<'_>) -> Outcome {
    let mut command = Arguments::command();
    command.build();
    let mut written = Vec::new();
    let mut page = |command: clap::Command, name: &str| {
        let rendered = clap_mangen::Man::new(command).title(name).render(&mut written);
        rendered.map_err(|fault| Error::Io { path: "the manual".to_owned(), reason: fault.to_string() })
    };
    page(command.clone(), env!("CARGO_PKG_NAME"))?;
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let name = format!("{}-{}", env!("CARGO_PKG_NAME"), sub.get_name());
        page(sub.clone(), &name)?;
    }
    console.write(&written)?;
    Ok(0)
}
