//! A statement that makes something which this history has made already.

use super::{Findings, missing_object};
use crate::history::Step;
use crate::schema::FailureKind;

pub fn check(step: &Step, findings: &mut Findings) {
    missing_object::report(step, FailureKind::Duplicate, findings);
}
