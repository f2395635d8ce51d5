//! Rows that break a CHECK of their table by the very constants that a statement writes.

use super::Findings;
use crate::data::{Refuted, refuted};
use crate::history::Step;
use crate::operation::{Expr, Operation};

pub fn check(step: &Step, findings: &mut Findings) {
    let Operation::Write(write) = step.operation else { return };
    if step.applied.failure().is_some() {
        return;
    }
    for one in write.all().into_iter().flat_map(|one| refuted(one, &step.before.schema)) {
        let may_hold_rows = |table| !step.is_new(table) && step.before.data.emptied(table).is_none();
        if one.reads.iter().all(|table| may_hold_rows(*table)) {
            report(step, &one, findings);
        }
    }
}

fn report(step: &Step, refuted: &Refuted, findings: &mut Findings) {
    let schema = &step.before.schema;
    let table = &schema.relation(refuted.table).name;
    let name = &refuted.constraint.name;
    let first = if refuted.reads.is_empty() { "" } else { " on the first row" };
    let message = format!(
        "this statement fails{first}: check `{name}` of `{}` is false for what it writes, {} (SQLSTATE 23514)",
        table.short(),
        written(refuted)
    );
    let certain = step.certain && refuted.constraint.existence.is_certain();
    let finding = findings.report(step.origin, step.operation.word(), certain, message);
    finding.one_per(format!("{table} {name}"));
    finding.object(table);
    finding.object(format!("{table}.{name}"));
    finding.because(refuted.constraint.existence.origin().span, format!("`{name}` asks for it"));
    finding.instead("-- write what the check asks for; or change the check first, in a statement before this one");
}

/// `kind` 'ban' with `target` and `reason` NULL.
fn written(refuted: &Refuted) -> String {
    const SHOWN: usize = 6;
    let (nulls, others): (Vec<_>, Vec<_>) = refuted.values.iter().partition(|(_, value)| value.is_null_constant());
    let mut parts: Vec<String> =
        others.iter().map(|(name, value): &&(_, Expr)| format!("`{name}` {value}")).take(SHOWN).collect();
    let nulls: Vec<String> = nulls.iter().map(|(name, _)| format!("`{name}` NULL")).take(SHOWN).collect();
    parts.extend(nulls);
    parts.join(", ")
}
