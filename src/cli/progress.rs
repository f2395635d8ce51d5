//! A line on standard error that says what a long run does: for people at a terminal, never in the log of a job.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Runs that end sooner show nothing.
const PATIENCE: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(120);

/// Shown until it is dropped.
pub(super) struct Progress {
    line: ProgressBar,
    /// Closed when the run ends.
    running: Option<Sender<()>>,
    waiting: Option<JoinHandle<()>>,
}

impl Progress {
    pub(super) fn begin(is_watched: bool) -> Progress {
        Progress::on(is_watched.then(ProgressDrawTarget::stderr), PATIENCE)
    }

    fn on(target: Option<ProgressDrawTarget>, patience: Duration) -> Progress {
        let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            line.set_style(style);
        }
        let Some(target) = target else { return Progress { line, running: None, waiting: None } };
        let (running, ended) = mpsc::channel();
        let late = line.clone();
        let wait = move || {
            if ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                late.set_draw_target(target);
                late.enable_steady_tick(TICK);
            }
        };
        // Without a thread the run goes on without the line.
        let waiting = thread::Builder::new().spawn(wait).ok();
        Progress { line, running: Some(running), waiting }
    }

    /// What is being done. Nothing from inputs: a terminal would act on it.
    pub(super) fn tell(&self, words: String) {
        self.line.set_message(words);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.running.take();
        if let Some(waiting) = self.waiting.take() {
            // It holds no state that a panic could leave half done.
            let _ = waiting.join();
        }
        self.line.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::*;

    fn on(terminal: &InMemoryTerm, patience: Duration) -> Progress {
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 60);
        Progress::on(Some(target), patience)
    }

    #[test]
    fn a_long_run_says_what_it_does_and_leaves_nothing_behind() {
        let terminal = InMemoryTerm::new(4, 60);
        let progress = on(&terminal, Duration::ZERO);
        progress.tell("judging 12 migrations".to_owned());
        let begun = std::time::Instant::now();
        while !terminal.contents().contains("judging 12 migrations") {
            assert!(begun.elapsed().as_secs() < 20, "{}", terminal.contents());
            thread::sleep(Duration::from_millis(10));
        }
        drop(progress);
        assert_eq!(terminal.contents(), "");
    }

    #[test]
    fn a_short_run_says_nothing() {
        let terminal = InMemoryTerm::new(4, 60);
        let progress = on(&terminal, Duration::from_secs(3600));
        progress.tell("reading".to_owned());
        drop(progress);
        assert_eq!(terminal.moves_since_last_check(), "");
    }
}
