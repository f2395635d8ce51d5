//! A table that takes another one's name, or its place among the partitions, without all of its rows.

use super::{Findings, say};
use crate::data::{Copy, Coverage, Swap, SwapForm};
use crate::finding::{Finding, Severity};
use crate::history::{Passed, Unit};
use crate::operation::{Expr, Ident};
use crate::schema::{Existence, Schema};

/// A swap, with what is known of the rows that the replacement brings.
struct Served<'a> {
    swap: &'a Swap,
    copy: Option<Copy>,
    coverage: Coverage<'a>,
}

/// swap-before-backfill
pub fn check(unit: &Unit, findings: &mut Findings) {
    for served in served(unit) {
        match served.coverage {
            Coverage::Queued(_) | Coverage::Cancelled(_) => missing(unit, &served, findings),
            Coverage::Missing if served.copy.is_some() || was_fed(unit, served.swap) => {
                missing(unit, &served, findings)
            }
            Coverage::Missing => unseen(unit, &served, findings),
            Coverage::Gap(_) | Coverage::ShortGap(_) => gap(unit, &served, findings),
            Coverage::Complete
            | Coverage::Stated(_)
            | Coverage::Unseen
            | Coverage::Filtered(_)
            | Coverage::Unclear(_) => {}
        }
    }
}

/// swap-loses-rows
pub fn check_rows(unit: &Unit, findings: &mut Findings) {
    for served in served(unit) {
        if let Coverage::Filtered(_) | Coverage::Unclear(_) = served.coverage {
            filtered(unit, &served, findings);
        }
    }
}

fn served<'a>(unit: &Unit<'a>) -> Vec<Served<'a>> {
    let (before, after) = (unit.before, unit.after);
    let of = |swap: &'a Swap| {
        let original = swap.before.get_relation(swap.original)?;
        // Nothing is lost of a table that nobody has used yet.
        if unit.context.is_of_this_release(&original.existence) {
            return None;
        }
        let earlier = before.data.copies_from(&before.schema, swap.original);
        let coverage = after.data.coverage_of_swap(&after.schema, swap, &earlier)?;
        let copy = after.data.copy_of_swap(&after.schema, swap, &earlier).cloned();
        let coverage = match coverage {
            Coverage::Filtered(fill) | Coverage::Unclear(fill) if is_chosen(unit, swap, &coverage) => {
                after.data.judge_time(fill, Some(after.data.fed_before(&after.schema, swap).unwrap_or(swap.left)))
            }
            other => other,
        };
        Some(Served { swap, copy, coverage })
    };
    after.data.swaps_since(&before.data).iter().filter_map(|swap| of(swap)).collect()
}

fn was_fed(unit: &Unit, swap: &Swap) -> bool {
    unit.after.data.fed_before(&unit.after.schema, swap).is_some()
}

/// A table rebuilt in one go shows what it leaves out: duplicates, rows that went to a table of their own.
fn is_chosen(unit: &Unit, swap: &Swap, coverage: &Coverage) -> bool {
    let replacement = unit.after.schema.relation(swap.replacement);
    if !unit.context.is_of_this_release(&replacement.existence) {
        return false;
    }
    let compares_rows = |condition: &Expr| {
        let mut found = false;
        condition.walk(&mut |expr| found |= matches!(expr, Expr::InQuery { .. } | Expr::Exists(_) | Expr::Subquery(_)));
        found
    };
    match coverage {
        Coverage::Filtered(fill) => fill.filter.iter().any(compares_rows) || unit.after.data.is_split_by(swap),
        Coverage::Unclear(_) => true,
        Coverage::Complete
        | Coverage::Stated(_)
        | Coverage::Unseen
        | Coverage::Gap(_)
        | Coverage::ShortGap(_)
        | Coverage::Queued(_)
        | Coverage::Cancelled(_)
        | Coverage::Missing => false,
    }
}

fn missing(unit: &Unit, served: &Served, findings: &mut Findings) {
    let (name, replacement) = say::swapped(served.swap, &unit.after.schema);
    let taken = served.copy.as_ref().map_or("written", |copy| say::taken_along(&unit.before.data, copy.trigger));
    let lacks = match served.coverage {
        Coverage::Queued(_) => "before its backfill, queued and not finished, has copied them all".to_owned(),
        Coverage::Cancelled(_) => "without those that its backfill, taken out of the queue, did not reach".to_owned(),
        _ => format!("with only the rows {taken} since its trigger came"),
    };
    let message = format!("`{name}` loses rows: `{replacement}` takes its place {lacks}");
    let Some(finding) = begin(unit, served, true, message, findings) else { return };
    let trigger = |schema: &'_ Schema| {
        let copy = served.copy.as_ref()?;
        let trigger = schema.get_trigger(copy.trigger)?;
        Some((trigger.existence.origin().span, trigger.name.clone()))
    };
    if let Some((span, trigger)) = trigger(&served.swap.before).or_else(|| trigger(&unit.before.schema)) {
        finding.because(span, format!("only rows {taken} since trigger `{trigger}` reach `{replacement}`"));
    }
    if let Coverage::Queued(fill) | Coverage::Cancelled(fill) = served.coverage {
        say::queue(finding, &unit.after.data, fill, &replacement);
    }
    finding.instead(fill_first(unit, served));
    count(finding, unit, served);
}

/// Nothing in the history puts the original's rows into the replacement: a job may, or the application.
fn unseen(unit: &Unit, served: &Served, findings: &mut Findings) {
    let swap = served.swap;
    let Some(relation) = unit.after.schema.get_relation(swap.replacement) else { return };
    let is_old = matches!(relation.existence, Existence::Created { .. })
        && !unit.context.is_of_this_release(&relation.existence);
    // An empty table made for the swap begins anew, and the old one is kept or thrown away: that is an archive. One of
    // another shape, which no migration fills from the old one, holds other things.
    let is_other = !swap.is_alike(&unit.after.schema) || swap.leaves_columns(&unit.after.schema);
    if !is_old || swap.form == SwapForm::Attached || is_other {
        return;
    }
    let (name, replacement) = say::swapped(swap, &unit.after.schema);
    let message = format!(
        "`{name}` loses its rows unless something outside the migrations copied them into `{replacement}`, which \
         takes its place"
    );
    let Some(finding) = begin(unit, served, true, message, findings) else { return };
    finding.severity = finding.severity.min(Severity::Warning);
    let made = relation.existence.origin().span;
    finding.because(made, format!("`{replacement}` is made here, and no migration fills it"));
    let source = &swap.before.relation(swap.original).name;
    let table = swap.replacement_name(&unit.after.schema);
    finding.instead(format!(
        "-- if a job has copied every row, say so above the statement:\n\
         -- plimsoll:fact backfilled {table} from {source}: which job, and when it ended"
    ));
    count(finding, unit, served);
}

fn gap(unit: &Unit, served: &Served, findings: &mut Findings) {
    let (Coverage::Gap(fill) | Coverage::ShortGap(fill)) = served.coverage else { return };
    let swap = served.swap;
    let together = matches!(served.coverage, Coverage::ShortGap(_));
    let (name, replacement) = say::swapped(swap, &unit.after.schema);
    let message = match &served.copy {
        Some(_) => format!(
            "`{name}` loses rows: those written after the copy into `{replacement}` and before its trigger came are \
             missing once it takes its place"
        ),
        None => {
            let lost = match unit.after.schema.get_relation(swap.original) {
                Some(original) => format!("stay behind in `{}`", original.name.short()),
                None => "are dropped with the old table".to_owned(),
            };
            format!("rows that others write to `{name}` between its copy into `{replacement}` and the swap {lost}")
        }
    };
    // Statements of one migration run one after another: the gap is there, and short.
    let long = fill.moment.release != swap.moment.release;
    let Some(finding) = begin(unit, served, long || !together && served.copy.is_some(), message, findings) else {
        return;
    };
    finding.because(fill.origin.span, "the copy reads the rows that are committed when it begins");
    if together {
        finding.because(
            fill.origin.span,
            format!("no earlier step of the transaction keeps others from writing `{name}`"),
        );
    }
    let source = &swap.before.relation(swap.original).name;
    finding.instead(if served.copy.is_some() {
        fill_first(unit, served)
    } else {
        format!(
            "-- copy and swap in one transaction that begins with a lock against writes; where copying takes too long for \
             that, keep the new table in step by a trigger, and copy while it fires\n\
             LOCK TABLE {source} IN SHARE ROW EXCLUSIVE MODE;"
        )
    });
    count(finding, unit, served);
}

fn filtered(unit: &Unit, served: &Served, findings: &mut Findings) {
    let (Coverage::Filtered(fill) | Coverage::Unclear(fill)) = served.coverage else { return };
    let certain = matches!(served.coverage, Coverage::Filtered(_));
    let (name, replacement) = say::swapped(served.swap, &unit.after.schema);
    let message = if certain {
        format!("`{name}` loses the rows that the copy into `{replacement}` left out when it takes its place")
    } else {
        format!(
            "`{name}` may lose rows: which ones were copied into `{replacement}`, which takes its place, cannot be told"
        )
    };
    let Some(finding) = begin(unit, served, certain, message, findings) else { return };
    // A table rebuilt in one go shows what it leaves out.
    if fill.moment.release == served.swap.moment.release {
        finding.severity = finding.severity.min(Severity::Warning);
    }
    finding.because(fill.origin.span, "the copy takes only some rows");
    let source = &served.swap.before.relation(served.swap.original).name;
    finding.instead(format!(
        "-- copy the other rows too, or decide about them before the swap, where it can be seen:\n\
         -- DELETE FROM {source} WHERE …; with its own review and its own release"
    ));
    count(finding, unit, served);
}

/// A finding at the step that completes the swap.
fn begin<'f>(
    unit: &Unit,
    served: &Served,
    certain: bool,
    message: String,
    findings: &'f mut Findings,
) -> Option<&'f mut Finding> {
    let swap = served.swap;
    let step = completing_step(unit, swap)?;
    let certain = certain && swap.certain && served.copy.as_ref().is_none_or(|copy| copy.certain);
    let finding = findings.report(&step.origin, step.operation.word(), certain, message);
    let (name, _) = say::swapped(swap, &unit.after.schema);
    let place = if swap.form == SwapForm::Attached { "place" } else { "name" };
    if swap.left_by.span != swap.origin.span {
        finding.because(swap.left_by.span, format!("`{name}` gives its {place} up here"));
    }
    finding.object(&swap.before.relation(swap.original).name);
    finding.object(swap.replacement_name(&unit.after.schema));
    finding.one_per(format!("{name} {}", swap.replacement));
    Some(finding)
}

fn completing_step<'a>(unit: &Unit<'a>, swap: &Swap) -> Option<&'a Passed> {
    unit.steps.iter().rfind(|step| step.origin == swap.origin).or(unit.steps.last())
}

/// Counts the rows that the replacement lacks, by the names before the swap: only where it was there then.
fn count(finding: &mut Finding, unit: &Unit, served: &Served) {
    let swap = served.swap;
    let Some(replacement) = swap.before.get_relation(swap.replacement) else { return };
    if unit.context.is_of_this_release(&replacement.existence) {
        return;
    }
    let pairs: Vec<(Ident, Ident)> = match &served.copy {
        Some(copy) => copy.key.clone(),
        None => swap.key().into_iter().map(|name| (name.clone(), name)).collect(),
    };
    if pairs.is_empty() {
        return;
    }
    let equal: Vec<String> = pairs.iter().map(|(copy, source)| format!("c.{copy} = s.{source}")).collect();
    let source = &swap.before.relation(swap.original).name;
    finding.verify(format!(
        "SELECT count(*) FROM {source} AS s WHERE NOT EXISTS (SELECT FROM {} AS c WHERE {})",
        replacement.name,
        equal.join(" AND ")
    ));
}

fn fill_first(unit: &Unit, served: &Served) -> String {
    let swap = served.swap;
    let source = &swap.before.relation(swap.original).name;
    let table = swap.replacement_name(&unit.after.schema);
    let first = served.copy.as_ref().and_then(|copy| copy.key.first()).map(|(_, source)| source.clone());
    let first = first.unwrap_or_else(|| Ident::new("id"));
    let list = say::shared_columns(&swap.before, swap.original, swap.replacement);
    format!(
        "-- first, in an earlier release and while the trigger fires, copy every row, batch by batch:\n\
         INSERT INTO {table} ({list})\n\
         SELECT {list}\n\
         FROM {source} WHERE {first} > :last AND {first} <= :last + 1000\n\
         FOR NO KEY UPDATE\n\
         ON CONFLICT DO NOTHING;\n\
         -- and swap only when no row is missing any more."
    )
}
