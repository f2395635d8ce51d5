//! Starts the program on a stack that deep nesting in a file cannot exhaust.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// A run is made of small allocations, in several threads at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As the shell reports a program that aborted for a fault of its own.
const BUG: u8 = 101;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|at| format!(" ({}:{})", at.file(), at.line())).unwrap_or_default();
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let what = text.or(payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
        let version = env!("CARGO_PKG_VERSION");
        let address = concat!(env!("CARGO_PKG_REPOSITORY"), "/issues");
        // Nothing is left to be done where even this cannot be written.
        let _ = writeln!(
            std::io::stderr(),
            "plimsoll {version} has a fault: {}{place}\nPlease report it with the file that it read: {address}",
            plimsoll::output::visible(what)
        );
    }));
    let run = || {
        let console = plimsoll::cli::Console {
            stdin: &mut std::io::stdin().lock(),
            stdout: &mut std::io::BufWriter::new(std::io::stdout().lock()),
            stderr: &mut std::io::stderr(),
            terminal: std::io::stdout().is_terminal(),
            error_terminal: std::io::stderr().is_terminal(),
        };
        plimsoll::cli::run(std::env::args_os(), console)
    };
    match std::thread::Builder::new().stack_size(plimsoll::read::STACK).spawn(run).map(|thread| thread.join()) {
        Ok(Ok(code)) => ExitCode::from(code),
        Ok(Err(_)) | Err(_) => ExitCode::from(BUG),
    }
}
