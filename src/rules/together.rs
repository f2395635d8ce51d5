//! The downs of all migrations that one change brings, run one after the other as a rollback of the change does: what one
//! of them leaves to another is left out by none.

use crate::history::{Course, SinceBase, State, Whole};

/// Migrations of one change that are taken back with the one asked about; more are not tried.
const MOST: usize = 16;

/// A change that has been taken back whole.
pub struct Together {
    /// Before the first of its migrations.
    pub before: State,
    pub end: State,
    /// The downs that run before the one asked about.
    pub sooner: Vec<Course>,
}

/// `None` where the migration is alone, or not all of them can be run forward and back.
pub fn taken_back(whole: &Whole) -> Option<Together> {
    let (plan, majors, own) = (whole.context.plan, whole.context.majors, whole.context.at.migration);
    let all = &plan.history.migrations;
    let is_new = |number: &usize| all[*number].since_base == SinceBase::Added && !all[*number].repeatable;
    let others: Vec<usize> = (0..all.len()).filter(is_new).collect();
    if !is_new(&own) || others.len() < 2 || others.len() > MOST {
        return None;
    }
    let passed = |course: Course| (course.failed.is_none() && !course.unread).then_some(course);
    let first = *others.first()?;
    let before = if first == own { whole.before.clone() } else { whole.past.before(first)? };
    let later = || others.iter().filter(|number| **number > own);
    let mut state = whole.after.clone();
    for number in later() {
        state = passed(plan.run_from(*number, &state, majors))?.end;
    }
    let mut sooner = Vec::new();
    for number in others.iter().rev() {
        let course = passed(plan.run_back(*number, &state, majors)?)?;
        state = course.end.clone();
        if *number > own {
            sooner.push(course);
        }
    }
    Some(Together { before, end: state, sooner })
}
