//! Findings that are known: the file of them, what it holds back, and what of it is out of date.
//!
//! An entry is found again by its fingerprint, which holds no line; where its migration got another name, by what it is
//! about.

use serde::{Deserialize, Serialize};

use crate::finding::{Finding, MigrationRef};

/// Raised when an older plimsoll could not read the file.
const VERSION: u32 = 1;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    version: u32,
    pub findings: Vec<Known>,
}

/// A finding as the file has it. The message is for its readers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    pub fingerprint: String,
    pub rule: String,
    /// The name of its migration, without the version.
    pub migration: Option<String>,
    operation: String,
    objects: Vec<String>,
    message: String,
}

/// What a run knows of its migrations.
pub struct Migrations<'a> {
    /// A migration has that name.
    pub exists: &'a dyn Fn(&str) -> bool,
    /// And one of that name is judged.
    pub is_judged: &'a dyn Fn(&str) -> bool,
    pub all_judged: bool,
}

/// What a baseline did.
#[derive(Debug, Default)]
pub struct HeldBack {
    pub findings: Vec<Finding>,
    /// Entries that the run would have found, and did not.
    pub stale: Vec<Known>,
}

impl Baseline {
    /// Of these findings.
    pub fn of<'a>(findings: impl Iterator<Item = &'a Finding>, name: &dyn Fn(MigrationRef) -> String) -> Baseline {
        let known = |finding: &Finding| Known {
            fingerprint: finding.fingerprint.clone(),
            rule: finding.rule.to_owned(),
            migration: finding.migration.map(name),
            operation: finding.operation.to_owned(),
            objects: finding.objects.clone(),
            message: finding.message.clone(),
        };
        Baseline { version: VERSION, findings: findings.map(known).collect() }
    }

    pub fn parse(text: &str) -> Result<Baseline, String> {
        let baseline: Baseline = serde_json::from_str(text).map_err(|fault| fault.to_string())?;
        match baseline.version {
            VERSION => Ok(baseline),
            other => Err(format!("version {other} of a baseline is not known to this plimsoll")),
        }
    }

    /// As the file is written.
    pub fn text(&self) -> String {
        // Strings, numbers and lists of them can always be written.
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        format!("{text}\n")
    }

    /// Takes the findings that it knows out of a run's; each entry stands for one.
    pub fn hold_back(
        &self,
        findings: &mut Vec<Finding>,
        may: &dyn Fn(&Finding) -> bool,
        migrations: &Migrations<'_>,
    ) -> HeldBack {
        let mut open: Vec<Option<&Known>> = self.findings.iter().map(Some).collect();
        let mut held = HeldBack::default();
        let mut take = |findings: &mut Vec<Finding>, same: &dyn Fn(&Known, &Finding) -> bool| {
            findings.retain(|finding| {
                let is_same = |entry: &&mut Option<&Known>| entry.is_some_and(|known| same(known, finding));
                match open.iter_mut().find(is_same).filter(|_| may(finding)) {
                    Some(entry) => {
                        *entry = None;
                        held.findings.push(finding.clone());
                        false
                    }
                    None => true,
                }
            });
        };
        take(findings, &|known, finding| known.fingerprint == finding.fingerprint);
        // Under a new name, and only where the old one is gone: else it is another finding about the same.
        take(findings, &|known, finding| {
            let gone = known.migration.as_ref().is_some_and(|name| !(migrations.exists)(name));
            gone && finding.migration.is_some() && known.is_like(finding)
        });
        held.stale = open.into_iter().flatten().filter(|known| known.was_looked_for(migrations)).cloned().collect();
        held
    }
}

impl Known {
    fn is_like(&self, finding: &Finding) -> bool {
        self.rule == finding.rule && self.operation == finding.operation && self.objects == finding.objects
    }

    /// The run judged where it would be.
    fn was_looked_for(&self, migrations: &Migrations<'_>) -> bool {
        match &self.migration {
            Some(name) if (migrations.exists)(name) => (migrations.is_judged)(name),
            _ => migrations.all_judged,
        }
    }
}
