//! A trigger function that writes by a text made at run time, or by MERGE: where to cannot be followed.

use std::collections::BTreeSet;

use super::{Findings, say};
use crate::history::Unit;
use crate::schema::FunctionId;

pub fn check(unit: &Unit, findings: &mut Findings) {
    let (before, after) = (unit.before, unit.after);
    let mut told: BTreeSet<FunctionId> = BTreeSet::new();
    for id in after.data.shaken_since(&before.data, &after.schema, &before.schema) {
        let Some(trigger) = after.schema.get_trigger(id).filter(|trigger| trigger.parent.is_none()) else { continue };
        let Some(function) = trigger.function.and_then(|id| after.schema.get_function(id)) else { continue };
        let Some((span, how)) = after.data.uses_of(id).and_then(|uses| uses.unread.first()) else { continue };
        // One function may serve a hundred tables: it is said once.
        if before.data.is_unfollowed(function.id) || !told.insert(function.id) {
            continue;
        }
        let parts = [trigger.existence.origin().span, function.existence.origin().span];
        let Some(step) = unit.steps.iter().rfind(|step| parts.contains(&step.origin.span)) else { continue };
        let table = say::name(&after.schema, trigger.table);
        let name = function.name.short();
        let message = format!(
            "which tables `{name}` writes when `{table}` is written is not known: it {how}, and no rule follows it"
        );
        let finding = findings.report(&step.origin, step.operation.word(), true, message);
        finding.one_per(name.clone());
        finding.object(&function.name);
        finding.object(&after.schema.relation(trigger.table).name);
        finding.because(*span, format!("`{name}` does it here"));
        finding.instead(
            "name the tables in the body, or build the text of constants, TG_ARGV and TG_TABLE_NAME only;\n\
             write INSERT … ON CONFLICT in the place of MERGE",
        );
    }
}
