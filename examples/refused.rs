//! Lists every statement that the replay refuses: path, line, SQLSTATE, message.

#![allow(clippy::print_stdout)]

use plimsoll::history::{Event, Plan, replay};
use plimsoll::project::{Request, load};
use plimsoll::settings::Settings;
use plimsoll::version::Major;
use std::path::PathBuf;

fn main() {
    let settings = Settings::default();
    let paths: Vec<PathBuf> = std::env::args().skip(1).map(PathBuf::from).collect();
    let request = Request {
        paths,
        working_directory: std::env::current_dir().expect("cwd"),
        settings: &settings,
        sources: Default::default(),
        since: None,
        after: None,
        stdin: None,
    };
    let project = load(request).expect("load");
    for (index, history) in project.histories.iter().enumerate() {
        let plan = Plan::new(history, index, &settings, Vec::new());
        replay(&plan, Major(15), &mut |event| {
            if let Event::Step(step) = event
                && let Some(failure) = step.applied.failure()
            {
                let at = project.sources.start(step.origin.span);
                println!(
                    "{}:{} {} {} {}",
                    project.sources.path(step.origin.span.source),
                    at.line,
                    failure.state,
                    failure.certain,
                    failure.message
                );
            }
        });
    }
}
