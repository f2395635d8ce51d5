//! Long work under a strong lock that nothing ends. Once per run.

use super::Findings;
use super::in_use::{found, is_costly};
use super::lock_timeout_missing::strongest;
use crate::finding::ONCE;
use crate::history::Step;
use crate::server::Effects;

pub fn check(step: &Step, findings: &mut Findings) {
    if step.applied.failure().is_some() || step.session.setting("statement_timeout").is_some() {
        return;
    }
    let long = |effects: &Effects| {
        let scanned = effects.scans.iter().map(|scan| scan.relation);
        let rewritten = effects.rewrites.iter().map(|rewrite| rewrite.relation);
        let built = effects.index_builds.iter().map(|build| build.table);
        let is_long = scanned.chain(rewritten).chain(built).any(|one| is_costly(step, one));
        strongest(step, effects).filter(|_| is_long)
    };
    let Some((majors, (table, mode))) = found(step, long) else { return };
    let name = super::say::name(&step.before.schema, table);
    let stops = if mode.blocks_reads() { "reads and writes" } else { "writes" };
    let message = format!("nothing ends this where it takes longer than thought: all {stops} of `{name}` wait as long");
    let finding = findings.report(step.origin, step.operation.word(), step.certain, message);
    finding.postgres = majors;
    finding.one_per(ONCE);
    finding.object(&step.before.schema.relation(table).name);
    finding.instead("SET statement_timeout = '15min';");
}
